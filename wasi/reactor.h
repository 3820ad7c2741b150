// The reactor: where tasks wait for descriptors, clocks and blocking calls, all in one epoll_pwait2.
//
//   park(interests, deadlines) ──► watch list per host descriptor, deadline heaps ──► the task is suspended
//   wait() ──► epoll_pwait2 ──► descriptors ready · deadlines passed · blocking calls completed · interrupts ──► make_ready(task)
//
// A wake-up is a hint: whoever parked tries its operation again and may park again. A descriptor is registered with
// EPOLLONESHOT and stays registered between parks, disarmed or armed, until forget(): a park for what is still armed costs
// no system call, and nothing spins. Descriptors that epoll refuses (regular files, /dev/null) are always ready and never enter it.
// One reactor belongs to one thread; wake(), interrupt checks, wake_descriptor() and forget() may come from any thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "jit/base/error.h"
#include "jit/base/unique_fd.h"
#include "wasi/blocking_pool.h"
#include "wasi/deadline_heap.h"
#include "wasi/task_scheduler.h"

namespace pollux::wasi {

/// ns of CLOCK_MONOTONIC and CLOCK_REALTIME.
[[nodiscard]] std::uint64_t monotonic_now() noexcept;
[[nodiscard]] std::uint64_t realtime_now() noexcept;

/// What a task waits for on a host descriptor: EPOLLIN, EPOLLOUT, EPOLLRDHUP. Errors and hang-ups always wake.
struct Interest {
    int fd = -1;
    std::uint32_t events = 0;
};

/// Absolute deadlines in ns; kNever: none. The realtime one follows steps of the clock.
struct Deadlines {
    std::uint64_t monotonic = kNever;
    std::uint64_t realtime = kNever;
};

enum class Wake : std::uint8_t {
    ready,        ///< a descriptor may be ready, or was closed, or a blocking call has completed
    deadline,     ///< a deadline has passed
    interrupted,  ///< the task's interrupt flag is set: the guest must end
    failed,       ///< out of memory or descriptors: nothing was waited for
};

/// A guest's request to end: set the flag, then Reactor::wake().
using InterruptFlag = std::atomic<std::uint32_t>;

/// Who wants to know when a task parks, and when it goes on.
class ParkObserver {
public:
    virtual void parks() = 0;
    virtual void wakes(Wake reason) = 0;

protected:
    ~ParkObserver() = default;
};

class Reactor {
public:
    /// `scheduler` may be null (one task, which waits in place) and must outlive the reactor.
    [[nodiscard]] static Result<std::unique_ptr<Reactor>> create(TaskScheduler* scheduler = nullptr);
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// Suspends the running task until one of `interests` may be ready, a deadline has passed, or `interrupt` is set and wake() called.
    [[nodiscard]] Wake park(std::span<const Interest> interests, Deadlines deadlines, const InterruptFlag* interrupt);
    [[nodiscard]] Wake park(Interest interest, const InterruptFlag* interrupt) { return park({&interest, 1}, {}, interrupt); }

    /// Who is told about the running task's parks from now on; null: nobody. Other tasks have their own.
    void observe(ParkObserver* observer) noexcept { observer_ = observer; }

    /// Runs `function` where it may block: on a blocking-call thread while the task is parked, or right here if no other task exists and
    /// `always_thread` is false. `function` must own everything that it uses, for an interrupted task abandons it.
    /// The error is Wake::interrupted, or Wake::failed when no thread is to be had.
    template <class F>
    [[nodiscard]] auto call_blocking(F function, const InterruptFlag* interrupt, bool always_thread = false)
        -> std::expected<std::invoke_result_t<F&>, Wake> {
        if (!always_thread && !has_other_tasks()) return function();
        auto call = std::make_shared<BlockingCall<F>>(std::move(function));
        if (const Wake wake = run_on_pool(call, interrupt); wake != Wake::ready) return std::unexpected(wake);
        return std::move(*call->result);
    }

