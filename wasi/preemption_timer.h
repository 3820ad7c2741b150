// Makes a running guest yield after its time slice, when other fibers wait for their turn.
//
// A thread that sleeps while nothing is watched; it asks the store to yield, which acts at the next instruction of the guest. It is woken
// for a deadline before the one that it sleeps until, and not for later ones, so guests that take short turns do not wake it each time.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pollux {
class Store;
}

namespace pollux::wasi {

class PreemptionTimer {
public:
    static constexpr std::uint64_t kTimeSlice = 10'000'000;  ///< ns, the longest

    PreemptionTimer();
    ~PreemptionTimer();
    PreemptionTimer(const PreemptionTimer&) = delete;
    PreemptionTimer& operator=(const PreemptionTimer&) = delete;

    /// The store's guest is running from now on and is to yield at `deadline` (CLOCK_MONOTONIC, ns), and after each further time slice;
    /// null: none is running. The store must live until the next call.
    void watch(Store* store, std::uint64_t deadline) noexcept;

private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    Store* running_ = nullptr;
    std::uint64_t deadline_ = 0;  ///< of `running_`, ns
    std::uint64_t wakes_at_ = ~std::uint64_t{0};  ///< when the thread wakes if nobody wakes it, ns
    bool stop_ = false;
    pthread_t thread_{};
    bool started_ = false;  ///< false: the system has no thread for us, and guests take turns only when they wait
};

}  // namespace pollux::wasi
