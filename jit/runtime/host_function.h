// Host functions: how C++ functions are called by guests.
//
// A typed host function is an ordinary function whose first parameter is the CallContext and whose others are wasm values:
//
//     TrapCode            exit_now(CallContext& context, std::int32_t code);            // no results; TrapCode::none goes on
//     void                log(CallContext&, std::uint32_t pointer, std::uint32_t bytes);
//     std::int32_t        fd_write(CallContext&, std::int32_t fd, std::uint32_t iovs, std::uint32_t count, std::uint32_t written);
//     HostResult<double>  div(CallContext&, double a, double b);                     // a value, or std::unexpected(TrapCode::…)
//     std::tuple<std::int32_t, float> both(CallContext&);                            // several results
//
// host_function<fd_write> is its HostFunctionType: the wasm type and an untyped body that unpacks the 16-byte slots. No allocation,
// no indirection: the typed function is inlined into the body. Define it in a Linker (linker.h) with the `data` it needs; inside,
// host_data<T>(context) is that pointer, and memory_of(context) the caller's memory. A guest pointer is a std::uint32_t (or 64 bits): check
// it. A host function runs on the guest's fiber: it may park it, must not throw, and has kHostStackBytes of stack (fiber.h).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/wasm/types.h"

namespace pollux {

class Instance;
class Memory;
class Store;

/// A host function's result or why the guest must end: TrapCode::host_exit to end the program (the store keeps the exit status:
/// Store::set_exit), TrapCode::host_error for a failure of the host (Store::set_host_error), or any other code.
/// TrapCode::uncaught_exception throws on what a guest function called by it has thrown (Trap::exception): the calling guest can catch it.
template <class T = void>
using HostResult = std::expected<T, TrapCode>;

/// An externref as generated code holds it: null is 0. Made by Store::make_extern, read by extern_value.
struct ExternRef {
    std::uint64_t bits = 0;
    friend constexpr bool operator==(ExternRef, ExternRef) noexcept = default;
};

/// Wasm type of a C++ type of a host function's signature, and its place in a slot.
template <class T>
struct HostValue;

namespace detail {
template <class T, wasm::Kind kKind>
struct NumericHostValue {
    static constexpr wasm::ValType kType{kKind};
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

