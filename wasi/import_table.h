// The table of imports: each WASI function by name and wasm type, ready to be called with untyped arguments.
//
// It is made from abi.def (preview 1) and socket_abi.def (WasmEdge's and WAMR's sockets). Some names occur several times with different
// types; find_import() picks by type. Whether a row fits its C++ function is checked at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "jit/wasm/types.h"
#include "wasi/context.h"

namespace pollux::wasi {

/// What a parameter is, for its wasm type and for --trace.
enum class ParamKind : std::uint8_t {
    fd,
    number,
    number64,
    signed64,
    clock,
    whence,
    flags,
    fdflags,
    oflags,
    lookup,
    fstflags,
    riflags,
    sdflags,
    rights,
    pointer,
    out_u16,
    out_u32,
    out_u64,     ///< where a result goes; printed after the call
    path,
    iovs,
    ciovs,
    buffer,         ///< address and length, or address and count
    text,           ///< address and length of where text goes; printed after the call
    fdstat,
    filestat,
    prestat,        ///< where a structure goes; printed after the call
    subscriptions,
    events,         ///< of poll_oneoff; the count is the parameter after both
};

/// The wasm parameters that a ParamKind stands for: 'i' is an i32, 'I' an i64.
[[nodiscard]] constexpr std::string_view wasm_params(ParamKind kind) noexcept {
    switch (kind) {
        case ParamKind::number64:
        case ParamKind::signed64:
        case ParamKind::rights:   return "I";
        case ParamKind::path:
        case ParamKind::iovs:
        case ParamKind::ciovs:
        case ParamKind::buffer:
        case ParamKind::text:     return "ii";
        default:                  return "i";
    }
}

/// A guest's arguments, 16 bytes each, as HostBody gets them.
using Arguments = const wasm::V128*;

struct Import {
    std::string_view name;
    std::span<const ParamKind> params;
    std::string_view signature;  ///< 'i' and 'I' for each wasm parameter
    bool returns_errno = true;
    bool preview0 = false;       ///< exists in wasi_unstable as well
    Status (*invoke)(Call& call, Arguments arguments) = nullptr;
};

/// All imports, sorted by name.
[[nodiscard]] std::span<const Import> imports() noexcept;
/// The import with this name and these parameters, or null.
[[nodiscard]] const Import* find_import(std::string_view name, std::string_view signature) noexcept;
/// Whether any import has this name, whatever its type.
[[nodiscard]] bool has_import(std::string_view name) noexcept;

namespace detail {

/// How a C++ parameter is read from a slot.
template <class T>
struct Argument {
    static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    static constexpr char kType = sizeof(T) == 8 ? 'I' : 'i';
    static T get(const wasm::V128& slot) noexcept { return static_cast<T>(slot.low); }
};
template <class T>
struct Argument<GuestPtr<T>> {
    static constexpr char kType = 'i';
    static GuestPtr<T> get(const wasm::V128& slot) noexcept { return {static_cast<GuestAddress>(slot.low)}; }
};

template <auto kFunction>
struct Invoker;
template <class... A, Status (*kFunction)(Call&, A...)>
struct Invoker<kFunction> {
    static constexpr std::array<char, sizeof...(A)> kTypes = {Argument<A>::kType...};
    static Status invoke(Call& call, Arguments arguments) { return unpack(call, arguments, std::index_sequence_for<A...>{}); }

private:
    template <std::size_t... I>
    static Status unpack(Call& call, [[maybe_unused]] Arguments arguments, std::index_sequence<I...>) {
        return kFunction(call, Argument<A>::get(arguments[I])...);
    }
};

template <ParamKind... kParams>
struct ParamList {
    static constexpr std::array<ParamKind, sizeof...(kParams)> kKinds = {kParams...};
    static constexpr std::size_t kCount = (std::size_t{0} + ... + wasm_params(kParams).size());
    static constexpr std::array<char, kCount> kTypes = [] {
        std::array<char, kCount> types{};
        [[maybe_unused]] std::size_t at = 0;
        for (const ParamKind kind : kKinds) {
            for (const char type : wasm_params(kind)) types[at++] = type;
        }
        return types;
    }();
};

template <auto kFunction, ParamKind... kParams>
constexpr Import make_import(std::string_view name, bool returns_errno, bool preview0) noexcept {
    using List = ParamList<kParams...>;
    static_assert(List::kTypes == Invoker<kFunction>::kTypes, "a row of the table does not fit its function");
    return {name, List::kKinds, std::string_view(List::kTypes.data(), List::kCount), returns_errno, preview0, &Invoker<kFunction>::invoke};
}

}  // namespace detail

}  // namespace pollux::wasi
