// Integer operations, executed and compared with C++ for every operation, aliasing of registers, kind of operand and edge value.
#include <bit>
#include <limits>
#include <optional>

#include "tests/codegen/arm64/runner.h"
#include "tests/codegen/widths.h"

namespace pollux::arm64::test {
namespace {

constexpr std::array<Registers, 6> kAliases = {{{gp(0), gp(1), gp(2)},
                                                {gp(1), gp(1), gp(2)},
                                                {gp(2), gp(1), gp(2)},
                                                {gp(1), gp(2), gp(2)},
                                                {gp(3), gp(3), gp(3)},
                                                {gp(20), gp(9), gp(26)}}};
constexpr std::array<std::int32_t, 3> kSlots = {-16, -2048, -12280};

std::uint64_t cut(Width width, std::uint64_t value) { return width == Width::w32 ? value & 0xffff'ffff : value; }
std::int64_t as_signed(Width width, std::uint64_t value) {
    return width == Width::w32 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
}
unsigned bits_of(Width width) { return width == Width::w32 ? 32 : 64; }

/// The value of `a` when `b` is put in the same register.
std::uint64_t actual_a(const Registers& r, std::uint64_t a, std::uint64_t b) { return r.a == r.b ? b : a; }

std::uint64_t alu(AluOp op, Width width, std::uint64_t a, std::uint64_t b) {
    switch (op) {
        case AluOp::add:  return cut(width, a + b);
        case AluOp::sub:  return cut(width, a - b);
        case AluOp::and_: return cut(width, a & b);
        case AluOp::or_:  return cut(width, a | b);
        case AluOp::xor_: return cut(width, a ^ b);
    }
    return 0;
}

std::uint64_t shift(ShiftOp op, Width width, std::uint64_t a, std::uint64_t b) {
    const unsigned bits = bits_of(width);
    const auto by = static_cast<unsigned>(b & (bits - 1));
    a = cut(width, a);
    switch (op) {
        case ShiftOp::shl:   return cut(width, a << by);
        case ShiftOp::shr_s: return cut(width, static_cast<std::uint64_t>(as_signed(width, a) >> by));
        case ShiftOp::shr_u: return a >> by;
        case ShiftOp::rotl:  return by == 0 ? a : cut(width, a << by | a >> (bits - by));
        case ShiftOp::rotr:  return by == 0 ? a : cut(width, a >> by | a << (bits - by));
    }
    return 0;
}

bool compare(IntCond cond, Width width, std::uint64_t a, std::uint64_t b) {
    a = cut(width, a);
    b = cut(width, b);
    const std::int64_t sa = as_signed(width, a);
    const std::int64_t sb = as_signed(width, b);
    switch (cond) {
        case IntCond::eq:   return a == b;
        case IntCond::ne:   return a != b;
        case IntCond::lt_s: return sa < sb;
        case IntCond::lt_u: return a < b;
        case IntCond::gt_s: return sa > sb;
        case IntCond::gt_u: return a > b;
        case IntCond::le_s: return sa <= sb;
        case IntCond::le_u: return a <= b;
        case IntCond::ge_s: return sa >= sb;
        case IntCond::ge_u: return a >= b;
    }
    return false;
}

constexpr std::array kConds = {IntCond::eq,   IntCond::ne,   IntCond::lt_s, IntCond::lt_u, IntCond::gt_s,
                               IntCond::gt_u, IntCond::le_s, IntCond::le_u, IntCond::ge_s, IntCond::ge_u};

template <class Emit, class Expect>
void check_registers(Width width, const Registers& r, Emit emit, Expect expect) {
    Sequence sequence(emit);
    for (const std::uint64_t a : kIntegers) {
        for (const std::uint64_t b : kIntegers) {
            State state = scrambled();
            state[r.a] = cut(width, a);
            state[r.b] = cut(width, b);
            ASSERT_EQ(run_checked(sequence, state, RegSet::of(r.d)), TrapCode::none);
            ASSERT_EQ(state[r.d], expect(cut(width, actual_a(r, a, b)), cut(width, b))) << std::hex << a << ' ' << b;
        }
    }
}

template <class Emit, class Expect>
void check_operand(Width width, Reg d, Reg a_reg, std::uint64_t b, Emit emit, Expect expect) {
    Sequence sequence(emit);
    for (const std::uint64_t a : kIntegers) {
        State state = scrambled();
        state[a_reg] = cut(width, a);
        ASSERT_EQ(run_checked(sequence, state, RegSet::of(d)), TrapCode::none);
        ASSERT_EQ(state[d], expect(cut(width, a), cut(width, b))) << std::hex << a << ' ' << b;
    }
}

/// `emit` and `expect` of a binary operation with register, immediate and slot operands.
template <class Emit, class Expect>
void check_binary(Emit emit, Expect expect, bool slots = true) {
    for (const Width width : kWidths) {
        for (const Registers& r : kAliases) {
            check_registers(
                width, r, [&](Masm& masm) { emit(masm, width, r.d, r.a, Operand(r.b)); },
                [&](std::uint64_t a, std::uint64_t b) { return expect(width, a, b); });
        }
        for (const std::uint64_t b : kIntegers) {
            for (const Reg d : {gp(4), gp(5)}) {
                check_operand(
                    width, d, gp(5), b, [&](Masm& masm) { emit(masm, width, d, gp(5), Operand::imm(static_cast<std::int64_t>(b))); },
                    [&](std::uint64_t x, std::uint64_t y) { return expect(width, x, y); });
            }
        }
        if (!slots) continue;
        for (const std::int32_t slot : kSlots) {
            for (const std::uint64_t b : {std::uint64_t{5}, std::uint64_t{0xffff'ffff'8000'0001}}) {
                check_operand(
                    width, gp(4), gp(5), b,
                    [&](Masm& masm) {
                        masm.store_slot_imm(slot, static_cast<std::int64_t>(b));
                        emit(masm, width, gp(4), gp(5), Operand::at(slot));
                    },
                    [&](std::uint64_t x, std::uint64_t y) { return expect(width, x, y); });
            }
        }
    }
}

TEST(Arm64Integer, Alu) {
    POLLUX_NEEDS_ARM64();
    for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_}) {
        check_binary([&](Masm& masm, Width width, Reg d, Reg a, Operand b) { masm.alu(op, width, d, a, b); },
                     [&](Width width, std::uint64_t a, std::uint64_t b) { return alu(op, width, a, b); });
    }
}

TEST(Arm64Integer, Mul) {
    POLLUX_NEEDS_ARM64();
    check_binary([&](Masm& masm, Width width, Reg d, Reg a, Operand b) { masm.mul(width, d, a, b); },
                 [&](Width width, std::uint64_t a, std::uint64_t b) { return cut(width, a * b); });
}

TEST(Arm64Integer, Shift) {
    POLLUX_NEEDS_ARM64();
    for (const ShiftOp op : {ShiftOp::shl, ShiftOp::shr_s, ShiftOp::shr_u, ShiftOp::rotl, ShiftOp::rotr}) {
        check_binary([&](Masm& masm, Width width, Reg d, Reg a, Operand b) { masm.shift(op, width, d, a, b); },
                     [&](Width width, std::uint64_t a, std::uint64_t b) { return shift(op, width, a, b); }, false);
    }
}

TEST(Arm64Integer, CompareSet) {
    POLLUX_NEEDS_ARM64();
    for (const IntCond cond : kConds) {
        check_binary([&](Masm& masm, Width width, Reg d, Reg a, Operand b) { masm.compare_set(cond, width, d, a, b); },
                     [&](Width width, std::uint64_t a, std::uint64_t b) { return compare(cond, width, a, b) ? 1 : 0; });
    }
}

TEST(Arm64Integer, CompareBranch) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const IntCond cond : kConds) {
            for (const Width width : kWidths) {
                for (const std::uint64_t b :
                     {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x8000'0000}, ~std::uint64_t{0}, ~std::uint64_t{0} << 63}) {
                    // Forward over a jump back, so that both directions are taken.
                    Sequence sequence(
                        [&](Masm& masm) {
                            Label taken, not_taken, end;
                            masm.jump(end);
                            masm.bind(taken);
                            masm.mov_imm(Width::w64, gp(0), 1);
                            masm.jump(not_taken);
                            masm.bind(end);
                            masm.mov_imm(Width::w64, gp(0), 0);
                            Label forward;
                            masm.compare_branch(cond, width, gp(1), Operand::imm(static_cast<std::int64_t>(b)), forward);
                            masm.jump(not_taken);
                            masm.bind(forward);
                            masm.compare_branch(cond, width, gp(1), Operand::imm(static_cast<std::int64_t>(b)), taken);
                            masm.mov_imm(Width::w64, gp(0), 99);
                            masm.bind(not_taken);
                        },
                        branches);
                    for (const std::uint64_t a : kIntegers) {
                        State state = scrambled();
                        state[gp(1)] = cut(width, a);
                        ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(0))), TrapCode::none);
                        ASSERT_EQ(state[gp(0)], compare(cond, width, a, b) ? 1U : 0U) << std::hex << a << ' ' << b;
                    }
                }
            }
        }
    }
}

