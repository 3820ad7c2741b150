#include "jit/runtime/code_map.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace pollux {
namespace {

using Kind = Site::Kind;

PcInfo find(const CodeMap& map, std::uint32_t offset) {
    PcInfo info;
    EXPECT_TRUE(map.find(offset, info)) << offset;
    return info;
}

TEST(CodeMap, FindsSitesOfAFunction) {
    CodeMap map;
    CodeMap::Writer& writer = map.make_writer();
    std::vector<Site> sites = {
        {10, 0, Kind::framed, {}},
        {20, 105, Kind::trap, TrapCode::memory_out_of_bounds},
        {70, 103, Kind::call, {}},
        {70, 110, Kind::trap, TrapCode::memory_out_of_bounds},
        {90, 0, Kind::frameless, {}},
        {92, 0, Kind::framed, {}},
        {5000, 108, Kind::trap, TrapCode::integer_overflow},
        {4000, 101, Kind::trap, TrapCode::status},
    };
    writer.add(1000, 5010, 7, 100, sites);
    PcInfo info;
    EXPECT_FALSE(map.find(999, info));
    EXPECT_FALSE(map.find(1000 + 5011, info));
    EXPECT_TRUE(find(map, 1000).frameless);
    EXPECT_EQ(find(map, 1000).wasm_offset, 100U);
    EXPECT_FALSE(find(map, 1010).frameless);
    EXPECT_EQ(find(map, 1020).trap, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(find(map, 1020).wasm_offset, 105U);
    EXPECT_EQ(find(map, 1021).trap, TrapCode::none);
    EXPECT_EQ(find(map, 1021).wasm_offset, 105U);
    EXPECT_TRUE(find(map, 1070).is_call);
    EXPECT_EQ(find(map, 1070).call_wasm_offset, 103U);
    EXPECT_EQ(find(map, 1070).wasm_offset, 110U);
    EXPECT_EQ(find(map, 1070).trap, TrapCode::memory_out_of_bounds);
    EXPECT_TRUE(find(map, 1091).frameless);
    EXPECT_FALSE(find(map, 1092).frameless);
    EXPECT_EQ(find(map, 5000).trap, TrapCode::status);
    EXPECT_EQ(find(map, 6000).trap, TrapCode::integer_overflow);
    EXPECT_EQ(find(map, 6000).wasm_offset, 108U);
    EXPECT_EQ(find(map, 1500).function, 7U);
    EXPECT_EQ(find(map, 1500).function_bytes, 5010U);
}

TEST(CodeMap, ManyFunctionsOfSeveralWriters) {
    CodeMap map;
    CodeMap::Writer* writers[] = {&map.make_writer(), &map.make_writer(), &map.make_writer()};
    std::mt19937 generator(1);
    const auto random = [&](std::uint32_t below) { return static_cast<std::uint32_t>(generator() % below); };
    struct Function {
        std::uint32_t offset, bytes, trap, wasm;
    };
    std::vector<Function> functions;
    std::uint32_t at = 16;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        const std::uint32_t bytes = 10 + random(500);
        const std::uint32_t wasm = random(1'000'000'000);
        std::vector<Site> sites = {{bytes / 2, wasm + random(5000), Kind::trap, TrapCode::memory_out_of_bounds}};
        functions.push_back({at, bytes, bytes / 2, sites[0].wasm_offset});
        writers[i / 100 % 3]->add(at, bytes, i, wasm, sites);  // chunks of the writers lie between each other
        at += bytes + random(16) + 1;
    }
    for (std::uint32_t i = 0; i < functions.size(); ++i) {
        const PcInfo info = find(map, functions[i].offset + functions[i].trap);
        EXPECT_EQ(info.function, i);
        EXPECT_EQ(info.trap, TrapCode::memory_out_of_bounds);
        EXPECT_EQ(info.wasm_offset, functions[i].wasm);
    }
    EXPECT_LT(map.memory_bytes(), 20'000U * 100);
}

TEST(CodeRegions, AreFoundWhileRegistered) {
    CodeRegion found;
    EXPECT_FALSE(find_code_region(0x1000, found));
    {
        RegisteredRegion first;
        RegisteredRegion second;
        first.register_region({0x1000, 0x2000});
        second.register_region({0x2000, 0x3000});
        ASSERT_TRUE(find_code_region(0x1fff, found));
        EXPECT_EQ(found.begin, 0x1000U);
        ASSERT_TRUE(find_code_region(0x2000, found));
        EXPECT_EQ(found.begin, 0x2000U);
        EXPECT_FALSE(find_code_region(0x3000, found));
    }
    EXPECT_FALSE(find_code_region(0x1fff, found));
}

}  // namespace
}  // namespace pollux
