// Makes a running guest yield after its time slice, when other fibers wait for their turn.
//
// A thread that sleeps while nothing is watched; it asks the store to yield, which acts at the next instruction of the guest.
#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pollux {
class Store;
}

namespace pollux::wasi {

class PreemptionTimer {
public:
    static constexpr std::chrono::milliseconds kTimeSlice{10};

    PreemptionTimer();
    ~PreemptionTimer();
    PreemptionTimer(const PreemptionTimer&) = delete;
    PreemptionTimer& operator=(const PreemptionTimer&) = delete;

    /// The store's guest is running from now on; null: none. The store must live until the next call.
    void watch(Store* store) noexcept;

private:
    void serve();

    std::mutex mutex_;
    std::condition_variable changed_;
    Store* running_ = nullptr;
    std::uint64_t slice_ = 0;  ///< counts calls of watch()
    bool stop_ = false;
    pthread_t thread_{};
    bool started_ = false;  ///< false: the system has no thread for us, and guests take turns only when they wait
};

}  // namespace pollux::wasi
