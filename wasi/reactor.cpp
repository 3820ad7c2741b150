#include "wasi/reactor.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "jit/base/syscall.h"
#include "jit/runtime/sanitizer_fiber.h"

namespace pollux::wasi {
namespace {

constexpr std::uint64_t kNanoseconds = 1'000'000'000;
// What epoll hands back for our own descriptors; host descriptors are below 2^31.
constexpr std::uint64_t kWakeEvent = ~std::uint64_t{0};
constexpr std::uint64_t kRealtimeEvent = kWakeEvent - 1;
constexpr std::uint64_t kMonotonicEvent = kWakeEvent - 2;
constexpr std::size_t kEventBatch = 64;
// The kernel may wake epoll later than asked by 0.1 % of the timeout (0.5 % for niced processes). Longer waits are cut into two.
constexpr std::uint64_t kLongWait = 50'000'000;
constexpr std::uint64_t kDay = 86'400 * kNanoseconds;

std::mutex registry_mutex;
std::vector<Reactor*> registry;

std::uint64_t now(clockid_t clock) noexcept {
    timespec time{};
    static_cast<void>(::clock_gettime(clock, &time));
    return static_cast<std::uint64_t>(time.tv_sec) * kNanoseconds + static_cast<std::uint64_t>(time.tv_nsec);
}

timespec to_timespec(std::uint64_t ns) noexcept {
    timespec time{};
    time.tv_sec = static_cast<time_t>(ns / kNanoseconds);
    time.tv_nsec = static_cast<long>(ns % kNanoseconds);
    return time;
}

int epoll_pwait2_call(int epoll, epoll_event* events, int count, const timespec* timeout) noexcept {
#if defined(SYS_epoll_pwait2) && !defined(POLLUX_TSAN)  // which hands signals on at once only in waits that it knows
    return static_cast<int>(::syscall(SYS_epoll_pwait2, epoll, events, count, timeout, nullptr, std::size_t{8}));
#else
    static_cast<void>(epoll), static_cast<void>(events), static_cast<void>(count), static_cast<void>(timeout);
    errno = ENOSYS;
    return -1;
#endif
}

}  // namespace

std::uint64_t monotonic_now() noexcept { return now(CLOCK_MONOTONIC); }
std::uint64_t realtime_now() noexcept { return now(CLOCK_REALTIME); }

Result<std::unique_ptr<Reactor>> Reactor::create(TaskScheduler* scheduler) {
    std::unique_ptr<Reactor> reactor(new Reactor(scheduler));
    if (auto opened = reactor->open(); !opened) return std::unexpected(opened.error());
    const std::scoped_lock lock(registry_mutex);
    registry.push_back(reactor.get());
    return reactor;
}

Result<> Reactor::open() {
    const auto failed = [](const char* what) {
        return fail(ErrorKind::resource, std::string("cannot create the reactor: ") + what + ": " + sys::error_text(errno));
    };
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return failed("epoll_create1");
    wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return failed("eventfd");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeEvent;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) return failed("epoll_ctl");

    const timespec zero{};
    epoll_event unused{};
    if (!sys::available(sys::Call::epoll_pwait2) || epoll_pwait2_call(epoll_.get(), &unused, 1, &zero) < 0) {
        monotonic_timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (!monotonic_timer_) return failed("timerfd_create");
        event.data.u64 = kMonotonicEvent;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, monotonic_timer_.get(), &event) != 0) return failed("epoll_ctl");
    }
    return {};
}

Reactor::~Reactor() {
    const std::scoped_lock lock(registry_mutex);
    std::erase(registry, this);
}

void Reactor::wake() noexcept {
    const int saved_errno = errno;  // for signal handlers
    const std::uint64_t one = 1;
    // A full counter (EAGAIN) wakes as well.
    static_cast<void>(!::write(wake_.get(), &one, sizeof(one)));
    errno = saved_errno;
}

void Reactor::yield() {
    ParkObserver* const observer = std::exchange(observer_, nullptr);
    if (scheduler_ != nullptr) {
        scheduler_->yield();
    } else {
        wait(false);
    }
    observer_ = observer;
}

// --- parking ---------------------------------------------------------------------------------------------------------------------

