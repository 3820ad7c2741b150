// Ends a store's guest when its time is up.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

namespace pollux {
class Store;
}

namespace pollux::cli {

/// Interrupts the store `nanoseconds` after construction, wherever its guest is: in its code, in a helper, in a system call.
/// Without a limit it does nothing. The store must outlive it.
class TimeLimit {
public:
    TimeLimit(Store& store, std::optional<std::uint64_t> nanoseconds);
    TimeLimit(const TimeLimit&) = delete;
    TimeLimit& operator=(const TimeLimit&) = delete;
    ~TimeLimit();

private:
    std::mutex mutex_;
    std::condition_variable ended_changed_;
    bool ended_ = false;
    std::thread thread_;
};

}  // namespace pollux::cli
