// Switching between the stacks of guests: ns for one switch there and back, and for making and ending a fiber.
#include <memory>
#include <vector>

#include "bench/run_guest.h"
#include "wasi/fiber_scheduler.h"

namespace pollux::bench {
namespace {

/// resume() and suspend(): two switches.
void resume_suspend(benchmark::State& state) {
    const auto store = need(Store::create(shared_engine()));
    bool end = false;
    const auto fiber = need(Fiber::create(*store, [&] {
        while (!end) Fiber::suspend();
    }));
    for (auto _ : state) fiber->resume();
    end = true;
    fiber->resume();
}

/// The same in turn with many fibers, each with its own store: their stacks and contexts compete for the caches.
void round_robin(benchmark::State& state) {
    bool end = false;
    std::vector<std::unique_ptr<Store>> stores;
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        stores.push_back(need(Store::create(shared_engine())));
        fibers.push_back(need(Fiber::create(*stores.back(), [&] {
            while (!end) Fiber::suspend();
        })));
    }
    for (auto _ : state) {
        for (const auto& fiber : fibers) fiber->resume();
    }
    end = true;
    for (const auto& fiber : fibers) fiber->resume();
    using benchmark::Counter;
    state.counters["s/round_trip"] = Counter(static_cast<double>(state.iterations() * state.range(0)), Counter::kIsRate | Counter::kInvert);
}

/// A fiber that is made, runs to its end at once, and is freed.
void create_run_end(benchmark::State& state) {
    const auto store = need(Store::create(shared_engine()));
    for (auto _ : state) need(Fiber::create(*store, [] {}))->resume();
}

/// Two fibers that yield to each other through the scheduler: ns for one yield.
void yield(benchmark::State& state) {
    constexpr int kYields = 10'000;
    const auto store = need(Store::create(shared_engine()));
    for (auto _ : state) {
        const auto scheduler = need(wasi::FiberScheduler::create());
        const auto body = [&] {
            for (int i = 0; i < kYields; ++i) scheduler->yield();
        };
        const auto first = need(Fiber::create(*store, body)), second = need(Fiber::create(*store, body));
        scheduler->spawn(*first);
        scheduler->spawn(*second);
        scheduler->run();
    }
    using benchmark::Counter;
    state.counters["s/yield"] = Counter(2.0 * kYields * static_cast<double>(state.iterations()), Counter::kIsRate | Counter::kInvert);
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    add("fiber/resume_suspend", resume_suspend);
    add("fiber/round_robin", round_robin)->Arg(10)->Arg(1000);
    add("fiber/create_run_end", create_run_end);
    add("fiber/yield", yield);
    return run_all(argc, argv);
}