Wake Reactor::park(std::span<const Interest> interests, Deadlines deadlines, const InterruptFlag* interrupt) {
    Wait wait;
    wait.interrupt = interrupt;
    wait.monotonic.deadline = deadlines.monotonic;
    wait.realtime.deadline = deadlines.realtime;
    return suspend(wait, interests);
}

Wake Reactor::suspend(Wait& wait, std::span<const Interest> interests) {
    std::array<Node, 4> few;
    std::vector<Node> many;
    if (interests.size() <= few.size()) {
        wait.nodes = std::span(few).first(interests.size());
    } else {
        many.resize(interests.size());
        wait.nodes = many;
    }
    {
        const std::scoped_lock lock(mutex_);
        if (wait.interrupt != nullptr && wait.interrupt->load() != 0) return Wake::interrupted;
        if (scheduler_ != nullptr) wait.task = scheduler_->current();
        if (!woken_.empty() && wait.task != nullptr && std::erase(woken_, wait.task) > 0) return Wake::ready;
        wait.next = parked_;
        if (parked_ != nullptr) parked_->previous = &wait;
        parked_ = &wait;
        for (std::size_t i = 0; i < interests.size() && !wait.done; ++i) {
            Node& node = wait.nodes[i];
            node.wait = &wait;
            node.interest = interests[i];
            const Armed armed = arm(node.interest.fd, node.interest.events);
            if (armed == Armed::yes) {
                link(node);
            } else {
                wait.task = nullptr;  // it is running: nobody has to make it ready
                finish(wait, armed == Armed::failed ? Wake::failed : Wake::ready);
            }
        }
        if (!wait.done) {
            monotonic_.push(wait);
            realtime_.push(wait);
        }
    }
    if (wait.done) return wait.reason;
    const bool in_place = wait.task == nullptr;  // also on a thread's own stack, which no scheduler can leave
    ParkObserver* const observer = std::exchange(observer_, nullptr);
    if (observer != nullptr) observer->parks();
    while (!wait.done) {
        if (!in_place) {
            scheduler_->suspend();
        } else {
            this->wait(true);
        }
    }
    if (observer != nullptr) observer->wakes(wait.reason);
    observer_ = observer;
    return wait.reason;
}

Wake Reactor::run_on_pool(const std::shared_ptr<BlockingCallBase>& call, const InterruptFlag* interrupt) {
    if (!completions_) {
        UniqueFd event(::fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0));
        if (!event) return Wake::failed;
        completions_ = std::make_shared<CompletionQueue>(std::move(event));
    }
    call->queue = completions_;
    if (!submit_blocking(call)) return Wake::failed;
    while (call->completed.load(std::memory_order_acquire) == 0) {
        Wait wait;
        wait.interrupt = interrupt;
        wait.completion = &call->completed;
        if (suspend(wait, {}) == Wake::interrupted) return Wake::interrupted;
    }
    return Wake::ready;
}

Reactor::Armed Reactor::arm(int fd, std::uint32_t events) {
    if (fd < 0) return Armed::always_ready;
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
    Watch& watch = watches_[index];
    if (watch.registered && (watch.armed & events) == events && watch.armed != 0) return Armed::yes;

    epoll_event event{};
    event.events = watch.armed | events | EPOLLONESHOT;
    event.data.u64 = index;
    int result = -1;
    if (watch.registered) result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    if (!watch.registered || (result != 0 && errno == ENOENT)) result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    if (result != 0 && errno == EEXIST) result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    if (result != 0) {
        watch.registered = false;
        watch.armed = 0;
        return errno == ENOMEM || errno == ENOSPC ? Armed::failed : Armed::always_ready;
    }
    watch.registered = true;
    watch.armed |= events;
    return Armed::yes;
}

void Reactor::link(Node& node) {
    Watch& watch = watches_[static_cast<std::size_t>(node.interest.fd)];
    node.next = watch.waiters;
    if (watch.waiters != nullptr) watch.waiters->previous = &node;
    watch.waiters = &node;
    node.linked = true;
}

