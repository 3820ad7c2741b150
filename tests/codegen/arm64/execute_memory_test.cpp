// Loads and stores, executed: host memory, slots, guest memory to its last byte and beyond, bounds checks.
#include <cstring>

#include "tests/codegen/arm64/runner.h"
#include "tests/codegen/arm64/simd_reference.h"

namespace pollux::arm64::test {
namespace {

struct LoadCase {
    LoadOp op;
    unsigned bytes;
    bool is_signed, to_64;
};
constexpr std::array<LoadCase, 12> kLoads = {{{LoadOp::u8, 1, false, true},
                                              {LoadOp::u16, 2, false, true},
                                              {LoadOp::u32, 4, false, true},
                                              {LoadOp::s8_32, 1, true, false},
                                              {LoadOp::s16_32, 2, true, false},
                                              {LoadOp::s8_64, 1, true, true},
                                              {LoadOp::s16_64, 2, true, true},
                                              {LoadOp::s32_64, 4, true, true},
                                              {LoadOp::u64, 8, false, true},
                                              {LoadOp::f32, 4, false, true},
                                              {LoadOp::f64, 8, false, true},
                                              {LoadOp::v128, 16, false, true}}};
struct StoreCase {
    StoreOp op;
    unsigned bytes;
};
constexpr std::array<StoreCase, 7> kStores = {
    {{StoreOp::b8, 1}, {StoreOp::b16, 2}, {StoreOp::b32, 4}, {StoreOp::b64, 8}, {StoreOp::f32, 4}, {StoreOp::f64, 8}, {StoreOp::v128, 16}}};

bool is_fp(LoadOp op) { return op >= LoadOp::f32; }
bool is_fp(StoreOp op) { return op >= StoreOp::f32; }

constexpr std::array<std::int32_t, 17> kAccessOffsets = {0,    1,    7,    8,     16,    255,   256,   257,        4080,
                                                         4095, 4096, 4097, 32752, 32760, 65520, 65536, 0x7fff'ffff};

void fill_memory() {
    std::uint8_t* memory = Sequence::guest_memory();
    for (std::size_t i = 0; i < Sequence::kGuestBytes; ++i) memory[i] = static_cast<std::uint8_t>(i * 37 + (i >> 8) * 11 + 0x80);
}

std::vector<std::uint64_t> indices_for(std::int32_t offset, unsigned bytes) {
    std::vector<std::uint64_t> result = {0, 3, 100};
    for (int past = -1; past <= static_cast<int>(bytes); ++past) {
        const std::int64_t index = static_cast<std::int64_t>(Sequence::kGuestBytes) - bytes - offset + past;
        if (index >= 0) result.push_back(static_cast<std::uint64_t>(index));
    }
    return result;
}

V128 expected(const LoadCase& c, std::uint64_t address) {
    V128 value{};
    std::memcpy(&value, Sequence::guest_memory() + address, c.bytes);
    if (c.is_signed) {
        const unsigned shift = 64 - 8 * c.bytes;
        value.low = static_cast<std::uint64_t>(static_cast<std::int64_t>(value.low << shift) >> shift);
        if (!c.to_64) value.low &= 0xffff'ffff;
    }
    return value;
}

TEST(Arm64Memory, GuestLoad) {
    POLLUX_NEEDS_ARM64();
    fill_memory();
    for (const LoadCase& c : kLoads) {
        for (const std::int32_t offset : kAccessOffsets) {
            for (const bool indexed : {true, false}) {
                for (const Reg d : {is_fp(c.op) ? fp(3) : gp(3), is_fp(c.op) ? fp(9) : gp(9)}) {
                    Sequence sequence([&](Masm& masm) { masm.guest_load(c.op, d, {kMemoryBase, indexed ? gp(9) : kNoReg, offset}); });
                    for (const std::uint64_t index : indexed ? indices_for(offset, c.bytes) : std::vector<std::uint64_t>{0}) {
                        State state = scrambled();
                        state[gp(9)] = index;
                        const std::uint64_t address = index + static_cast<std::uint64_t>(offset);
                        const bool fits = address + c.bytes <= Sequence::kGuestBytes;
                        ASSERT_EQ(run_checked(sequence, state, fits ? RegSet::of(d) : RegSet{}),
                                  fits ? TrapCode::none : TrapCode::memory_out_of_bounds);
                        if (!fits) continue;
                        const V128 wanted = expected(c, address);
                        if (is_fp(c.op)) {
                            ASSERT_EQ(state.vector(d), wanted) << address;
                        } else {
                            ASSERT_EQ(state[d], wanted.low) << address;
                        }
                    }
                }
            }
        }
    }
}

TEST(Arm64Memory, GuestStoreWritesNothingWhenItTraps) {
    POLLUX_NEEDS_ARM64();
    std::uint8_t* memory = Sequence::guest_memory();
    for (const StoreCase& c : kStores) {
        for (const std::int32_t offset : kAccessOffsets) {
            for (const bool immediate : {false, true}) {
                if (immediate && is_fp(c.op)) continue;
                for (const std::int64_t value : {std::int64_t{0}, std::int64_t{0x0123'4567'89ab'cdef}}) {
                    const Operand source = immediate ? Operand::imm(value) : Operand(is_fp(c.op) ? fp(3) : gp(3));
                    Sequence sequence([&](Masm& masm) { masm.guest_store(c.op, {kMemoryBase, gp(9), offset}, source); });
                    for (const std::uint64_t index : indices_for(offset, c.bytes)) {
                        fill_memory();
                        std::vector<std::uint8_t> wanted(memory, memory + Sequence::kGuestBytes);
                        State state = scrambled();
                        state[gp(9)] = index;
                        const std::uint64_t address = index + static_cast<std::uint64_t>(offset);
                        const bool fits = address + c.bytes <= Sequence::kGuestBytes;
                        if (fits) {
                            if (immediate) {
                                std::memcpy(&wanted[address], &value, c.bytes);
                            } else if (is_fp(c.op)) {
                                std::memcpy(&wanted[address], &state.fp[3], c.bytes);
                            } else {
                                std::memcpy(&wanted[address], &state.gp[3], c.bytes);
                            }
                        }
                        ASSERT_EQ(run_checked(sequence, state, {}), fits ? TrapCode::none : TrapCode::memory_out_of_bounds);
                        ASSERT_EQ(std::memcmp(memory, wanted.data(), wanted.size()), 0) << address;
                    }
                }
            }
        }
    }
}

TEST(Arm64Memory, HostLoadAndStore) {
    POLLUX_NEEDS_ARM64();
    static std::array<std::uint8_t, 200'000> host;
    const auto middle = reinterpret_cast<std::uint64_t>(host.data()) + 100'000;
    for (const std::int32_t offset : {0, 8, -8, 16, -16, -256, -264, 4, 12, 4096, -4096, 32760, 65536, -65544, 99'000, -99'000}) {
        for (const Reg base : {gp(1), kScratchGp}) {
            Sequence sequence([&](Masm& masm) {
                masm.mov_imm(Width::w64, base, middle);
                masm.store(StoreOp::b64, {base, kNoReg, offset}, gp(2));
                masm.load(LoadOp::u64, gp(3), {base, kNoReg, offset});
                masm.store(StoreOp::v128, {base, kNoReg, offset}, fp(2));
                masm.load(LoadOp::v128, fp(3), {base, kNoReg, offset});
                masm.load(LoadOp::s32_64, gp(4), {base, gp(5), offset});
                masm.load(LoadOp::u64, base, {base, kNoReg, offset});
                masm.mov(Kind::i64, gp(6), base);
            });
            State state = scrambled();
            state[gp(5)] = 4;
            const State before = state;
            ASSERT_EQ(run_checked(sequence, state, RegSet::of(gp(1), gp(3), gp(4), gp(6), fp(3))), TrapCode::none);
            EXPECT_EQ(state[gp(3)], before.gp[2]);
            EXPECT_EQ(state.fp[3], before.fp[2]);
            EXPECT_EQ(state[gp(4)], static_cast<std::uint64_t>(static_cast<std::int64_t>(before.fp[2].low) >> 32));
            EXPECT_EQ(state[gp(6)], before.fp[2].low);
        }
    }
}

TEST(Arm64Memory, Slots) {
    POLLUX_NEEDS_ARM64();
    // Rows of slots, so that the window in x16 is reused, and a label in between, where it must not be.
    Sequence sequence([](Masm& masm) {
        std::int32_t slot = -16;
        for (std::uint8_t i = 0; i < 8; ++i, slot -= 1024) {
            masm.store_slot(Kind::i64, slot, gp(i));
            masm.store_slot(Kind::v128, slot - 16, fp(i));
            masm.store_slot_imm(slot - 24, i * 0x1234'5678'9abc);
        }
        Label label;
        masm.jump(label);
        masm.put_constant(Width::w64, kX16, 0);
        masm.bind(label);
        slot = -16;
        for (std::uint8_t i = 0; i < 8; ++i, slot -= 1024) {
            masm.load_slot(Kind::i64, gp(static_cast<std::uint8_t>(8 + i)), slot);
            masm.load_slot(Kind::v128, fp(static_cast<std::uint8_t>(8 + i)), slot - 16);
            masm.load_slot(Kind::f64, fp(static_cast<std::uint8_t>(16 + i)), slot - 24);
            masm.load_slot(Kind::i32, gp(static_cast<std::uint8_t>(19 + i)), slot);
        }
        masm.lea_slot(gp(7), -8192);
        masm.lea_slot(gp(6), -8);
        masm.alu(AluOp::sub, Width::w64, gp(7), gp(6), gp(7));
    });
    State state = scrambled();
    const State before = state;
    ASSERT_EQ(sequence.run(state), TrapCode::none);
    for (std::uint8_t i = 0; i < 8; ++i) {
        EXPECT_EQ(state.gp[8U + i], before.gp[i]);
        EXPECT_EQ(state.fp[8U + i], before.fp[i]);
        EXPECT_EQ(state.fp[16U + i].low, i * 0x1234'5678'9abcU);
        EXPECT_EQ(state.gp[19U + i], before.gp[i] & 0xffff'ffff);
    }
    EXPECT_EQ(state.gp[7], 8184U);
}

TEST(Arm64Memory, CheckBounds) {
    POLLUX_NEEDS_ARM64();
    Sequence::Context& context = Sequence::context();
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        for (const Width width : {Width::w32, Width::w64}) {
            for (const std::uint64_t end : {std::uint64_t{1}, std::uint64_t{16}, std::uint64_t{4095}, std::uint64_t{4096},
                                            std::uint64_t{65536}, std::uint64_t{0x1'0000'000f}, ~std::uint64_t{0} - 5, ~std::uint64_t{0}}) {
                if (width == Width::w32 && end >> 33 != 0) continue;
                Sequence sequence([&](Masm& masm) { masm.check_bounds(width, gp(3), end, Sequence::kMemoryCellOffset); }, branches);
                for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{65536}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
                    context.memory.length = length;
                    for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, length - end, length - end + 1, length - end - 1,
                                                      std::uint64_t{0xffff'ffff}, ~std::uint64_t{0}}) {
                        State state = scrambled();
                        state[gp(3)] = width == Width::w32 ? index & 0xffff'ffff : index;
                        const std::uint64_t sum = state[gp(3)] + end;
                        const bool fits = sum >= end && sum <= length;
                        ASSERT_EQ(run_checked(sequence, state, {}), fits ? TrapCode::none : TrapCode::memory_out_of_bounds)
                            << std::hex << index << ' ' << end << ' ' << length;
                    }
                }
            }
        }
    }
    context.memory.length = Sequence::kGuestBytes;
}

TEST(Arm64Memory, SimdLoads) {
    POLLUX_NEEDS_ARM64();
    fill_memory();
    const auto at = [](std::uint64_t address, unsigned bytes) {
        std::uint64_t value = 0;
        std::memcpy(&value, Sequence::guest_memory() + address, bytes);
        return V128{value, 0};
    };
    const auto splat = [&]<class T>(T) {
        return [&](std::uint64_t address) {
            Lanes<T> l{};
            l.fill(static_cast<T>(at(address, sizeof(T)).low));
            return pack(l);
        };
    };
    struct Case {
        Opcode op;
        std::function<V128(std::uint64_t)> expect;
    };
    const std::vector<Case> cases = {
        {Opcode::V128Load8x8S, [&](std::uint64_t a) { return extend<std::int8_t, std::int16_t>(false)(at(a, 8)); }},
        {Opcode::V128Load8x8U, [&](std::uint64_t a) { return extend<std::uint8_t, std::uint16_t>(false)(at(a, 8)); }},
        {Opcode::V128Load16x4S, [&](std::uint64_t a) { return extend<std::int16_t, std::int32_t>(false)(at(a, 8)); }},
        {Opcode::V128Load16x4U, [&](std::uint64_t a) { return extend<std::uint16_t, std::uint32_t>(false)(at(a, 8)); }},
        {Opcode::V128Load32x2S, [&](std::uint64_t a) { return extend<std::int32_t, std::int64_t>(false)(at(a, 8)); }},
        {Opcode::V128Load32x2U, [&](std::uint64_t a) { return extend<std::uint32_t, std::uint64_t>(false)(at(a, 8)); }},
        {Opcode::V128Load8Splat, splat(std::uint8_t{})},
        {Opcode::V128Load16Splat, splat(std::uint16_t{})},
        {Opcode::V128Load32Splat, splat(std::uint32_t{})},
        {Opcode::V128Load64Splat, splat(std::uint64_t{})},
        {Opcode::V128Load32Zero, [&](std::uint64_t a) { return at(a, 4); }},
        {Opcode::V128Load64Zero, [&](std::uint64_t a) { return at(a, 8); }}};
    for (const Case& c : cases) {
        for (const std::int32_t offset : kAccessOffsets) {
            for (const bool indexed : {true, false}) {
                Sequence sequence([&](Masm& masm) { masm.simd_load(c.op, fp(3), {kMemoryBase, indexed ? gp(9) : kNoReg, offset}); });
                for (const std::uint64_t index : indexed ? indices_for(offset, wasm::access_bytes(c.op)) : std::vector<std::uint64_t>{0}) {
                    State state = scrambled();
                    state[gp(9)] = index;
                    const std::uint64_t address = index + static_cast<std::uint64_t>(offset);
                    const bool fits = address + wasm::access_bytes(c.op) <= Sequence::kGuestBytes;
                    ASSERT_EQ(run_checked(sequence, state, RegSet::of(fp(3))), fits ? TrapCode::none : TrapCode::memory_out_of_bounds)
                        << wasm::text(c.op);
                    if (fits) {
                        ASSERT_EQ(state.fp[3], c.expect(address)) << wasm::text(c.op);
                    }
                }
            }
        }
    }
}

TEST(Arm64Memory, SimdLanes) {
    POLLUX_NEEDS_ARM64();
    std::uint8_t* memory = Sequence::guest_memory();
    struct Case {
        Opcode load, store;
        unsigned bytes;
    };
    for (const Case c :
         {Case{Opcode::V128Load8Lane, Opcode::V128Store8Lane, 1}, Case{Opcode::V128Load16Lane, Opcode::V128Store16Lane, 2},
          Case{Opcode::V128Load32Lane, Opcode::V128Store32Lane, 4}, Case{Opcode::V128Load64Lane, Opcode::V128Store64Lane, 8}}) {
        for (std::uint8_t lane = 0; lane < 16 / c.bytes; ++lane) {
            for (const std::int32_t offset : {0, 40, 5000, 0x7fff'ffff}) {
                for (const Reg d : {fp(1), fp(2)}) {
                    Sequence load([&](Masm& masm) { masm.simd_load_lane(c.load, d, fp(1), {kMemoryBase, gp(9), offset}, lane); });
                    for (const std::uint64_t index : indices_for(offset, c.bytes)) {
                        fill_memory();
                        State state = scrambled();
                        state[gp(9)] = index;
                        const std::uint64_t address = index + static_cast<std::uint64_t>(offset);
                        const bool fits = address + c.bytes <= Sequence::kGuestBytes;
                        auto wanted = lanes<std::uint8_t>(state.fp[1]);
                        if (fits) std::memcpy(wanted.data() + lane * c.bytes, memory + address, c.bytes);
                        ASSERT_EQ(run_checked(load, state, RegSet::of(d)), fits ? TrapCode::none : TrapCode::memory_out_of_bounds);
                        if (fits) {
                            ASSERT_EQ(state.vector(d), pack(wanted));
                        }
                    }
                }
                Sequence store([&](Masm& masm) { masm.simd_store_lane(c.store, fp(1), {kMemoryBase, gp(9), offset}, lane); });
                for (const std::uint64_t index : indices_for(offset, c.bytes)) {
                    fill_memory();
                    std::vector<std::uint8_t> wanted(memory, memory + Sequence::kGuestBytes);
                    State state = scrambled();
                    state[gp(9)] = index;
                    const std::uint64_t address = index + static_cast<std::uint64_t>(offset);
                    const bool fits = address + c.bytes <= Sequence::kGuestBytes;
                    if (fits) std::memcpy(&wanted[address], lanes<std::uint8_t>(state.fp[1]).data() + lane * c.bytes, c.bytes);
                    ASSERT_EQ(run_checked(store, state, {}), fits ? TrapCode::none : TrapCode::memory_out_of_bounds);
                    ASSERT_EQ(std::memcmp(memory, wanted.data(), wanted.size()), 0);
                }
            }
        }
    }
}

}  // namespace
}  // namespace pollux::arm64::test
