#include "wasi/import_table.h"

#include <algorithm>
#include <vector>

#include "wasi/calls.h"
#include "wasi/socket_calls.h"

namespace pollux::wasi {
namespace {

using enum ParamKind;

/// The one import that returns nothing.
constexpr std::string_view kProcExit = "proc_exit";
/// The one import that preview 0 had not.
constexpr std::string_view kSockAccept = "sock_accept";

constexpr Import kPreview1[] = {
#define WASI_IMPORT(name, ...)                                                                         \
    detail::make_import<&name __VA_OPT__(, ) __VA_ARGS__>(#name, std::string_view(#name) != kProcExit, \
                                                          std::string_view(#name) != kSockAccept),
#include "wasi/abi.def"
#undef WASI_IMPORT
};

constexpr Import kSocketExtensions[] = {
#define WASI_SOCKET_IMPORT(name, function, ...) detail::make_import<&function, __VA_ARGS__>(#name, true, false),
#include "wasi/socket_abi.def"
#undef WASI_SOCKET_IMPORT
};

const std::vector<Import>& table() {
    static const std::vector<Import> sorted = [] {
        std::vector<Import> all(std::begin(kPreview1), std::end(kPreview1));
        all.insert(all.end(), std::begin(kSocketExtensions), std::end(kSocketExtensions));
        std::ranges::stable_sort(all, {}, &Import::name);
        return all;
    }();
    return sorted;
}

}  // namespace

std::span<const Import> imports() noexcept { return table(); }

const Import* find_import(std::string_view name, std::string_view signature) noexcept {
    for (const Import& import : std::ranges::equal_range(table(), name, {}, &Import::name)) {
        if (import.signature == signature) return &import;
    }
    return nullptr;
}

bool has_import(std::string_view name) noexcept { return std::ranges::binary_search(table(), name, {}, &Import::name); }

}  // namespace pollux::wasi