void Reactor::unlink(Node& node) noexcept {
    if (!node.linked) return;
    node.linked = false;
    if (node.next != nullptr) node.next->previous = node.previous;
    if (node.previous != nullptr) {
        node.previous->next = node.next;
    } else {
        watches_[static_cast<std::size_t>(node.interest.fd)].waiters = node.next;
    }
}

void Reactor::finish(Wait& wait, Wake reason) noexcept {
    for (Node& node : wait.nodes) unlink(node);
    monotonic_.remove(wait);
    realtime_.remove(wait);
    if (wait.next != nullptr) wait.next->previous = wait.previous;
    if (wait.previous != nullptr) {
        wait.previous->next = wait.next;
    } else {
        parked_ = wait.next;
    }
    wait.reason = reason;
    wait.done = true;
    ++finished_;
    if (wait.task != nullptr) scheduler_->make_ready(wait.task);
}

// --- waiting ---------------------------------------------------------------------------------------------------------------------

void Reactor::wait(bool may_block) {
    std::uint64_t timeout = 0;
    {
        const std::scoped_lock lock(mutex_);
        const std::uint64_t finished_before = finished_;
        fire_deadlines();
        dispatch_kicked();
        if (may_block && parked_ != nullptr && finished_ == finished_before) {
            timeout = kNever;
            if (const std::uint64_t deadline = monotonic_.earliest(); deadline != kNever) {
                const std::uint64_t at = monotonic_now();
                timeout = deadline > at ? deadline - at : 0;
            }
            arm_realtime_timer();
        }
    }
    std::array<epoll_event, kEventBatch> events;
    const int count = wait_for_events(events, timeout);
    const std::scoped_lock lock(mutex_);
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const std::uint64_t source = event.data.u64;
        if (source == kWakeEvent) {
            drain_wake();
            dispatch_kicked();
            check_flags();
        } else if (source == kRealtimeEvent) {
            std::uint64_t expirations = 0;
            // Fired, or the clock was stepped (ECANCELED): either way it has to be armed again.
            static_cast<void>(!::read(realtime_timer_.get(), &expirations, sizeof(expirations)));
            realtime_armed_ = kNever;
        } else if (source == kMonotonicEvent) {
            std::uint64_t expirations = 0;
            static_cast<void>(!::read(monotonic_timer_.get(), &expirations, sizeof(expirations)));
        } else {
            dispatch(static_cast<int>(source), event.events);
        }
    }
    fire_deadlines();
}

int Reactor::wait_for_events(std::span<epoll_event> events, std::uint64_t timeout) noexcept {
    const int capacity = static_cast<int>(events.size());
    if (timeout != kNever && timeout > kLongWait) timeout = std::min(timeout - timeout / 128, kDay);
    if (!monotonic_timer_) {
        const timespec time = to_timespec(timeout);
        return sys::call<sys::Call::epoll_pwait2>(
            [&] { return epoll_pwait2_call(epoll_.get(), events.data(), capacity, timeout == kNever ? nullptr : &time); });
    }
    const auto wait = [&](int milliseconds) {
        return sys::call<sys::Call::epoll_pwait>(
            [&] { return ::epoll_pwait(epoll_.get(), events.data(), capacity, milliseconds, nullptr); });
    };
    if (timeout == 0 || timeout == kNever) return wait(timeout == 0 ? 0 : -1);
    itimerspec timer{};
    timer.it_value = to_timespec(timeout);
    if (::timerfd_settime(monotonic_timer_.get(), 0, &timer, nullptr) != 0)
        return wait(static_cast<int>(std::min(timeout, kDay) / 1'000'000 + 1));
    return wait(-1);
}

void Reactor::dispatch(int fd, std::uint32_t events) noexcept {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watches_.size()) return;
    watches_[index].armed = 0;  // EPOLLONESHOT
    std::uint32_t remaining = 0;
    for (Node* node = watches_[index].waiters; node != nullptr;) {
        if ((events & (node->interest.events | EPOLLERR | EPOLLHUP)) != 0) {
            finish(*node->wait, Wake::ready);
            node = watches_[index].waiters;  // that may have unlinked several nodes
            remaining = 0;
        } else {
            remaining |= node->interest.events;
            node = node->next;
        }
    }
    if (remaining != 0 && arm(fd, remaining) != Armed::yes) {
        while (watches_[index].waiters != nullptr) finish(*watches_[index].waiters->wait, Wake::ready);
    }
}

