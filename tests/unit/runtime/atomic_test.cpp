// Every atomic instruction, on 32-bit and 64-bit memories, the first one and others, against a model of what it does to memory.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <thread>

#include "jit/wasm/opcodes.h"
#include "tests/unit/runtime/runtime_fixture.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::test {
namespace {

using wasm::Opcode;

constexpr std::uint8_t kLoadCode = 0x10, kStoreCode = 0x17, kUpdateCode = 0x1E, kExchangeCode = 0x48, kLastCode = 0x4E;
constexpr std::uint64_t kPage = 65536;

const wasm::OpcodeInfo& info_of(std::uint8_t code) { return wasm::info(static_cast<Opcode>(0x500 + code)); }
std::uint32_t bytes_of(std::uint8_t code) { return wasm::access_bytes(static_cast<Opcode>(0x500 + code)); }

/// Where the operands of the instruction are, and what becomes of its result.
enum class Shape : std::uint8_t {
    plain,    ///< operands as they come; the result is returned
    crowded,  ///< three values wait below on the stack, and are added to the result
    dropped,  ///< the result is dropped
};
constexpr Shape kShapes[] = {Shape::plain, Shape::crowded, Shape::dropped};

struct MemoryKind {
    bool is_64;
    bool shared;
};
constexpr MemoryKind kMemories[] = {{false, true}, {true, true}, {false, false}};

std::string export_name(std::uint8_t code, std::size_t memory, Shape shape) {
    return std::string(wasm::text(info_of(code))) + ":" + std::to_string(memory) + ":" + std::to_string(static_cast<int>(shape));
}

/// (param address i64, first i64, second i64) (result i64): converts to what the instruction wants, and back.
Bytes body_of(std::uint8_t code, std::size_t memory, Shape shape, std::uint64_t offset) {
    constexpr std::uint8_t kLocalGet = 0x20, kDrop = 0x1A, kWrap = 0xA7, kExtend = 0xAD, kI64Add = 0x7C, kI64Const = 0x42;
    const wasm::Signature& signature = info_of(code).signature;
    Bytes body = {0x00};
    const auto add = [&](const Bytes& bytes) { body.insert(body.end(), bytes.begin(), bytes.end()); };
    if (shape == Shape::crowded) {
        for (std::uint8_t local = 0; local < 3; ++local) add({kLocalGet, local, kI64Const, local, kI64Add});
    }
    for (std::uint8_t i = 0; i < signature.param_count; ++i) {
        add({kLocalGet, i});
        const bool narrow = i == 0 ? !kMemories[memory].is_64 : signature.param_kinds[i] == wasm::Kind::i32;
        if (narrow) add({kWrap});
    }
    const auto align = static_cast<std::uint8_t>(std::countr_zero(bytes_of(code)));
    add({0xFE, code, static_cast<std::uint8_t>(align | 0x40), static_cast<std::uint8_t>(memory)});
    add(leb(offset));
    if (signature.result_count == 0 || shape == Shape::dropped) {
        if (signature.result_count != 0) add({kDrop});
        add({kI64Const, 0});
    } else if (signature.result_kinds[0] == wasm::Kind::i32) {
        add({kExtend});
    }
    if (shape == Shape::crowded) add({kI64Add, kI64Add, kI64Add});
    add({kEnd});
    return body;
}

Bytes module_with_all(std::uint64_t offset) {
    Bytes functions;
    Bytes exports;
    Bytes bodies;
    std::uint32_t count = 0;
    const auto append = [](Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); };
    for (std::uint8_t code = kLoadCode; code <= kLastCode; ++code) {
        for (std::size_t memory = 0; memory < std::size(kMemories); ++memory) {
            for (const Shape shape : kShapes) {
                append(functions, {0});
                append(exports, join({name(export_name(code, memory, shape)), {0x00}, leb(count++)}));
                append(bodies, sized(body_of(code, memory, shape, offset)));
            }
        }
    }
    Bytes memories;
    for (std::size_t i = 0; i < std::size(kMemories); ++i) {
        const auto flags = static_cast<std::uint8_t>((kMemories[i].is_64 ? 4 : 0) | (kMemories[i].shared ? 2 : 0) | 1);
        append(memories, {flags, 1, 2});
        append(exports, join({name("memory" + std::to_string(i)), {0x02}, leb(i)}));
    }
    return module_of({section(1, vec({{0x60, 3, kI64, kI64, kI64, 1, kI64}})), section(3, join({leb(count), functions})),
                      section(5, join({leb(std::size(kMemories)), memories})),
                      section(7, join({leb(count + std::size(kMemories)), exports})), section(10, join({leb(count), bodies}))});
}

