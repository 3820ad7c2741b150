// Vector arithmetic of the x64 masm, executed with every aliasing of its registers and compared lane by lane.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tests/codegen/x64/simd_support.h"

namespace pollux::x64::test {
namespace {

const std::vector<V128> kF32 = float_vectors<float>();
const std::vector<V128> kF64 = float_vectors<double>();

// --- comparison ----------------------------------------------------------------------------------------------------------------

/// How results are compared: bit for bit, or with any quiet NaN for a NaN.
enum class Compare : std::uint8_t { bits, f32, f64 };

template <class F>
bool same_floats(V128 expected, V128 got) {
    const auto e = lanes<F>(expected);
    const auto g = lanes<F>(got);
    for (std::size_t i = 0; i < e.size(); ++i) {
        if (std::isnan(e[i])) {
            using Bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
            const Bits quiet = std::bit_cast<Bits>(nan_of<F>());
            if ((std::bit_cast<Bits>(g[i]) & quiet) != quiet) return false;
        } else if (std::memcmp(&e[i], &g[i], sizeof(F)) != 0) {
            return false;
        }
    }
    return true;
}

bool same(Compare compare, V128 expected, V128 got) {
    switch (compare) {
        case Compare::bits: return expected == got;
        case Compare::f32:  return same_floats<float>(expected, got);
        case Compare::f64:  return same_floats<double>(expected, got);
    }
    return false;
}

using Unary = std::function<V128(V128)>;
using Binary = std::function<V128(V128, V128)>;
using Ternary = std::function<V128(V128, V128, V128)>;

void check_unary(Opcode op, const std::vector<V128>& inputs, Compare compare, const Unary& expect) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kVectorRegs) {
            for (const Reg a : kVectorRegs) {
                runner.compile([&](Masm& m) { m.simd_unary(op, d, a); });
                for (const V128 x : inputs) {
                    runner.block().in.fp[a.number()] = x;
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const V128 got = runner.block().out.fp[d.number()];
                    ASSERT_TRUE(same(compare, expect(x), got)) << text(op) << " " << describe(features) << " x=" << hex(x) << " got "
                                                               << hex(got) << " expected " << hex(expect(x));
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U) << text(op);
                }
            }
        }
    }
}

void check_binary(Opcode op, const std::vector<V128>& inputs, Compare compare, const Binary& expect) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kVectorRegs) {
            for (const Reg a : kVectorRegs) {
                for (const Reg b : kVectorRegs) {
                    runner.compile([&](Masm& m) { m.simd_binary(op, d, a, b); });
                    for (const V128 x : inputs) {
                        for (const V128 y : inputs) {
                            if (a == b && x != y) continue;
                            runner.block().in.fp[a.number()] = x;
                            runner.block().in.fp[b.number()] = y;
                            ASSERT_EQ(runner.run(), TrapCode::none);
                            const V128 got = runner.block().out.fp[d.number()];
                            ASSERT_TRUE(same(compare, expect(x, y), got))
                                << text(op) << " " << describe(features) << " d=" << int{d.code} << " a=" << int{a.code}
                                << " b=" << int{b.code} << " x=" << hex(x) << " y=" << hex(y) << " got " << hex(got) << " expected "
                                << hex(expect(x, y));
                            ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U) << text(op);
                        }
                    }
                }
            }
        }
    }
}

void check_ternary(Opcode op, const std::vector<V128>& inputs, const std::vector<V128>& third, Compare compare, const Ternary& expect) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kVectorRegs) {
            for (const Reg a : kVectorRegs) {
                for (const Reg b : kVectorRegs) {
                    for (const Reg c : kVectorRegs) {
                        runner.compile([&](Masm& m) { m.simd_ternary(op, d, a, b, c); });
                        for (std::size_t i = 0; i < inputs.size(); ++i) {
                            auto& in = runner.block().in;
                            in.fp[a.number()] = inputs[i];
                            in.fp[b.number()] = inputs[(i * 7 + 3) % inputs.size()];
                            in.fp[c.number()] = third[(i * 5 + 1) % third.size()];
                            const V128 x = in.fp[a.number()];
                            const V128 y = in.fp[b.number()];
                            const V128 z = in.fp[c.number()];
                            ASSERT_EQ(runner.run(), TrapCode::none);
                            const V128 got = runner.block().out.fp[d.number()];
                            ASSERT_TRUE(same(compare, expect(x, y, z), got))
                                << text(op) << " " << describe(features) << " d=" << int{d.code} << " a=" << int{a.code}
                                << " b=" << int{b.code} << " c=" << int{c.code} << " got " << hex(got) << " expected "
                                << hex(expect(x, y, z));
                            ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U) << text(op);
                        }
                    }
                }
            }
        }
    }
}

