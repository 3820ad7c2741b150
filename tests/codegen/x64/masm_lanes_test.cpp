// Vector shifts, lanes, tests, shuffles, and loads and stores of the x64 masm, executed with every aliasing of their registers.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "tests/codegen/x64/simd_support.h"

namespace pollux::x64::test {
namespace {

template <class T>
void check_shift(Opcode op, bool left) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Reg d : kVectorRegs) {
            for (const Reg a : kVectorRegs) {
                for (const std::uint32_t count : {0U, 1U, 3U, 7U, 8U, 9U, 15U, 17U, 31U, 33U, 63U, 64U, 0xffff'ffffU}) {
                    for (const Reg reg : {kNoReg, kRax, kR13}) {
                        runner.compile([&](Masm& m) { m.simd_shift(op, d, a, reg.valid() ? Operand(reg) : Operand::imm(count)); });
                        if (reg.valid()) runner.block().in.gp[reg.number()] = count;
                        for (const V128 x : kInts) {
                            runner.block().in.fp[a.number()] = x;
                            ASSERT_EQ(runner.run(), TrapCode::none);
                            auto expected = lanes<T>(x);
                            const unsigned n = count & (sizeof(T) * 8 - 1);
                            for (T& lane : expected)
                                lane = static_cast<T>(left ? static_cast<T>(static_cast<U64>(lane) << n) : static_cast<T>(lane >> n));
                            ASSERT_EQ(runner.block().out.fp[d.number()], pack<T>(expected)) << text(op) << " by " << count << " " << hex(x);
                            ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                        }
                    }
                }
            }
        }
    }
}

TEST(X64MasmLanes, Shifts) {
    check_shift<U8>(Opcode::I8x16Shl, true);
    check_shift<S8>(Opcode::I8x16ShrS, false);
    check_shift<U8>(Opcode::I8x16ShrU, false);
    check_shift<U16>(Opcode::I16x8Shl, true);
    check_shift<S16>(Opcode::I16x8ShrS, false);
    check_shift<U16>(Opcode::I16x8ShrU, false);
    check_shift<U32>(Opcode::I32x4Shl, true);
    check_shift<S32>(Opcode::I32x4ShrS, false);
    check_shift<U32>(Opcode::I32x4ShrU, false);
    check_shift<U64>(Opcode::I64x2Shl, true);
    check_shift<S64>(Opcode::I64x2ShrS, false);
    check_shift<U64>(Opcode::I64x2ShrU, false);
}

TEST(X64MasmLanes, Tests) {
    struct Case {
        Opcode op;
        std::function<U64(V128)> expect;
    };
    const auto all_true = [](auto zero) {
        using T = decltype(zero);
        return [](V128 x) -> U64 {
            for (const T lane : lanes<T>(x)) {
                if (lane == 0) return 0;
            }
            return 1;
        };
    };
    const auto bitmask = [](auto zero) {
        using T = decltype(zero);
        return [](V128 x) -> U64 {
            U64 mask = 0;
            const auto a = lanes<T>(x);
            for (std::size_t i = 0; i < a.size(); ++i) mask |= U64{a[i] < 0} << i;
            return mask;
        };
    };
    const std::vector<Case> cases = {
        {Opcode::V128AnyTrue, [](V128 x) { return U64{(x.low | x.high) != 0}; }},
        {Opcode::I8x16AllTrue, all_true(S8{})},
        {Opcode::I16x8AllTrue, all_true(S16{})},
        {Opcode::I32x4AllTrue, all_true(S32{})},
        {Opcode::I64x2AllTrue, all_true(S64{})},
        {Opcode::I8x16Bitmask, bitmask(S8{})},
        {Opcode::I16x8Bitmask, bitmask(S16{})},
        {Opcode::I32x4Bitmask, bitmask(S32{})},
        {Opcode::I64x2Bitmask, bitmask(S64{})},
    };
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Case& test : cases) {
            for (const Reg d : kLaneGpRegs) {
                for (const Reg a : kVectorRegs) {
                    runner.compile([&](Masm& m) { m.simd_test(test.op, d, a); });
                    for (const V128 x : kInts) {
                        runner.block().in.fp[a.number()] = x;
                        ASSERT_EQ(runner.run(), TrapCode::none);
                        ASSERT_EQ(runner.block().out.gp[d.number()], test.expect(x)) << text(test.op) << " " << hex(x);
                        ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                    }
                }
            }
        }
    }
}

