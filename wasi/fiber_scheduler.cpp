#include "wasi/fiber_scheduler.h"

#include <algorithm>

#include "jit/runtime/store.h"

namespace pollux::wasi {
namespace {

/// Ready fibers to run before looking for events again.
constexpr unsigned kFibersPerLook = 16;

}  // namespace

Result<std::shared_ptr<FiberScheduler>> FiberScheduler::create() {
    std::shared_ptr<FiberScheduler> scheduler(new FiberScheduler);
    auto reactor = Reactor::create(scheduler.get());
    if (!reactor) return std::unexpected(reactor.error());
    scheduler->reactor_ = std::move(*reactor);
    return scheduler;
}

FiberScheduler::~FiberScheduler() = default;

void FiberScheduler::spawn(Fiber& fiber) {
    spawned_.push_back(&fiber);
    ready_.push_back(&fiber);
}

void FiberScheduler::run() {
    while (!spawned_.empty()) step();
}

void FiberScheduler::run_until_done(Fiber& fiber) {
    while (!fiber.done()) step();
}

void FiberScheduler::step() {
    if (ready_.empty()) {
        reactor_->wait(true);
    } else if (++since_events_ >= kFibersPerLook) {
        since_events_ = 0;
        reactor_->wait(false);
    }
    if (ready_.empty()) return;
    Fiber* const next = ready_.front();
    ready_.pop_front();
    resume(*next);
}

void FiberScheduler::resume(Fiber& fiber) {
    if (!timer_ && has_others()) timer_ = std::make_unique<PreemptionTimer>();
    if (timer_) timer_->watch(has_others() ? &fiber.store() : nullptr);
    fiber.resume();
    if (timer_) timer_->watch(nullptr);
    if (fiber.done()) std::erase(spawned_, &fiber);
}

void FiberScheduler::park(std::uint64_t deadline) {
    const Fiber* const fiber = Fiber::current();
    const InterruptFlag* const interrupt = fiber != nullptr ? &fiber->store().interrupt_flag() : nullptr;
    static_cast<void>(reactor_->park({}, Deadlines{.monotonic = deadline}, interrupt));
}

void FiberScheduler::wake(Fiber& fiber) { reactor_->wake_task(&fiber); }

void FiberScheduler::yield() {
    Fiber* const fiber = Fiber::current();
    if (fiber == nullptr || !has_others()) return;
    since_events_ = kFibersPerLook;  // one of the parked may be ready by now
    ready_.push_back(fiber);
    Fiber::suspend();
}

}  // namespace pollux::wasi
