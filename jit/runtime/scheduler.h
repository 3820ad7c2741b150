// What the runtime asks of whoever waits on behalf of fibers; the WASI reactor implements it.
//
// A store without a scheduler waits by blocking its thread.
#pragma once

#include <cstdint>

namespace pollux {

class Fiber;

class Scheduler {
public:
    static constexpr std::uint64_t kNoDeadline = ~std::uint64_t{0};

    virtual ~Scheduler() = default;
    /// Called on the thread's own stack: runs ready fibers and waits for events until `fiber` is done.
    virtual void run_until_done(Fiber& fiber) = 0;
    /// Called on a fiber: suspends it until wake(fiber), the deadline (CLOCK_MONOTONIC, ns) or an interruption of its store. May return
    /// early.
    virtual void park(std::uint64_t deadline) = 0;
    /// Makes a parked fiber ready. From any thread; `fiber` is alive during the call.
    virtual void wake(Fiber& fiber) = 0;
    /// Called on a fiber: lets other ready fibers run first.
    virtual void yield() = 0;
    /// A store has been interrupted: its parked fibers must go on and look at Store::interrupted(). From any thread and from signal
    /// handlers.
    virtual void interrupted() noexcept = 0;
};

}  // namespace pollux
