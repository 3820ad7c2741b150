// The runtime's fibers in the reactor: runs ready fibers, and waits in the reactor when there are none.
//
// Two queues. A fiber that was woken, or that yielded after less than half of its time slice, is *ready*. One that yielded later, or was
// made to at the slice's end, is *spent*. Ready fibers go first, so that guests that wait for input are not held up by those that compute.
// A spent fiber has its turn when no fiber is ready, and at the latest when ready ones have run for a slice since the last such turn:
// neither queue starves. The more fibers are runnable, the shorter are slices. Events are looked for every millisecond or 16 turns.
//
// It is the runtime's Scheduler (what stores wait with) and the reactor's TaskScheduler (what it suspends). One per thread; stores of one
// thread that share it wait together. Only wake() and interrupted() may come from other threads.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "jit/base/error.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/scheduler.h"
#include "wasi/preemption_timer.h"
#include "wasi/reactor.h"
#include "wasi/task_scheduler.h"

namespace pollux::wasi {

class FiberScheduler final : public Scheduler, private TaskScheduler {
public:
    [[nodiscard]] static Result<std::shared_ptr<FiberScheduler>> create();
    ~FiberScheduler() override;

    [[nodiscard]] Reactor& reactor() noexcept { return *reactor_; }

    /// A fiber that has not begun: it runs when run() or run_until_done() next gets to it. It must stay alive until it is done.
    void spawn(Fiber& fiber);
    /// Runs fibers until all that were spawned are done.
    void run();

    void run_until_done(Fiber& fiber) override;
    void park(std::uint64_t deadline) override;
    void wake(Fiber& fiber) override;
    void yield() override;
    void interrupted() noexcept override { reactor_->wake(); }

private:
    FiberScheduler() = default;

    // TaskScheduler
    [[nodiscard]] Task current() noexcept override { return Fiber::current(); }
    void suspend() noexcept override { Fiber::suspend(); }
    void make_ready(Task task) noexcept override { ready_.push_back(static_cast<Fiber*>(task)); }
    [[nodiscard]] bool has_others() noexcept override { return has_runnable() || reactor_->has_parked(); }

    [[nodiscard]] bool has_runnable() const noexcept { return !ready_.empty() || !spent_.empty(); }
    void look_for_events(bool may_block);
    void look_now_and_then();
    void step();
    void resume(Fiber& fiber);

    std::unique_ptr<Reactor> reactor_;
    std::deque<Fiber*> ready_;
    std::deque<Fiber*> spent_;
    std::vector<Fiber*> spawned_;  ///< and not done
    // Times are of CLOCK_MONOTONIC, ns.
    std::uint64_t now_ = 0;  ///< when the last fiber stopped or events were looked for
    std::uint64_t next_look_ = 0;  ///< for events
    std::uint64_t spent_turn_ = 0;  ///< from when on a spent fiber goes first
    std::uint64_t slice_ = PreemptionTimer::kTimeSlice;  ///< of the running fiber
    unsigned turns_ = 0;  ///< since events were looked for
    std::unique_ptr<PreemptionTimer> timer_;  ///< made when there is more than one fiber to run
};

}  // namespace pollux::wasi
