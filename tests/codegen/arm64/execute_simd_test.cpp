// SIMD operations, executed and compared with C++ on lanes, for every aliasing of registers.
#include <cstring>
#include <random>
#include <set>

#include "tests/codegen/arm64/runner.h"
#include "tests/codegen/arm64/simd_reference.h"

namespace pollux::arm64::test {
namespace {

TEST(Arm64Simd, Unary) {
    POLLUX_NEEDS_ARM64();
    for (const UnaryCase& c : unary_cases()) {
        for (const auto& [d, a] : {std::pair{fp(0), fp(1)}, std::pair{fp(7), fp(7)}, std::pair{fp(29), fp(8)}}) {
            Sequence sequence([&, d = d, a = a](Masm& masm) { masm.simd_unary(c.op, d, a); });
            for (const V128 value : kVectors) {
                State state = scrambled();
                state.vector(a) = value;
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(d)), TrapCode::none);
                const V128 wanted = c.expect(value);
                ASSERT_TRUE(same(state.vector(d), wanted, c.float_bits))
                    << wasm::text(c.op) << std::hex << ' ' << value.high << ' ' << value.low << " got " << state.vector(d).high << ' '
                    << state.vector(d).low << " wanted " << wanted.high << ' ' << wanted.low;
            }
        }
    }
}

TEST(Arm64Simd, Binary) {
    POLLUX_NEEDS_ARM64();
    for (const BinaryCase& c : binary_cases()) {
        for (const Registers& r : kFpAliases) {
            Sequence sequence([&](Masm& masm) { masm.simd_binary(c.op, r.d, r.a, r.b); });
            for (const V128 a : kVectors) {
                for (const V128 b : kVectors) {
                    State state = scrambled();
                    state.vector(r.a) = a;
                    state.vector(r.b) = b;
                    ASSERT_EQ(run_checked(sequence, state, RegSet::of(r.d)), TrapCode::none);
                    const V128 wanted = c.expect(r.a == r.b ? b : a, b);
                    ASSERT_TRUE(same(state.vector(r.d), wanted, c.float_bits))
                        << wasm::text(c.op) << std::hex << ' ' << a.high << ' ' << a.low << ", " << b.high << ' ' << b.low << " got "
                        << state.vector(r.d).high << ' ' << state.vector(r.d).low << " wanted " << wanted.high << ' ' << wanted.low;
                }
            }
        }
    }
}

TEST(Arm64Simd, EveryNumericOpcodeIsCovered) {
    std::set<Opcode> covered;
    for (const UnaryCase& c : unary_cases()) covered.insert(c.op);
    for (const BinaryCase& c : binary_cases()) covered.insert(c.op);
    for (std::size_t i = wasm::opcode_page(0xFD); i < wasm::opcode_page(0xFE); ++i) {
        const auto op = static_cast<Opcode>(i);
        if (wasm::group(op) != wasm::Group::numeric || wasm::results(op)[0] != Kind::v128) continue;
        const auto params = wasm::params(op);
        const bool vectors = params[0] == Kind::v128 && (params.size() == 1 || (params.size() == 2 && params[1] == Kind::v128));
        EXPECT_TRUE(!vectors || covered.contains(op)) << wasm::text(op);
    }
}

