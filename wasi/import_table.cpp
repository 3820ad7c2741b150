#include "wasi/import_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

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

constexpr std::pair<std::string_view, std::string_view> key(const Import& import) noexcept { return {import.name, import.signature}; }

/// All of them, sorted when Pollux is compiled, not each time it starts.
constexpr auto kImports = [] {
    std::array<Import, std::size(kPreview1) + std::size(kSocketExtensions)> all;
    std::ranges::copy(kSocketExtensions, std::ranges::copy(kPreview1, all.begin()).out);
    std::ranges::sort(all, {}, key);
    return all;
}();
static_assert(std::ranges::adjacent_find(kImports, {}, key) == kImports.end(), "two imports have one name and type");

}  // namespace

std::span<const Import> imports() noexcept { return kImports; }

const Import* find_import(std::string_view name, std::string_view signature) noexcept {
    for (const Import& import : std::ranges::equal_range(kImports, name, {}, &Import::name)) {
        if (import.signature == signature) return &import;
    }
    return nullptr;
}

bool has_import(std::string_view name) noexcept { return std::ranges::binary_search(kImports, name, {}, &Import::name); }

}  // namespace pollux::wasi
