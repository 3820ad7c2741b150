#include "wasi/fiber_scheduler.h"

#include <algorithm>
#include <utility>

#include "jit/runtime/store.h"

namespace pollux::wasi {
namespace {

/// ns in which all that are runnable have a turn, if time slices between the shortest and the longest allow that.
constexpr std::uint64_t kRound = 20'000'000;
constexpr std::uint64_t kShortestSlice = 1'000'000;
/// Turns, and ns, before looking for events again.
constexpr unsigned kTurnsPerLook = 16;
constexpr std::uint64_t kLookEvery = 1'000'000;

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

void FiberScheduler::look_for_events(bool may_block) {
    reactor_->wait(may_block);
    now_ = monotonic_now();
    next_look_ = now_ + kLookEvery;
    turns_ = 0;
}

void FiberScheduler::look_now_and_then() {
    if (++turns_ >= kTurnsPerLook || now_ >= next_look_) look_for_events(false);
}

void FiberScheduler::step() {
    if (has_runnable()) {
        look_now_and_then();
    } else {
        look_for_events(true);
    }
    const bool spent_first = !spent_.empty() && (ready_.empty() || now_ >= spent_turn_);
    std::deque<Fiber*>& queue = spent_first ? spent_ : ready_;
    if (queue.empty()) return;
    Fiber& next = *queue.front();
    queue.pop_front();
    resume(next);
    if (spent_first) spent_turn_ = now_ + slice_;
}

void FiberScheduler::resume(Fiber& fiber) {
    if (!timer_ && has_others()) timer_ = std::make_unique<PreemptionTimer>();
    slice_ = std::clamp(kRound / (1 + ready_.size() + spent_.size()), kShortestSlice, PreemptionTimer::kTimeSlice);
    if (timer_) timer_->watch(has_others() ? &fiber.store() : nullptr, now_ + slice_);
    fiber.resume();
    if (timer_) timer_->watch(nullptr, 0);
    now_ = monotonic_now();
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
    const std::uint64_t resumed = std::exchange(now_, monotonic_now());
    look_now_and_then();
    if (!has_runnable()) return;
    if (now_ - resumed < slice_ / 2) {
        ready_.push_back(fiber);
    } else {
        if (spent_.empty()) spent_turn_ = now_ + slice_;
        spent_.push_back(fiber);
    }
    Fiber::suspend();
}

}  // namespace pollux::wasi