TEST(Arm64Simd, Ternary) {
    POLLUX_NEEDS_ARM64();
    struct Case {
        Opcode op;
        std::function<V128(V128, V128, V128)> expect;
        unsigned float_bits = 0;
    };
    const auto select = [](V128 a, V128 b, V128 m) {
        return V128{(a.low & m.low) | (b.low & ~m.low), (a.high & m.high) | (b.high & ~m.high)};
    };
    const auto fused = []<class F>(F, F sign) {
        return [sign](V128 a, V128 b, V128 c) {
            auto l = lanes<F>(a);
            for (std::size_t i = 0; i < l.size(); ++i) l[i] = std::fma(sign * l[i], lanes<F>(b)[i], lanes<F>(c)[i]);
            return pack(l);
        };
    };
    const std::vector<Case> cases = {{Opcode::V128Bitselect, select},
                                     {Opcode::I8x16RelaxedLaneselect, select},
                                     {Opcode::I16x8RelaxedLaneselect, select},
                                     {Opcode::I32x4RelaxedLaneselect, select},
                                     {Opcode::I64x2RelaxedLaneselect, select},
                                     {Opcode::F32x4RelaxedMadd, fused(1.0F, 1.0F), 32},
                                     {Opcode::F32x4RelaxedNmadd, fused(1.0F, -1.0F), 32},
                                     {Opcode::F64x2RelaxedMadd, fused(1.0, 1.0), 64},
                                     {Opcode::F64x2RelaxedNmadd, fused(1.0, -1.0), 64},
                                     {Opcode::I32x4RelaxedDotI8x16I7x16AddS, [](V128 a, V128 b, V128 c) {
                                          const auto l = lanes<std::int8_t>(a);
                                          const auto m = lanes<std::int8_t>(b);
                                          auto r = lanes<std::uint32_t>(c);
                                          for (std::size_t i = 0; i < 4; ++i) {
                                              for (std::size_t j = 0; j < 2; ++j) {
                                                  const std::size_t at = 4 * i + 2 * j;
                                                  const auto pair = static_cast<std::int16_t>(l[at] * m[at] + l[at + 1] * m[at + 1]);
                                                  r[i] += static_cast<std::uint32_t>(std::int32_t{pair});
                                              }
                                          }
                                          return pack(r);
                                      }}};
    struct Quad {
        std::uint8_t d, a, b, c;
    };
    for (const Case& c : cases) {
        for (const Quad q : {Quad{0, 1, 2, 3}, Quad{1, 1, 2, 3}, Quad{2, 1, 2, 3}, Quad{3, 1, 2, 3}, Quad{1, 1, 1, 3}, Quad{1, 1, 2, 1},
                             Quad{1, 2, 1, 1}, Quad{1, 1, 1, 1}, Quad{0, 1, 1, 1}}) {
            Sequence sequence([&](Masm& masm) { masm.simd_ternary(c.op, fp(q.d), fp(q.a), fp(q.b), fp(q.c)); });
            for (std::size_t i = 0; i < kVectors.size(); ++i) {
                State state = scrambled();
                for (std::uint8_t r = 1; r < 4; ++r) state.fp[r] = kVectors[(i * (r + 2) + r) % kVectors.size()];
                const V128 wanted = c.expect(state.fp[q.a], state.fp[q.b], state.fp[q.c]);
                ASSERT_EQ(run_checked(sequence, state, RegSet::of(fp(q.d))), TrapCode::none);
                ASSERT_TRUE(same(state.fp[q.d], wanted, c.float_bits)) << wasm::text(c.op) << ' ' << i;
            }
        }
    }
}

