#include "jit/runtime/wait.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

/// Waiting through guest code; the tests of wait_at() itself come last.
class Wait : public EveryMode {
protected:
    Wait() { guest.linker.define("env", "memory", memory); }
    void SetUp() override {
        const auto module = must(ModuleBuilder::from_bytes(make_engine(kModes[0]), kThreadsModule));
        if (module->times().not_compiled != 0) GTEST_SKIP() << "not compiled: " << module->not_compiled(0);
    }
    std::shared_ptr<Memory> memory = must(guest.engine->new_shared_memory({{.min = 1, .max = 4, .has_max = true, .shared = true}}));
};

TEST_P(Wait, ComparesAndTimesOut) {
    Instance& instance = guest.instantiate(kThreadsModule);
    EXPECT_EQ(result(instance, "wait", {Value::i32(0), Value::i32(1), Value::i64(-1)}), Value::i32(1));
    EXPECT_EQ(result(instance, "wait", {Value::i32(0), Value::i32(0), Value::i64(0)}), Value::i32(2));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(result(instance, "wait64", {Value::i32(8), Value::i64(0), Value::i64(5'000'000)}), Value::i32(2));
    EXPECT_GE(std::chrono::steady_clock::now() - start, 5ms);
    EXPECT_EQ(result(instance, "notify", {Value::i32(0), Value::i32(1)}), Value::i32(0));
}

TEST_P(Wait, Traps) {
    Instance& instance = guest.instantiate(kThreadsModule);
    EXPECT_EQ(trap_of(instance, "wait", {Value::i32(2), Value::i32(0), Value::i64(0)}).code, TrapCode::unaligned_atomic);
    EXPECT_EQ(trap_of(instance, "wait64", {Value::i32(4), Value::i64(0), Value::i64(0)}).code, TrapCode::unaligned_atomic);
    EXPECT_EQ(trap_of(instance, "wait", {Value::i32(65536), Value::i32(0), Value::i64(0)}).code, TrapCode::memory_out_of_bounds);
    EXPECT_EQ(trap_of(instance, "notify", {Value::i32(65536), Value::i32(0)}).code, TrapCode::memory_out_of_bounds);
}

TEST_P(Wait, ThreadsWakeEachOther) {
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kThreadsModule));
    std::atomic<int> woken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            Guest other(guest.engine);
            other.linker.define("env", "memory", memory);
            if (result(other.instantiate(module), "wait", {Value::i32(16), Value::i32(0), Value::i64(-1)}) == Value::i32(0)) ++woken;
        });
    }
    Instance& instance = guest.instantiate(module);
    int notified = 0;
    for (int i = 0; i < 5000 && notified < 3; ++i) {
        notified += result(instance, "notify", {Value::i32(16), Value::i32(2)}).as_i32();
        std::this_thread::sleep_for(1ms);
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(notified, 3);
    EXPECT_EQ(woken, 3);
}

TEST_P(Wait, IsInterrupted) {
    Instance& instance = guest.instantiate(kThreadsModule);
    for (int i = 0; i < 5; ++i) {
        std::thread other([&] {
            std::this_thread::sleep_for(2ms);
            guest.store->interrupt();
        });
        EXPECT_EQ(trap_of(instance, "wait", {Value::i32(0), Value::i32(0), Value::i64(-1)}).code, TrapCode::interrupted);
        other.join();
    }
}

TEST_P(Wait, AtomicsAreAtomic) {
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kThreadsModule));
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            Guest other(guest.engine);
            other.linker.define("env", "memory", memory);
            EXPECT_TRUE(call(other.instantiate(module), "add_often", {Value::i32(64), Value::i32(20000)}));
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(result(guest.instantiate(module), "get", {Value::i32(64)}), Value::i32(60000));
}

POLLUX_IN_EVERY_MODE(Wait);

TEST(WaitAt, BlocksTheThreadWithoutAScheduler) {
    const auto engine = make_engine(kModes[0]);
    std::atomic<std::uint32_t> word{7};
    std::atomic<int> woken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            Guest guest(engine);
            if (wait_at(*guest.store, &word, 4, 7, -1) == WaitResult::woken) ++woken;
        });
    }
    std::uint32_t notified = 0;
    for (int i = 0; i < 5000 && notified < 3; ++i) {
        notified += notify_at(&word, 2);
        std::this_thread::sleep_for(1ms);
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(notified, 3U);
    EXPECT_EQ(woken, 3);
    EXPECT_EQ(notify_at(&word, 1), 0U);
}

TEST(WaitAt, ComparesTimesOutAndIsInterrupted) {
    Guest guest(make_engine(kModes[0]));
    std::uint64_t word = 0x1'0000'0000;
    EXPECT_EQ(wait_at(*guest.store, &word, 8, 0, -1), WaitResult::not_equal);
    EXPECT_EQ(wait_at(*guest.store, &word, 8, word, 0), WaitResult::timed_out);
    EXPECT_EQ(wait_at(*guest.store, &word, 4, 0, 2'000'000), WaitResult::timed_out);
    std::thread other([&] {
        std::this_thread::sleep_for(2ms);
        guest.store->interrupt();
    });
    const auto interrupted = wait_at(*guest.store, &word, 8, word, -1);
    ASSERT_FALSE(interrupted);
    EXPECT_EQ(interrupted.error(), TrapCode::interrupted);
    other.join();
}

/// A scheduler of the simplest kind: fibers run in turn until what they wait for has come.
class RoundRobin final : public Scheduler {
public:
    void run_until_done(Fiber& fiber) override { fiber.resume(); }
    void park(std::uint64_t) override { Fiber::suspend(); }
    void wake(Fiber&) override { ++wakes; }
    void yield() override { Fiber::suspend(); }
    void interrupted() noexcept override {}
    int wakes = 0;
};

TEST(WaitAt, ParksTheFiberWithAScheduler) {
    Guest guest(make_engine(kModes[0]));
    RoundRobin scheduler;
    guest.store->set_scheduler(&scheduler);
    std::uint32_t word = 0;
    std::string order;
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < 3; ++i) {
        fibers.push_back(must(Fiber::create(*guest.store, [&, i] {
            EXPECT_EQ(wait_at(*guest.store, &word, 4, 0, -1), WaitResult::woken);
            order += static_cast<char>('a' + i);
        })));
        fibers.back()->resume();
    }
    for (const auto& fiber : fibers) fiber->resume();
    EXPECT_EQ(order, "");
    EXPECT_EQ(notify_at(&word, 2), 2U);
    for (const auto& fiber : fibers) fiber->resume();
    EXPECT_EQ(order, "ab") << "those who came first";
    EXPECT_EQ(notify_at(&word, 5), 1U);
    fibers[2]->resume();
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(scheduler.wakes, 3);
}

}  // namespace
}  // namespace pollux::test
