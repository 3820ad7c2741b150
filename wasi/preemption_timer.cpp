#include "wasi/preemption_timer.h"

#include "jit/runtime/store.h"
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

void PreemptionTimer::watch(Store* store) noexcept {
    bool wake = false;
    {
        const std::scoped_lock lock(mutex_);
        // The thread sleeps without a timeout only while nothing runs.
        wake = running_ == nullptr && store != nullptr;
        running_ = store;
        ++slice_;
    }
    if (wake) changed_.notify_one();
}

void PreemptionTimer::serve() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        if (running_ == nullptr) {
            changed_.wait(lock, [this] { return stop_ || running_ != nullptr; });
            continue;
        }
        const std::uint64_t slice = slice_;
        changed_.wait_for(lock, kTimeSlice, [this] { return stop_; });
        if (running_ != nullptr && slice_ == slice) running_->request_yield();
    }
}

}  // namespace pollux::wasi