    [[nodiscard]] static T get(const wasm::V128& slot) noexcept {
        if constexpr (sizeof(T) == sizeof(wasm::V128)) {
            return std::bit_cast<T>(slot);
        } else {
            return std::bit_cast<T>(static_cast<Bits>(slot.low));
        }
    }
    static void set(wasm::V128& slot, T value) noexcept {
        if constexpr (sizeof(T) == sizeof(wasm::V128)) {
            slot = std::bit_cast<wasm::V128>(value);
        } else {
            slot = {std::bit_cast<Bits>(value), 0};
        }
    }
};
}  // namespace detail

template <>
struct HostValue<std::int32_t> : detail::NumericHostValue<std::int32_t, wasm::Kind::i32> {};
template <>
struct HostValue<std::uint32_t> : detail::NumericHostValue<std::uint32_t, wasm::Kind::i32> {};
template <>
struct HostValue<std::int64_t> : detail::NumericHostValue<std::int64_t, wasm::Kind::i64> {};
template <>
struct HostValue<std::uint64_t> : detail::NumericHostValue<std::uint64_t, wasm::Kind::i64> {};
template <>
struct HostValue<float> : detail::NumericHostValue<float, wasm::Kind::f32> {};
template <>
struct HostValue<double> : detail::NumericHostValue<double, wasm::Kind::f64> {};
template <>
struct HostValue<wasm::V128> : detail::NumericHostValue<wasm::V128, wasm::Kind::v128> {};
template <>
struct HostValue<FuncRef*> : detail::NumericHostValue<FuncRef*, wasm::Kind::ref> {
    static constexpr wasm::ValType kType = wasm::kFuncRef;
};
template <>
struct HostValue<ExternRef> : detail::NumericHostValue<ExternRef, wasm::Kind::ref> {
    static constexpr wasm::ValType kType = wasm::kExternRef;
};

/// What a Linker needs to know of a host function.
struct HostFunctionType {
    wasm::FuncType type;
    HostBody body = nullptr;
};

/// Keeps the guest's backtrace for the trap that a failing host function causes. Bodies made by host_function<> call it themselves.
void host_function_failed(CallContext& context, TrapCode code) noexcept;

namespace detail {

/// Results of a host function, by its C++ return type: how to store them, and their wasm types.
template <class R>
struct HostReturn {  // one value
    static TrapCode store(R value, wasm::V128* slots) noexcept { return HostValue<R>::set(slots[0], value), TrapCode::none; }
    static std::vector<wasm::ValType> types() { return {HostValue<R>::kType}; }
};
template <>
struct HostReturn<TrapCode> {
    static TrapCode store(TrapCode code, wasm::V128*) noexcept { return code; }
    static std::vector<wasm::ValType> types() { return {}; }
};
template <class... R>
struct HostReturn<std::tuple<R...>> {
    static TrapCode store(const std::tuple<R...>& values, wasm::V128* slots) noexcept {
        std::apply([&](const R&... value) { (HostValue<R>::set(*slots++, value), ...); }, values);
        return TrapCode::none;
    }
    static std::vector<wasm::ValType> types() { return {HostValue<R>::kType...}; }
};
template <class R>
struct HostReturn<std::expected<R, TrapCode>> {
    static TrapCode store(const std::expected<R, TrapCode>& result, wasm::V128* slots) noexcept {
        if (!result) return result.error();
        if constexpr (std::is_void_v<R>) {
            return TrapCode::none;
        } else {
            return HostReturn<R>::store(*result, slots);
        }
    }
    static std::vector<wasm::ValType> types() {
        if constexpr (std::is_void_v<R>) {
            return {};
        } else {
            return HostReturn<R>::types();
        }
    }
};

template <class R, class... A>
struct HostSignature {
    template <auto kFunction, std::size_t... I>
    static TrapCode call(CallContext& context, wasm::V128* slots, std::index_sequence<I...>) {
        if constexpr (std::is_void_v<R>) {
            kFunction(context, HostValue<A>::get(slots[I])...);
            return TrapCode::none;
        } else {
            const TrapCode code = HostReturn<R>::store(kFunction(context, HostValue<A>::get(slots[I])...), slots);
            if (code != TrapCode::none) [[unlikely]]
                host_function_failed(context, code);
            return code;
        }
    }
    template <auto kFunction>
    static TrapCode body(CallContext& context, wasm::V128* slots) {
        return call<kFunction>(context, slots, std::index_sequence_for<A...>{});
    }
    static wasm::FuncType type() {
        wasm::FuncType type{{HostValue<A>::kType...}, {}};
        if constexpr (!std::is_void_v<R>) type.results = HostReturn<R>::types();
        return type;
    }
};

template <class R, class... A>
HostSignature<R, A...> host_signature(R (*)(CallContext&, A...));
template <class R, class... A>
HostSignature<R, A...> host_signature(R (*)(CallContext&, A...) noexcept);

}  // namespace detail

/// The wasm type and the body of a typed host function: `host_function<&fd_write>()`. Captureless lambdas work too:
/// `host_function<[](CallContext&) {…}>()`.
template <auto kFunction>
[[nodiscard]] HostFunctionType host_function() {
    using Signature = decltype(detail::host_signature(+kFunction));
    return {Signature::type(), &Signature::template body<kFunction>};
}

/// The `data` pointer that the function was defined with.
template <class T>
[[nodiscard]] T& host_data(const CallContext& context) noexcept {
    return *static_cast<T*>(context.function->data);
}

/// The store of the calling guest.
[[nodiscard]] Store& store_of(const CallContext& context) noexcept;

/// The instance whose code called; null when the host called the function itself (Func::call).
[[nodiscard]] Instance* instance_of(const CallContext& context) noexcept;

/// The caller's exported memory "memory", else its memory 0; null if it has none. Memory::bytes() is the span of its present size.
[[nodiscard]] Memory* memory_of(const CallContext& context) noexcept;

}  // namespace pollux
