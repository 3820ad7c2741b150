// Labels, jump tables, moves, traps, fuel, executed.
#include "tests/codegen/arm64/runner.h"

namespace pollux::arm64::test {
namespace {

TEST(Arm64Control, JumpTable) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{3000}}) {
            Sequence sequence(
                [&](Masm& masm) {
                // Label 0 is bound before the table, the others after; entries share labels.
                    std::array<Label, 4> targets;
                    Label table, end;
                    masm.jump(table);
                    masm.bind(targets[0]);
                    masm.mov_imm(Width::w32, gp(1), 100);
                    masm.jump(end);
                    masm.bind(table);
                    std::vector<Label*> labels;
                    for (std::size_t i = 0; i < size; ++i) labels.push_back(&targets[i + 1 == size ? 3 : i % 3]);
                    masm.jump_table(gp(0), labels);
                    for (std::size_t i = 1; i < targets.size(); ++i) {
                        masm.bind(targets[i]);
                        masm.mov_imm(Width::w32, gp(1), 100 + i);
                        masm.jump(end);
                    }
                    masm.bind(end);
                },
                branches);
            for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{4},
                                              std::uint64_t{2999}, std::uint64_t{3000}, std::uint64_t{0xffff'ffff}}) {
                State state = scrambled();
                state[gp(0)] = index;
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(0), gp(1))), TrapCode::none);
                ASSERT_EQ(state[gp(1)], 100 + (index + 1 >= size ? 3 : index % 3)) << size << ' ' << index;
            }
        }
    }
}

TEST(Arm64Control, ManyUsesOfOneLabel) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (int taken = 0; taken < 40; ++taken) {
            Sequence sequence(
                [&](Masm& masm) {
                    Label end;
                    masm.mov_imm(Width::w32, gp(1), 0);
                    for (int i = 0; i < 40; ++i) {
                        switch (i % 4) {
                            case 0: masm.compare_branch(IntCond::eq, Width::w32, gp(0), Operand::imm(i), end); break;
                            case 1:
                                masm.compare_branch(i == taken ? IntCond::ne : IntCond::eq, Width::w64, gp(0), Operand::imm(0), end);
                                break;
                            case 2:
                                masm.compare_branch(i == taken ? IntCond::ge_s : IntCond::lt_s, Width::w32, gp(0), Operand::imm(0), end);
                                break;
                            default:
                                if (i == taken) masm.jump(end);
                                break;
                        }
                        masm.alu(AluOp::add, Width::w32, gp(1), gp(1), Operand::imm(1));
                    }
                    masm.bind(end);
                },
                branches);
            State state = scrambled();
            state[gp(0)] = taken == 0 ? 0 : static_cast<std::uint64_t>(taken);
            ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(1))), TrapCode::none);
            ASSERT_EQ(state[gp(1)], static_cast<std::uint64_t>(taken));
        }
    }
}

TEST(Arm64Control, Moves) {
    POLLUX_NEEDS_ARM64();
    Sequence sequence([](Masm& masm) {
        masm.mov(Kind::i32, gp(1), gp(0));
        masm.mov(Kind::i64, gp(2), gp(0));
        masm.mov(Kind::ref, gp(20), gp(0));
        masm.mov(Kind::f32, fp(1), fp(0));
        masm.mov(Kind::f64, fp(2), fp(0));
        masm.mov(Kind::v128, fp(29), fp(0));
        masm.mov(Kind::i64, kScratchGp, gp(0));
        masm.mov(Kind::v128, kScratchFp, fp(0));
        masm.store_slot(Kind::i64, -9000, kScratchGp);
        masm.store_slot(Kind::v128, -9024, kScratchFp);
        masm.load_slot(Kind::i64, gp(3), -9000);
        masm.load_slot(Kind::v128, fp(3), -9024);
    });
    State state = scrambled();
    const State before = state;
    ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(1), gp(2), gp(20), gp(3), fp(1), fp(2), fp(29), fp(3))), TrapCode::none);
    EXPECT_EQ(state.gp[1], before.gp[0] & 0xffff'ffff);
    EXPECT_EQ(state.gp[2], before.gp[0]);
    EXPECT_EQ(state.gp[20], before.gp[0]);
    EXPECT_EQ(state.gp[3], before.gp[0]);
    EXPECT_EQ(state.fp[1].low & 0xffff'ffff, before.fp[0].low & 0xffff'ffff);
    EXPECT_EQ(state.fp[2].low, before.fp[0].low);
    EXPECT_EQ(state.fp[29], before.fp[0]);
    EXPECT_EQ(state.fp[3], before.fp[0]);
}

TEST(Arm64Control, Traps) {
    POLLUX_NEEDS_ARM64();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const Reg status : {gp(0), gp(5)}) {
            Sequence sequence(
                [&](Masm& masm) {
                    masm.set_wasm_offset(1);
                    masm.trap_on_status(status);
                    masm.set_wasm_offset(2);
                    masm.trap_on_status(status);
                    masm.set_wasm_offset(3);
                    masm.trap(TrapCode::unreachable);
                },
                branches);
            State state = scrambled();
            state[status] = 0xabcd'0000'0000'0000;  // only 32 bits count
            EXPECT_EQ(run_checked(sequence, state, {}), TrapCode::unreachable);
            state = scrambled();
            state[status] = static_cast<std::uint64_t>(TrapCode::host_exit);
            EXPECT_EQ(run_checked(sequence, state, RegSet::of(gp(0))), TrapCode::host_exit);
        }
    }
}

TEST(Arm64Control, Fuel) {
    POLLUX_NEEDS_ARM64();
    StoreContext& store = Sequence::context().store;
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const std::uint32_t amount : {0U, 1U, 4095U, 4096U, 4097U, 0xff'ffffU, 0x100'0000U, 0xffff'ffffU}) {
            Sequence sequence([&](Masm& masm) { masm.consume_fuel(amount); }, branches);
            for (const std::int64_t have :
                 {std::int64_t{0}, std::int64_t{1}, std::int64_t{amount}, std::int64_t{amount} - 1, std::int64_t{amount} + 1}) {
                store.fuel = have;
                State state = scrambled();
                ASSERT_EQ(run_checked(sequence, state, {}), have - std::int64_t{amount} < 0 ? TrapCode::fuel_exhausted : TrapCode::none)
                    << amount << ' ' << have;
                ASSERT_EQ(store.fuel, have - std::int64_t{amount});
            }
        }
    }
}

}  // namespace
}  // namespace pollux::arm64::test