TEST(Arm64Integer, CompareTrap) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const IntCond cond : kConds) {
            for (const std::uint64_t b : {std::uint64_t{0}, std::uint64_t{77}}) {
                Sequence sequence(
                    [&](Masm& masm) {
                        masm.compare_trap(cond, Width::w64, gp(1), Operand::imm(static_cast<std::int64_t>(b)), TrapCode::bad_signature);
                    },
                    branches);
                for (const std::uint64_t a : {std::uint64_t{0}, std::uint64_t{77}, ~std::uint64_t{0}}) {
                    State state = scrambled();
                    state[gp(1)] = a;
                    ASSERT_EQ(run_checked(sequence, state, {}), compare(cond, Width::w64, a, b) ? TrapCode::bad_signature : TrapCode::none);
                }
            }
        }
    }
}

TEST(Arm64Integer, CompareSelect) {
    POLLUX_NEEDS_ARM64();
    struct Choice {
        std::uint8_t d, t, f;
    };
    for (const Choice c : {Choice{0, 1, 2}, Choice{1, 1, 2}, Choice{2, 1, 2}, Choice{3, 3, 3}}) {
        for (const Kind kind : {Kind::i32, Kind::i64, Kind::f32, Kind::f64, Kind::v128, Kind::ref}) {
            const bool is_fp = wasm::is_fp(kind);
            const auto reg = [&](std::uint8_t n) { return is_fp ? fp(n) : gp(n); };
            for (const bool a_is_d : {false, true}) {
                const Reg a = a_is_d && !is_fp ? gp(c.d) : gp(9);
                Sequence sequence([&](Masm& masm) {
                    masm.compare_select(IntCond::lt_s, Width::w64, a, Operand::imm(100), kind, reg(c.d), reg(c.t), reg(c.f));
                });
                for (const std::uint64_t value : {std::uint64_t{5}, std::uint64_t{500}}) {
                    State state = scrambled();
                    state[a] = value;
                    if (kind == Kind::i32 && a != gp(c.t)) state[gp(c.t)] &= 0xffff'ffff;
                    if (kind == Kind::i32 && a != gp(c.f)) state[gp(c.f)] &= 0xffff'ffff;
                    const State before = state;
                    ASSERT_EQ(run_checked(sequence, state, RegSet::of(reg(c.d))), TrapCode::none);
                    const std::uint8_t wanted = value < 100 ? c.t : c.f;
                    if (!is_fp) {
                        EXPECT_EQ(state.gp[c.d], before.gp[wanted]);
                    } else if (kind == Kind::v128) {
                        EXPECT_EQ(state.fp[c.d], before.fp[wanted]);
                    } else {
                        const std::uint64_t mask = kind == Kind::f32 ? 0xffff'ffff : ~std::uint64_t{0};
                        EXPECT_EQ(state.fp[c.d].low & mask, before.fp[wanted].low & mask);
                    }
                }
            }
        }
    }
}