// --- lane-wise references --------------------------------------------------------------------------------------------------------

template <class T, class F>
Unary each(F f) {
    return [f](V128 x) {
        auto a = lanes<T>(x);
        for (T& lane : a) lane = static_cast<T>(f(lane));
        return pack<T>(a);
    };
}

template <class T, class F>
Binary each2(F f) {
    return [f](V128 x, V128 y) {
        auto a = lanes<T>(x);
        const auto b = lanes<T>(y);
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(f(a[i], b[i]));
        return pack<T>(a);
    };
}

/// A comparison: lanes of all ones where it holds.
template <class T, class F>
Binary compare2(F f) {
    using Mask = std::conditional_t<
        sizeof(T) == 1, std::uint8_t,
        std::conditional_t<sizeof(T) == 2, std::uint16_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;
    return [f](V128 x, V128 y) {
        const auto a = lanes<T>(x);
        const auto b = lanes<T>(y);
        Lanes<Mask> result;
        for (std::size_t i = 0; i < a.size(); ++i) result[i] = f(a[i], b[i]) ? static_cast<Mask>(-1) : Mask{0};
        return pack<Mask>(result);
    };
}

template <class T>
T clamped(std::int64_t value) {
    return static_cast<T>(std::clamp<std::int64_t>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

/// Both inputs' lanes of type From, clamped to type To, one after the other.
template <class From, class To>
Binary narrow() {
    return [](V128 x, V128 y) {
        const auto a = lanes<From>(x);
        const auto b = lanes<From>(y);
        Lanes<To> result;
        for (std::size_t i = 0; i < a.size(); ++i) {
            result[i] = clamped<To>(a[i]);
            result[i + a.size()] = clamped<To>(b[i]);
        }
        return pack<To>(result);
    };
}

template <class From, class To>
Unary extend(bool high) {
    return [high](V128 x) {
        const auto a = lanes<From>(x);
        Lanes<To> result;
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<To>(a[i + (high ? result.size() : 0)]);
        return pack<To>(result);
    };
}

template <class From, class To>
Unary extended_add() {
    return [](V128 x) {
        const auto a = lanes<From>(x);
        Lanes<To> result;
        for (std::size_t i = 0; i < result.size(); ++i)
            result[i] = static_cast<To>(static_cast<To>(a[2 * i]) + static_cast<To>(a[2 * i + 1]));
        return pack<To>(result);
    };
}

template <class From, class To>
Binary extended_multiply(bool high) {
    return [high](V128 x, V128 y) {
        const auto a = lanes<From>(x);
        const auto b = lanes<From>(y);
        using Wide = std::conditional_t<std::is_signed_v<From>, std::int64_t, std::uint64_t>;
        Lanes<To> result;
        for (std::size_t i = 0; i < result.size(); ++i) {
            const std::size_t from = i + (high ? result.size() : 0);
            result[i] = static_cast<To>(static_cast<Wide>(a[from]) * static_cast<Wide>(b[from]));
        }
        return pack<To>(result);
    };
}

template <class F>
F wasm_min(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return nan_of<F>();
    if (a == b) return std::signbit(a) ? a : b;
    return a < b ? a : b;
}
template <class F>
F wasm_max(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return nan_of<F>();
    if (a == b) return std::signbit(a) ? b : a;
    return a > b ? a : b;
}

template <class I, class F>
I saturated(F value) {
    if (std::isnan(value)) return 0;
    const double wide = std::trunc(static_cast<double>(value));
    if (wide <= static_cast<double>(std::numeric_limits<I>::min())) return std::numeric_limits<I>::min();
    if (wide >= static_cast<double>(std::numeric_limits<I>::max())) return std::numeric_limits<I>::max();
    return static_cast<I>(wide);
}

void integers(Opcode op, const Binary& expect) { check_binary(op, kInts, Compare::bits, expect); }
void integers(Opcode op, const Unary& expect) { check_unary(op, kInts, Compare::bits, expect); }

TEST(X64MasmSimd, Bitwise) {
    integers(Opcode::V128And, each2<U64>([](U64 a, U64 b) { return a & b; }));
    integers(Opcode::V128Or, each2<U64>([](U64 a, U64 b) { return a | b; }));
    integers(Opcode::V128Xor, each2<U64>([](U64 a, U64 b) { return a ^ b; }));
    integers(Opcode::V128Andnot, each2<U64>([](U64 a, U64 b) { return a & ~b; }));
    integers(Opcode::V128Not, each<U64>([](U64 a) { return ~a; }));
    const Ternary select = [](V128 a, V128 b, V128 c) {
        return V128{(a.low & c.low) | (b.low & ~c.low), (a.high & c.high) | (b.high & ~c.high)};
    };
    check_ternary(Opcode::V128Bitselect, kInts, kInts, Compare::bits, select);
    const std::vector<V128> masks = {{0, 0}, {~U64{0}, 0}, {0, ~U64{0}}, {~U64{0}, ~U64{0}}};
    for (const Opcode op :
         {Opcode::I8x16RelaxedLaneselect, Opcode::I16x8RelaxedLaneselect, Opcode::I32x4RelaxedLaneselect, Opcode::I64x2RelaxedLaneselect}) {
        // Only as long as the mask's register is none of the inputs is it one of these masks.
        for (const CpuFeatures& features : feature_sets()) {
            Runner runner(features);
            fill(runner);
            for (const Reg d : kVectorRegs) {
                runner.compile([&](Masm& m) { m.simd_ternary(op, d, fp(0), fp(1), fp(6)); });
                for (const V128 mask : masks) {
                    auto& in = runner.block().in;
                    in.fp[6] = mask;
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    ASSERT_EQ(runner.block().out.fp[d.number()], select(in.fp[0], in.fp[1], mask));
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmSimd, IntegerArithmetic) {
    const auto add = [](auto a, auto b) { return a + b; };
    const auto sub = [](auto a, auto b) { return a - b; };
    const auto mul = [](auto a, auto b) { return U64{a} * U64{b}; };
    const auto min = [](auto a, auto b) { return std::min(a, b); };
    const auto max = [](auto a, auto b) { return std::max(a, b); };
    const auto average = [](auto a, auto b) { return (U32{a} + U32{b} + 1) / 2; };
    integers(Opcode::I8x16Add, each2<U8>(add));
    integers(Opcode::I16x8Add, each2<U16>(add));
    integers(Opcode::I32x4Add, each2<U32>(add));
    integers(Opcode::I64x2Add, each2<U64>(add));
    integers(Opcode::I8x16Sub, each2<U8>(sub));
    integers(Opcode::I16x8Sub, each2<U16>(sub));
    integers(Opcode::I32x4Sub, each2<U32>(sub));
    integers(Opcode::I64x2Sub, each2<U64>(sub));
    integers(Opcode::I16x8Mul, each2<U16>(mul));
    integers(Opcode::I32x4Mul, each2<U32>(mul));
    integers(Opcode::I64x2Mul, each2<U64>(mul));
    integers(Opcode::I8x16MinS, each2<S8>(min));
    integers(Opcode::I8x16MinU, each2<U8>(min));
    integers(Opcode::I8x16MaxS, each2<S8>(max));
    integers(Opcode::I8x16MaxU, each2<U8>(max));
    integers(Opcode::I16x8MinS, each2<S16>(min));
    integers(Opcode::I16x8MinU, each2<U16>(min));
    integers(Opcode::I16x8MaxS, each2<S16>(max));
    integers(Opcode::I16x8MaxU, each2<U16>(max));
    integers(Opcode::I32x4MinS, each2<S32>(min));
    integers(Opcode::I32x4MinU, each2<U32>(min));
    integers(Opcode::I32x4MaxS, each2<S32>(max));
    integers(Opcode::I32x4MaxU, each2<U32>(max));
    integers(Opcode::I8x16AvgrU, each2<U8>(average));
    integers(Opcode::I16x8AvgrU, each2<U16>(average));
}

TEST(X64MasmSimd, SaturatingArithmetic) {
    integers(Opcode::I8x16AddSatS, each2<S8>([](S8 a, S8 b) { return clamped<S8>(a + b); }));
    integers(Opcode::I8x16AddSatU, each2<U8>([](U8 a, U8 b) { return clamped<U8>(a + b); }));
    integers(Opcode::I8x16SubSatS, each2<S8>([](S8 a, S8 b) { return clamped<S8>(a - b); }));
    integers(Opcode::I8x16SubSatU, each2<U8>([](U8 a, U8 b) { return clamped<U8>(a - b); }));
    integers(Opcode::I16x8AddSatS, each2<S16>([](S16 a, S16 b) { return clamped<S16>(a + b); }));
    integers(Opcode::I16x8AddSatU, each2<U16>([](U16 a, U16 b) { return clamped<U16>(a + b); }));
    integers(Opcode::I16x8SubSatS, each2<S16>([](S16 a, S16 b) { return clamped<S16>(a - b); }));
    integers(Opcode::I16x8SubSatU, each2<U16>([](U16 a, U16 b) { return clamped<U16>(a - b); }));
    integers(Opcode::I16x8Q15mulrSatS, each2<S16>([](S16 a, S16 b) { return clamped<S16>((S64{a} * b + 0x4000) >> 15); }));
    integers(Opcode::I8x16NarrowI16x8S, narrow<S16, S8>());
    integers(Opcode::I8x16NarrowI16x8U, narrow<S16, U8>());
    integers(Opcode::I16x8NarrowI32x4S, narrow<S32, S16>());
    integers(Opcode::I16x8NarrowI32x4U, narrow<S32, U16>());
}

TEST(X64MasmSimd, IntegerComparisons) {
    const auto eq = [](auto a, auto b) { return a == b; };
    const auto ne = [](auto a, auto b) { return a != b; };
    const auto lt = [](auto a, auto b) { return a < b; };
    const auto gt = [](auto a, auto b) { return a > b; };
    const auto le = [](auto a, auto b) { return a <= b; };
    const auto ge = [](auto a, auto b) { return a >= b; };
    integers(Opcode::I8x16Eq, compare2<S8>(eq));
    integers(Opcode::I8x16Ne, compare2<S8>(ne));
    integers(Opcode::I8x16LtS, compare2<S8>(lt));
    integers(Opcode::I8x16LtU, compare2<U8>(lt));
    integers(Opcode::I8x16GtS, compare2<S8>(gt));
    integers(Opcode::I8x16GtU, compare2<U8>(gt));
    integers(Opcode::I8x16LeS, compare2<S8>(le));
    integers(Opcode::I8x16LeU, compare2<U8>(le));
    integers(Opcode::I8x16GeS, compare2<S8>(ge));
    integers(Opcode::I8x16GeU, compare2<U8>(ge));
    integers(Opcode::I16x8Eq, compare2<S16>(eq));
    integers(Opcode::I16x8Ne, compare2<S16>(ne));
    integers(Opcode::I16x8LtS, compare2<S16>(lt));
    integers(Opcode::I16x8LtU, compare2<U16>(lt));
    integers(Opcode::I16x8GtS, compare2<S16>(gt));
    integers(Opcode::I16x8GtU, compare2<U16>(gt));
    integers(Opcode::I16x8LeS, compare2<S16>(le));
    integers(Opcode::I16x8LeU, compare2<U16>(le));
    integers(Opcode::I16x8GeS, compare2<S16>(ge));
    integers(Opcode::I16x8GeU, compare2<U16>(ge));
    integers(Opcode::I32x4Eq, compare2<S32>(eq));
    integers(Opcode::I32x4Ne, compare2<S32>(ne));
    integers(Opcode::I32x4LtS, compare2<S32>(lt));
    integers(Opcode::I32x4LtU, compare2<U32>(lt));
    integers(Opcode::I32x4GtS, compare2<S32>(gt));
    integers(Opcode::I32x4GtU, compare2<U32>(gt));
    integers(Opcode::I32x4LeS, compare2<S32>(le));
    integers(Opcode::I32x4LeU, compare2<U32>(le));
    integers(Opcode::I32x4GeS, compare2<S32>(ge));
    integers(Opcode::I32x4GeU, compare2<U32>(ge));
    integers(Opcode::I64x2Eq, compare2<S64>(eq));
    integers(Opcode::I64x2Ne, compare2<S64>(ne));
    integers(Opcode::I64x2LtS, compare2<S64>(lt));
    integers(Opcode::I64x2GtS, compare2<S64>(gt));
    integers(Opcode::I64x2LeS, compare2<S64>(le));
    integers(Opcode::I64x2GeS, compare2<S64>(ge));
}

TEST(X64MasmSimd, IntegerUnary) {
    const auto negated = [](auto a) { return U64{0} - static_cast<U64>(a); };
    const auto absolute = [](auto a) { return a < 0 ? U64{0} - static_cast<U64>(a) : static_cast<U64>(a); };
    integers(Opcode::I8x16Neg, each<S8>(negated));
    integers(Opcode::I16x8Neg, each<S16>(negated));
    integers(Opcode::I32x4Neg, each<S32>(negated));
    integers(Opcode::I64x2Neg, each<S64>(negated));
    integers(Opcode::I8x16Abs, each<S8>(absolute));
    integers(Opcode::I16x8Abs, each<S16>(absolute));
    integers(Opcode::I32x4Abs, each<S32>(absolute));
    integers(Opcode::I64x2Abs, each<S64>(absolute));
    integers(Opcode::I8x16Popcnt, each<U8>([](U8 a) { return std::popcount(a); }));
}

TEST(X64MasmSimd, Extending) {
    integers(Opcode::I16x8ExtendLowI8x16S, extend<S8, S16>(false));
    integers(Opcode::I16x8ExtendHighI8x16S, extend<S8, S16>(true));
    integers(Opcode::I16x8ExtendLowI8x16U, extend<U8, U16>(false));
    integers(Opcode::I16x8ExtendHighI8x16U, extend<U8, U16>(true));
    integers(Opcode::I32x4ExtendLowI16x8S, extend<S16, S32>(false));
    integers(Opcode::I32x4ExtendHighI16x8S, extend<S16, S32>(true));
    integers(Opcode::I32x4ExtendLowI16x8U, extend<U16, U32>(false));
    integers(Opcode::I32x4ExtendHighI16x8U, extend<U16, U32>(true));
    integers(Opcode::I64x2ExtendLowI32x4S, extend<S32, S64>(false));
    integers(Opcode::I64x2ExtendHighI32x4S, extend<S32, S64>(true));
    integers(Opcode::I64x2ExtendLowI32x4U, extend<U32, U64>(false));
    integers(Opcode::I64x2ExtendHighI32x4U, extend<U32, U64>(true));
    integers(Opcode::I16x8ExtaddPairwiseI8x16S, extended_add<S8, S16>());
    integers(Opcode::I16x8ExtaddPairwiseI8x16U, extended_add<U8, U16>());
    integers(Opcode::I32x4ExtaddPairwiseI16x8S, extended_add<S16, S32>());
    integers(Opcode::I32x4ExtaddPairwiseI16x8U, extended_add<U16, U32>());
    integers(Opcode::I16x8ExtmulLowI8x16S, extended_multiply<S8, S16>(false));
    integers(Opcode::I16x8ExtmulHighI8x16S, extended_multiply<S8, S16>(true));
    integers(Opcode::I16x8ExtmulLowI8x16U, extended_multiply<U8, U16>(false));
    integers(Opcode::I16x8ExtmulHighI8x16U, extended_multiply<U8, U16>(true));
    integers(Opcode::I32x4ExtmulLowI16x8S, extended_multiply<S16, S32>(false));
    integers(Opcode::I32x4ExtmulHighI16x8S, extended_multiply<S16, S32>(true));
    integers(Opcode::I32x4ExtmulLowI16x8U, extended_multiply<U16, U32>(false));
    integers(Opcode::I32x4ExtmulHighI16x8U, extended_multiply<U16, U32>(true));
    integers(Opcode::I64x2ExtmulLowI32x4S, extended_multiply<S32, S64>(false));
    integers(Opcode::I64x2ExtmulHighI32x4S, extended_multiply<S32, S64>(true));
    integers(Opcode::I64x2ExtmulLowI32x4U, extended_multiply<U32, U64>(false));
    integers(Opcode::I64x2ExtmulHighI32x4U, extended_multiply<U32, U64>(true));
    integers(Opcode::I32x4DotI16x8S, [](V128 x, V128 y) {
        const auto a = lanes<S16>(x);
        const auto b = lanes<S16>(y);
        Lanes<U32> result;
        for (std::size_t i = 0; i < 4; ++i) result[i] = static_cast<U32>(S64{a[2 * i]} * b[2 * i] + S64{a[2 * i + 1]} * b[2 * i + 1]);
        return pack<U32>(result);
    });
}

/// Relaxed dot products, of signed bytes and of what B makes of the second operand's. `mask`: of each 64 bits of that.
template <class B>
void check_relaxed_dot_products(bool deterministic, std::uint64_t mask) {
    const auto products = [](V128 x, V128 y) {
        const auto a = lanes<S8>(x);
        const auto b = lanes<B>(y);
        Lanes<S16> result;
        for (std::size_t i = 0; i < 8; ++i) result[i] = static_cast<S16>(a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1]);
        return result;
    };
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        runner.environment().relaxed_simd_deterministic = deterministic;
        fill(runner);
        for (const Reg d : kVectorRegs) {
            runner.compile([&](Masm& m) {
                m.simd_binary(Opcode::I16x8RelaxedDotI8x16I7x16S, fp(2), fp(0), fp(1));
                m.simd_ternary(Opcode::I32x4RelaxedDotI8x16I7x16AddS, d, fp(0), fp(1), fp(6));
            });
            for (const V128 x : kInts) {
                for (const V128 y : kInts) {
                    auto& in = runner.block().in;
                    in.fp[0] = x;
                    in.fp[1] = {y.low & mask, y.high & mask};
                    in.fp[6] = x;
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const auto words = products(x, in.fp[1]);
                    ASSERT_EQ(runner.block().out.fp[2], pack<S16>(words));
                    auto sum = lanes<U32>(x);
                    for (std::size_t i = 0; i < 4; ++i) sum[i] += static_cast<U32>(words[2 * i] + words[2 * i + 1]);
                    ASSERT_EQ(runner.block().out.fp[d.number()], pack<U32>(sum));
                    ASSERT_EQ(runner.clobbered(RegSet::of(d, fp(2))).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmSimd, RelaxedDotProducts) {
    // The second operand has seven bits; the first any.
    check_relaxed_dot_products<U8>(false, 0x7f7f'7f7f'7f7f'7f7f);
}

TEST(X64MasmSimd, Swizzle) {
    const Binary swizzle = [](V128 x, V128 y) {
        const auto a = lanes<U8>(x);
        auto index = lanes<U8>(y);
        for (U8& lane : index) lane = lane < 16 ? a[lane] : U8{0};
        return pack<U8>(index);
    };
    integers(Opcode::I8x16Swizzle, swizzle);
}

/// pmin and pmax give one of their operands as it is.
template <class F, class Pick>
Binary picked(Pick second) {
    using Bits = std::conditional_t<sizeof(F) == 4, U32, U64>;
    return each2<Bits>([second](Bits a, Bits b) { return second(std::bit_cast<F>(a), std::bit_cast<F>(b)) ? b : a; });
}

template <class F>
void check_float_arithmetic(const std::vector<V128>& inputs, Compare compare, const std::array<Opcode, 8>& ops) {
    check_binary(ops[0], inputs, compare, each2<F>([](F a, F b) { return a + b; }));
    check_binary(ops[1], inputs, compare, each2<F>([](F a, F b) { return a - b; }));
    check_binary(ops[2], inputs, compare, each2<F>([](F a, F b) { return a * b; }));
    check_binary(ops[3], inputs, compare, each2<F>([](F a, F b) { return a / b; }));
    check_binary(ops[4], inputs, compare, each2<F>(wasm_min<F>));
    check_binary(ops[5], inputs, compare, each2<F>(wasm_max<F>));
    check_binary(ops[6], inputs, Compare::bits, picked<F>([](F a, F b) { return b < a; }));
    check_binary(ops[7], inputs, Compare::bits, picked<F>([](F a, F b) { return a < b; }));
}

TEST(X64MasmSimd, FloatArithmetic) {
    check_float_arithmetic<float>(kF32, Compare::f32,
                                  {Opcode::F32x4Add, Opcode::F32x4Sub, Opcode::F32x4Mul, Opcode::F32x4Div, Opcode::F32x4Min,
                                   Opcode::F32x4Max, Opcode::F32x4Pmin, Opcode::F32x4Pmax});
    check_float_arithmetic<double>(kF64, Compare::f64,
                                   {Opcode::F64x2Add, Opcode::F64x2Sub, Opcode::F64x2Mul, Opcode::F64x2Div, Opcode::F64x2Min,
                                    Opcode::F64x2Max, Opcode::F64x2Pmin, Opcode::F64x2Pmax});
}

template <class F>
void check_float_comparisons(const std::vector<V128>& inputs, const std::array<Opcode, 6>& ops) {
    check_binary(ops[0], inputs, Compare::bits, compare2<F>([](F a, F b) { return a == b; }));
    check_binary(ops[1], inputs, Compare::bits, compare2<F>([](F a, F b) { return a != b; }));
    check_binary(ops[2], inputs, Compare::bits, compare2<F>([](F a, F b) { return a < b; }));
    check_binary(ops[3], inputs, Compare::bits, compare2<F>([](F a, F b) { return a > b; }));
    check_binary(ops[4], inputs, Compare::bits, compare2<F>([](F a, F b) { return a <= b; }));
    check_binary(ops[5], inputs, Compare::bits, compare2<F>([](F a, F b) { return a >= b; }));
}

TEST(X64MasmSimd, FloatComparisons) {
    check_float_comparisons<float>(kF32,
                                   {Opcode::F32x4Eq, Opcode::F32x4Ne, Opcode::F32x4Lt, Opcode::F32x4Gt, Opcode::F32x4Le, Opcode::F32x4Ge});
    check_float_comparisons<double>(kF64,
                                    {Opcode::F64x2Eq, Opcode::F64x2Ne, Opcode::F64x2Lt, Opcode::F64x2Gt, Opcode::F64x2Le, Opcode::F64x2Ge});
}

template <class F>
void check_float_unary(const std::vector<V128>& inputs, Compare compare, const std::array<Opcode, 7>& ops) {
    using Bits = std::conditional_t<sizeof(F) == 4, U32, U64>;
    constexpr Bits kSign = Bits{1} << (sizeof(F) * 8 - 1);
    check_unary(ops[0], inputs, Compare::bits, each<Bits>([](Bits a) { return a & ~kSign; }));
    check_unary(ops[1], inputs, Compare::bits, each<Bits>([](Bits a) { return a ^ kSign; }));
    check_unary(ops[2], inputs, compare, each<F>([](F a) { return std::sqrt(a); }));
    check_unary(ops[3], inputs, compare, each<F>([](F a) { return std::ceil(a); }));
    check_unary(ops[4], inputs, compare, each<F>([](F a) { return std::floor(a); }));
    check_unary(ops[5], inputs, compare, each<F>([](F a) { return std::trunc(a); }));
    check_unary(ops[6], inputs, compare, each<F>([](F a) { return std::nearbyint(a); }));
}

TEST(X64MasmSimd, FloatUnary) {
    check_float_unary<float>(kF32, Compare::f32,
                             {Opcode::F32x4Abs, Opcode::F32x4Neg, Opcode::F32x4Sqrt, Opcode::F32x4Ceil, Opcode::F32x4Floor,
                              Opcode::F32x4Trunc, Opcode::F32x4Nearest});
    check_float_unary<double>(kF64, Compare::f64,
                              {Opcode::F64x2Abs, Opcode::F64x2Neg, Opcode::F64x2Sqrt, Opcode::F64x2Ceil, Opcode::F64x2Floor,
                               Opcode::F64x2Trunc, Opcode::F64x2Nearest});
}

TEST(X64MasmSimd, FusedMultiplyAdd) {
    // Small integers, so that a rounded product makes no difference.
    std::vector<V128> f32;
    std::vector<V128> f64;
    add_vectors<float>(f32, {0, 1, -2, 3, 5, -7, 11, 0.5F}, 12);
    add_vectors<double>(f64, {0, 1, -2, 3, 5, -7, 11, 0.5}, 12);
    const auto each3 = [](auto zero, int sign) {
        using F = decltype(zero);
        return [sign](V128 x, V128 y, V128 z) {
            auto a = lanes<F>(x);
            const auto b = lanes<F>(y);
            const auto c = lanes<F>(z);
            for (std::size_t i = 0; i < a.size(); ++i) a[i] = F(sign) * a[i] * b[i] + c[i];
            return pack<F>(a);
        };
    };
    check_ternary(Opcode::F32x4RelaxedMadd, f32, f32, Compare::f32, each3(0.0F, 1));
    check_ternary(Opcode::F32x4RelaxedNmadd, f32, f32, Compare::f32, each3(0.0F, -1));
    check_ternary(Opcode::F64x2RelaxedMadd, f64, f64, Compare::f64, each3(0.0, 1));
    check_ternary(Opcode::F64x2RelaxedNmadd, f64, f64, Compare::f64, each3(0.0, -1));
}

TEST(X64MasmSimd, DeterministicRelaxedInstructionsAreOrdinaryOnes) {
    const auto code = [](const CpuFeatures& features, bool deterministic, const std::function<void(Masm&)>& emit) {
        Runner runner(features);
        runner.environment().relaxed_simd_deterministic = deterministic;
        runner.compile(emit);
        return std::vector<U8>(runner.code(), runner.code() + runner.output().code_bytes);
    };
    const auto expect_same = [&](Opcode relaxed, Opcode ordinary, auto emit) {
        for (const CpuFeatures& features : feature_sets()) {
            EXPECT_EQ(code(features, true, [&](Masm& m) { emit(m, relaxed); }), code(features, false, [&](Masm& m) { emit(m, ordinary); }))
                << wasm::text(relaxed);
        }
    };
    const auto unary = [](Masm& m, Opcode op) { m.simd_unary(op, fp(0), fp(1)); };
    const auto binary = [](Masm& m, Opcode op) { m.simd_binary(op, fp(0), fp(1), fp(6)); };
    const auto ternary = [](Masm& m, Opcode op) { m.simd_ternary(op, fp(0), fp(1), fp(6), fp(7)); };
    expect_same(Opcode::I32x4RelaxedTruncF32x4S, Opcode::I32x4TruncSatF32x4S, unary);
    expect_same(Opcode::I32x4RelaxedTruncF32x4U, Opcode::I32x4TruncSatF32x4U, unary);
    expect_same(Opcode::I32x4RelaxedTruncF64x2SZero, Opcode::I32x4TruncSatF64x2SZero, unary);
    expect_same(Opcode::I32x4RelaxedTruncF64x2UZero, Opcode::I32x4TruncSatF64x2UZero, unary);
    expect_same(Opcode::I8x16RelaxedSwizzle, Opcode::I8x16Swizzle, binary);
    expect_same(Opcode::F32x4RelaxedMin, Opcode::F32x4Min, binary);
    expect_same(Opcode::F64x2RelaxedMax, Opcode::F64x2Max, binary);
    expect_same(Opcode::I16x8RelaxedQ15mulrS, Opcode::I16x8Q15mulrSatS, binary);
    expect_same(Opcode::I8x16RelaxedLaneselect, Opcode::V128Bitselect, ternary);
    expect_same(Opcode::I64x2RelaxedLaneselect, Opcode::V128Bitselect, ternary);
}

TEST(X64MasmSimd, DeterministicDotProductsAreOfSignedBytes) { check_relaxed_dot_products<S8>(true, ~std::uint64_t{0}); }

TEST(X64MasmSimd, Conversions) {
    const auto to_float = [](auto zero) {
        using I = decltype(zero);
        return [](V128 x) {
            const auto a = lanes<I>(x);
            Lanes<float> result;
            for (std::size_t i = 0; i < 4; ++i) result[i] = static_cast<float>(a[i]);
            return pack<float>(result);
        };
    };
    const auto to_double = [](auto zero) {
        using I = decltype(zero);
        return [](V128 x) {
            const auto a = lanes<I>(x);
            return pack<double>({static_cast<double>(a[0]), static_cast<double>(a[1])});
        };
    };
    std::vector<V128> numbers = kInts;
    add_vectors<U32>(
        numbers, {0x00ff'ffff, 0x0100'0001, 0x0100'0003, 0x8000'0080, 0x8000'0081, 0xffff'ff7f, 0xffff'ff80, 0x7fff'ffc0, 0x1234'5679}, 9);
    check_unary(Opcode::F32x4ConvertI32x4S, numbers, Compare::bits, to_float(S32{}));
    check_unary(Opcode::F32x4ConvertI32x4U, numbers, Compare::bits, to_float(U32{}));
    check_unary(Opcode::F64x2ConvertLowI32x4S, numbers, Compare::bits, to_double(S32{}));
    check_unary(Opcode::F64x2ConvertLowI32x4U, numbers, Compare::bits, to_double(U32{}));
    check_unary(Opcode::F64x2PromoteLowF32x4, kF32, Compare::f64, [](V128 x) {
        const auto a = lanes<float>(x);
        return pack<double>({double{a[0]}, double{a[1]}});
    });
    check_unary(Opcode::F32x4DemoteF64x2Zero, kF64, Compare::f32, [](V128 x) {
        const auto a = lanes<double>(x);
        return pack<float>({static_cast<float>(a[0]), static_cast<float>(a[1]), 0, 0});
    });
    const auto from_f32 = [](auto zero) {
        using I = decltype(zero);
        return [](V128 x) {
            const auto a = lanes<float>(x);
            Lanes<I> result;
            for (std::size_t i = 0; i < 4; ++i) result[i] = saturated<I>(a[i]);
            return pack<I>(result);
        };
    };
    const auto from_f64 = [](auto zero) {
        using I = decltype(zero);
        return [](V128 x) {
            const auto a = lanes<double>(x);
            return pack<I>({saturated<I>(a[0]), saturated<I>(a[1]), 0, 0});
        };
    };
    check_unary(Opcode::I32x4TruncSatF32x4S, kF32, Compare::bits, from_f32(S32{}));
    check_unary(Opcode::I32x4TruncSatF32x4U, kF32, Compare::bits, from_f32(U32{}));
    check_unary(Opcode::I32x4TruncSatF64x2SZero, kF64, Compare::bits, from_f64(S32{}));
    check_unary(Opcode::I32x4TruncSatF64x2UZero, kF64, Compare::bits, from_f64(U32{}));
    check_unary(Opcode::I32x4RelaxedTruncF32x4U, kF32, Compare::bits, from_f32(U32{}));
    check_unary(Opcode::I32x4RelaxedTruncF64x2UZero, kF64, Compare::bits, from_f64(U32{}));
}

}  // namespace
}  // namespace pollux::x64::test
