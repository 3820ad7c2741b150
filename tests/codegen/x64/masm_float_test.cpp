// Floating-point operations and conversions of the x64 masm, executed with every aliasing of their registers.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "tests/codegen/x64/runner.h"

namespace pollux::x64::test {
namespace {

using wasm::Opcode;

constexpr std::array kFpRegs = {fp(0), fp(1), fp(6), fp(13)};
constexpr std::array kGpRegs = {kRax, kRsi, kR8, kR13};

template <class F>
using BitsOf = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
template <class F>
BitsOf<F> to_bits(F value) {
    return std::bit_cast<BitsOf<F>>(value);
}
template <class F>
F from_bits(std::uint64_t bits) {
    return std::bit_cast<F>(static_cast<BitsOf<F>>(bits));
}
template <class F>
constexpr Width kWidth = sizeof(F) == 4 ? Width::w32 : Width::w64;

/// Edge cases, as bits: zeros, denormals, infinities, quiet and signalling NaNs with payloads, and all edges of integer ranges.
template <class F>
std::vector<std::uint64_t> values() {
    using L = std::numeric_limits<F>;
    std::vector<F> floats = {0,
                             1,
                             F(0.5),
                             F(1.5),
                             F(2.5),
                             F(0.1),
                             F(0.9999999),
                             F(3.75),
                             L::min(),
                             L::denorm_min(),
                             L::max(),
                             L::infinity(),
                             L::epsilon(),
                             F(0x1p31),
                             F(0x1p32),
                             F(0x1p63),
                             F(0x1p64),
                             F(0x1p52),
                             F(0x1p53),
                             F(0x1p23),
                             F(8388607.5),
                             F(1e10),
                             F(2147483647.0),
                             F(2147483647.5),
                             F(2147483648.5),
                             F(2147483649.0),
                             F(4294967295.0),
                             F(4294967295.5),
                             F(4294967296.5),
                             F(9223372036854774784.0),
                             F(18446744073709549568.0),
                             F(1e300)};
    for (const double power : {0x1p31, 0x1p32, 0x1p63, 0x1p64}) {
        floats.push_back(std::nextafter(F(power), F(0)));
        floats.push_back(std::nextafter(F(power), L::infinity()));
    }
    std::vector<std::uint64_t> bits;
    for (const F value : floats) {
        bits.push_back(to_bits(value));
        bits.push_back(to_bits(F(-value)));
    }
    const std::uint64_t infinity = to_bits(L::infinity());
    const std::uint64_t quiet = infinity | std::uint64_t{1} << (L::digits - 2);
    const std::uint64_t sign = std::uint64_t{1} << (sizeof(F) * 8 - 1);
    for (const std::uint64_t nan : {quiet, quiet | 5, infinity | 1, infinity | (std::uint64_t{1} << (L::digits - 3))}) {
        bits.push_back(nan);
        bits.push_back(nan | sign);
    }
    return bits;
}

/// Whether `got` is what wasm allows for `expected`: bit for bit, but any quiet NaN for a NaN.
template <class F>
bool matches(F expected, std::uint64_t got) {
    if (!std::isnan(expected)) return to_bits(expected) == static_cast<BitsOf<F>>(got);
    const std::uint64_t quiet = to_bits(std::numeric_limits<F>::infinity()) | std::uint64_t{1} << (std::numeric_limits<F>::digits - 2);
    return (got & quiet) == quiet;
}

template <class F>
F reference(FpBinOp op, F a, F b) {
    switch (op) {
        case FpBinOp::add:      return a + b;
        case FpBinOp::sub:      return a - b;
        case FpBinOp::mul:      return a * b;
        case FpBinOp::div:      return a / b;
        case FpBinOp::copysign: return std::copysign(a, b);
        case FpBinOp::min:
            if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
            if (a == b) return std::signbit(a) ? a : b;
            return a < b ? a : b;
        case FpBinOp::max:
            if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
            if (a == b) return std::signbit(a) ? b : a;
            return a > b ? a : b;
    }
    return a;
}

template <class F>
F reference(FpUnOp op, F a) {
    switch (op) {
        case FpUnOp::abs:     return std::fabs(a);
        case FpUnOp::neg:     return -a;
        case FpUnOp::sqrt:    return std::sqrt(a);
        case FpUnOp::ceil:    return std::ceil(a);
        case FpUnOp::floor:   return std::floor(a);
        case FpUnOp::trunc:   return std::trunc(a);
        case FpUnOp::nearest: return std::nearbyint(a);
    }
    return a;
}

template <class F>
bool reference(FloatCond condition, F a, F b) {
    switch (condition) {
        case FloatCond::eq: return a == b;
        case FloatCond::ne: return a != b;
        case FloatCond::lt: return a < b;
        case FloatCond::gt: return a > b;
        case FloatCond::le: return a <= b;
        case FloatCond::ge: return a >= b;
    }
    return false;
}

constexpr std::uint64_t kGarbage = 0xdead'beef'0bad'f00d;

template <class F>
void set(Runner& runner, Reg reg, std::uint64_t bits) {
    const std::uint64_t upper = sizeof(F) == 4 ? kGarbage << 32 : 0;
    runner.block().in.fp[reg.number()] = {bits | upper, kGarbage};
}

template <class F>
void check_binary(FpBinOp op) {
    const auto edge_cases = values<F>();
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kFpRegs) {
            for (const Reg a : kFpRegs) {
                for (const Reg b : kFpRegs) {
                    for (const bool slot : {false, true}) {
                        runner.compile([&](Masm& m) {
                            if (slot) m.store_slot(sizeof(F) == 4 ? Kind::f32 : Kind::f64, -40, b);
                            m.fp_binary(op, kWidth<F>, d, a, slot ? Operand::at(-40) : Operand(b));
                        });
                        for (std::size_t i = 0; i < edge_cases.size(); ++i) {
                            for (std::size_t j = 0; j < edge_cases.size(); ++j) {
                                if (a == b && i != j) continue;
                                set<F>(runner, a, edge_cases[i]);
                                set<F>(runner, b, edge_cases[j]);
                                ASSERT_EQ(runner.run(), TrapCode::none);
                                const F expected = reference(op, from_bits<F>(edge_cases[i]), from_bits<F>(edge_cases[j]));
                                const std::uint64_t got = runner.block().out.fp[d.number()].low;
                                if (op == FpBinOp::copysign) {
                                    ASSERT_EQ(to_bits(expected), static_cast<BitsOf<F>>(got));
                                } else {
                                    ASSERT_TRUE(matches(expected, got)) << describe(features) << " op " << int(op) << " " << std::hex
                                                                        << edge_cases[i] << " " << edge_cases[j] << " got " << got;
                                }
                                ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                            }
                        }
                    }
                }
            }
        }
    }
}