TEST(X64MasmLanes, ExtractAndReplaceLanes) {
    struct Case {
        Opcode extract, replace;
        std::size_t bytes;
        bool is_signed, is_fp;
    };
    const std::vector<Case> cases = {
        {Opcode::I8x16ExtractLaneS, Opcode::I8x16ReplaceLane, 1, true, false},
        {Opcode::I8x16ExtractLaneU, Opcode::I8x16ReplaceLane, 1, false, false},
        {Opcode::I16x8ExtractLaneS, Opcode::I16x8ReplaceLane, 2, true, false},
        {Opcode::I16x8ExtractLaneU, Opcode::I16x8ReplaceLane, 2, false, false},
        {Opcode::I32x4ExtractLane, Opcode::I32x4ReplaceLane, 4, false, false},
        {Opcode::I64x2ExtractLane, Opcode::I64x2ReplaceLane, 8, false, false},
        {Opcode::F32x4ExtractLane, Opcode::F32x4ReplaceLane, 4, false, true},
        {Opcode::F64x2ExtractLane, Opcode::F64x2ReplaceLane, 8, false, true},
    };
    const V128 x{0x8796'a5b4'c3d2'e1f0, 0x0f1e'2d3c'4b5a'6978};
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        for (const Case& test : cases) {
            for (std::uint8_t lane = 0; lane < 16 / test.bytes; ++lane) {
                for (const Reg v : kVectorRegs) {
                    for (const Reg a : kVectorRegs) {
                        for (const Reg g : kLaneGpRegs) {
                            const Reg value = test.is_fp ? fp(9) : g;
                            const Reg source = test.is_fp && g == kLaneGpRegs[1] ? a : value;  // replaces by one of its own lanes
                            fill(runner);
                            runner.compile([&](Masm& m) {
                                m.simd_replace_lane(test.replace, v, a, source, lane);
                                m.simd_extract_lane(test.extract, value, a, lane);
                            });
                            auto& in = runner.block().in;
                            in.fp[a.number()] = x;
                            if (!test.is_fp) in.gp[source.number()] = 0xfedc'ba98'7654'3210;
                            V128 replaced = x;
                            const void* const from =
                                test.is_fp ? static_cast<const void*>(&in.fp[source.number()]) : &in.gp[source.number()];
                            std::memcpy(reinterpret_cast<U8*>(&replaced) + lane * test.bytes, from, test.bytes);
                            const V128 extracted_from = v == a ? replaced : x;
                            U64 expected = 0;
                            std::memcpy(&expected, reinterpret_cast<const U8*>(&extracted_from) + lane * test.bytes, test.bytes);
                            if (test.is_signed)
                                expected =
                                    static_cast<U32>(test.bytes == 1 ? S32{static_cast<S8>(expected)} : S32{static_cast<S16>(expected)});
                            ASSERT_EQ(runner.run(), TrapCode::none);
                            const State& out = runner.block().out;
                            ASSERT_EQ(out.fp[v.number()], replaced) << text(test.replace) << " " << int{lane};
                            if (!test.is_fp) {
                                ASSERT_EQ(out.gp[value.number()], expected) << text(test.extract) << " " << int{lane};
                            } else {
                                ASSERT_EQ(std::memcmp(&out.fp[value.number()], &expected, test.bytes), 0)
                                    << text(test.extract) << " " << int{lane};
                            }
                            ASSERT_EQ(runner.clobbered(RegSet::of(v, value)).bits(), 0U);
                        }
                    }
                }
            }
        }
    }
}

