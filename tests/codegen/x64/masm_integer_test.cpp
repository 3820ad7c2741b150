// Integer operations of the x64 masm, executed with every aliasing of their registers.
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "tests/codegen/widths.h"
#include "tests/codegen/x64/runner.h"

namespace pollux::x64::test {
namespace {

constexpr std::array kRegs = {kRax, kRcx, kRsi, kR8, kR12, kR13};

const std::vector<std::uint64_t> kValues = {0,
                                            1,
                                            2,
                                            5,
                                            31,
                                            32,
                                            33,
                                            63,
                                            127,
                                            128,
                                            0xff,
                                            0x8000,
                                            0xffff,
                                            0x7fff'ffff,
                                            0x8000'0000,
                                            0xffff'ffff,
                                            0x1'0000'0000,
                                            0x1234'5678'9abc'def0,
                                            0x7fff'ffff'ffff'ffff,
                                            0x8000'0000'0000'0000,
                                            0xffff'ffff'8000'0000,
                                            0xffff'ffff'ffff'fffe,
                                            ~std::uint64_t{0}};

std::uint64_t truncated(Width width, std::uint64_t value) { return width == Width::w32 ? static_cast<std::uint32_t>(value) : value; }

std::int64_t as_signed(Width width, std::uint64_t value) {
    return width == Width::w32 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
}

unsigned bits(Width width) { return width == Width::w32 ? 32 : 64; }

std::uint64_t alu(AluOp op, std::uint64_t a, std::uint64_t b) {
    switch (op) {
        case AluOp::add:  return a + b;
        case AluOp::sub:  return a - b;
        case AluOp::and_: return a & b;
        case AluOp::or_:  return a | b;
        case AluOp::xor_: return a ^ b;
    }
    return 0;
}

std::uint64_t shifted(ShiftOp op, Width width, std::uint64_t a, std::uint64_t count) {
    const unsigned n = bits(width);
    const auto c = static_cast<unsigned>(count & (n - 1));
    a = truncated(width, a);
    switch (op) {
        case ShiftOp::shl:   return truncated(width, a << c);
        case ShiftOp::shr_u: return a >> c;
        case ShiftOp::shr_s: return truncated(width, static_cast<std::uint64_t>(as_signed(width, a) >> c));
        case ShiftOp::rotl:  return c == 0 ? a : truncated(width, a << c | a >> (n - c));
        case ShiftOp::rotr:  return c == 0 ? a : truncated(width, a >> c | a << (n - c));
    }
    return 0;
}

bool holds(IntCond condition, Width width, std::uint64_t a, std::uint64_t b) {
    const std::int64_t sa = as_signed(width, a);
    const std::int64_t sb = as_signed(width, b);
    a = truncated(width, a);
    b = truncated(width, b);
    switch (condition) {
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

constexpr std::array kConditions = {IntCond::eq,   IntCond::ne,   IntCond::lt_s, IntCond::lt_u, IntCond::gt_s,
                                    IntCond::gt_u, IntCond::le_s, IntCond::le_u, IntCond::ge_s, IntCond::ge_u};

/// Emits `emit(masm, d, a, b)` for all registers and compares its result, for all values, with `expect(a, b)`.
void check_binary(Width width, const std::function<void(Masm&, Reg, Reg, Reg)>& emit,
                  const std::function<std::uint64_t(std::uint64_t, std::uint64_t)>& expect) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kRegs) {
            for (const Reg a : kRegs) {
                for (const Reg b : kRegs) {
                    runner.compile([&](Masm& masm) { emit(masm, d, a, b); });
                    for (const std::uint64_t x : kValues) {
                        for (const std::uint64_t y : kValues) {
                            auto& in = runner.block().in;
                            in.gp[a.number()] = truncated(width, x);
                            in.gp[b.number()] = truncated(width, y);
                            const std::uint64_t left = in.gp[a.number()];
                            ASSERT_EQ(runner.run(), TrapCode::none);
                            ASSERT_EQ(runner.block().out.gp[d.number()], expect(left, in.gp[b.number()]))
                                << describe(features) << " d=" << int{d.code} << " a=" << int{a.code} << " b=" << int{b.code}
                                << " x=" << left << " y=" << y;
                            ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                        }
                    }
                }
            }
        }
    }
}

/// The same for one input; `emit` may use an immediate or a slot.
void check_unary(Width width, const std::function<void(Masm&, Reg, Reg)>& emit, const std::function<std::uint64_t(std::uint64_t)>& expect) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kRegs) {
            for (const Reg a : kRegs) {
                runner.compile([&](Masm& masm) { emit(masm, d, a); });
                for (const std::uint64_t x : kValues) {
                    runner.block().in.gp[a.number()] = truncated(width, x);
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    ASSERT_EQ(runner.block().out.gp[d.number()], expect(truncated(width, x)))
                        << describe(features) << " d=" << int{d.code} << " a=" << int{a.code} << " x=" << x;
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmInteger, Alu) {
    for (const Width width : kWidths) {
        for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_}) {
            check_binary(
                width, [&](Masm& m, Reg d, Reg a, Reg b) { m.alu(op, width, d, a, b); },
                [&](std::uint64_t x, std::uint64_t y) { return truncated(width, alu(op, x, y)); });
        }
    }
}

