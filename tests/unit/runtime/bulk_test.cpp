#include <cstring>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Bulk : public EveryMode {
protected:
    Instance& instance = guest.instantiate(kBulkModule);
    std::string text(std::size_t at, std::size_t size) {
        return {reinterpret_cast<const char*>(instance.memory(0).bytes().data()) + at, size};
    }
    TrapCode code(std::string_view name, std::int32_t a, std::int32_t b, std::int32_t c) {
        const auto done = call(instance, name, {Value::i32(a), Value::i32(b), Value::i32(c)});
        return done ? TrapCode::none : done.error().code;
    }
    Value called(std::int32_t index) { return result(instance, "call", {Value::i32(index)}); }
    bool is_null(std::int32_t index) { return result(instance, "is_null", {Value::i32(index)}) == Value::i32(1); }
};

TEST_P(Bulk, OperandsAreMovedAtOnce) {
    EXPECT_EQ(code("fill_from_slots", 3000, 'x', 5), TrapCode::none);
    EXPECT_EQ(text(2999, 7), std::string("\0xxxxx\0", 7));
}

TEST_P(Bulk, MemoryInit) {
    EXPECT_EQ(text(100, 6), "active");
    EXPECT_EQ(code("init", 10, 1, 4), TrapCode::none);
    EXPECT_EQ(text(9, 6), std::string("\0bcde\0", 6));
    EXPECT_EQ(code("init", 10, 3, 4), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(code("init", 65536 - 3, 0, 4), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(code("init", 65536, 6, 0), TrapCode::none);
    EXPECT_EQ(code("init", 65537, 0, 0), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(code("init", 0, -1, 2), TrapCode::memory_out_of_bounds);
    EXPECT_TRUE(call(instance, "drop"));
    EXPECT_EQ(code("init", 0, 0, 1), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(code("init", 0, 0, 0), TrapCode::none);
    EXPECT_EQ(code("init_active", 0, 0, 1), TrapCode::memory_out_of_bounds) << "active segments are dropped";
}

TEST_P(Bulk, MemoryCopyAndFill) {
    EXPECT_EQ(code("fill", 0, 'x', 10), TrapCode::none);
    EXPECT_EQ(code("init", 0, 0, 6), TrapCode::none);
    EXPECT_EQ(code("copy", 2, 0, 6), TrapCode::none);  // overlapping, up
    EXPECT_EQ(text(0, 11), std::string("ababcdefxx\0", 11));
    EXPECT_EQ(code("copy", 0, 2, 6), TrapCode::none);  // overlapping, down
    EXPECT_EQ(text(0, 8), "abcdefef");
    EXPECT_EQ(code("copy", 65530, 0, 7), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(text(65530, 6), std::string(6, '\0')) << "nothing is written";
    EXPECT_EQ(code("fill", -1, 0, 1), TrapCode::memory_out_of_bounds);
    EXPECT_EQ(code("fill", 65536, 0, 0), TrapCode::none);
}

TEST_P(Bulk, LongOverlappingCopies) {
    ASSERT_EQ(result(instance, "grow", {Value::i32(2)}), Value::i32(1));
    const std::span<std::uint8_t> bytes = instance.memory(0).bytes();
    ASSERT_EQ(bytes.size(), 3U * 65536);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 >> 3);
    std::vector<std::uint8_t> expected(bytes.begin(), bytes.end());
    std::memmove(expected.data() + 5, expected.data(), expected.size() - 5);
    EXPECT_EQ(code("copy", 5, 0, static_cast<std::int32_t>(bytes.size() - 5)), TrapCode::none);
    EXPECT_TRUE(std::ranges::equal(bytes, expected));
}

TEST_P(Bulk, Tables) {
    EXPECT_TRUE(is_null(0));
    EXPECT_EQ(called(3), Value::i32(2));
    EXPECT_EQ(code("table_init", 0, 0, 3), TrapCode::none);
    EXPECT_EQ(called(0), Value::i32(1));
    EXPECT_EQ(called(1), Value::i32(2));
    EXPECT_EQ(code("table_copy", 1, 0, 3), TrapCode::none);
    EXPECT_EQ(called(1), Value::i32(1));
    EXPECT_EQ(called(2), Value::i32(2));
    EXPECT_EQ(called(3), Value::i32(1));
    EXPECT_EQ(code("table_init_expressions", 2, 0, 2), TrapCode::none);
    EXPECT_EQ(called(2), Value::i32(1));
    EXPECT_TRUE(is_null(3));
    EXPECT_EQ(code("table_init", 2, 0, 3), TrapCode::table_out_of_bounds);
    EXPECT_EQ(code("table_init", 0, 2, 2), TrapCode::table_out_of_bounds);
    EXPECT_EQ(code("table_copy", 3, 0, 2), TrapCode::table_out_of_bounds);
    EXPECT_TRUE(call(instance, "elem_drop"));
    EXPECT_EQ(code("table_init", 0, 0, 1), TrapCode::table_out_of_bounds);
    EXPECT_EQ(code("table_init", 0, 0, 0), TrapCode::none);
}

TEST_P(Bulk, TableGrowAndFill) {
    EXPECT_EQ(result(instance, "table_grow", {Value::i32(3)}), Value::i32(4));
    EXPECT_EQ(result(instance, "table_size"), Value::i32(7));
    EXPECT_EQ(called(6), Value::i32(1));
    EXPECT_EQ(result(instance, "table_grow", {Value::i32(4)}), Value::i32(-1));
    EXPECT_EQ(result(instance, "table_grow", {Value::i32(-1)}), Value::i32(-1));
    EXPECT_EQ(result(instance, "table_grow", {Value::i32(3)}), Value::i32(7));
    EXPECT_TRUE(call(instance, "table_fill", {Value::i32(8), Value::i32(2)}));
    EXPECT_EQ(called(9), Value::i32(2));
    EXPECT_EQ(trap_of(instance, "table_fill", {Value::i32(9), Value::i32(2)}).code, TrapCode::table_out_of_bounds);
    EXPECT_EQ(called(7), Value::i32(1));
}

POLLUX_IN_EVERY_MODE(Bulk);

}  // namespace
}  // namespace pollux::test
