// What LoopScan sees in a loop's body, and that it gives up rather than guess.
#include "jit/compile/loop_scan.h"

#include <gtest/gtest.h>

#include <vector>

namespace pollux {
namespace {

LoopUse scan(const std::vector<std::uint8_t>& body) {
    const std::vector<Local> locals = {{.kind = Kind::i32, .home = gp(1)}, {.kind = Kind::i32, .home = gp(2)}, {.kind = Kind::i32}};
    return LoopScan()(body.data(), body.data() + body.size(), locals);
}

TEST(LoopScan, ReadsAndWrites) {
    const LoopUse use = scan({0x20, 0, 0x21, 1, 0x0b, 0x20, 1});  // local.get 0, local.set 1, end; what follows does not count
    EXPECT_TRUE(use.complete);
    EXPECT_FALSE(use.calls);
    EXPECT_EQ(use.touched, RegSet::of(gp(1), gp(2)));
    EXPECT_EQ(use.written, RegSet::of(gp(2)));
    EXPECT_EQ(use.wasm_bytes, 5U);
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
    EXPECT_EQ(use.wasm_bytes, 9U);
}

TEST(LoopScan, LoopsInsideAreAnsweredByTheSameScan) {
    // local.get 0, loop (local.set 1, loop (call 0) end) end, loop (local.get 0) end, end
    const std::vector<std::uint8_t> body = {0x20, 0, 0x03, 0x40, 0x21, 1, 0x03, 0x40, 0x10, 0, 0x0b, 0x0b, 0x03, 0x40, 0x20, 0, 0x0b, 0x0b};
    const std::vector<Local> locals = {{.kind = Kind::i32, .home = gp(1)}, {.kind = Kind::i32, .home = gp(2)}};
    const std::uint8_t* const end = body.data() + body.size();
    const RegSet first = RegSet::of(gp(1));
    const RegSet second = RegSet::of(gp(2));
    LoopScan scan;
    const auto check = [&](std::size_t at, RegSet touched, RegSet written, bool calls) {
        for (const LoopUse& use : {scan(body.data() + at, end, locals), LoopScan()(body.data() + at, end, locals)}) {
            EXPECT_TRUE(use.complete);
            EXPECT_EQ(use.touched, touched) << at;
            EXPECT_EQ(use.written, written) << at;
            EXPECT_EQ(use.calls, calls) << at;
        }
    };
    check(0, first | second, second, true);
    check(4, second, second, true);
    check(8, {}, {}, true);
    check(14, first, {}, false);
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

TEST(LoopScan, NothingCountsBehindTheFirstCall) {
    // local.get 0, loop (local.set 1, call 0, local.get 2), and no end
    const std::vector<std::uint8_t> body = {0x20, 0, 0x03, 0x40, 0x21, 1, 0x10, 0, 0x20, 2};
    const std::vector<Local> locals = {
        {.kind = Kind::i32, .home = gp(1)}, {.kind = Kind::i32, .home = gp(2)}, {.kind = Kind::i32, .home = gp(3)}};
    LoopScan scan;
    const LoopUse outer = scan(body.data(), body.data() + body.size(), locals);
    EXPECT_TRUE(outer.complete);
    EXPECT_TRUE(outer.calls);
    EXPECT_EQ(outer.touched, RegSet::of(gp(1), gp(2)));
    EXPECT_EQ(outer.written, RegSet::of(gp(2)));
    const LoopUse inner = scan(body.data() + 4, body.data() + body.size(), locals);
    EXPECT_TRUE(inner.complete);
    EXPECT_TRUE(inner.calls);
    EXPECT_EQ(inner.touched, RegSet::of(gp(2)));
}

TEST(LoopScan, GivesUp) {
    EXPECT_FALSE(scan({0x20, 0}).complete);                                     // no end
    EXPECT_FALSE(scan({0x20, 0x80}).complete);                                  // an open LEB
    EXPECT_FALSE(scan({0xfd, 0xff, 0x7f, 0x0b}).complete);                      // not an opcode
    EXPECT_FALSE(scan(std::vector<std::uint8_t>(LoopScan::kMaxBytes + 2, 0x01)).complete);  // too long
}

}  // namespace
}  // namespace pollux
