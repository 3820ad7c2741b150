// Scalar floats and conversions, executed and compared with C++.
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "tests/codegen/arm64/runner.h"

namespace pollux::arm64::test {
namespace {

using wasm::Opcode;

template <class F>
using Bits = std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>;
template <class F>
constexpr Width kWidthOf = sizeof(F) == 4 ? Width::w32 : Width::w64;

template <class F>
std::vector<F> values() {
    std::vector<F> result;
    for (const double value : kDoubles) result.push_back(static_cast<F>(value));
    if constexpr (sizeof(F) == 4) {
        for (const std::uint32_t bits :
             {0x7f80'0001U, 0xff80'0001U, 0x7fc1'2345U, 0x4eff'ffffU, 0x4f00'0000U, 0xcf00'0000U, 0xcf00'0001U, 0x4f7f'ffffU, 0x4f80'0000U,
              0x5eff'ffffU, 0x5f00'0000U, 0xdf00'0000U, 0xdf00'0001U, 0x5f7f'ffffU, 0x5f80'0000U}) {
            result.push_back(std::bit_cast<F>(bits));
        }
    }
    return result;
}

template <class F>
void expect_same(std::uint64_t got, F wanted, const char* what) {
    const auto bits = static_cast<Bits<F>>(got);
    if (std::isnan(wanted)) {
        ASSERT_TRUE(std::isnan(std::bit_cast<F>(bits))) << what;
    } else {
        ASSERT_EQ(bits, std::bit_cast<Bits<F>>(wanted)) << what;
    }
}

template <class F>
F minimum(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
    if (a == 0 && b == 0) return std::signbit(a) ? a : b;
    return a < b ? a : b;
}
template <class F>
F maximum(F a, F b) {
    if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<F>::quiet_NaN();
    if (a == 0 && b == 0) return std::signbit(a) ? b : a;
    return a > b ? a : b;
}
/// copysign on bits: C++ may quieten a signalling NaN in passing.
template <class F>
F with_sign(F a, F b) {
    constexpr auto kSign = Bits<F>{1} << (sizeof(F) * 8 - 1);
    return std::bit_cast<F>(static_cast<Bits<F>>((std::bit_cast<Bits<F>>(a) & ~kSign) | (std::bit_cast<Bits<F>>(b) & kSign)));
}

template <class F>
F binary(FpBinOp op, F a, F b) {
    switch (op) {
        case FpBinOp::add:      return a + b;
        case FpBinOp::sub:      return a - b;
        case FpBinOp::mul:      return a * b;
        case FpBinOp::div:      return a / b;
        case FpBinOp::min:      return minimum(a, b);
        case FpBinOp::max:      return maximum(a, b);
        case FpBinOp::copysign: return with_sign(a, b);
    }
    return a;
}

template <class F>
void check_binary() {
    for (const FpBinOp op : {FpBinOp::add, FpBinOp::sub, FpBinOp::mul, FpBinOp::div, FpBinOp::min, FpBinOp::max, FpBinOp::copysign}) {
        for (const Registers& r : kFpAliases) {
            Sequence sequence([&](Masm& masm) { masm.fp_binary(op, kWidthOf<F>, r.d, r.a, r.b); });
            for (const F a : values<F>()) {
                for (const F b : values<F>()) {
                    State state = scrambled();
                    state.vector(r.a).low = std::bit_cast<Bits<F>>(a);
                    state.vector(r.b).low = std::bit_cast<Bits<F>>(b);
                    ASSERT_EQ(run_checked(sequence, state, RegSet::of(r.d)), TrapCode::none);
                    expect_same<F>(state.vector(r.d).low, binary(op, r.a == r.b ? b : a, b), "binary");
                }
            }
        }
        for (const std::int32_t slot : {-8, -4096, -10000}) {
            Sequence sequence([&](Masm& masm) {
                masm.store_slot(sizeof(F) == 4 ? Kind::f32 : Kind::f64, slot, fp(2));
                masm.fp_binary(op, kWidthOf<F>, fp(3), fp(1), Operand::at(slot));
            });
            for (const F b : values<F>()) {
                State state = scrambled();
                state.vector(fp(1)).low = std::bit_cast<Bits<F>>(F{1.25});
                state.vector(fp(2)).low = std::bit_cast<Bits<F>>(b);
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(fp(3))), TrapCode::none);
                expect_same<F>(state.vector(fp(3)).low, binary(op, F{1.25}, b), "slot");
            }
        }
    }
}

