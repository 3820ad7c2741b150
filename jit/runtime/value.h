// A WebAssembly value outside generated code: what the host passes to Func::call and reads from globals and tables.
#pragma once

#include <bit>
#include <cstdint>

#include "jit/abi/layout.h"
#include "jit/runtime/host_function.h"
#include "jit/wasm/types.h"

namespace pollux {

/// A kind and 128 bits. i32 and f32 are in the low 32 bits, references in the low 64.
struct Value {
    wasm::Kind kind = wasm::Kind::i32;
    wasm::V128 bits{};

    [[nodiscard]] static constexpr Value i32(std::int32_t value) noexcept {
        return {wasm::Kind::i32, {static_cast<std::uint32_t>(value), 0}};
    }
    [[nodiscard]] static constexpr Value i64(std::int64_t value) noexcept {
        return {wasm::Kind::i64, {static_cast<std::uint64_t>(value), 0}};
    }
    [[nodiscard]] static constexpr Value f32(float value) noexcept { return {wasm::Kind::f32, {std::bit_cast<std::uint32_t>(value), 0}}; }
    [[nodiscard]] static constexpr Value f64(double value) noexcept { return {wasm::Kind::f64, {std::bit_cast<std::uint64_t>(value), 0}}; }
    [[nodiscard]] static constexpr Value v128(wasm::V128 value) noexcept { return {wasm::Kind::v128, value}; }
    [[nodiscard]] static constexpr Value ref(std::uint64_t reference) noexcept { return {wasm::Kind::ref, {reference, 0}}; }
    [[nodiscard]] static Value func(const FuncRef* function) noexcept { return ref(reinterpret_cast<std::uint64_t>(function)); }
    [[nodiscard]] static constexpr Value extern_(ExternRef reference) noexcept { return ref(reference.bits); }

    [[nodiscard]] constexpr std::int32_t as_i32() const noexcept { return static_cast<std::int32_t>(bits.low); }
    [[nodiscard]] constexpr std::int64_t as_i64() const noexcept { return static_cast<std::int64_t>(bits.low); }
    [[nodiscard]] constexpr float as_f32() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits.low)); }
    [[nodiscard]] constexpr double as_f64() const noexcept { return std::bit_cast<double>(bits.low); }
    [[nodiscard]] FuncRef* as_func() const noexcept { return reinterpret_cast<FuncRef*>(bits.low); }
    [[nodiscard]] constexpr ExternRef as_extern() const noexcept { return {bits.low}; }

    friend constexpr bool operator==(const Value&, const Value&) noexcept = default;
};

}  // namespace pollux
