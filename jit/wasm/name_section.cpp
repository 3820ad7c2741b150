// Reading the name section (WebAssembly 3.0, appendix 7.4). Its subsections are skipped by their sizes.
#include "jit/wasm/name_section.h"

#include <algorithm>

#include "jit/wasm/bytes.h"

namespace pollux::wasm {

namespace {

constexpr std::uint8_t kModuleName = 0;
constexpr std::uint8_t kFunctionNames = 1;

/// Calls visit(subsection id, cursor over its contents) for each subsection until one is malformed.
template <class Visit>
void visit_subsections(const Module& module, Visit&& visit) {
    if (module.name_section_offset > module.bytes.size() || module.name_section_size > module.bytes.size() - module.name_section_offset)
        return;
    Cursor in(module.bytes.subspan(module.name_section_offset, module.name_section_size), module.name_section_offset);
    while (!in.at_end()) {
        std::uint8_t id = 0;
        std::uint32_t size = 0;
        std::span<const std::uint8_t> contents;
        if (!in.read_u8(id) || !in.read_u32(size) || !in.read_bytes(size, contents)) return;
        visit(id, Cursor(contents));
    }
}

/// Calls visit(index, name) for each entry of a name map until it is malformed or visit returns false.
template <class Visit>
void visit_names(Cursor in, Visit&& visit) {
    std::uint32_t count = 0;
    if (!in.read_u32(count)) return;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::uint32_t index = 0;
        std::string_view name;
        if (!in.read_u32(index) || !in.read_name(name) || !visit(index, name)) return;
    }
}

}  // namespace

std::string_view find_function_name(const Module& module, std::uint32_t function) {
    std::string_view found;
    visit_subsections(module, [&](std::uint8_t id, const Cursor& in) {
        if (id != kFunctionNames) return;
        visit_names(in, [&](std::uint32_t index, std::string_view name) {
            if (index == function) found = name;
            return index != function;
        });
    });
    return found;
}

NameSection::NameSection(const Module& module) {
    visit_subsections(module, [this](std::uint8_t id, Cursor in) {
        if (id == kModuleName) {
            std::string_view name;
            if (in.read_name(name)) module_name_ = name;
        } else if (id == kFunctionNames) {
            visit_names(in, [this](std::uint32_t index, std::string_view name) {
                functions_.push_back({index, static_cast<std::uint32_t>(name.size()), name.data()});
                return true;
            });
        }
    });
    if (!std::ranges::is_sorted(functions_, {}, &Entry::index)) std::ranges::sort(functions_, {}, &Entry::index);
    functions_.shrink_to_fit();
}

std::string_view NameSection::function(std::uint32_t index) const noexcept {
    const auto found = std::ranges::lower_bound(functions_, index, {}, &Entry::index);
    if (found == functions_.end() || found->index != index) return {};
    return {found->data, found->size};
}

}  // namespace pollux::wasm
