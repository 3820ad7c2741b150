#include "tools/pollux/time_limit.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "jit/runtime/store.h"

namespace pollux::cli {

TimeLimit::TimeLimit(Store& store, std::optional<std::uint64_t> nanoseconds) {
    if (!nanoseconds) return;
    constexpr std::uint64_t kLongest = std::uint64_t{1} << 60;  // 36 years: later deadlines might not fit
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(std::min(*nanoseconds, kLongest));
    // The new thread takes no signals: they are for the thread that runs the guest.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, &store, deadline] {
        std::unique_lock lock(mutex_);
        if (!ended_changed_.wait_until(lock, deadline, [this] { return ended_; })) store.interrupt(TrapCode::interrupted);
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TimeLimit::~TimeLimit() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    ended_changed_.notify_all();
    thread_.join();
}

}  // namespace pollux::cli