void Reactor::fire_deadlines() noexcept {
    if (!monotonic_.empty()) {
        const std::uint64_t at = monotonic_now();
        while (monotonic_.earliest() <= at) finish(monotonic_.front(), Wake::deadline);
    }
    if (!realtime_.empty()) {
        const std::uint64_t at = realtime_now();
        while (realtime_.earliest() <= at) finish(realtime_.front(), Wake::deadline);
    }
}

void Reactor::check_flags() noexcept {
    for (Wait* wait = parked_; wait != nullptr;) {
        Wait* const next = wait->next;
        if (wait->interrupt != nullptr && wait->interrupt->load() != 0) {
            finish(*wait, Wake::interrupted);
        } else if (wait->completion != nullptr && wait->completion->load(std::memory_order_acquire) != 0) {
            finish(*wait, Wake::ready);
        } else if (!woken_.empty() && wait->task != nullptr && std::erase(woken_, wait->task) > 0) {
            finish(*wait, Wake::ready);
        }
        wait = next;
    }
}

void Reactor::dispatch_kicked() noexcept {
    for (const int fd : kicked_) {
        const auto index = static_cast<std::size_t>(fd);
        while (index < watches_.size() && watches_[index].waiters != nullptr) finish(*watches_[index].waiters->wait, Wake::ready);
    }
    kicked_.clear();
}

void Reactor::arm_realtime_timer() noexcept {
    const std::uint64_t deadline = realtime_.earliest();
    if (deadline == realtime_armed_) return;
    if (!realtime_timer_) {
        realtime_timer_.reset(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = kRealtimeEvent;
        if (!realtime_timer_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, realtime_timer_.get(), &event) != 0) {
            while (!realtime_.empty()) finish(realtime_.front(), Wake::failed);
            return;
        }
    }
    itimerspec timer{};
    // 1677 years at most: what a signed 64-bit count of ns holds from 1970 is far enough.
    if (deadline != kNever) timer.it_value = to_timespec(std::min<std::uint64_t>(deadline, INT64_MAX));
    for (int tries = 0; tries < 2; ++tries) {  // ECANCELED: the clock was stepped since the last reading; the timer is set nevertheless
        if (::timerfd_settime(realtime_timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &timer, nullptr) == 0) break;
    }
    realtime_armed_ = deadline;
}

void Reactor::drain_wake() noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!::read(wake_.get(), &count, sizeof(count)));
}

// --- from other threads ----------------------------------------------------------------------------------------------------------

void Reactor::wake_task(TaskScheduler::Task task) {
    {
        const std::scoped_lock lock(mutex_);
        if (std::ranges::find(woken_, task) == woken_.end()) woken_.push_back(task);
    }
    wake();
}

void Reactor::wake_descriptor(int fd) noexcept {
    const std::scoped_lock registry_lock(registry_mutex);
    for (Reactor* reactor : registry) {
        bool waiting = false;
        {
            const std::scoped_lock lock(reactor->mutex_);
            const auto index = static_cast<std::size_t>(fd);
            waiting = fd >= 0 && index < reactor->watches_.size() && reactor->watches_[index].waiters != nullptr;
            if (waiting) reactor->kicked_.push_back(fd);
        }
        if (waiting) reactor->wake();
    }
}

void Reactor::forget(int fd) noexcept {
    const std::scoped_lock registry_lock(registry_mutex);
    for (Reactor* reactor : registry) {
        const std::scoped_lock lock(reactor->mutex_);
        const auto index = static_cast<std::size_t>(fd);
        if (fd < 0 || index >= reactor->watches_.size()) continue;
        Watch& watch = reactor->watches_[index];
        if (watch.registered) static_cast<void>(::epoll_ctl(reactor->epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
        watch.registered = false;
        watch.armed = 0;
        if (watch.waiters != nullptr) {  // an embedder closed it under them: a task of ours would hold the descriptor
            reactor->kicked_.push_back(fd);
            reactor->wake();
        }
    }
}

}  // namespace pollux::wasi
