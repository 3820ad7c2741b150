// SIMD operations on lanes, in C++: what the executed instructions are compared with.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

#include "jit/wasm/opcodes.h"

namespace pollux::arm64::test {

using wasm::Opcode;
using wasm::V128;

template <class T>
using Lanes = std::array<T, 16 / sizeof(T)>;
template <class T>
Lanes<T> lanes(V128 v) {
    return std::bit_cast<Lanes<T>>(v);
}
template <class T>
V128 pack(Lanes<T> l) {
    return std::bit_cast<V128>(l);
}

using Unary = std::function<V128(V128)>;
using Binary = std::function<V128(V128, V128)>;

struct UnaryCase {
    Opcode op;
    Unary expect;
    unsigned float_bits = 0;  ///< lanes of the result that may be any NaN: 0, 32 or 64
};
struct BinaryCase {
    Opcode op;
    Binary expect;
    unsigned float_bits = 0;
};

template <class T, class F>
Unary each(F f) {
    return [f](V128 a) {
        auto l = lanes<T>(a);
        for (T& x : l) x = static_cast<T>(f(x));
        return pack(l);
    };
}
template <class T, class F>
Binary zip(F f) {
    return [f](V128 a, V128 b) {
        auto l = lanes<T>(a);
        const auto r = lanes<T>(b);
        for (std::size_t i = 0; i < l.size(); ++i) l[i] = static_cast<T>(f(l[i], r[i]));
        return pack(l);
    };
}
/// A lane of ones where f holds.
template <class T, class F>
Binary compare(F f) {
    return [f](V128 a, V128 b) {
        using Mask = std::conditional_t<
            sizeof(T) == 1, std::uint8_t,
            std::conditional_t<sizeof(T) == 2, std::uint16_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;
        const auto l = lanes<T>(a);
        const auto r = lanes<T>(b);
        Lanes<Mask> m{};
        for (std::size_t i = 0; i < l.size(); ++i) m[i] = f(l[i], r[i]) ? static_cast<Mask>(~Mask{0}) : Mask{0};
        return pack(m);
    };
}
template <class T, class Wide>
T saturate(Wide x) {
    if (x < Wide{std::numeric_limits<T>::min()}) return std::numeric_limits<T>::min();
    if (x > Wide{std::numeric_limits<T>::max()}) return std::numeric_limits<T>::max();
    return static_cast<T>(x);
}
template <class T, class F>
T truncate_saturated(F x) {
    if (std::isnan(x)) return 0;
    if (x <= static_cast<F>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (x >= static_cast<F>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(x);
}
template <class From, class To>
Unary extend(bool high) {
    return [high](V128 a) {
        const auto l = lanes<From>(a);
        Lanes<To> r{};
        for (std::size_t i = 0; i < r.size(); ++i) r[i] = static_cast<To>(l[i + (high ? r.size() : 0)]);
        return pack(r);
    };
}
template <class From, class To>
Binary extmul(bool high) {
    return [high](V128 a, V128 b) {
        const auto l = lanes<From>(a);
        const auto m = lanes<From>(b);
        Lanes<To> r{};
        for (std::size_t i = 0; i < r.size(); ++i) {
            const std::size_t at = i + (high ? r.size() : 0);
            using U = std::make_unsigned_t<To>;
            r[i] = static_cast<To>(
                static_cast<U>(static_cast<std::uint64_t>(static_cast<To>(l[at])) * static_cast<std::uint64_t>(static_cast<To>(m[at]))));
        }
        return pack(r);
    };
}
template <class From, class To>
Unary extadd() {
    return [](V128 a) {
        const auto l = lanes<From>(a);
        Lanes<To> r{};
        for (std::size_t i = 0; i < r.size(); ++i) r[i] = static_cast<To>(l[2 * i] + l[2 * i + 1]);
        return pack(r);
    };
}
template <class From, class To>
Binary narrow() {
    return [](V128 a, V128 b) {
        const auto l = lanes<From>(a);
        const auto m = lanes<From>(b);
        Lanes<To> r{};
        for (std::size_t i = 0; i < l.size(); ++i) {
            r[i] = saturate<To>(static_cast<std::int64_t>(l[i]));
            r[i + l.size()] = saturate<To>(static_cast<std::int64_t>(m[i]));
        }
        return pack(r);
    };
}
template <class F>
F float_min(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
    if (a == 0 && b == 0) return std::signbit(a) ? a : b;
    return a < b ? a : b;
}
template <class F>
F float_max(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
    if (a == 0 && b == 0) return std::signbit(a) ? b : a;
    return a > b ? a : b;
}

/// Adds the integer operations of one lane type pair to the tables.
template <class S, class U>
void add_integer(std::vector<BinaryCase>& cases, std::array<Opcode, 10> compares, Opcode add, Opcode sub) {
    cases.push_back({compares[0], compare<U>([](U a, U b) { return a == b; })});
    cases.push_back({compares[1], compare<U>([](U a, U b) { return a != b; })});
    cases.push_back({compares[2], compare<S>([](S a, S b) { return a < b; })});
    cases.push_back({compares[4], compare<S>([](S a, S b) { return a > b; })});
    cases.push_back({compares[6], compare<S>([](S a, S b) { return a <= b; })});
    cases.push_back({compares[8], compare<S>([](S a, S b) { return a >= b; })});
    if (sizeof(S) < 8) {
        cases.push_back({compares[3], compare<U>([](U a, U b) { return a < b; })});
        cases.push_back({compares[5], compare<U>([](U a, U b) { return a > b; })});
        cases.push_back({compares[7], compare<U>([](U a, U b) { return a <= b; })});
        cases.push_back({compares[9], compare<U>([](U a, U b) { return a >= b; })});
    }
    cases.push_back({add, zip<U>([](U a, U b) { return a + b; })});
    cases.push_back({sub, zip<U>([](U a, U b) { return a - b; })});
}

template <class F>
void add_float(std::vector<BinaryCase>& cases, std::array<Opcode, 6> compares, std::array<Opcode, 8> ops) {
    cases.push_back({compares[0], compare<F>([](F a, F b) { return a == b; })});
    cases.push_back({compares[1], compare<F>([](F a, F b) { return a != b; })});
    cases.push_back({compares[2], compare<F>([](F a, F b) { return a < b; })});
    cases.push_back({compares[3], compare<F>([](F a, F b) { return a > b; })});
    cases.push_back({compares[4], compare<F>([](F a, F b) { return a <= b; })});
    cases.push_back({compares[5], compare<F>([](F a, F b) { return a >= b; })});
    constexpr unsigned kBits = sizeof(F) * 8;
    cases.push_back({ops[0], zip<F>([](F a, F b) { return a + b; }), kBits});
    cases.push_back({ops[1], zip<F>([](F a, F b) { return a - b; }), kBits});
    cases.push_back({ops[2], zip<F>([](F a, F b) { return a * b; }), kBits});
    cases.push_back({ops[3], zip<F>([](F a, F b) { return a / b; }), kBits});
    cases.push_back({ops[4], zip<F>(float_min<F>), kBits});
    cases.push_back({ops[5], zip<F>(float_max<F>), kBits});
    cases.push_back({ops[6], zip<F>([](F a, F b) { return b < a ? b : a; }), kBits});
    cases.push_back({ops[7], zip<F>([](F a, F b) { return a < b ? b : a; }), kBits});
}

inline std::vector<BinaryCase> binary_cases() {
    using O = Opcode;
    using i8 = std::int8_t;
    using u8 = std::uint8_t;
    using i16 = std::int16_t;
    using u16 = std::uint16_t;
    using i32 = std::int32_t;
    using u32 = std::uint32_t;
    using i64 = std::int64_t;
    using u64 = std::uint64_t;
    std::vector<BinaryCase> c;
    add_integer<i8, u8>(
        c, {O::I8x16Eq, O::I8x16Ne, O::I8x16LtS, O::I8x16LtU, O::I8x16GtS, O::I8x16GtU, O::I8x16LeS, O::I8x16LeU, O::I8x16GeS, O::I8x16GeU},
        O::I8x16Add, O::I8x16Sub);
    add_integer<i16, u16>(
        c, {O::I16x8Eq, O::I16x8Ne, O::I16x8LtS, O::I16x8LtU, O::I16x8GtS, O::I16x8GtU, O::I16x8LeS, O::I16x8LeU, O::I16x8GeS, O::I16x8GeU},
        O::I16x8Add, O::I16x8Sub);
    add_integer<i32, u32>(
        c, {O::I32x4Eq, O::I32x4Ne, O::I32x4LtS, O::I32x4LtU, O::I32x4GtS, O::I32x4GtU, O::I32x4LeS, O::I32x4LeU, O::I32x4GeS, O::I32x4GeU},
        O::I32x4Add, O::I32x4Sub);
    add_integer<i64, u64>(
        c, {O::I64x2Eq, O::I64x2Ne, O::I64x2LtS, O::I64x2LtS, O::I64x2GtS, O::I64x2GtS, O::I64x2LeS, O::I64x2LeS, O::I64x2GeS, O::I64x2GeS},
        O::I64x2Add, O::I64x2Sub);
    add_float<float>(c, {O::F32x4Eq, O::F32x4Ne, O::F32x4Lt, O::F32x4Gt, O::F32x4Le, O::F32x4Ge},
                     {O::F32x4Add, O::F32x4Sub, O::F32x4Mul, O::F32x4Div, O::F32x4Min, O::F32x4Max, O::F32x4Pmin, O::F32x4Pmax});
    add_float<double>(c, {O::F64x2Eq, O::F64x2Ne, O::F64x2Lt, O::F64x2Gt, O::F64x2Le, O::F64x2Ge},
                      {O::F64x2Add, O::F64x2Sub, O::F64x2Mul, O::F64x2Div, O::F64x2Min, O::F64x2Max, O::F64x2Pmin, O::F64x2Pmax});
    c.push_back({O::F32x4RelaxedMin, zip<float>(float_min<float>), 32});
    c.push_back({O::F32x4RelaxedMax, zip<float>(float_max<float>), 32});
    c.push_back({O::F64x2RelaxedMin, zip<double>(float_min<double>), 64});
    c.push_back({O::F64x2RelaxedMax, zip<double>(float_max<double>), 64});
    c.push_back({O::V128And, zip<u64>([](u64 a, u64 b) { return a & b; })});
    c.push_back({O::V128Andnot, zip<u64>([](u64 a, u64 b) { return a & ~b; })});
    c.push_back({O::V128Or, zip<u64>([](u64 a, u64 b) { return a | b; })});
    c.push_back({O::V128Xor, zip<u64>([](u64 a, u64 b) { return a ^ b; })});
    const Binary swizzle = [](V128 a, V128 b) {
        const auto from = lanes<u8>(a);
        auto to = lanes<u8>(b);
        for (u8& x : to) x = x < 16 ? from[x] : u8{0};
        return pack(to);
    };
    c.push_back({O::I8x16Swizzle, swizzle});
    c.push_back({O::I8x16RelaxedSwizzle, swizzle});
    const auto add_min_max = [&]<class S, class U>(S, U, O min_s, O min_u, O max_s, O max_u) {
        c.push_back({min_s, zip<S>([](S a, S b) { return a < b ? a : b; })});
        c.push_back({min_u, zip<U>([](U a, U b) { return a < b ? a : b; })});
        c.push_back({max_s, zip<S>([](S a, S b) { return a > b ? a : b; })});
        c.push_back({max_u, zip<U>([](U a, U b) { return a > b ? a : b; })});
    };
    add_min_max(i8{}, u8{}, O::I8x16MinS, O::I8x16MinU, O::I8x16MaxS, O::I8x16MaxU);
    add_min_max(i16{}, u16{}, O::I16x8MinS, O::I16x8MinU, O::I16x8MaxS, O::I16x8MaxU);
    add_min_max(i32{}, u32{}, O::I32x4MinS, O::I32x4MinU, O::I32x4MaxS, O::I32x4MaxU);
    const auto add_saturating = [&]<class S, class U>(S, U, O add_s, O add_u, O sub_s, O sub_u, O avgr) {
        c.push_back({add_s, zip<S>([](int a, int b) { return saturate<S>(a + b); })});
        c.push_back({add_u, zip<U>([](int a, int b) { return saturate<U>(a + b); })});
        c.push_back({sub_s, zip<S>([](int a, int b) { return saturate<S>(a - b); })});
        c.push_back({sub_u, zip<U>([](int a, int b) { return saturate<U>(a - b); })});
        c.push_back({avgr, zip<U>([](int a, int b) { return (a + b + 1) / 2; })});
    };
    add_saturating(i8{}, u8{}, O::I8x16AddSatS, O::I8x16AddSatU, O::I8x16SubSatS, O::I8x16SubSatU, O::I8x16AvgrU);
    add_saturating(i16{}, u16{}, O::I16x8AddSatS, O::I16x8AddSatU, O::I16x8SubSatS, O::I16x8SubSatU, O::I16x8AvgrU);
    const Binary q15 = zip<i16>([](i16 a, i16 b) { return saturate<i16>((i64{a} * b + 0x4000) >> 15); });
    c.push_back({O::I16x8Q15mulrSatS, q15});
    c.push_back({O::I16x8RelaxedQ15mulrS, q15});
    c.push_back({O::I16x8Mul, zip<u16>([](u32 a, u32 b) { return a * b; })});
    c.push_back({O::I32x4Mul, zip<u32>([](u32 a, u32 b) { return a * b; })});
    c.push_back({O::I64x2Mul, zip<u64>([](u64 a, u64 b) { return a * b; })});
    c.push_back({O::I16x8ExtmulLowI8x16S, extmul<i8, i16>(false)});
    c.push_back({O::I16x8ExtmulHighI8x16S, extmul<i8, i16>(true)});
    c.push_back({O::I16x8ExtmulLowI8x16U, extmul<u8, u16>(false)});
    c.push_back({O::I16x8ExtmulHighI8x16U, extmul<u8, u16>(true)});
    c.push_back({O::I32x4ExtmulLowI16x8S, extmul<i16, i32>(false)});
    c.push_back({O::I32x4ExtmulHighI16x8S, extmul<i16, i32>(true)});
    c.push_back({O::I32x4ExtmulLowI16x8U, extmul<u16, u32>(false)});
    c.push_back({O::I32x4ExtmulHighI16x8U, extmul<u16, u32>(true)});
    c.push_back({O::I64x2ExtmulLowI32x4S, extmul<i32, i64>(false)});
    c.push_back({O::I64x2ExtmulHighI32x4S, extmul<i32, i64>(true)});
    c.push_back({O::I64x2ExtmulLowI32x4U, extmul<u32, u64>(false)});
    c.push_back({O::I64x2ExtmulHighI32x4U, extmul<u32, u64>(true)});
    c.push_back({O::I8x16NarrowI16x8S, narrow<i16, i8>()});
    c.push_back({O::I8x16NarrowI16x8U, narrow<i16, u8>()});
    c.push_back({O::I16x8NarrowI32x4S, narrow<i32, i16>()});
    c.push_back({O::I16x8NarrowI32x4U, narrow<i32, u16>()});
    c.push_back({O::I32x4DotI16x8S, [](V128 a, V128 b) {
                     const auto l = lanes<i16>(a);
                     const auto m = lanes<i16>(b);
                     Lanes<u32> r{};
                     for (std::size_t i = 0; i < 4; ++i)
                         r[i] = static_cast<u32>(l[2 * i] * m[2 * i]) + static_cast<u32>(l[2 * i + 1] * m[2 * i + 1]);
                     return pack(r);
                 }});
    c.push_back({O::I16x8RelaxedDotI8x16I7x16S, [](V128 a, V128 b) {
                     const auto l = lanes<i8>(a);
                     const auto m = lanes<i8>(b);
                     Lanes<u16> r{};
                     for (std::size_t i = 0; i < 8; ++i) r[i] = static_cast<u16>(l[2 * i] * m[2 * i] + l[2 * i + 1] * m[2 * i + 1]);
                     return pack(r);
                 }});
    return c;
}

inline std::vector<UnaryCase> unary_cases() {
    using O = Opcode;
    using i8 = std::int8_t;
    using u8 = std::uint8_t;
    using i16 = std::int16_t;
    using u16 = std::uint16_t;
    using i32 = std::int32_t;
    using u32 = std::uint32_t;
    using i64 = std::int64_t;
    using u64 = std::uint64_t;
    std::vector<UnaryCase> c;
    const auto add_abs_neg = [&]<class U>(U, O abs, O neg) {
        c.push_back({abs, each<U>([](U a) { return a >> (sizeof(U) * 8 - 1) != 0 ? U{0} - a : a; })});
        c.push_back({neg, each<U>([](U a) { return U{0} - a; })});
    };
    add_abs_neg(u8{}, O::I8x16Abs, O::I8x16Neg);
    add_abs_neg(u16{}, O::I16x8Abs, O::I16x8Neg);
    add_abs_neg(u32{}, O::I32x4Abs, O::I32x4Neg);
    add_abs_neg(u64{}, O::I64x2Abs, O::I64x2Neg);
    c.push_back({O::V128Not, each<u64>([](u64 a) { return ~a; })});
    c.push_back({O::I8x16Popcnt, each<u8>([](u8 a) { return std::popcount(a); })});
    c.push_back({O::I16x8ExtaddPairwiseI8x16S, extadd<i8, i16>()});
    c.push_back({O::I16x8ExtaddPairwiseI8x16U, extadd<u8, u16>()});
    c.push_back({O::I32x4ExtaddPairwiseI16x8S, extadd<i16, i32>()});
    c.push_back({O::I32x4ExtaddPairwiseI16x8U, extadd<u16, u32>()});
    c.push_back({O::I16x8ExtendLowI8x16S, extend<i8, i16>(false)});
    c.push_back({O::I16x8ExtendHighI8x16S, extend<i8, i16>(true)});
    c.push_back({O::I16x8ExtendLowI8x16U, extend<u8, u16>(false)});
    c.push_back({O::I16x8ExtendHighI8x16U, extend<u8, u16>(true)});
    c.push_back({O::I32x4ExtendLowI16x8S, extend<i16, i32>(false)});
    c.push_back({O::I32x4ExtendHighI16x8S, extend<i16, i32>(true)});
    c.push_back({O::I32x4ExtendLowI16x8U, extend<u16, u32>(false)});
    c.push_back({O::I32x4ExtendHighI16x8U, extend<u16, u32>(true)});
    c.push_back({O::I64x2ExtendLowI32x4S, extend<i32, i64>(false)});
    c.push_back({O::I64x2ExtendHighI32x4S, extend<i32, i64>(true)});
    c.push_back({O::I64x2ExtendLowI32x4U, extend<u32, u64>(false)});
    c.push_back({O::I64x2ExtendHighI32x4U, extend<u32, u64>(true)});
    const auto add_float = [&]<class F, class U>(F, U, std::array<O, 7> ops) {
        constexpr U kSign = U{1} << (sizeof(U) * 8 - 1);
        c.push_back({ops[0], each<U>([](U a) { return a & ~kSign; })});
        c.push_back({ops[1], each<U>([](U a) { return a ^ kSign; })});
        c.push_back({ops[2], each<F>([](F a) { return std::sqrt(a); }), sizeof(F) * 8});
        c.push_back({ops[3], each<F>([](F a) { return std::ceil(a); }), sizeof(F) * 8});
        c.push_back({ops[4], each<F>([](F a) { return std::floor(a); }), sizeof(F) * 8});
        c.push_back({ops[5], each<F>([](F a) { return std::trunc(a); }), sizeof(F) * 8});
        c.push_back({ops[6], each<F>([](F a) { return std::nearbyint(a); }), sizeof(F) * 8});
    };
    add_float(float{}, u32{}, {O::F32x4Abs, O::F32x4Neg, O::F32x4Sqrt, O::F32x4Ceil, O::F32x4Floor, O::F32x4Trunc, O::F32x4Nearest});
    add_float(double{}, u64{}, {O::F64x2Abs, O::F64x2Neg, O::F64x2Sqrt, O::F64x2Ceil, O::F64x2Floor, O::F64x2Trunc, O::F64x2Nearest});
    const auto truncate32 = []<class T>(T) {
        return [](V128 a) {
            const auto l = lanes<float>(a);
            Lanes<T> r{};
            for (std::size_t i = 0; i < 4; ++i) r[i] = truncate_saturated<T>(double{l[i]});
            return pack(r);
        };
    };
    const auto truncate64 = []<class T>(T) {
        return [](V128 a) {
            const auto l = lanes<double>(a);
            return pack(Lanes<T>{truncate_saturated<T>(l[0]), truncate_saturated<T>(l[1]), 0, 0});
        };
    };
    c.push_back({O::I32x4TruncSatF32x4S, truncate32(i32{})});
    c.push_back({O::I32x4TruncSatF32x4U, truncate32(u32{})});
    c.push_back({O::I32x4RelaxedTruncF32x4S, truncate32(i32{})});
    c.push_back({O::I32x4RelaxedTruncF32x4U, truncate32(u32{})});
    c.push_back({O::I32x4TruncSatF64x2SZero, truncate64(i32{})});
    c.push_back({O::I32x4TruncSatF64x2UZero, truncate64(u32{})});
    c.push_back({O::I32x4RelaxedTruncF64x2SZero, truncate64(i32{})});
    c.push_back({O::I32x4RelaxedTruncF64x2UZero, truncate64(u32{})});
    const auto convert = []<class T, class F>(T, F) {
        return [](V128 a) {
            const auto l = lanes<T>(a);
            Lanes<F> r{};
            for (std::size_t i = 0; i < r.size(); ++i) r[i] = static_cast<F>(l[i]);
            return pack(r);
        };
    };
    c.push_back({O::F32x4ConvertI32x4S, convert(i32{}, float{})});
    c.push_back({O::F32x4ConvertI32x4U, convert(u32{}, float{})});
    c.push_back({O::F64x2ConvertLowI32x4S, convert(i32{}, double{})});
    c.push_back({O::F64x2ConvertLowI32x4U, convert(u32{}, double{})});
    c.push_back({O::F64x2PromoteLowF32x4, convert(float{}, double{}), 64});
    c.push_back({O::F32x4DemoteF64x2Zero,
                 [](V128 a) {
                     const auto l = lanes<double>(a);
                     return pack(Lanes<float>{static_cast<float>(l[0]), static_cast<float>(l[1]), 0, 0});
                 },
                 32});
    return c;
}

/// Whether the vectors are equal but for NaNs of any payload in float lanes.
inline bool same(V128 got, V128 wanted, unsigned float_bits) {
    const auto equal = []<class F>(Lanes<F> a, Lanes<F> b) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            if (std::isnan(a[i]) && std::isnan(b[i])) continue;
            if (std::memcmp(&a[i], &b[i], sizeof(F)) != 0) return false;
        }
        return true;
    };
    if (float_bits == 32) return equal(lanes<float>(got), lanes<float>(wanted));
    if (float_bits == 64) return equal(lanes<double>(got), lanes<double>(wanted));
    return got == wanted;
}

}  // namespace pollux::arm64::test