TEST(Arm64Float, Binary32) {
    POLLUX_NEEDS_ARM64();
    check_binary<float>();
}
TEST(Arm64Float, Binary64) {
    POLLUX_NEEDS_ARM64();
    check_binary<double>();
}

template <class F>
F unary(FpUnOp op, F a) {
    switch (op) {
        case FpUnOp::abs:     return with_sign(a, F{1});
        case FpUnOp::neg:     return with_sign(a, std::signbit(a) ? F{1} : F{-1});
        case FpUnOp::sqrt:    return std::sqrt(a);
        case FpUnOp::ceil:    return std::ceil(a);
        case FpUnOp::floor:   return std::floor(a);
        case FpUnOp::trunc:   return std::trunc(a);
        case FpUnOp::nearest: return std::nearbyint(a);
    }
    return a;
}

template <class F>
void check_unary() {
    for (const FpUnOp op : {FpUnOp::abs, FpUnOp::neg, FpUnOp::sqrt, FpUnOp::ceil, FpUnOp::floor, FpUnOp::trunc, FpUnOp::nearest}) {
        for (const auto& [d, a] : {std::pair{fp(0), fp(1)}, std::pair{fp(5), fp(5)}}) {
            Sequence sequence([&, d = d, a = a](Masm& masm) { masm.fp_unary(op, kWidthOf<F>, d, a); });
            for (const F value : values<F>()) {
                State state = scrambled();
                state.vector(a).low = std::bit_cast<Bits<F>>(value);
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(d)), TrapCode::none);
                expect_same<F>(state.vector(d).low, unary(op, value), "unary");
            }
        }
    }
}

TEST(Arm64Float, Unary32) {
    POLLUX_NEEDS_ARM64();
    check_unary<float>();
}
TEST(Arm64Float, Unary64) {
    POLLUX_NEEDS_ARM64();
    check_unary<double>();
}

bool compare(FloatCond cond, double a, double b) {
    switch (cond) {
        case FloatCond::eq: return a == b;
        case FloatCond::ne: return a != b;
        case FloatCond::lt: return a < b;
        case FloatCond::gt: return a > b;
        case FloatCond::le: return a <= b;
        case FloatCond::ge: return a >= b;
    }
    return false;
}

template <class F>
void check_compare() {
    for (const FloatCond cond : {FloatCond::eq, FloatCond::ne, FloatCond::lt, FloatCond::gt, FloatCond::le, FloatCond::ge}) {
        Sequence set([&](Masm& masm) { masm.fp_compare_set(cond, kWidthOf<F>, gp(3), fp(1), fp(2)); });
        const auto check = [&](Sequence& sequence, bool when) {
            for (const F a : values<F>()) {
                for (const F b : values<F>()) {
                    State state = scrambled();
                    state.vector(fp(1)).low = std::bit_cast<Bits<F>>(a);
                    state.vector(fp(2)).low = std::bit_cast<Bits<F>>(b);
                    ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(3))), TrapCode::none);
                    ASSERT_EQ(state[gp(3)], (compare(cond, double{a}, double{b}) == when) ? 1U : 0U);
                }
            }
        };
        check(set, true);
        for (const Branches branches : {Branches::shortest, Branches::longest}) {
            for (const bool when : {true, false}) {
                Sequence branch(
                    [&](Masm& masm) {
                        Label label;
                        masm.mov_imm(Width::w32, gp(3), 1);
                        masm.fp_compare_branch(cond, kWidthOf<F>, when, fp(1), fp(2), label);
                        masm.mov_imm(Width::w32, gp(3), 0);
                        masm.bind(label);
                    },
                    branches);
                check(branch, when);
            }
        }
    }
}

TEST(Arm64Float, Compare32) {
    POLLUX_NEEDS_ARM64();
    check_compare<float>();
}
TEST(Arm64Float, Compare64) {
    POLLUX_NEEDS_ARM64();
    check_compare<double>();
}

