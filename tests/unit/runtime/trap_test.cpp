#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Traps : public EveryMode {
protected:
    Instance& instance = guest.instantiate(kTrapsModule);
};

TEST_P(Traps, EachKind) {
    EXPECT_EQ(trap_of(instance, "unreachable").code, TrapCode::unreachable);
    EXPECT_EQ(trap_of(instance, "divide", {Value::i32(1), Value::i32(0)}).code, TrapCode::integer_divide_by_zero);
    EXPECT_EQ(trap_of(instance, "divide", {Value::i32(INT32_MIN), Value::i32(-1)}).code, TrapCode::integer_overflow);
    EXPECT_EQ(trap_of(instance, "truncate", {Value::f64(1e30)}).code, TrapCode::integer_overflow);
    EXPECT_EQ(trap_of(instance, "truncate", {Value::f64(__builtin_nan(""))}).code, TrapCode::invalid_conversion_to_integer);
    EXPECT_EQ(trap_of(instance, "load", {Value::i32(65533)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "load", {Value::i32(-1)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "load_far", {Value::i32(0)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "load_far", {Value::i32(-1)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "store", {Value::i32(65529)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "indirect", {Value::i32(0)}).code, TrapCode::indirect_call_to_null);
    EXPECT_EQ(trap_of(instance, "indirect", {Value::i32(4)}).code, TrapCode::table_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "indirect_int", {Value::i32(1)}).code, TrapCode::bad_signature);
    EXPECT_EQ(trap_of(instance, "table_get", {Value::i32(-1)}).code, TrapCode::table_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "fill", {Value::i32(65530), Value::i32(7)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "copy", {Value::i32(0), Value::i32(65530), Value::i32(7)}).code, TrapCode::memory_out_of_bounds);
}

TEST_P(Traps, TheInstanceGoesOn) {
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(trap_of(instance, "load", {Value::i32(70000)}).code, TrapCode::memory_out_of_bounds);
        EXPECT_EQ(result(instance, "load", {Value::i32(0)}), Value::i32(0));
        EXPECT_EQ(result(instance, "divide", {Value::i32(9), Value::i32(3)}), Value::i32(3));
    }
}

TEST_P(Traps, BacktraceNamesTheFunctions) {
    const Trap trap = trap_of(instance, "outer");
    ASSERT_EQ(trap.frames.size(), 3U);
    EXPECT_EQ(trap.frames[0].name, "inner");
    EXPECT_EQ(trap.frames[1].name, "middle");
    EXPECT_EQ(trap.frames[2].name, "outer");
    EXPECT_EQ(trap.omitted, 0U);
    // Offsets are those of the instructions: `unreachable` is 00, `call` 10.
    const std::span bytes = instance.module().bytes;
    EXPECT_EQ(bytes[trap.frames[0].wasm_offset], 0x00);
    EXPECT_EQ(bytes[trap.frames[1].wasm_offset], 0x10);
    EXPECT_EQ(bytes[trap.frames[2].wasm_offset], 0x10);
    const std::string text = trap.to_string();
    EXPECT_TRUE(text.starts_with("unreachable\n    0: 0x")) << text;
    EXPECT_NE(text.find("traps!middle"), std::string::npos) << text;
}

TEST_P(Traps, OffsetOfAMemoryAccess) {
    const Trap trap = trap_of(instance, "load", {Value::i32(65536)});
    ASSERT_EQ(trap.frames.size(), 1U);
    EXPECT_EQ(instance.module().bytes[trap.frames[0].wasm_offset], 0x28);  // i32.load
    const Trap filled = trap_of(instance, "fill", {Value::i32(65536), Value::i32(1)});
    ASSERT_EQ(filled.frames.size(), 1U);
    EXPECT_EQ(instance.module().bytes[filled.frames[0].wasm_offset], 0xfc);  // memory.fill
}

TEST_P(Traps, DeepBacktraceIsCutInTheMiddle) {
    const Trap trap = trap_of(instance, "deep", {Value::i32(499)});
    EXPECT_EQ(trap.frames.size(), RawBacktrace::kFirstFrames + RawBacktrace::kLastFrames);
    EXPECT_EQ(trap.frames.size() + trap.omitted, 500U);
    EXPECT_NE(trap.to_string().find("430 more"), std::string::npos);
}

TEST_P(Traps, StackOverflow) {
    for (int i = 0; i < 3; ++i) {
        const Trap trap = trap_of(instance, "overflow");
        EXPECT_EQ(trap.code, TrapCode::stack_overflow);
        EXPECT_GT(trap.omitted, 1000U);
        EXPECT_EQ(result(instance, "divide", {Value::i32(9), Value::i32(3)}), Value::i32(3));
    }
}

TEST_P(Traps, StartFunction) {
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kStartTrapsModule));
    auto made = guest.linker.instantiate(module);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().error.kind, ErrorKind::instantiate);
    ASSERT_TRUE(made.error().trap);
    EXPECT_EQ(made.error().trap->code, TrapCode::memory_out_of_bounds);
    ASSERT_EQ(made.error().trap->frames.size(), 1U);
    EXPECT_EQ(made.error().trap->frames[0].name, "begin");
}

POLLUX_IN_EVERY_MODE(Traps);

/// A fault that is none of ours must end the process as it would have without us.
TEST(Signals, FaultsOfTheHostAreNotOurs) {
    const auto engine = make_engine(kModes[0]);
    const pid_t child = ::fork();
    if (child == 0) {
        static_cast<void>(::signal(SIGALRM, SIG_DFL));
        ::alarm(10);
        volatile int* nowhere = nullptr;
        asm volatile("" : "+r"(nowhere));
        *nowhere = 1;
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
#endif
}

}  // namespace
}  // namespace pollux::test
