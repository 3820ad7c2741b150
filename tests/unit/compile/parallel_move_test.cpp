// ParallelMove against the meaning of "all at once": every destination ends with what its source held before.
#include "jit/compile/parallel_move.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace pollux {
namespace {

/// A masm whose registers are numbers: mov copies, and counts.
struct RegisterFile {
    static constexpr Reg kScratchGp = gp(31);
    static constexpr Reg kScratchFp = fp(31);

    std::array<int, 64> held{};
    int moves = 0;

    RegisterFile() {
        for (std::size_t i = 0; i < held.size(); ++i) held[i] = static_cast<int>(i);
    }
    void mov(Kind, Reg d, Reg s) {
        held[d.code] = held[s.code];
        ++moves;
    }
};

struct Pair {
    Reg to, from;
};

RegisterFile run(const std::vector<Pair>& pairs) {
    RegisterFile registers;
    ParallelMove<RegisterFile> moves;
    for (const Pair& pair : pairs) moves.add(Kind::i64, pair.to, pair.from);
    moves.emit(registers);
    return registers;
}

void expect_all_at_once(const std::vector<Pair>& pairs) {
    const RegisterFile registers = run(pairs);
    for (const Pair& pair : pairs) EXPECT_EQ(registers.held[pair.to.code], pair.from.code);
}

TEST(ParallelMove, NothingForMovesInPlace) { EXPECT_EQ(run({{gp(1), gp(1)}, {gp(2), gp(2)}}).moves, 0); }

TEST(ParallelMove, ChainIsOrderedFromItsEnd) {
    const std::vector<Pair> chain = {{gp(2), gp(1)}, {gp(3), gp(2)}, {gp(4), gp(3)}};
    expect_all_at_once(chain);
    EXPECT_EQ(run(chain).moves, 3);
}

TEST(ParallelMove, SwapTakesThreeMoves) {
    const std::vector<Pair> swap = {{gp(1), gp(2)}, {gp(2), gp(1)}};
    expect_all_at_once(swap);
    EXPECT_EQ(run(swap).moves, 3);
}

TEST(ParallelMove, TwoCyclesOfOneClass) {
    expect_all_at_once({{gp(1), gp(2)}, {gp(2), gp(1)}, {gp(3), gp(4)}, {gp(4), gp(5)}, {gp(5), gp(3)}});
}

TEST(ParallelMove, CyclesOfBothClasses) { expect_all_at_once({{gp(1), gp(2)}, {gp(2), gp(1)}, {fp(1), fp(2)}, {fp(2), fp(1)}}); }

TEST(ParallelMove, OneSourceForMany) { expect_all_at_once({{gp(1), gp(2)}, {gp(2), gp(1)}, {gp(3), gp(1)}, {gp(4), gp(1)}}); }

TEST(ParallelMove, RandomAssignments) {
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        const std::size_t count = 1 + random() % 16;
        std::vector<std::uint8_t> targets(20);
        for (std::size_t i = 0; i < targets.size(); ++i) targets[i] = static_cast<std::uint8_t>(i);
        std::shuffle(targets.begin(), targets.end(), random);
        std::vector<Pair> pairs;
        for (std::size_t i = 0; i < count; ++i) pairs.push_back({gp(targets[i]), gp(static_cast<std::uint8_t>(random() % 20))});
        expect_all_at_once(pairs);
    }
}

}  // namespace
}  // namespace pollux
