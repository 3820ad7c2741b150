// Exceptions that cross frames and host functions, and what the host learns of those that nobody catches.
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

/// What the host function between the guest's functions does, and what it has seen.
struct Between {
    Instance* instance = nullptr;
    bool passes_on = true;
    std::optional<ThrownException> seen;
};

HostResult<std::int32_t> call_inner(CallContext& context, std::int32_t value) {
    auto& between = host_data<Between>(context);
    const auto results = call(*between.instance, "inner", {Value::i32(value)});
    if (results) return results->front().as_i32();
    between.seen = results.error().exception;
    if (!between.passes_on) return -1;
    return std::unexpected(results.error().code);
}

class Exception : public EveryMode {
protected:
    Exception() {
        guest.linker.define("host", "call_inner", must(guest.store->new_function(host_function<&call_inner>(), &between)));
        between.instance = instance = &guest.instantiate(kThrowerModule);
    }
    static std::vector<std::string> names(const Trap& trap) {
        std::vector<std::string> list;
        for (const Frame& frame : trap.frames) list.push_back(frame.name);
        return list;
    }

    Between between;
    Instance* instance = nullptr;
};

TEST_P(Exception, CrossesAHostFunction) {
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(result(*instance, "catch", {Value::i32(0)}), Value::i32(1));
        EXPECT_FALSE(between.seen);
        EXPECT_EQ(result(*instance, "catch", {Value::i32(5)}), Value::i32(105));
        ASSERT_TRUE(between.seen);
        EXPECT_EQ(between.seen->arguments, (std::vector<Value>{Value::i32(5), Value::i64(7)}));
        between.seen.reset();
    }
}

TEST_P(Exception, EndsInAHostFunction) {
    between.passes_on = false;
    EXPECT_EQ(result(*instance, "catch", {Value::i32(5)}), Value::i32(-1));
    ASSERT_TRUE(between.seen);
    EXPECT_EQ(between.seen->arguments.front(), Value::i32(5));
}

TEST_P(Exception, UncaughtOnesHaveTheThrowersBacktrace) {
    const Trap trap = trap_of(*instance, "pass", {Value::i32(6)});
    EXPECT_EQ(trap.code, TrapCode::uncaught_exception);
    ASSERT_TRUE(trap.exception);
    EXPECT_EQ(trap.exception->arguments, (std::vector<Value>{Value::i32(6), Value::i64(7)}));
    EXPECT_EQ(names(trap), (std::vector<std::string>{"inner", "pass"}));
    EXPECT_EQ(names(trap_of(*instance, "deep", {Value::i32(2), Value::i32(6)})),
              (std::vector<std::string>{"inner", "deep", "deep", "deep"}));
    EXPECT_EQ(result(*instance, "catch", {Value::i32(5)}), Value::i32(105)) << "and the store goes on";
}

TEST_P(Exception, CrossesManyFrames) {
    for (const int depth : {0, 1, 10, 1000}) {
        EXPECT_EQ(result(*instance, "catch_deep", {Value::i32(depth), Value::i32(8)}), Value::i32(8));
        EXPECT_EQ(result(*instance, "catch_deep", {Value::i32(depth), Value::i32(0)}), Value::i32(1));
    }
}

POLLUX_IN_EVERY_MODE(Exception);

}  // namespace
}  // namespace pollux::test
