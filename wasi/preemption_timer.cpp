#include "wasi/preemption_timer.h"

#include <chrono>

#include "jit/runtime/store.h"
#include "wasi/reactor.h"
#include "wasi/signal_mask.h"

namespace pollux::wasi {

PreemptionTimer::PreemptionTimer() {
    const BlockedSignals blocked;
    const auto run = [](void* self) -> void* { return static_cast<PreemptionTimer*>(self)->serve(), nullptr; };
    started_ = ::pthread_create(&thread_, nullptr, run, this) == 0;
}

PreemptionTimer::~PreemptionTimer() {
    {
        const std::scoped_lock lock(mutex_);
        stop_ = true;
    }
    changed_.notify_one();
    if (started_) static_cast<void>(::pthread_join(thread_, nullptr));
}

void PreemptionTimer::watch(Store* store, std::uint64_t deadline) noexcept {
    bool wake = false;
    {
        const std::scoped_lock lock(mutex_);
        running_ = store;
        deadline_ = deadline;
        wake = store != nullptr && deadline < wakes_at_;
        if (wake) wakes_at_ = deadline;
    }
    if (wake) changed_.notify_one();
}

void PreemptionTimer::serve() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        if (running_ == nullptr) {
            wakes_at_ = kNever;
            changed_.wait(lock);
        } else if (const std::uint64_t now = monotonic_now(); now < deadline_) {
            wakes_at_ = deadline_;
            // steady_clock is CLOCK_MONOTONIC.
            changed_.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline_)));
        } else {
            running_->request_yield();
            deadline_ = now + kTimeSlice;
        }
    }
}

}  // namespace pollux::wasi
