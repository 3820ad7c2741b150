// What LoopScan sees in a loop's body, and that it gives up rather than guess.
#include "jit/compile/loop_scan.h"

#include <gtest/gtest.h>

#include <vector>

namespace pollux {
namespace {

LoopUse scan(const std::vector<std::uint8_t>& body) {
    const std::vector<Local> locals = {{.kind = Kind::i32, .home = gp(1)}, {.kind = Kind::i32, .home = gp(2)}, {.kind = Kind::i32}};
    return LoopScan(body.data(), body.data() + body.size(), locals).run();
}

TEST(LoopScan, ReadsAndWrites) {
    const LoopUse use = scan({0x20, 0, 0x21, 1, 0x0b, 0x20, 1});  // local.get 0, local.set 1, end; what follows does not count
    EXPECT_TRUE(use.complete);
    EXPECT_FALSE(use.calls);
    EXPECT_EQ(use.touched, RegSet::of(gp(1), gp(2)));
    EXPECT_EQ(use.written, RegSet::of(gp(2)));
}

TEST(LoopScan, LocalsWithoutHomeAreNothing) {
    const LoopUse use = scan({0x22, 2, 0x0b});
    EXPECT_TRUE(use.complete);
    EXPECT_TRUE(use.touched.empty());
}

TEST(LoopScan, NestedBlocksEndWhereTheyEnd) {
    const LoopUse use = scan({0x02, 0x40, 0x03, 0x40, 0x0b, 0x0b, 0x20, 0, 0x0b});
    EXPECT_TRUE(use.complete);
    EXPECT_EQ(use.touched, RegSet::of(gp(1)));
}

TEST(LoopScan, ImmediatesAreNotOpcodes) {
    // i32.const 0x21 … , memory.fill and br_table with bytes that look like local.set
    const LoopUse use = scan({0x41, 0x21, 0x0e, 1, 0x21, 0x21, 0x28, 0x02, 0x21, 0x44, 0x21, 1, 0x21, 1, 0x21, 1, 0x21, 1, 0x0b});
    EXPECT_TRUE(use.complete);
    EXPECT_TRUE(use.written.empty());
}

TEST(LoopScan, CallsAndBulkOperations) {
    EXPECT_TRUE(scan({0x10, 5, 0x0b}).calls);
    EXPECT_TRUE(scan({0xfc, 11, 0, 0x0b}).calls);     // memory.fill
    EXPECT_FALSE(scan({0xfc, 1, 0x0b}).calls);        // i32.trunc_sat_f32_u
    EXPECT_TRUE(scan({0x40, 0, 0x0b}).calls);         // memory.grow
}

TEST(LoopScan, GivesUp) {
    EXPECT_FALSE(scan({0x20, 0}).complete);                                     // no end
    EXPECT_FALSE(scan({0x20, 0x80}).complete);                                  // an open LEB
    EXPECT_FALSE(scan({0xfd, 0xff, 0x7f, 0x0b}).complete);                      // not an opcode
    EXPECT_FALSE(scan(std::vector<std::uint8_t>(LoopScan::kMaxBytes + 2, 0x01)).complete);  // too long
}

}  // namespace
}  // namespace pollux
