#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

class Interrupts : public EveryMode {
protected:
    Instance& instance = guest.instantiate(kLoopModule);
};

TEST_P(Interrupts, EndlessLoops) {
    for (const char* name : {"spin", "call_for_ever", "fill_for_ever"}) {
        int in_the_guest = 0;  // and not before it began, which a busy machine can make happen
        for (int i = 0; i < 500 && in_the_guest < 5; ++i) {
            std::thread other([&] {
                std::this_thread::sleep_for(3ms);
                guest.store->interrupt(TrapCode::interrupted);
            });
            const Trap trap = trap_of(instance, name);
            other.join();
            EXPECT_EQ(trap.code, TrapCode::interrupted) << name;
            if (trap.frames.empty()) continue;
            ++in_the_guest;
            EXPECT_EQ(trap.frames.back().module->function_name(trap.frames.back().function), name);
        }
        EXPECT_EQ(in_the_guest, 5) << name;
    }
    EXPECT_EQ(result(instance, "sum", {Value::i32(10)}), Value::i32(65));
}

TEST_P(Interrupts, BeforeTheCall) {
    guest.store->interrupt(TrapCode::host_exit);
    EXPECT_EQ(trap_of(instance, "spin").code, TrapCode::host_exit);
    EXPECT_EQ(result(instance, "sum", {Value::i32(10)}), Value::i32(65)) << "an interrupt is used up by the call that it ended";
    guest.store->interrupt();
    guest.store->clear_interrupt();
    EXPECT_EQ(result(instance, "sum", {Value::i32(10)}), Value::i32(65));
}

TEST_P(Interrupts, YieldingChangesNothing) {
    // Any register or flag that the preempt stub lost would change the sum.
    std::int32_t expected = 0;
    for (std::int32_t i = 5'000'000; i != 0; --i)
        expected = static_cast<std::int32_t>(static_cast<std::uint32_t>(expected) + static_cast<std::uint32_t>(i) + 1);
    static int yields;
    yields = 0;
    guest.store->set_yield_hook([](Store&) { ++yields; });
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop.load()) {
            guest.store->request_yield();
            std::this_thread::sleep_for(50us);
        }
    });
    for (int i = 0; i < 10; ++i) EXPECT_EQ(result(instance, "sum", {Value::i32(5'000'000)}), Value::i32(expected));
    stop = true;
    other.join();
    EXPECT_GT(yields, 0);
}

TEST_P(Interrupts, PreemptiveFibers) {
    guest.store->set_yield_hook([](Store&) { Fiber::suspend(); });
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop.load()) {
            guest.store->request_yield();
            std::this_thread::sleep_for(100us);
        }
    });
    int done = 0;
    int resumes = 0;
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < 4; ++i) {
        fibers.push_back(must(Fiber::create(*guest.store, [&] {
            // Until preemption has made enough turns, however late the other thread runs.
            do EXPECT_EQ(result(instance, "sum", {Value::i32(3'000'000)}).kind, wasm::Kind::i32);
            while (resumes <= 8);
            ++done;
        })));
    }
    for (bool running = true; running;) {
        running = false;
        for (const auto& fiber : fibers) {
            if (fiber->done()) continue;
            fiber->resume();
            ++resumes;
            running = true;
        }
    }
    stop = true;
    other.join();
    EXPECT_EQ(done, 4);
}

POLLUX_IN_EVERY_MODE(Interrupts);

TEST(Fuel, EndsTheGuest) {
    Guest guest(make_engine({"fuel", CompileMode::eager, BoundsOption::guard_pages, true}));
    Instance& instance = guest.instantiate(kLoopModule);
    guest.store->set_fuel(100'000);
    EXPECT_EQ(trap_of(instance, "spin").code, TrapCode::fuel_exhausted);
    EXPECT_EQ(guest.store->fuel_left(), 0);
    const std::int64_t rounds = instance.global(0).get().as_i64();
    EXPECT_GT(rounds, 100);
    EXPECT_LE(rounds, 100'000);
    guest.store->set_fuel(1'000'000);
    EXPECT_EQ(result(instance, "sum", {Value::i32(10)}), Value::i32(65));
    EXPECT_LT(guest.store->fuel_left(), 1'000'000);
    EXPECT_GT(guest.store->fuel_left(), 900'000);
}

}  // namespace
}  // namespace pollux::test