/// What an instruction does: the result, and what is in memory afterwards.
struct Outcome {
    std::uint64_t result;
    std::uint64_t memory;
};

Outcome model(std::uint8_t code, std::uint64_t before, std::uint64_t first, std::uint64_t second) {
    std::uint64_t mask = 0;
    for (std::uint32_t i = 0; i < bytes_of(code); ++i) mask = mask << 8 | 0xff;
    const std::uint64_t old = before & mask;
    const auto with = [&](std::uint64_t value) { return (before & ~mask) | (value & mask); };
    if (code < kStoreCode) return {old, before};
    if (code < kUpdateCode) return {0, with(first)};
    if (code >= kExchangeCode) return {old, old == (first & mask) ? with(second) : before};
    switch ((code - kUpdateCode) / 7) {
        case 0:  return {old, with(old + first)};
        case 1:  return {old, with(old - first)};
        case 2:  return {old, with(old & first)};
        case 3:  return {old, with(old | first)};
        case 4:  return {old, with(old ^ first)};
        default: return {old, with(first)};
    }
}

class Atomic : public EveryMode {
protected:
    [[nodiscard]] static std::uint64_t word(const Memory& memory, std::uint64_t at) {
        std::uint64_t value = 0;
        std::memcpy(&value, memory.bytes().data() + at, sizeof value);
        return value;
    }
    static void set_word(const Memory& memory, std::uint64_t at, std::uint64_t value) {
        std::memcpy(memory.bytes().data() + at, &value, sizeof value);
    }
    static std::expected<std::vector<Value>, Trap> run(Instance& instance, std::uint8_t code, std::size_t memory, Shape shape,
                                                       std::uint64_t address, std::uint64_t first = 0, std::uint64_t second = 0) {
        return call(instance, export_name(code, memory, shape),
                    {Value::i64(static_cast<std::int64_t>(address)), Value::i64(static_cast<std::int64_t>(first)),
                     Value::i64(static_cast<std::int64_t>(second))});
    }
    template <class F>
    static void for_all(F f) {
        for (std::uint8_t code = kLoadCode; code <= kLastCode; ++code) {
            for (std::size_t memory = 0; memory < std::size(kMemories); ++memory) {
                for (const Shape shape : kShapes) f(code, memory, shape);
            }
        }
    }
};