template <class T, class F>
void check_shift(Opcode op, F f) {
    for (const auto& [d, a] : {std::pair{fp(0), fp(1)}, std::pair{fp(7), fp(7)}}) {
        const auto expect = [&](V128 v, std::uint32_t count) {
            auto l = lanes<T>(v);
            for (T& x : l) x = static_cast<T>(f(x, count % (sizeof(T) * 8)));
            return pack(l);
        };
        Sequence variable([&, d = d, a = a](Masm& masm) { masm.simd_shift(op, d, a, gp(5)); });
        for (const std::uint32_t count : {0U, 1U, 3U, 7U, 8U, 9U, 15U, 16U, 31U, 32U, 33U, 63U, 64U, 255U, 0x8000'0001U, 0xffff'ffffU}) {
            for (const V128 v : kVectors) {
                State state = scrambled();
                state.vector(a) = v;
                state[gp(5)] = count;
                run_checked(variable, state, RegSet::of(d));
                ASSERT_EQ(state.vector(d), expect(v, count)) << wasm::text(op) << ' ' << count;
            }
        }
        for (const std::uint32_t count : {0U, 1U, 3U, 7U, 8U, 15U, 16U, 31U, 33U, 63U, 64U, 0xffff'ffffU}) {
            Sequence fixed([&, d = d, a = a](Masm& masm) { masm.simd_shift(op, d, a, Operand::imm(count)); });
            for (const V128 v : kVectors) {
                State state = scrambled();
                state.vector(a) = v;
                run_checked(fixed, state, RegSet::of(d));
                ASSERT_EQ(state.vector(d), expect(v, count)) << wasm::text(op) << ' ' << count;
            }
        }
    }
}

TEST(Arm64Simd, Shift) {
    POLLUX_NEEDS_ARM64();
    const auto left = [](auto x, auto n) { return static_cast<std::uint64_t>(x) << n; };
    const auto right = [](auto x, auto n) { return x >> n; };
    check_shift<std::uint8_t>(Opcode::I8x16Shl, left);
    check_shift<std::uint16_t>(Opcode::I16x8Shl, left);
    check_shift<std::uint32_t>(Opcode::I32x4Shl, left);
    check_shift<std::uint64_t>(Opcode::I64x2Shl, left);
    check_shift<std::int8_t>(Opcode::I8x16ShrS, right);
    check_shift<std::int16_t>(Opcode::I16x8ShrS, right);
    check_shift<std::int32_t>(Opcode::I32x4ShrS, right);
    check_shift<std::int64_t>(Opcode::I64x2ShrS, right);
    check_shift<std::uint8_t>(Opcode::I8x16ShrU, right);
    check_shift<std::uint16_t>(Opcode::I16x8ShrU, right);
    check_shift<std::uint32_t>(Opcode::I32x4ShrU, right);
    check_shift<std::uint64_t>(Opcode::I64x2ShrU, right);
}

/// The 64 bits of lane `i` of `bits` bits.
std::uint64_t lane_of(V128 v, unsigned bits, unsigned i) {
    const unsigned at = bits * i;
    const std::uint64_t half = at < 64 ? v.low : v.high;
    return bits == 64 ? half : half >> (at % 64) & ((std::uint64_t{1} << bits) - 1);
}
void set_lane(V128& v, unsigned bits, unsigned i, std::uint64_t value) {
    const unsigned at = bits * i;
    std::uint64_t& half = at < 64 ? v.low : v.high;
    const std::uint64_t mask = (bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1) << (at % 64);
    half = (half & ~mask) | (value << (at % 64) & mask);
}

struct LaneCase {
    Opcode extract, replace, splat;
    unsigned bits;
    bool is_fp, is_signed;
};
constexpr std::array<LaneCase, 8> kLaneCases = {
    {{Opcode::I8x16ExtractLaneU, Opcode::I8x16ReplaceLane, Opcode::I8x16Splat, 8, false, false},
     {Opcode::I8x16ExtractLaneS, Opcode::I8x16ReplaceLane, Opcode::I8x16Splat, 8, false, true},
     {Opcode::I16x8ExtractLaneU, Opcode::I16x8ReplaceLane, Opcode::I16x8Splat, 16, false, false},
     {Opcode::I16x8ExtractLaneS, Opcode::I16x8ReplaceLane, Opcode::I16x8Splat, 16, false, true},
     {Opcode::I32x4ExtractLane, Opcode::I32x4ReplaceLane, Opcode::I32x4Splat, 32, false, false},
     {Opcode::I64x2ExtractLane, Opcode::I64x2ReplaceLane, Opcode::I64x2Splat, 64, false, false},
     {Opcode::F32x4ExtractLane, Opcode::F32x4ReplaceLane, Opcode::F32x4Splat, 32, true, false},
     {Opcode::F64x2ExtractLane, Opcode::F64x2ReplaceLane, Opcode::F64x2Splat, 64, true, false}}};

TEST(Arm64Simd, LanesAndSplats) {
    POLLUX_NEEDS_ARM64();
    for (const LaneCase& c : kLaneCases) {
        const auto scalar = [&](std::uint8_t n) { return c.is_fp ? fp(n) : gp(n); };
        const auto value_of = [&](State& state, Reg reg) { return c.is_fp ? state.vector(reg).low : state[reg]; };
        for (std::uint8_t lane = 0; lane < 128 / c.bits; ++lane) {
            for (const std::uint8_t d : {std::uint8_t{2}, std::uint8_t{1}}) {
                Sequence extract([&](Masm& masm) { masm.simd_extract_lane(c.extract, scalar(d), fp(1), lane); });
                for (const V128 v : kVectors) {
                    State state = scrambled();
                    state.fp[1] = v;
                    run_checked(extract, state, RegSet::of(scalar(d)));
                    std::uint64_t wanted = lane_of(v, c.bits, lane);
                    if (c.is_signed)
                        wanted = static_cast<std::uint32_t>(c.bits == 8 ? std::int32_t{static_cast<std::int8_t>(wanted)}
                                                                        : std::int32_t{static_cast<std::int16_t>(wanted)});
                    std::uint64_t got = value_of(state, scalar(d));
                    if (c.is_fp && c.bits == 32) got &= 0xffff'ffff;
                    ASSERT_EQ(got, wanted) << wasm::text(c.extract);
                }
            }
            struct Triple {
                std::uint8_t d, a, value;
            };
            for (const Triple t : {Triple{0, 1, 2}, Triple{1, 1, 2}, Triple{2, 1, 2}, Triple{1, 1, 1}, Triple{0, 1, 1}}) {
                Sequence replace([&](Masm& masm) { masm.simd_replace_lane(c.replace, fp(t.d), fp(t.a), scalar(t.value), lane); });
                State state = scrambled();
                V128 wanted = state.fp[t.a];
                set_lane(wanted, c.bits, lane, value_of(state, scalar(t.value)));
                run_checked(replace, state, RegSet::of(fp(t.d)));
                ASSERT_EQ(state.fp[t.d], wanted) << wasm::text(c.replace);
            }
        }
        for (const std::uint8_t d : {std::uint8_t{2}, std::uint8_t{1}}) {
            Sequence splat([&](Masm& masm) { masm.simd_splat(c.splat, fp(d), scalar(1)); });
            State state = scrambled();
            V128 wanted;
            for (unsigned lane = 0; lane < 128 / c.bits; ++lane) set_lane(wanted, c.bits, lane, value_of(state, scalar(1)));
            run_checked(splat, state, RegSet::of(fp(d)));
            ASSERT_EQ(state.fp[d], wanted) << wasm::text(c.splat);
        }
    }
}

TEST(Arm64Simd, Tests) {
    POLLUX_NEEDS_ARM64();
    struct Case {
        Opcode all_true, bitmask;
        unsigned bits;
    };
    for (const Case c : {Case{Opcode::I8x16AllTrue, Opcode::I8x16Bitmask, 8}, Case{Opcode::I16x8AllTrue, Opcode::I16x8Bitmask, 16},
                         Case{Opcode::I32x4AllTrue, Opcode::I32x4Bitmask, 32}, Case{Opcode::I64x2AllTrue, Opcode::I64x2Bitmask, 64}}) {
        Sequence sequence([&](Masm& masm) {
            masm.simd_test(c.all_true, gp(0), fp(1));
            masm.simd_test(c.bitmask, gp(1), fp(1));
            masm.simd_test(Opcode::V128AnyTrue, gp(2), fp(1));
        });
        std::vector<V128> vectors = kVectors;
        for (unsigned lane = 0; lane < 128 / c.bits; ++lane) {
            V128 one{}, all_but_one{~std::uint64_t{0}, ~std::uint64_t{0}};
            set_lane(one, c.bits, lane, ~std::uint64_t{0});
            set_lane(all_but_one, c.bits, lane, 0);
            vectors.push_back(one);
            vectors.push_back(all_but_one);
        }
        for (const V128 v : vectors) {
            State state = scrambled();
            state.fp[1] = v;
            run_checked(sequence, state, RegSet::of(gp(0), gp(1), gp(2)));
            bool all = true;
            std::uint64_t mask = 0;
            for (unsigned lane = 0; lane < 128 / c.bits; ++lane) {
                all = all && lane_of(v, c.bits, lane) != 0;
                mask |= (lane_of(v, c.bits, lane) >> (c.bits - 1)) << lane;
            }
            ASSERT_EQ(state[gp(0)], all ? 1U : 0U) << wasm::text(c.all_true);
            ASSERT_EQ(state[gp(1)], mask) << wasm::text(c.bitmask);
            ASSERT_EQ(state[gp(2)], (v.low | v.high) != 0 ? 1U : 0U);
        }
    }
}

TEST(Arm64Simd, Shuffle) {
    POLLUX_NEEDS_ARM64();
    std::vector<std::array<std::uint8_t, 16>> patterns;
    const auto add = [&](unsigned size, auto source) {
        std::array<std::uint8_t, 16> bytes{};
        for (unsigned i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>((source(i / size) * size + i % size) % 32);
        patterns.push_back(bytes);
    };
    for (const unsigned size : {1U, 2U, 4U, 8U}) {
        const unsigned n = 16 / size;
        add(size, [&](unsigned i) { return i / 2 + i % 2 * n; });
        add(size, [&](unsigned i) { return n / 2 + i / 2 + i % 2 * n; });
        add(size, [&](unsigned i) { return 2 * i; });
        add(size, [&](unsigned i) { return 2 * i + 1; });
        add(size, [&](unsigned i) { return i / 2 * 2 + i % 2 * n; });
        add(size, [&](unsigned i) { return i / 2 * 2 + 1 + i % 2 * n; });
        add(size, [&](unsigned i) { return n - 1 - i; });
        for (unsigned e = 0; e < 2 * n; ++e) add(size, [&](unsigned) { return e; });
        for (unsigned container = 2 * size; container <= 8; container *= 2) {
            const unsigned m = container / size;
            add(size, [&](unsigned i) { return i / m * m + m - 1 - i % m; });
        }
    }
    for (unsigned start = 0; start < 32; ++start) add(1, [&](unsigned i) { return start + i; });
    std::mt19937 random(3);
    for (int i = 0; i < 40; ++i) add(1, [&](unsigned) { return random() % 32; });
    for (const auto& bytes : patterns) {
        for (const Registers& r : kFpAliases) {
            Sequence sequence([&](Masm& masm) { masm.simd_shuffle(r.d, r.a, r.b, pack<std::uint8_t>(bytes)); });
            State state = scrambled();
            const auto a = lanes<std::uint8_t>(state.vector(r.a));
            const auto b = lanes<std::uint8_t>(state.vector(r.b));
            Lanes<std::uint8_t> wanted{};
            for (std::size_t i = 0; i < 16; ++i) wanted[i] = bytes[i] < 16 ? a[bytes[i]] : b[bytes[i] - 16U];
            run_checked(sequence, state, RegSet::of(r.d));
            ASSERT_EQ(state.vector(r.d), pack(wanted));
        }
    }
}

TEST(Arm64Simd, Constants) {
    POLLUX_NEEDS_ARM64();
    std::vector<V128> values = kVectors;
    values.push_back({0xff00'ff00'00ff'ffff, 0xff00'ff00'00ff'ffff});
    values.push_back({0x4242'4242'4242'4242, 0x4242'4242'4242'4242});
    values.push_back({0x1234'5678'9abc'def0, 0x1234'5678'9abc'def0});
    values.push_back({0, 0x1234});
    values.push_back({0x3ff0'0000'0000'0000, 0});
    for (const V128 value : values) {
        Sequence sequence([&](Masm& masm) { masm.v128_const(fp(3), value); });
        State state = scrambled();
        run_checked(sequence, state, RegSet::of(fp(3)));
        ASSERT_EQ(state.fp[3], value);
    }
}

}  // namespace
}  // namespace pollux::arm64::test