template <class F>
void check_unary(FpUnOp op) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kFpRegs) {
            for (const Reg a : kFpRegs) {
                runner.compile([&](Masm& m) { m.fp_unary(op, kWidth<F>, d, a); });
                for (const std::uint64_t x : values<F>()) {
                    set<F>(runner, a, x);
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const std::uint64_t got = runner.block().out.fp[d.number()].low;
                    const std::uint64_t sign = std::uint64_t{1} << (sizeof(F) * 8 - 1);
                    if (op == FpUnOp::abs) {
                        ASSERT_EQ(static_cast<BitsOf<F>>(got), x & ~sign);
                    } else if (op == FpUnOp::neg) {
                        ASSERT_EQ(static_cast<BitsOf<F>>(got), x ^ sign);
                    } else {
                        ASSERT_TRUE(matches(reference(op, from_bits<F>(x)), got)) << int(op) << " " << std::hex << x << " got " << got;
                    }
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

template <class F>
void check_compare(FloatCond condition) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const int form : {0, 1, 2}) {  // set, branch when true, branch when false
            for (const Reg d : kGpRegs) {
                for (const Reg a : {fp(0), fp(13)}) {
                    for (const Reg b : {fp(0), fp(9)}) {
                        runner.compile([&](Masm& m) {
                            if (form == 0) return m.fp_compare_set(condition, kWidth<F>, d, a, b);
                            Label taken;
                            m.mov_imm(Width::w32, d, 1);
                            m.fp_compare_branch(condition, kWidth<F>, form == 1, a, b, taken);
                            m.mov_imm(Width::w32, d, 0);
                            m.bind(taken);
                        });
                        for (const std::uint64_t x : values<F>()) {
                            for (const std::uint64_t y : values<F>()) {
                                if (a == b && x != y) continue;
                                set<F>(runner, a, x);
                                set<F>(runner, b, y);
                                ASSERT_EQ(runner.run(), TrapCode::none);
                                const bool holds = reference(condition, from_bits<F>(x), from_bits<F>(y));
                                ASSERT_EQ(runner.block().out.gp[d.number()], holds != (form == 2) ? 1U : 0U);
                                ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                            }
                        }
                    }
                }
            }
        }
    }
}