TEST(Arm64Float, Constants) {
    POLLUX_NEEDS_ARM64();
    for (const double value : kDoubles) {
        const auto bits = std::bit_cast<std::uint64_t>(value);
        const auto bits32 = std::bit_cast<std::uint32_t>(static_cast<float>(value));
        Sequence sequence([&](Masm& masm) {
            masm.fp_const(Width::w64, fp(4), bits);
            masm.fp_const(Width::w32, fp(5), bits32);
        });
        State state = scrambled();
        run_checked(sequence, state, RegSet::of(fp(4), fp(5)));
        ASSERT_EQ(state.vector(fp(4)).low, bits);
        ASSERT_EQ(static_cast<std::uint32_t>(state.vector(fp(5)).low), bits32);
    }
    for (unsigned imm = 0; imm < 256; ++imm) {
        // Every value that fmov has.
        const std::uint64_t sign = imm >> 7, b = imm >> 6 & 1;
        const std::uint64_t bits = sign << 63 | (b ^ 1) << 62 | (b != 0 ? 0xffULL : 0) << 54 | std::uint64_t{imm & 63} << 48;
        ASSERT_EQ(words::fmov_immediate(Width::w64, bits), imm);
        const std::uint64_t bits32 = sign << 31 | (b ^ 1) << 30 | (b != 0 ? 0x1fULL : 0) << 25 | std::uint64_t{imm & 63} << 19;
        ASSERT_EQ(words::fmov_immediate(Width::w32, bits32), imm);
    }
}

struct Conversion {
    Opcode op;
    bool is_signed;
    unsigned from, to;  ///< widths; floats for `from` of a truncation, integers for `from` of a conversion
    bool saturates;
};

template <class F>
void check_truncation(const Conversion& c) {
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        Sequence sequence([&](Masm& masm) { masm.convert(c.op, gp(3), fp(1)); }, branches);
        for (const F value : values<F>()) {
            State state = scrambled();
            state.vector(fp(1)).low = std::bit_cast<Bits<F>>(value);
            const F low = c.is_signed ? -std::ldexp(F{1}, static_cast<int>(c.to) - 1) : F{0};
            const F high = std::ldexp(F{1}, static_cast<int>(c.is_signed ? c.to - 1 : c.to));
            const F truncated = std::trunc(value);
            const std::uint64_t mask = c.to == 32 ? 0xffff'ffff : ~std::uint64_t{0};
            TrapCode trap = TrapCode::none;
            std::uint64_t wanted = 0;
            if (std::isnan(value)) {
                trap = TrapCode::invalid_conversion_to_integer;
            } else if (truncated < low) {
                trap = TrapCode::integer_overflow;
                wanted = c.is_signed ? (std::uint64_t{1} << (c.to - 1)) : 0;
            } else if (truncated >= high) {
                trap = TrapCode::integer_overflow;
                wanted = c.is_signed ? (std::uint64_t{1} << (c.to - 1)) - 1 : mask;
            } else {
                wanted = c.is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(truncated)) & mask
                                     : static_cast<std::uint64_t>(truncated);
            }
            if (c.saturates) trap = TrapCode::none;
            ASSERT_EQ(run_checked(sequence, state, trap == TrapCode::none ? RegSet::of(gp(3)) : RegSet{}), trap)
                << value << ' ' << wasm::text(c.op);
            if (trap == TrapCode::none) {
                ASSERT_EQ(state[gp(3)], wanted) << value << ' ' << wasm::text(c.op);
            }
        }
    }
}

TEST(Arm64Float, Truncate) {
    POLLUX_NEEDS_ARM64();
    for (const Conversion c : {Conversion{Opcode::I32TruncF32S, true, 32, 32, false},
                               {Opcode::I32TruncF32U, false, 32, 32, false},
                               {Opcode::I32TruncF64S, true, 64, 32, false},
                               {Opcode::I32TruncF64U, false, 64, 32, false},
                               {Opcode::I64TruncF32S, true, 32, 64, false},
                               {Opcode::I64TruncF32U, false, 32, 64, false},
                               {Opcode::I64TruncF64S, true, 64, 64, false},
                               {Opcode::I64TruncF64U, false, 64, 64, false},
                               {Opcode::I32TruncSatF32S, true, 32, 32, true},
                               {Opcode::I32TruncSatF32U, false, 32, 32, true},
                               {Opcode::I32TruncSatF64S, true, 64, 32, true},
                               {Opcode::I32TruncSatF64U, false, 64, 32, true},
                               {Opcode::I64TruncSatF32S, true, 32, 64, true},
                               {Opcode::I64TruncSatF32U, false, 32, 64, true},
                               {Opcode::I64TruncSatF64S, true, 64, 64, true},
                               {Opcode::I64TruncSatF64U, false, 64, 64, true}}) {
        if (c.from == 32) {
            check_truncation<float>(c);
        } else {
            check_truncation<double>(c);
        }
    }
}