TEST(Arm64Integer, Divide) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const DivOp op : {DivOp::div_s, DivOp::div_u, DivOp::rem_s, DivOp::rem_u}) {
            for (const Width width : kWidths) {
                for (const Registers& r : kAliases) {
                    Sequence sequence([&](Masm& masm) { masm.div(op, width, r.d, r.a, r.b, true, true); }, branches);
                    for (const std::uint64_t a : kIntegers) {
                        for (const std::uint64_t b : kIntegers) {
                            State state = scrambled();
                            state[r.a] = cut(width, a);
                            state[r.b] = cut(width, b);
                            const std::uint64_t x = cut(width, actual_a(r, a, b));
                            const std::uint64_t y = cut(width, b);
                            const std::int64_t sx = as_signed(width, x);
                            const std::int64_t sy = as_signed(width, y);
                            const std::int64_t least =
                                width == Width::w32 ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int64_t>::min();
                            TrapCode trap = TrapCode::none;
                            std::uint64_t wanted = 0;
                            if (y == 0) {
                                trap = TrapCode::integer_divide_by_zero;
                            } else if (op == DivOp::div_s) {
                                if (sx == least && sy == -1)
                                    trap = TrapCode::integer_overflow;
                                else
                                    wanted = static_cast<std::uint64_t>(sx / sy);
                            } else if (op == DivOp::rem_s) {
                                wanted = sy == -1 ? 0 : static_cast<std::uint64_t>(sx % sy);
                            } else {
                                wanted = op == DivOp::div_u ? x / y : x % y;
                            }
                            ASSERT_EQ(run_checked(sequence, state, trap == TrapCode::none ? RegSet::of(r.d) : RegSet{}), trap)
                                << std::hex << x << ' ' << y;
                            if (trap == TrapCode::none) {
                                ASSERT_EQ(state[r.d], cut(width, wanted)) << std::hex << x << ' ' << y;
                            }
                        }
                    }
                }
            }
        }
    }
}