TEST(X64MasmInteger, AluImmediateAndSlot) {
    for (const Width width : kWidths) {
        for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_}) {
            for (const std::uint64_t y : kValues) {
                check_unary(
                    width, [&](Masm& m, Reg d, Reg a) { m.alu(op, width, d, a, Operand::imm(static_cast<std::int64_t>(y))); },
                    [&](std::uint64_t x) { return truncated(width, alu(op, x, truncated(width, y))); });
                check_unary(
                    width,
                    [&](Masm& m, Reg d, Reg a) {
                        m.store_slot_imm(-64, static_cast<std::int64_t>(y));
                        m.alu(op, width, d, a, Operand::at(-64));
                    },
                    [&](std::uint64_t x) { return truncated(width, alu(op, x, truncated(width, y))); });
            }
        }
    }
}

TEST(X64MasmInteger, Multiply) {
    for (const Width width : kWidths) {
        check_binary(
            width, [&](Masm& m, Reg d, Reg a, Reg b) { m.mul(width, d, a, b); },
            [&](std::uint64_t x, std::uint64_t y) { return truncated(width, x * y); });
        std::vector<std::uint64_t> factors = kValues;
        for (std::uint64_t i = 0; i < 20; ++i) factors.push_back(i);
        for (const std::uint64_t y : factors) {
            check_unary(
                width, [&](Masm& m, Reg d, Reg a) { m.mul(width, d, a, Operand::imm(static_cast<std::int64_t>(y))); },
                [&](std::uint64_t x) { return truncated(width, x * y); });
            check_unary(
                width,
                [&](Masm& m, Reg d, Reg a) {
                    m.store_slot_imm(-128, static_cast<std::int64_t>(y));
                    m.mul(width, d, a, Operand::at(-128));
                },
                [&](std::uint64_t x) { return truncated(width, x * y); });
        }
    }
}

TEST(X64MasmInteger, ShiftImmediate) {
    for (const Width width : kWidths) {
        for (const ShiftOp op : {ShiftOp::shl, ShiftOp::shr_s, ShiftOp::shr_u, ShiftOp::rotl, ShiftOp::rotr}) {
            for (const std::int64_t count : {0, 1, 2, 7, 31, 32, 33, 63, 64, -1}) {
                check_unary(
                    width, [&](Masm& m, Reg d, Reg a) { m.shift(op, width, d, a, Operand::imm(count)); },
                    [&](std::uint64_t x) { return shifted(op, width, x, static_cast<std::uint64_t>(count)); });
            }
        }
    }
}