    /// Waits until something wakes a task, or not at all, and makes those tasks ready. For the scheduler's loop.
    void wait(bool may_block);
    /// Whether a task is parked.
    [[nodiscard]] bool has_parked() const noexcept { return parked_ != nullptr; }
    void yield();
    [[nodiscard]] bool has_other_tasks() noexcept { return scheduler_ != nullptr && scheduler_->has_others(); }
    /// The scheduler of this reactor's tasks from now on. Nothing may be parked.
    void set_scheduler(TaskScheduler* scheduler) noexcept { scheduler_ = scheduler; }

    /// Ends the present wait() and looks at the interrupt flags. Async-signal-safe, any thread.
    void wake() noexcept;

    /// Ends the park of this task of the scheduler, or its next one. Any thread.
    void wake_task(TaskScheduler::Task task);

    /// In every reactor of the process: wakes the tasks that wait for this host descriptor, to see that it was closed or replaced.
    static void wake_descriptor(int fd) noexcept;
    /// In every reactor: takes the descriptor out of epoll. To be called before a descriptor that was parked on is closed.
    static void forget(int fd) noexcept;

private:
    struct Wait;
    /// One interest of a parked task, in the list of its descriptor.
    struct Node {
        Wait* wait = nullptr;
        Node* previous = nullptr;
        Node* next = nullptr;
        Interest interest;
        bool linked = false;
    };
    struct Wait {
        TaskScheduler::Task task = nullptr;
        const InterruptFlag* interrupt = nullptr;
        const std::atomic<std::uint32_t>* completion = nullptr;  ///< of a blocking call
        DeadlineSlot monotonic;
        DeadlineSlot realtime;
        std::span<Node> nodes;
        Wait* previous = nullptr;
        Wait* next = nullptr;
        bool done = false;
        Wake reason = Wake::ready;
    };
    struct Watch {
        Node* waiters = nullptr;
        std::uint32_t armed = 0;  ///< events that epoll will report; 0: disarmed
        bool registered = false;
    };

    explicit Reactor(TaskScheduler* scheduler) noexcept : scheduler_(scheduler) {}
    Result<> open();
    [[nodiscard]] Wake run_on_pool(const std::shared_ptr<BlockingCallBase>& call, const InterruptFlag* interrupt);

    // All of these with mutex_ held.
    enum class Armed : std::uint8_t { yes, always_ready, failed };
    Armed arm(int fd, std::uint32_t events);
    void link(Node& node);
    void unlink(Node& node) noexcept;
    void finish(Wait& wait, Wake reason) noexcept;
    void dispatch(int fd, std::uint32_t events) noexcept;
    void fire_deadlines() noexcept;
    void check_flags() noexcept;
    void dispatch_kicked() noexcept;
    void arm_realtime_timer() noexcept;

    [[nodiscard]] Wake suspend(Wait& wait, std::span<const Interest> interests);
    [[nodiscard]] int wait_for_events(std::span<epoll_event> events, std::uint64_t timeout) noexcept;
    void drain_wake() noexcept;

    mutable std::mutex mutex_;
    TaskScheduler* scheduler_;
    ParkObserver* observer_ = nullptr;  ///< of the running task
    UniqueFd epoll_;
    UniqueFd wake_;  ///< eventfd
    UniqueFd realtime_timer_;  ///< timerfd with TFD_TIMER_CANCEL_ON_SET
    UniqueFd monotonic_timer_;  ///< timerfd, only where epoll_pwait2 is not available
    std::uint64_t realtime_armed_ = kNever;
    std::vector<Watch> watches_;  ///< by host descriptor
    std::vector<int> kicked_;  ///< host descriptors whose tasks wake_descriptor() woke
    std::vector<TaskScheduler::Task> woken_;  ///< by wake_task()
    Wait* parked_ = nullptr;
    std::uint64_t finished_ = 0;  ///< waits that have ended so far
    DeadlineHeap<Wait, &Wait::monotonic> monotonic_;
    DeadlineHeap<Wait, &Wait::realtime> realtime_;
    std::shared_ptr<CompletionQueue> completions_;
};

}  // namespace pollux::wasi