template <class Expect>
void check_from_integer(Opcode op, bool to_64, Expect expect) {
    Sequence sequence([&](Masm& masm) { masm.convert(op, fp(3), gp(1)); });
    for (const std::uint64_t value : kIntegers) {
        State state = scrambled();
        const bool from_32 = wasm::params(op)[0] == Kind::i32;
        state[gp(1)] = from_32 ? value & 0xffff'ffff : value;
        ASSERT_EQ(run_checked(sequence, state, RegSet::of(fp(3))), TrapCode::none);
        if (to_64) {
            ASSERT_EQ(state.vector(fp(3)).low, std::bit_cast<std::uint64_t>(static_cast<double>(expect(value)))) << wasm::text(op);
        } else {
            ASSERT_EQ(static_cast<std::uint32_t>(state.vector(fp(3)).low), std::bit_cast<std::uint32_t>(static_cast<float>(expect(value))))
                << wasm::text(op);
        }
    }
}

TEST(Arm64Float, FromInteger) {
    POLLUX_NEEDS_ARM64();
    const auto s32 = [](std::uint64_t v) { return static_cast<std::int32_t>(v); };
    const auto u32 = [](std::uint64_t v) { return static_cast<std::uint32_t>(v); };
    const auto s64 = [](std::uint64_t v) { return static_cast<std::int64_t>(v); };
    const auto u64 = [](std::uint64_t v) { return v; };
    check_from_integer(Opcode::F32ConvertI32S, false, s32);
    check_from_integer(Opcode::F32ConvertI32U, false, u32);
    check_from_integer(Opcode::F32ConvertI64S, false, s64);
    check_from_integer(Opcode::F32ConvertI64U, false, u64);
    check_from_integer(Opcode::F64ConvertI32S, true, s32);
    check_from_integer(Opcode::F64ConvertI32U, true, u32);
    check_from_integer(Opcode::F64ConvertI64S, true, s64);
    check_from_integer(Opcode::F64ConvertI64U, true, u64);
}

TEST(Arm64Float, BetweenFloatsAndReinterpretations) {
    POLLUX_NEEDS_ARM64();
    Sequence sequence([](Masm& masm) {
        masm.convert(Opcode::F32DemoteF64, fp(3), fp(1));
        masm.convert(Opcode::F64PromoteF32, fp(4), fp(2));
        masm.convert(Opcode::I64ReinterpretF64, gp(1), fp(1));
        masm.convert(Opcode::I32ReinterpretF32, gp(2), fp(2));
        masm.convert(Opcode::F64ReinterpretI64, fp(5), gp(1));
        masm.convert(Opcode::F32ReinterpretI32, fp(6), gp(2));
    });
    for (const double value : kDoubles) {
        State state = scrambled();
        const auto single = static_cast<float>(value);
        state.vector(fp(1)).low = std::bit_cast<std::uint64_t>(value);
        state.vector(fp(2)).low = 0xabcd'0000'0000'0000 | std::bit_cast<std::uint32_t>(single);
        ASSERT_EQ(run_checked(sequence, state, RegSet::of(fp(3), fp(4), fp(5), fp(6), gp(1), gp(2))), TrapCode::none);
        expect_same<float>(state.vector(fp(3)).low, single, "demote");
        expect_same<double>(state.vector(fp(4)).low, double{single}, "promote");
        ASSERT_EQ(state[gp(1)], std::bit_cast<std::uint64_t>(value));
        ASSERT_EQ(state[gp(2)], std::bit_cast<std::uint32_t>(single));
        ASSERT_EQ(state.vector(fp(5)).low, std::bit_cast<std::uint64_t>(value));
        ASSERT_EQ(static_cast<std::uint32_t>(state.vector(fp(6)).low), std::bit_cast<std::uint32_t>(single));
    }
}

}  // namespace
}  // namespace pollux::arm64::test