TEST(X64MasmFloat, Binary) {
    for (const FpBinOp op : {FpBinOp::add, FpBinOp::sub, FpBinOp::mul, FpBinOp::div, FpBinOp::min, FpBinOp::max, FpBinOp::copysign}) {
        check_binary<float>(op);
        check_binary<double>(op);
    }
}

TEST(X64MasmFloat, Unary) {
    for (const FpUnOp op : {FpUnOp::abs, FpUnOp::neg, FpUnOp::sqrt, FpUnOp::ceil, FpUnOp::floor, FpUnOp::trunc, FpUnOp::nearest}) {
        check_unary<float>(op);
        check_unary<double>(op);
    }
}

TEST(X64MasmFloat, Compare) {
    for (const FloatCond condition : {FloatCond::eq, FloatCond::ne, FloatCond::lt, FloatCond::gt, FloatCond::le, FloatCond::ge}) {
        check_compare<float>(condition);
        check_compare<double>(condition);
    }
}

/// What truncation of `value` to an integer of type I gives: a trap, or the result.
template <class I, class F>
std::pair<TrapCode, std::uint64_t> truncated(F value, bool saturating) {
    using Unsigned = std::make_unsigned_t<I>;
    const auto result = [](I integer) { return std::pair{TrapCode::none, std::uint64_t{static_cast<Unsigned>(integer)}}; };
    if (std::isnan(value)) {
        if (saturating) return result(0);
        return {TrapCode::invalid_conversion_to_integer, 0};
    }
    const F whole = std::trunc(value);
    const F end = std::ldexp(F(1), std::numeric_limits<I>::digits);  // exact
    const F least = std::is_signed_v<I> ? -end : F(0);
    if (whole >= least && whole < end) return result(static_cast<I>(whole));
    if (saturating) return result(whole < 0 ? std::numeric_limits<I>::min() : std::numeric_limits<I>::max());
    return {TrapCode::integer_overflow, 0};
}

