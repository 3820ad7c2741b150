#include "jit/runtime/code_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <random>
#include <vector>

#include "jit/wasm/limits.h"

namespace pollux {
namespace {

using Kind = Site::Kind;

PcInfo find(const CodeMap& map, std::uint32_t offset) {
    PcInfo info;
    EXPECT_TRUE(map.find(offset, info)) << offset;
    return info;
}

TEST(CodeMap, FindsAFunctionBehindOneOfAnotherWriter) {
    CodeMap map;
    std::vector<Site> sites;
    for (const auto& [at, function] : {std::pair(1000U, 1U), std::pair(1064U, 2U), std::pair(1192U, 4U), std::pair(1128U, 3U)})
        map.make_writer().add(at, 64, function, 100, sites);
    EXPECT_EQ(find(map, 1063).function, 1U);
    EXPECT_EQ(find(map, 1064).function, 2U);
    EXPECT_EQ(find(map, 1064).function_bytes, 64U);
    EXPECT_EQ(find(map, 1128).function, 3U);
    EXPECT_EQ(find(map, 1192).function, 4U);
    EXPECT_EQ(find(map, 1256).function, 4U);  // a return address at the end
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

TEST(CodeMap, FindsEverySiteWhateverTheDistances) {
    constexpr std::uint32_t kCodeSteps[] = {1, 2, 30, 31, 32, 127, 128, 255, 256, 70'000};
    constexpr std::int32_t kWasmSteps[] = {0, 1, 63, 64, 127, 128, 255, 256, 65'535, 1 << 22, -1, -255, -256, -(1 << 22)};
    constexpr TrapCode kTraps[] = {TrapCode::memory_out_of_bounds, TrapCode::unreachable, TrapCode::stack_overflow, TrapCode::status};
    constexpr std::uint32_t kBody = 0x12ff'fff0;  // the low 24 bits of offsets overflow
    std::mt19937 generator(2);
    const auto one_of = [&](const auto& values) { return values[generator() % std::size(values)]; };
    for (std::uint32_t round = 0; round < 100; ++round) {
        CodeMap map;
        std::vector<Site> sites;
        std::uint32_t code = 0;
        std::uint32_t wasm = kBody;
        struct Expected {
            std::uint32_t code, wasm;
            Kind kind;
            TrapCode trap;
        };
        std::vector<Expected> expected;
        for (int i = 0; i < 200; ++i) {
            code += one_of(kCodeSteps);
            const std::uint32_t next = wasm + static_cast<std::uint32_t>(one_of(kWasmSteps));
            if (next - kBody < wasm::kMaxFunctionBytes) wasm = next;
            const auto kind = one_of(std::to_array({Kind::trap, Kind::trap, Kind::call, Kind::framed, Kind::frameless}));
            const TrapCode trap = kind == Kind::trap ? one_of(kTraps) : TrapCode::none;
            expected.push_back({code, wasm, kind, trap});
            sites.emplace_back(code, wasm, kind, trap);
            EXPECT_EQ(sites.back().kind(), kind);
            EXPECT_EQ(sites.back().trap(), trap);
            EXPECT_EQ(sites.back().wasm_offset(kBody), wasm);
        }
        if (round % 2 != 0) std::ranges::shuffle(sites, generator);
        map.make_writer().add(64, code, 3, kBody, sites);
        for (const Expected& site : expected) {
            const PcInfo info = find(map, 64 + site.code);
            if (site.kind == Kind::framed || site.kind == Kind::frameless) {
                EXPECT_EQ(info.frameless, site.kind == Kind::frameless);
                continue;
            }
            EXPECT_EQ(info.wasm_offset, site.wasm);
            EXPECT_EQ(info.trap, site.trap);
            EXPECT_EQ(info.is_call, site.kind == Kind::call);
        }
    }
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
        functions.push_back({at, bytes, bytes / 2, sites[0].wasm_offset(wasm)});
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