TEST(X64MasmInteger, ShiftVariable) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Width width : kWidths) {
            for (const ShiftOp op : {ShiftOp::shl, ShiftOp::shr_s, ShiftOp::shr_u, ShiftOp::rotl, ShiftOp::rotr}) {
                const Reg fixed = runner.masm().shift_count_register(op);
                for (const Reg d : kRegs) {
                    for (const Reg a : kRegs) {
                        for (const Reg count : kRegs) {
                            if (fixed.valid() && (count != fixed || d == fixed || a == fixed)) continue;
                            runner.compile([&](Masm& masm) { masm.shift(op, width, d, a, count); });
                            for (const std::uint64_t x : kValues) {
                                for (const std::uint64_t y : kValues) {
                                    auto& in = runner.block().in;
                                    in.gp[a.number()] = truncated(width, x);
                                    in.gp[count.number()] = truncated(width, y);
                                    ASSERT_EQ(runner.run(), TrapCode::none);
                                    ASSERT_EQ(runner.block().out.gp[d.number()], shifted(op, width, in.gp[a.number()], y));
                                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

TEST(X64MasmInteger, Divide) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Width width : kWidths) {
            for (const DivOp op : {DivOp::div_s, DivOp::div_u, DivOp::rem_s, DivOp::rem_u}) {
                const bool is_rem = op == DivOp::rem_s || op == DivOp::rem_u;
                const bool is_signed = op == DivOp::div_s || op == DivOp::rem_s;
                for (const Reg b : {kRcx, kRsi, kRdi, kR8, kR12, kR13}) {
                    runner.compile([&](Masm& masm) { masm.div(op, width, is_rem ? kRdx : kRax, kRax, b, true, true); });
                    for (const std::uint64_t x : kValues) {
                        for (const std::uint64_t y : kValues) {
                            auto& in = runner.block().in;
                            const std::uint64_t left = in.gp[0] = truncated(width, x);
                            const std::uint64_t right = in.gp[b.number()] = truncated(width, y);
                            const std::int64_t sl = as_signed(width, left);
                            const std::int64_t sr = as_signed(width, right);
                            const TrapCode trap = runner.run();
                            const bool least = left == std::uint64_t{1} << (bits(width) - 1);
                            if (right == 0) {
                                ASSERT_EQ(trap, TrapCode::integer_divide_by_zero);
                                continue;
                            }
                            if (op == DivOp::div_s && least && sr == -1) {
                                ASSERT_EQ(trap, TrapCode::integer_overflow);
                                continue;
                            }
                            std::uint64_t expected = is_rem ? left % right : left / right;
                            if (is_signed)
                                expected = sr == -1 ? (is_rem ? 0 : 0 - left) : static_cast<std::uint64_t>(is_rem ? sl % sr : sl / sr);
                            ASSERT_EQ(trap, TrapCode::none);
                            ASSERT_EQ(runner.block().out.gp[is_rem ? 2 : 0], truncated(width, expected));
                            ASSERT_EQ(runner.clobbered(RegSet::of(kRax, kRdx)).bits(), 0U);
                        }
                    }
                }
            }
        }
    }
}

TEST(X64MasmInteger, BitCounts) {
    for (const Width width : kWidths) {
        const auto count = [&](auto narrow, auto wide) {
            return [=](std::uint64_t x) {
                return static_cast<std::uint64_t>(width == Width::w32 ? narrow(static_cast<std::uint32_t>(x)) : wide(x));
            };
        };
        const auto clz = count([](std::uint32_t x) { return std::countl_zero(x); }, [](std::uint64_t x) { return std::countl_zero(x); });
        const auto ctz = count([](std::uint32_t x) { return std::countr_zero(x); }, [](std::uint64_t x) { return std::countr_zero(x); });
        const auto popcnt = count([](std::uint32_t x) { return std::popcount(x); }, [](std::uint64_t x) { return std::popcount(x); });
        check_unary(width, [&](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::clz, width, d, a); }, clz);
        check_unary(width, [&](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::ctz, width, d, a); }, ctz);
        check_unary(width, [&](Masm& m, Reg d, Reg a) { m.bit_count(BitOp::popcnt, width, d, a); }, popcnt);
    }
}

TEST(X64MasmInteger, Extend) {
    const auto check = [](ExtendOp op, auto expect) {
        check_unary(Width::w64, [&](Masm& m, Reg d, Reg a) { m.extend(op, d, a); }, expect);
    };
    check(ExtendOp::s8_32, [](std::uint64_t x) { return std::uint64_t{static_cast<std::uint32_t>(static_cast<std::int8_t>(x))}; });
    check(ExtendOp::s16_32, [](std::uint64_t x) { return std::uint64_t{static_cast<std::uint32_t>(static_cast<std::int16_t>(x))}; });
    check(ExtendOp::s8_64, [](std::uint64_t x) { return static_cast<std::uint64_t>(static_cast<std::int8_t>(x)); });
    check(ExtendOp::s16_64, [](std::uint64_t x) { return static_cast<std::uint64_t>(static_cast<std::int16_t>(x)); });
    check(ExtendOp::s32_64, [](std::uint64_t x) { return static_cast<std::uint64_t>(static_cast<std::int32_t>(x)); });
    check(ExtendOp::u32_64, [](std::uint64_t x) { return x & 0xffff'ffff; });
}

TEST(X64MasmInteger, AddShifted) {
    for (const Width width : kWidths) {
        for (std::uint8_t shift = 0; shift < 4; ++shift) {
            check_binary(
                width, [&](Masm& m, Reg d, Reg a, Reg b) { m.add_shifted(width, d, a, b, shift); },
                [&](std::uint64_t x, std::uint64_t y) { return truncated(width, x + (y << shift)); });
        }
    }
}

TEST(X64MasmInteger, CompareSet) {
    for (const Width width : kWidths) {
        for (const IntCond condition : kConditions) {
            check_binary(
                width, [&](Masm& m, Reg d, Reg a, Reg b) { m.compare_set(condition, width, d, a, b); },
                [&](std::uint64_t x, std::uint64_t y) { return std::uint64_t{holds(condition, width, x, y)}; });
            for (const std::uint64_t y : kValues) {
                check_unary(
                    width,
                    [&](Masm& m, Reg d, Reg a) { m.compare_set(condition, width, d, a, Operand::imm(static_cast<std::int64_t>(y))); },
                    [&](std::uint64_t x) { return std::uint64_t{holds(condition, width, x, y)}; });
            }
            check_unary(
                width,
                [&](Masm& m, Reg d, Reg a) {
                    m.store_slot_imm(-16, 0x7fff'ffff);
                    m.compare_set(condition, width, d, a, Operand::at(-16));
                },
                [&](std::uint64_t x) { return std::uint64_t{holds(condition, width, x, 0x7fff'ffff)}; });
        }
    }
}

TEST(X64MasmInteger, CompareBranchAndTrap) {
    for (const Width width : kWidths) {
        for (const IntCond condition : kConditions) {
            check_binary(
                width,
                [&](Masm& m, Reg d, Reg a, Reg b) {
                    Label taken;
                    Label end;
                    m.compare_branch(condition, width, a, b, taken);
                    m.mov_imm(Width::w32, d, 7);
                    m.jump(end);
                    m.bind(taken);
                    m.mov_imm(Width::w32, d, 9);
                    m.bind(end);
                },
                [&](std::uint64_t x, std::uint64_t y) { return holds(condition, width, x, y) ? std::uint64_t{9} : std::uint64_t{7}; });
            Runner runner(host_features());
            runner.compile([&](Masm& masm) {
                masm.set_wasm_offset(1234);
                masm.compare_trap(condition, width, kR9, kR10, TrapCode::table_out_of_bounds);
                masm.set_wasm_offset(5678);
            });
            for (const std::uint64_t x : kValues) {
                for (const std::uint64_t y : kValues) {
                    runner.block().in.gp[9] = truncated(width, x);
                    runner.block().in.gp[10] = truncated(width, y);
                    const bool traps = holds(condition, width, x, y);
                    ASSERT_EQ(runner.run(), traps ? TrapCode::table_out_of_bounds : TrapCode::none);
                    if (traps) {
                        ASSERT_EQ(runner.trap_wasm_offset(), 1234U);
                    }
                }
            }
        }
    }
}

TEST(X64MasmInteger, CompareSelect) {
    constexpr std::array kSome = {kRax, kR8, kR13};
    constexpr std::array kSomeFp = {fp(0), fp(6), fp(13)};
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        for (const Kind kind : {Kind::i32, Kind::i64, Kind::f32, Kind::f64, Kind::v128, Kind::ref}) {
            const bool is_fp = wasm::is_fp(kind);
            const auto& regs = is_fp ? kSomeFp : kSome;
            for (const Reg a : {kRcx, kRax}) {
                for (const Reg d : regs) {
                    for (const Reg t : regs) {
                        for (const Reg f : regs) {
                            fill(runner);
                            runner.compile([&](Masm& masm) { masm.compare_select(IntCond::lt_s, Width::w32, a, kRsi, kind, d, t, f); });
                            for (const std::uint64_t x : {0U, 1U, 0x8000'0000U}) {
                                auto& in = runner.block().in;
                                for (std::size_t i = 0; i < 16; ++i) in.gp[i] = 100 + i;
                                in.gp[a.number()] = x;
                                in.gp[6] = 1;
                                ASSERT_EQ(runner.run(), TrapCode::none);
                                const Reg chosen = holds(IntCond::lt_s, Width::w32, x, 1) ? t : f;
                                if (is_fp) {
                                    ASSERT_EQ(runner.block().out.fp[d.number()].low, in.fp[chosen.number()].low);
                                } else {
                                    ASSERT_EQ(runner.block().out.gp[d.number()], in.gp[chosen.number()]);
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

}  // namespace
}  // namespace pollux::x64::test
