#include <cerrno>

#include "jit/base/syscall.h"
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

constexpr std::uint64_t kRefused = ~std::uint64_t{0};

class Memories : public EveryMode {
protected:
    std::shared_ptr<Memory> make(const wasm::MemoryType& type) { return must(guest.store->new_memory(type)); }
};

TEST_P(Memories, GrowToTheirMaximum) {
    const auto memory = make({{.min = 1, .max = 3, .has_max = true}});
    EXPECT_EQ(memory->bytes().size(), 65536U);
    const std::uint8_t* base = memory->base;
    memory->bytes().back() = 7;
    EXPECT_EQ(memory->grow(0), 1U);
    EXPECT_EQ(memory->grow(1), 1U);
    EXPECT_EQ(memory->grow(2), kRefused);
    EXPECT_EQ(memory->grow(~std::uint64_t{0}), kRefused);
    EXPECT_EQ(memory->grow(std::uint64_t{1} << 48), kRefused);
    EXPECT_EQ(memory->grow(1), 2U);
    EXPECT_EQ(memory->grow(1), kRefused);
    EXPECT_EQ(memory->pages(), 3U);
    EXPECT_EQ(memory->base, base);
    EXPECT_EQ(memory->bytes()[65535], 7);
    EXPECT_EQ(memory->bytes()[3 * 65536 - 1], 0);
}

TEST_P(Memories, FourGibibytesAndNoMore) {
    const auto memory = make({{.min = 65535}});
    EXPECT_EQ(memory->grow(1), 65535U);
    EXPECT_EQ(memory->grow(1), kRefused);
    EXPECT_EQ(memory->bytes().size(), std::uint64_t{1} << 32);
}

TEST_P(Memories, OfBytes) {
    const auto memory = make({{.min = 5}, 0});
    EXPECT_EQ(memory->bytes().size(), 5U);
    EXPECT_EQ(memory->grow(10000), 5U);
    EXPECT_EQ(memory->bytes().size(), 10005U);
    memory->bytes().back() = 1;
}

TEST_P(Memories, Of64Bits) {
    const auto memory = make({{.min = 1, .is_64 = true}});
    EXPECT_EQ(memory->grow(std::uint64_t{1} << 44), kRefused);
    EXPECT_EQ(memory->grow(~std::uint64_t{0} >> 16), kRefused);
    EXPECT_EQ(memory->grow(100), 1U);
    memory->bytes().back() = 1;
    EXPECT_FALSE(guest.store->new_memory({{.min = std::uint64_t{1} << 47, .is_64 = true}}));
}

TEST_P(Memories, LimitOfTheStore) {
    Guest limited(guest.engine, {.max_memory_bytes = 5 * 65536});
    auto first = must(limited.store->new_memory({{.min = 2}}));
    auto second = must(limited.store->new_memory({{.min = 2}}));
    EXPECT_EQ(first->grow(2), kRefused);
    EXPECT_EQ(first->grow(1), 2U);
    EXPECT_EQ(second->grow(1), kRefused);
    EXPECT_FALSE(limited.store->new_memory({{.min = 1}}));
    second.reset();
    EXPECT_EQ(first->grow(2), 3U);
}

TEST_P(Memories, ReusedSlotsAreZero) {
    for (int i = 0; i < 40; ++i) {
        const auto memory = make({{.min = 3}});
        for (const std::size_t at : {std::size_t{0}, std::size_t{70000}, memory->bytes().size() - 1}) {
            EXPECT_EQ(memory->bytes()[at], 0);
            memory->bytes()[at] = 0xff;
        }
    }
}

TEST_P(Memories, ReusedSlotsAreGuarded) {
    {
        make({{.min = 3}})->bytes()[2 * 65536] = 1;
    }
    Instance& instance = guest.instantiate(kTrapsModule);  // one page, perhaps in that slot
    EXPECT_EQ(trap_of(instance, "load", {Value::i32(2 * 65536)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(result(instance, "grow", {Value::i32(1)}), Value::i32(1));
    EXPECT_EQ(result(instance, "load", {Value::i32(65536)}), Value::i32(0));
    EXPECT_EQ(result(instance, "size"), Value::i32(2));
    EXPECT_EQ(result(instance, "grow", {Value::i32(1)}), Value::i32(-1));
    EXPECT_EQ(result(instance, "grow", {Value::i32(-1)}), Value::i32(-1));
    EXPECT_EQ(trap_of(instance, "load", {Value::i32(2 * 65536)}).code, TrapCode::memory_out_of_bounds);
}

TEST_P(Memories, RefusedByTheSystem) {
    const auto memory = make({{.min = 1}});
    sys::inject(sys::Call::mprotect, ENOMEM);
    EXPECT_EQ(memory->grow(1), kRefused);
    sys::clear_faults();
    EXPECT_EQ(memory->pages(), 1U);
    EXPECT_EQ(memory->grow(1), 1U);
}

POLLUX_IN_EVERY_MODE(Memories);

TEST(AddressSpace, ShortageMeansExplicitChecks) {
    sys::inject(sys::Call::mmap, ENOMEM);
    const auto engine = must(Engine::create({}));
    sys::clear_faults();
    EXPECT_EQ(engine->bounds(), BoundsMode::explicit_checks);
    EXPECT_EQ(must(Engine::create({.bounds = BoundsOption::guard_pages}))->bounds(), BoundsMode::guard_pages);
    EXPECT_EQ(must(Engine::create({.memory_reservation = 1 << 20}))->bounds(), BoundsMode::explicit_checks);
}

TEST(AddressSpace, ReservationBoundsGrowth) {
    Guest guest(must(Engine::create({.memory_reservation = 1 << 20})));
    const auto memory = must(guest.store->new_memory({{.min = 1}}));
    EXPECT_EQ(memory->grow(15), 1U);
    EXPECT_EQ(memory->grow(1), kRefused);
}

TEST(Tables, GrowAndBudget) {
    Guest guest(make_engine(kModes[0]), {.max_table_elements = 1000});
    Table* table = must(guest.store->new_table({wasm::kExternRef, {.min = 0}}, Value::ref(0)));
    EXPECT_EQ(table->grow(10, 77), 0U);
    EXPECT_EQ(table->grow(100, 78), 10U);
    EXPECT_EQ(table->elements[9], 77U);
    EXPECT_EQ(table->elements[109], 78U);
    EXPECT_EQ(table->grow(1000, 0), kRefused);
    EXPECT_FALSE(guest.store->new_table({wasm::kExternRef, {.min = 900}}, Value::ref(0)));
    EXPECT_EQ(table->grow(~std::uint64_t{0}, 0), kRefused);
}

}  // namespace
}  // namespace pollux::test
