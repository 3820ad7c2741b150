// Short cuts of the compiler: instructions that are compiled together compute what they compute one by one.
#include <cstdint>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class ShortCuts : public EveryMode {
protected:
    std::int32_t call(const char* name, std::int32_t argument) { return result(instance(), name, {Value::i32(argument)}).as_i32(); }
    Instance& instance() {
        if (instance_ == nullptr) instance_ = &guest.instantiate(kShortCutsModule);
        return *instance_;
    }

private:
    Instance* instance_ = nullptr;
};

TEST_P(ShortCuts, LoadAndSet) {
    EXPECT_EQ(call("follow", 16), 42);
    EXPECT_EQ(call("before_and_after", 16), 16 + 32 * 1000);
    EXPECT_EQ(call("tee", 16), 7 + 7 * 100);
    EXPECT_EQ(call("follow_in_memory", 16), 16 + 42 + 32 * 100 + 42 * 10000);
    EXPECT_EQ(call("wide", 16), 35 + 7);
}

TEST_P(ShortCuts, ComputeWithAConstantAndSet) {
    EXPECT_EQ(call("count", 9), 5 + 7 * 10 + 7 * 1000);
    EXPECT_EQ(call("count_in_memory", 6), 7 + 5 * 1000 - 8 * 1000000 + 5 * 100);
    for (const std::int32_t n : {0, 1, 0x55, -1, 0x12345678}) {
        const std::uint32_t wanted = (((static_cast<std::uint32_t>(n) ^ 0xffffffffU) | 0x80U) & 0xffU) - 0x80000000U + 128;
        EXPECT_EQ(call("constants", n), static_cast<std::int32_t>(wanted));
    }
    EXPECT_EQ(result(instance(), "of_constants").as_i32(), 40);
}

TEST_P(ShortCuts, StoreAConstant) { EXPECT_EQ(call("store", 1024), 1 + 20 - 300 + 4000); }

TEST_P(ShortCuts, SetArguments) {
    EXPECT_EQ(result(instance(), "call", {Value::i32(1), Value::i32(2), Value::i32(16)}).as_i32(),
              2 + 1 * 10 + 7 * 100 + 4 * 1000 + 5 * 10000 + 3 * 100000);
}

TEST_P(ShortCuts, TrapWhereTheLoadIs) {
    EXPECT_EQ(call("beyond", 0), 0);
    EXPECT_EQ(trap_of(instance(), "beyond", {Value::i32(13)}).code, TrapCode::memory_out_of_bounds);
}

POLLUX_IN_EVERY_MODE(ShortCuts);

}  // namespace
}  // namespace pollux::test
