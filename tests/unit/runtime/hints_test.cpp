// Branch hints: what a hint calls unlikely is compiled out of line, and computes the same.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// The module with `from` replaced by `to` in all its hints.
Bytes with_hints(std::uint8_t from, std::uint8_t to) {
    Bytes bytes(std::begin(kHintsModule), std::end(kHintsModule));
    constexpr std::string_view kName = "metadata.code.branch_hint";
    auto at = std::ranges::search(bytes, kName).end();
    at += 2;  // one function, its index
    for (std::uint8_t count = *at; count != 0; --count) {
        at += 3;  // offset, size, hint
        if (*at == from) *at = to;
    }
    return bytes;
}

class Hints : public EveryMode {};

/// The sum, negative where it went above the limit, and how much was added up on the way.
std::array<std::int32_t, 2> sum(Instance& instance, std::int32_t n, std::int32_t limit) {
    const std::int32_t before = result(instance, "ticks").as_i32();
    const std::int32_t sum = result(instance, "sum", {Value::i32(n), Value::i32(limit)}).as_i32();
    return {sum, result(instance, "ticks").as_i32() - before};
}

TEST_P(Hints, ChangeNothing) {
    for (const Bytes& module : {with_hints(0, 0), with_hints(0, 1), with_hints(1, 0)}) {
        Instance& instance = guest.instantiate(module);
        EXPECT_EQ(sum(instance, 10, 1000), (std::array{55, 55}));
        EXPECT_EQ(sum(instance, 10, 26), (std::array{-27, 27}));  // 10 + 9 + 8
        EXPECT_EQ(sum(instance, 0, 5), (std::array{0, 0}));
        EXPECT_EQ(sum(instance, 7, 0), (std::array{0, 0}));
        EXPECT_EQ(sum(instance, 1, 1), (std::array{1, 1}));
    }
}

TEST(BranchHints, PutMovesOutOfLine) {
    const auto engine = make_engine(kModes[0]);
    const auto code = [&](const Bytes& module) {
        const auto compiled = must(ModuleBuilder::from_bytes(engine, module));
        const auto bytes = compiled->machine_code(1);
        return Bytes(bytes.begin(), bytes.end());
    };
    const Bytes unlikely = code(with_hints(0, 0));
    const Bytes likely = code(with_hints(0, 1));
    EXPECT_NE(unlikely, likely);

    // A jump behind the last return: there is one for each unlikely branch, and none without.
    const auto jumps_behind_the_end = [&](const Bytes& bytes) {
        int jumps = 0;
        for (const DisassembledInstruction& at : must(engine->backend().disassemble(bytes, 0x1000'0000))) {
            const bool jumps_here = at.branch_target != 0 && (at.text.starts_with("jmp") || at.text.starts_with("b "));
            jumps = at.text.starts_with("ret") ? 0 : jumps + (jumps_here ? 1 : 0);
        }
        return jumps;
    };
    if (!engine->backend().disassemble(unlikely, 0x1000'0000)) GTEST_SKIP() << "no disassembler here";
    EXPECT_EQ(jumps_behind_the_end(unlikely), 2);
    EXPECT_EQ(jumps_behind_the_end(likely), 0);
}

POLLUX_IN_EVERY_MODE(Hints);

}  // namespace
}  // namespace pollux::test