TEST(X64MasmLanes, Splats) {
    struct Case {
        Opcode op;
        std::size_t bytes;
        bool is_fp;
    };
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Case& test :
             {Case{Opcode::I8x16Splat, 1, false}, Case{Opcode::I16x8Splat, 2, false}, Case{Opcode::I32x4Splat, 4, false},
              Case{Opcode::I64x2Splat, 8, false}, Case{Opcode::F32x4Splat, 4, true}, Case{Opcode::F64x2Splat, 8, true}}) {
            for (const Reg d : kVectorRegs) {
                for (const std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
                    const Reg a = test.is_fp ? kVectorRegs[i] : kLaneGpRegs[i];
                    runner.compile([&](Masm& m) { m.simd_splat(test.op, d, a); });
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const auto& in = runner.block().in;
                    const void* const from = test.is_fp ? static_cast<const void*>(&in.fp[a.number()]) : &in.gp[a.number()];
                    V128 expected;
                    for (std::size_t at = 0; at < 16; at += test.bytes)
                        std::memcpy(reinterpret_cast<U8*>(&expected) + at, from, test.bytes);
                    ASSERT_EQ(runner.block().out.fp[d.number()], expected) << text(test.op);
                    ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmLanes, Shuffle) {
    std::vector<Lanes<U8>> orders;
    const auto add = [&](auto f) {
        Lanes<U8> order;
        for (unsigned i = 0; i < 16; ++i) order[i] = static_cast<U8>(f(i) & 31U);
        orders.push_back(order);
    };
    for (unsigned first = 0; first < 32; ++first) add([&](unsigned i) { return first + i; });           // consecutive
    for (unsigned k = 0; k < 16; ++k)
        add([&](unsigned i) { return 4 * ((i / 4 * (k + 1) + k) % 4) + i % 4 + (k & 1) * 16; });  // whole dwords
    for (unsigned size = 1; size <= 8; size *= 2) {  // interleavings
        for (const unsigned high : {0U, 8U}) {
            for (const unsigned exchanged : {0U, 1U}) {
                add([&](unsigned i) { return 16 * ((i / size & 1) ^ exchanged) + high + i / size / 2 * size + i % size; });
            }
        }
    }
    for (unsigned k = 1; k < 20; ++k) add([&](unsigned i) { return i * k * 7 + k; });      // anything
    for (unsigned k = 1; k < 8; ++k) add([&](unsigned i) { return (i * k * 7 + k) % 16; });  // of one input
    for (unsigned k = 1; k < 8; ++k) add([&](unsigned i) { return (i * k * 7 + k) % 16 + 16; });
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const Lanes<U8>& order : orders) {
            for (const Reg d : kVectorRegs) {
                for (const Reg a : kVectorRegs) {
                    for (const Reg b : kVectorRegs) {
                        runner.compile([&](Masm& m) { m.simd_shuffle(d, a, b, pack<U8>(order)); });
                        auto& in = runner.block().in;
                        in.fp[a.number()] = {0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908};
                        in.fp[b.number()] = {0x1716'1514'1312'1110, 0x1f1e'1d1c'1b1a'1918};
                        const auto x = lanes<U8>(in.fp[a.number()]);
                        const auto y = lanes<U8>(in.fp[b.number()]);
                        Lanes<U8> expected;
                        for (std::size_t i = 0; i < 16; ++i) expected[i] = order[i] < 16 ? x[order[i]] : y[order[i] - 16U];
                        ASSERT_EQ(runner.run(), TrapCode::none);
                        ASSERT_EQ(hex(runner.block().out.fp[d.number()]), hex(pack<U8>(expected)))
                            << hex(pack<U8>(order)) << " " << describe(features);
                        ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                    }
                }
            }
        }
    }
}