TEST_P(Atomic, DoesWhatTheModelDoes) {
    constexpr std::uint64_t kOffset = 16;
    Instance& instance = guest.instantiate(module_with_all(kOffset));
    constexpr std::uint64_t kBefore = 0x8877'6655'4433'2211;
    struct Operands {
        std::uint64_t first, second;
    };
    constexpr Operands kOperands[] = {{0xF0F1'F2F3'F4F5'F6F7, 0x0102'0304'0506'0708},
                                      {kBefore, 0xA1A2'A3A4'A5A6'A7A8},                  // equal in every width
                                      {0x1111'1111'1111'1111, ~std::uint64_t{0}},        // … in the lowest byte
                                      {0x0000'0000'0000'0001, 0}};
    for_all([&](std::uint8_t code, std::size_t memory, Shape shape) {
        for (const auto& [first, second] : kOperands) {
            const auto exported = instance.find_export("memory" + std::to_string(memory));
            const Memory& bytes = **std::get_if<std::shared_ptr<Memory>>(&*exported);
            const std::uint64_t address = 64 + (first & 8);
            set_word(bytes, address + kOffset, kBefore);
            set_word(bytes, address + kOffset + 8, kBefore);
            const Outcome expected = model(code, kBefore, first, second);
            const auto results = run(instance, code, memory, shape, address, first, second);
            ASSERT_TRUE(results) << export_name(code, memory, shape) << results.error().to_string();
            std::uint64_t result = shape == Shape::dropped ? 0 : expected.result;
            if (shape == Shape::crowded) result += address + first + second + 3;
            EXPECT_EQ(static_cast<std::uint64_t>(results->front().as_i64()), result) << export_name(code, memory, shape);
            EXPECT_EQ(word(bytes, address + kOffset), expected.memory) << export_name(code, memory, shape);
            EXPECT_EQ(word(bytes, address + kOffset + 8), kBefore) << export_name(code, memory, shape);
        }
    });
}

TEST_P(Atomic, TrapsUnalignedAndOutOfBounds) {
    constexpr std::uint64_t kOffset = 3;  // only the sum counts
    Instance& instance = guest.instantiate(module_with_all(kOffset));
    for_all([&](std::uint8_t code, std::size_t memory, Shape shape) {
        const std::uint32_t bytes = bytes_of(code);
        const auto trap = [&](std::uint64_t address) {
            const auto results = run(instance, code, memory, shape, address - kOffset);
            return results ? TrapCode::none : results.error().code;
        };
        const std::string what = export_name(code, memory, shape);
        EXPECT_EQ(trap(kPage - bytes), TrapCode::none) << what;
        EXPECT_EQ(trap(kPage), TrapCode::memory_out_of_bounds) << what;
        for (std::uint32_t aside = 1; aside < bytes; aside *= 2) {
            EXPECT_EQ(trap(64 + aside), TrapCode::unaligned_atomic) << what;
            EXPECT_EQ(trap(kPage + aside), TrapCode::unaligned_atomic) << what;
        }
        if (kMemories[memory].is_64) {
            EXPECT_EQ(run(instance, code, memory, shape, ~std::uint64_t{0} - 2).error().code, TrapCode::memory_out_of_bounds) << what;
        }
    });
}

TEST_P(Atomic, EveryUpdateIsAtomic) {
    constexpr int kThreads = 4;
    constexpr int kTimes = 5000;
    const auto memory = must(guest.engine->new_shared_memory({{.min = 1, .max = 4, .has_max = true, .shared = true}}));
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kThreadsModule));
    std::vector<std::thread> threads;
    std::vector<int> wrong(kThreads, -1);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            Guest other(guest.engine);
            other.linker.define("env", "memory", memory);
            wrong[static_cast<std::size_t>(i)] =
                result(other.instantiate(module), "flip_often", {Value::i32(65), Value::i32(1 << i), Value::i32(kTimes)}).as_i32();
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(kThreads, 0));
    EXPECT_EQ(memory->bytes()[65], 0);
}

TEST_P(Atomic, ASharedMemoryGrowsForAll) {
    const auto memory = must(guest.engine->new_shared_memory({{.min = 1, .max = 4, .has_max = true, .shared = true}}));
    guest.linker.define("env", "memory", memory);
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kThreadsModule));
    Instance& instance = guest.instantiate(module);
    EXPECT_EQ(trap_of(instance, "get", {Value::i32(3 * 65536)}).code, TrapCode::memory_out_of_bounds);
    std::thread([&] {
        Guest other(guest.engine);
        other.linker.define("env", "memory", memory);
        Instance& theirs = other.instantiate(module);
        EXPECT_EQ(result(theirs, "grow", {Value::i32(3)}), Value::i32(1));
        EXPECT_EQ(result(theirs, "grow", {Value::i32(1)}), Value::i32(-1));
        EXPECT_TRUE(call(theirs, "set", {Value::i32(3 * 65536), Value::i32(7)}));
    }).join();
    EXPECT_EQ(result(instance, "size"), Value::i32(4));
    EXPECT_EQ(result(instance, "get", {Value::i32(3 * 65536)}), Value::i32(7));
}

POLLUX_IN_EVERY_MODE(Atomic);

}  // namespace
}  // namespace pollux::test
