// What the reactor needs of a scheduler of suspendable tasks (fibers), so that it knows neither fibers nor wasm.
//
// A reactor without a scheduler serves one task: parking then waits right there, on the caller's stack.
#pragma once

namespace pollux::wasi {

class TaskScheduler {
public:
    using Task = void*;

    virtual ~TaskScheduler() = default;
    /// The task that is running on this thread.
    [[nodiscard]] virtual Task current() noexcept = 0;
    /// Leaves the running task's stack; returns after make_ready() was called for it. Meanwhile the scheduler runs other tasks, and calls
    /// Reactor::wait() when none is ready.
    virtual void suspend() noexcept = 0;
    /// The task may go on. Called by the reactor on its thread, from Reactor::wait() or from another task's park.
    virtual void make_ready(Task task) noexcept = 0;
    /// Lets other ready tasks run first.
    virtual void yield() = 0;
    /// Whether other tasks than the running one exist, which a blocking system call would hold up.
    [[nodiscard]] virtual bool has_others() noexcept = 0;
};

}  // namespace pollux::wasi
