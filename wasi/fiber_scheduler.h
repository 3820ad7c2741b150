// The runtime's fibers in the reactor: runs ready fibers, and waits in the reactor when there are none.
//
// It is the runtime's Scheduler (what stores wait with) and the reactor's TaskScheduler (what it suspends). One per thread; stores of one
// thread that share it wait together. Only wake() and interrupted() may come from other threads.
#pragma once

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
    [[nodiscard]] bool has_others() noexcept override { return !ready_.empty() || reactor_->has_parked(); }

    void step();
    void resume(Fiber& fiber);

    std::unique_ptr<Reactor> reactor_;
    std::deque<Fiber*> ready_;
    std::vector<Fiber*> spawned_;   ///< and not done
    unsigned since_events_ = 0;     ///< fibers resumed since the reactor last looked for events
    std::unique_ptr<PreemptionTimer> timer_;  ///< made when there is more than one fiber to run
};

}  // namespace pollux::wasi