template <class I, class F>
void check_truncation(Opcode op, bool saturating) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kGpRegs) {
            for (const Reg a : kFpRegs) {
                runner.compile([&](Masm& m) {
                    m.set_wasm_offset(77);
                    m.convert(op, d, a);
                    m.set_wasm_offset(99);
                });
                for (const std::uint64_t x : values<F>()) {
                    set<F>(runner, a, x);
                    const auto [trap, expected] = truncated<I>(from_bits<F>(x), saturating);
                    ASSERT_EQ(runner.run(), trap) << text(op) << " " << from_bits<F>(x);
                    if (trap != TrapCode::none) {
                        ASSERT_EQ(runner.trap_wasm_offset(), 77U);
                        continue;
                    }
                    ASSERT_EQ(runner.block().out.gp[d.number()], expected)
                        << text(op) << " " << from_bits<F>(x) << " " << describe(features);
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmFloat, Truncate) {
    check_truncation<std::int32_t, float>(Opcode::I32TruncF32S, false);
    check_truncation<std::uint32_t, float>(Opcode::I32TruncF32U, false);
    check_truncation<std::int32_t, double>(Opcode::I32TruncF64S, false);
    check_truncation<std::uint32_t, double>(Opcode::I32TruncF64U, false);
    check_truncation<std::int64_t, float>(Opcode::I64TruncF32S, false);
    check_truncation<std::uint64_t, float>(Opcode::I64TruncF32U, false);
    check_truncation<std::int64_t, double>(Opcode::I64TruncF64S, false);
    check_truncation<std::uint64_t, double>(Opcode::I64TruncF64U, false);
}

TEST(X64MasmFloat, TruncateSaturating) {
    check_truncation<std::int32_t, float>(Opcode::I32TruncSatF32S, true);
    check_truncation<std::uint32_t, float>(Opcode::I32TruncSatF32U, true);
    check_truncation<std::int32_t, double>(Opcode::I32TruncSatF64S, true);
    check_truncation<std::uint32_t, double>(Opcode::I32TruncSatF64U, true);
    check_truncation<std::int64_t, float>(Opcode::I64TruncSatF32S, true);
    check_truncation<std::uint64_t, float>(Opcode::I64TruncSatF32U, true);
    check_truncation<std::int64_t, double>(Opcode::I64TruncSatF64S, true);
    check_truncation<std::uint64_t, double>(Opcode::I64TruncSatF64U, true);
}

template <class I, class F>
void check_from_integer(Opcode op) {
    std::vector<std::uint64_t> integers = {0, 1, 2, 3, 0xff, 0x00ff'ffff, 0x0100'0001, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff, 0xffff'fe80};
    for (unsigned shift = 20; shift < 64; ++shift) {
        const std::uint64_t power = std::uint64_t{1} << shift;
        for (const std::uint64_t low : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{3}, power >> 24, (power >> 24) + 1, power >> 53,
                                        (power >> 53) + 1, power - 1, ~power}) {
            integers.push_back(power + low);
        }
    }
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kFpRegs) {
            for (const Reg a : kGpRegs) {
                runner.compile([&](Masm& m) { m.convert(op, d, a); });
                for (const std::uint64_t x : integers) {
                    const std::uint64_t input = sizeof(I) == 4 ? static_cast<std::uint32_t>(x) : x;
                    runner.block().in.gp[a.number()] = input;
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const F expected = static_cast<F>(static_cast<I>(input));
                    ASSERT_EQ(static_cast<BitsOf<F>>(runner.block().out.fp[d.number()].low), to_bits(expected)) << text(op) << " " << input;
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmFloat, FromInteger) {
    check_from_integer<std::int32_t, float>(Opcode::F32ConvertI32S);
    check_from_integer<std::uint32_t, float>(Opcode::F32ConvertI32U);
    check_from_integer<std::int64_t, float>(Opcode::F32ConvertI64S);
    check_from_integer<std::uint64_t, float>(Opcode::F32ConvertI64U);
    check_from_integer<std::int32_t, double>(Opcode::F64ConvertI32S);
    check_from_integer<std::uint32_t, double>(Opcode::F64ConvertI32U);
    check_from_integer<std::int64_t, double>(Opcode::F64ConvertI64S);
    check_from_integer<std::uint64_t, double>(Opcode::F64ConvertI64U);
}

template <class From, class To>
void check_float_to_float(Opcode op) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kFpRegs) {
            for (const Reg a : kFpRegs) {
                runner.compile([&](Masm& m) { m.convert(op, d, a); });
                for (const std::uint64_t x : values<From>()) {
                    set<From>(runner, a, x);
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    ASSERT_TRUE(matches(static_cast<To>(from_bits<From>(x)), runner.block().out.fp[d.number()].low));
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmFloat, PromoteAndDemote) {
    check_float_to_float<float, double>(Opcode::F64PromoteF32);
    check_float_to_float<double, float>(Opcode::F32DemoteF64);
}

TEST(X64MasmFloat, ConstantsAndReinterpretation) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kFpRegs) {
            for (const Reg g : kGpRegs) {
                for (const std::uint64_t bits : values<double>()) {
                    runner.compile([&](Masm& m) {
                        m.fp_const(Width::w64, d, bits);
                        m.fp_const(Width::w32, fp(2), bits);
                        m.v128_const(fp(3), {bits, ~bits});
                        m.v128_const(fp(4), {~std::uint64_t{0}, ~std::uint64_t{0}});
                        m.fp_to_gp(Width::w64, g, d);
                        m.gp_to_fp(Width::w64, fp(5), g);
                        m.fp_to_gp(Width::w32, kR9, d);
                        m.gp_to_fp(Width::w32, fp(7), kR9);
                    });
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const State& out = runner.block().out;
                    const auto low = static_cast<std::uint32_t>(bits);
                    ASSERT_EQ(out.fp[d.number()].low, bits);
                    ASSERT_EQ(static_cast<std::uint32_t>(out.fp[2].low), low);
                    ASSERT_EQ(out.fp[3], (wasm::V128{bits, ~bits}));
                    ASSERT_EQ(out.fp[4], (wasm::V128{~std::uint64_t{0}, ~std::uint64_t{0}}));
                    ASSERT_EQ(out.gp[g.number()], bits);
                    ASSERT_EQ(out.fp[5].low, bits);
                    ASSERT_EQ(out.gp[9], low);
                    ASSERT_EQ(static_cast<std::uint32_t>(out.fp[7].low), low);
                }
            }
        }
    }
}

}  // namespace
}  // namespace pollux::x64::test
