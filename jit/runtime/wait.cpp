#include "jit/runtime/wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <ctime>
#include <mutex>

#include "jit/runtime/fiber.h"
#include "jit/runtime/scheduler.h"
#include "jit/runtime/store.h"

namespace pollux {
namespace {

/// One wait, on the waiting stack.
struct Waiter {
    const void* address;
    Store& store;
    Scheduler* scheduler;  ///< null: the thread sleeps on the store's wait_word
    Fiber* fiber;
    Waiter* previous = nullptr;
    Waiter* next = nullptr;
    bool woken = false;
};

struct Bucket {
    std::mutex mutex;
    Waiter* first = nullptr;
    Waiter* last = nullptr;

    void append(Waiter& waiter) noexcept {
        waiter.previous = last;
        (last != nullptr ? last->next : first) = &waiter;
        last = &waiter;
    }
    void remove(Waiter& waiter) noexcept {
        (waiter.previous != nullptr ? waiter.previous->next : first) = waiter.next;
        (waiter.next != nullptr ? waiter.next->previous : last) = waiter.previous;
    }
};

Bucket& bucket_of(const void* address) noexcept {
    static std::array<Bucket, 64> buckets;
    const std::uint64_t hash = (reinterpret_cast<std::uint64_t>(address) >> 2) * 0x9e37'79b9'7f4a'7c15;
    return buckets[hash >> 58];
}

std::uint64_t monotonic_now() noexcept {
    timespec time{};
    static_cast<void>(::clock_gettime(CLOCK_MONOTONIC, &time));
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// Sleeps while the store's wait word is 0, until the deadline at most.
void sleep_on_wait_word(Store& store, std::uint64_t deadline) noexcept {
    timespec until{};
    until.tv_sec = static_cast<time_t>(deadline / 1'000'000'000);
    until.tv_nsec = static_cast<long>(deadline % 1'000'000'000);
    static_cast<void>(::syscall(SYS_futex, &store.wait_word, FUTEX_WAIT_BITSET_PRIVATE, 0,
                                deadline == Scheduler::kNoDeadline ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY));
}

bool holds(const void* address, std::uint32_t bytes, std::uint64_t expected) noexcept {
    if (bytes == 4)
        return __atomic_load_n(static_cast<const std::uint32_t*>(address), __ATOMIC_SEQ_CST) == static_cast<std::uint32_t>(expected);
    return __atomic_load_n(static_cast<const std::uint64_t*>(address), __ATOMIC_SEQ_CST) == expected;
}

}  // namespace

std::expected<WaitResult, TrapCode> wait_at(Store& store, const void* address, std::uint32_t bytes, std::uint64_t expected,
                                            std::int64_t timeout) {
    const std::uint64_t now = monotonic_now();
    std::uint64_t deadline = Scheduler::kNoDeadline;
    if (timeout >= 0 && static_cast<std::uint64_t>(timeout) < deadline - now) deadline = now + static_cast<std::uint64_t>(timeout);
    Bucket& bucket = bucket_of(address);
    Waiter waiter{address, store, store.scheduler(), Fiber::current()};
    if (waiter.fiber == nullptr) waiter.scheduler = nullptr;
    {
        const std::scoped_lock lock(bucket.mutex);
        if (!holds(address, bytes, expected)) return WaitResult::not_equal;
        bucket.append(waiter);
    }
    for (;;) {
        store.wait_word.store(0, std::memory_order_seq_cst);
        {
            const std::scoped_lock lock(bucket.mutex);
            if (waiter.woken) return WaitResult::woken;
            const TrapCode interrupted = store.interrupted();
            if (interrupted != TrapCode::none || (deadline != Scheduler::kNoDeadline && monotonic_now() >= deadline)) {
                bucket.remove(waiter);
                if (interrupted != TrapCode::none) return std::unexpected(interrupted);
                return WaitResult::timed_out;
            }
        }
        if (waiter.scheduler != nullptr) {
            waiter.scheduler->park(deadline);
        } else {
            sleep_on_wait_word(store, deadline);
        }
    }
}

std::uint32_t notify_at(const void* address, std::uint32_t count) {
    Bucket& bucket = bucket_of(address);
    const std::scoped_lock lock(bucket.mutex);  // held until the wake-ups are done: a woken waiter takes it before it leaves
    std::uint32_t woken = 0;
    for (Waiter* waiter = bucket.first; waiter != nullptr && woken < count;) {
        Waiter* next = waiter->next;
        if (waiter->address == address) {
            bucket.remove(*waiter);
            waiter->woken = true;
            ++woken;
            if (waiter->scheduler != nullptr) {
                waiter->scheduler->wake(*waiter->fiber);
            } else {
                waiter->store.wait_word.store(1, std::memory_order_seq_cst);
                static_cast<void>(::syscall(SYS_futex, &waiter->store.wait_word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0));
            }
        }
        waiter = next;
    }
    return woken;
}

}  // namespace pollux