TEST(Arm64Integer, UnaryOperations) {
    POLLUX_NEEDS_ARM64();
    const auto check = [](Width width, auto emit, auto expect) {
        for (const auto& [d, a] : {std::pair{gp(0), gp(1)}, std::pair{gp(7), gp(7)}, std::pair{gp(26), gp(8)}}) {
            Sequence sequence([&, d = d, a = a](Masm& masm) { emit(masm, d, a); });
            for (const std::uint64_t value : kIntegers) {
                State state = scrambled();
                state[a] = cut(width, value);
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(d)), TrapCode::none);
                ASSERT_EQ(state[d], expect(cut(width, value))) << std::hex << value;
            }
        }
    };
    check(
        Width::w32, [](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::clz, Width::w32, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(std::countl_zero(static_cast<std::uint32_t>(v))); });
    check(
        Width::w64, [](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::clz, Width::w64, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(std::countl_zero(v)); });
    check(
        Width::w32, [](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::ctz, Width::w32, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(std::countr_zero(static_cast<std::uint32_t>(v))); });
    check(
        Width::w64, [](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::ctz, Width::w64, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(std::countr_zero(v)); });
    for (const Width width : kWidths) {
        check(
            width, [&](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::popcnt, width, d, a); },
            [](std::uint64_t v) { return static_cast<std::uint64_t>(std::popcount(v)); });
    }
    check(
        Width::w32, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::s8_32, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(static_cast<std::uint32_t>(static_cast<std::int8_t>(v))); });
    check(
        Width::w32, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::s16_32, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(static_cast<std::uint32_t>(static_cast<std::int16_t>(v))); });
    check(
        Width::w64, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::s8_64, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(static_cast<std::int8_t>(v)); });
    check(
        Width::w64, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::s16_64, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(static_cast<std::int16_t>(v)); });
    check(
        Width::w64, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::s32_64, d, a); },
        [](std::uint64_t v) { return static_cast<std::uint64_t>(static_cast<std::int32_t>(v)); });
    check(Width::w64, [](Masm& m, Reg d, Reg a) { m.extend(ExtendOp::u32_64, d, a); }, [](std::uint64_t v) { return v & 0xffff'ffff; });
}

TEST(Arm64Integer, AddShifted) {
    POLLUX_NEEDS_ARM64();
    for (const Width width : kWidths) {
        for (std::uint8_t by = 0; by < 4; ++by) {
            for (const Registers& r : kAliases) {
                check_registers(
                    width, r, [&](Masm& masm) { masm.add_shifted(width, r.d, r.a, r.b, by); },
                    [&](std::uint64_t a, std::uint64_t b) { return cut(width, a + (b << by)); });
            }
        }
    }
}

TEST(Arm64Integer, Constants) {
    POLLUX_NEEDS_ARM64();
    std::vector<std::uint64_t> values = kIntegers;
    for (unsigned i = 0; i < 64; ++i) {
        for (const std::uint64_t base : {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{0xff}, std::uint64_t{0xffff},
                                         std::uint64_t{0xffff'ffff}, std::uint64_t{0x00ff'00ff}}) {
            values.push_back(std::rotl(base, static_cast<int>(i)));
            values.push_back(~std::rotl(base, static_cast<int>(i)));
        }
    }
    for (const Width width : kWidths) {
        for (const std::uint64_t value : values) {
            Sequence sequence([&](Masm& masm) { masm.mov_imm(width, gp(3), value); });
            State state = scrambled();
            run_checked(sequence, state, RegSet::of(gp(3)));
            ASSERT_EQ(state[gp(3)], cut(width, value));
        }
    }
}

}  // namespace
}  // namespace pollux::arm64::test