TEST(X64MasmLanes, LoadsAndStores) {
    const auto reference = [](Opcode op, const U8* from) {
        const auto extended = [&](auto narrow, auto wide) {
            using From = decltype(narrow);
            using To = decltype(wide);
            std::array<From, 8 / sizeof(From)> values;
            std::memcpy(values.data(), from, 8);
            Lanes<To> result;
            for (std::size_t i = 0; i < values.size(); ++i) result[i] = static_cast<To>(values[i]);
            return pack<To>(result);
        };
        V128 result;
        auto* const bytes = reinterpret_cast<U8*>(&result);
        const auto splat = [&](std::size_t size) {
            for (std::size_t at = 0; at < 16; at += size) std::memcpy(bytes + at, from, size);
            return result;
        };
        switch (op) {
            case Opcode::V128Load8x8S:    return extended(S8{}, S16{});
            case Opcode::V128Load8x8U:    return extended(U8{}, U16{});
            case Opcode::V128Load16x4S:   return extended(S16{}, S32{});
            case Opcode::V128Load16x4U:   return extended(U16{}, U32{});
            case Opcode::V128Load32x2S:   return extended(S32{}, S64{});
            case Opcode::V128Load32x2U:   return extended(U32{}, U64{});
            case Opcode::V128Load8Splat:  return splat(1);
            case Opcode::V128Load16Splat: return splat(2);
            case Opcode::V128Load32Splat: return splat(4);
            case Opcode::V128Load64Splat: return splat(8);
            case Opcode::V128Load32Zero:  std::memcpy(bytes, from, 4); return result;
            case Opcode::V128Load64Zero:  std::memcpy(bytes, from, 8); return result;
            default:                      return splat(16);
        }
    };
    constexpr std::uint64_t kNowhere = 0x4000'0000'0000'0000;
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (std::size_t i = 0; i < runner.block().memory.size(); ++i) runner.block().memory[i] = static_cast<U8>(0x70 + 5 * i);
        const U8* const from = runner.block().memory.data() + 7;
        for (const Reg d : kVectorRegs) {
            for (const Opcode op :
                 {Opcode::V128Load, Opcode::V128Load8x8S, Opcode::V128Load8x8U, Opcode::V128Load16x4S, Opcode::V128Load16x4U,
                  Opcode::V128Load32x2S, Opcode::V128Load32x2U, Opcode::V128Load8Splat, Opcode::V128Load16Splat, Opcode::V128Load32Splat,
                  Opcode::V128Load64Splat, Opcode::V128Load32Zero, Opcode::V128Load64Zero}) {
                runner.compile([&](Masm& m) { m.simd_load(op, d, {Masm::kMemoryBase, kR12, 7}); });
                runner.block().in.gp[12] = kBlockMemory;
                ASSERT_EQ(runner.run(), TrapCode::none);
                ASSERT_EQ(hex(runner.block().out.fp[d.number()]), hex(reference(op, from))) << text(op);
                ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                runner.block().in.gp[12] = kNowhere;
                ASSERT_EQ(runner.run(), TrapCode::memory_out_of_bounds) << text(op);
            }
            for (unsigned size = 0; size < 4; ++size) {
                const std::size_t bytes = std::size_t{1} << size;
                const auto load = static_cast<Opcode>(static_cast<unsigned>(Opcode::V128Load8Lane) + size);
                const auto store = static_cast<Opcode>(static_cast<unsigned>(Opcode::V128Store8Lane) + size);
                for (std::uint8_t lane = 0; lane < 16 / bytes; ++lane) {
                    for (const Reg a : kVectorRegs) {
                        runner.compile([&](Masm& m) { m.simd_load_lane(load, d, a, {Masm::kMemoryBase, kR12, 7}, lane); });
                        runner.block().in.gp[12] = kBlockMemory;
                        V128 expected = runner.block().in.fp[a.number()];
                        std::memcpy(reinterpret_cast<U8*>(&expected) + lane * bytes, from, bytes);
                        ASSERT_EQ(runner.run(), TrapCode::none);
                        ASSERT_EQ(hex(runner.block().out.fp[d.number()]), hex(expected)) << text(load);
                        ASSERT_EQ(runner.clobbered(RegSet::of(d)).bits(), 0U);
                        runner.block().in.gp[12] = kNowhere;
                        ASSERT_EQ(runner.run(), TrapCode::memory_out_of_bounds) << text(load);
                    }
                    runner.compile([&](Masm& m) { m.simd_store_lane(store, d, {Masm::kMemoryBase, kR12, 101}, lane); });
                    runner.block().in.gp[12] = kBlockMemory;
                    auto memory = runner.block().memory;
                    std::memcpy(memory.data() + 101, reinterpret_cast<const U8*>(&runner.block().in.fp[d.number()]) + lane * bytes, bytes);
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    ASSERT_EQ(runner.block().memory, memory) << text(store);
                    ASSERT_EQ(runner.clobbered({}).bits(), 0U);
                    runner.block().in.gp[12] = kNowhere;
                    ASSERT_EQ(runner.run(), TrapCode::memory_out_of_bounds) << text(store);
                }
            }
        }
    }
}

}  // namespace
}  // namespace pollux::x64::test
