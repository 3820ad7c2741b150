// The seam in front of system calls: newer calls can be switched off, and tests make calls fail.
//
// POLLUX_DISABLE=openat2,epoll_pwait2,… makes sys::available() false for those, so that their fallbacks run.
// sys::inject() makes the next calls of a kind fail with an errno. POLLUX_FAULTS=SEED[,SHORTEST] (or inject_randomly()) makes a quarter of
// all calls that a signal may interrupt fail with EINTR, and cuts every second transfer of more than SHORTEST bytes (default 1) short, as
// POSIX allows. Without a fault armed, sys::call costs one relaxed load.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pollux::sys {

// clang-format off
#define POLLUX_SYSTEM_CALLS(X)                                                          \
    X(mmap) X(mprotect) X(mremap) X(madvise) X(memfd_create) X(userfaultfd)             \
    X(openat2) X(epoll_pwait2) X(preadv2) X(pwritev2) X(membarrier) X(reopen)           \
    X(open) X(read) X(write) X(poll) X(accept) X(sendmsg) X(recvmsg) X(fsync) X(fstat)  \
    X(epoll_pwait) X(fallocate) X(ftruncate) X(getdents)
// clang-format on

enum class Call : std::uint8_t {
#define X(name) name,
    POLLUX_SYSTEM_CALLS(X)
#undef X
        count_
};

[[nodiscard]] std::string_view name(Call call) noexcept;

/// Whether a newer call may be used: not named in POLLUX_DISABLE, and not disabled by a test. Thread-safe.
[[nodiscard]] bool available(Call call) noexcept;
/// Switches a call off or on again, as POLLUX_DISABLE does.
void set_available(Call call, bool on) noexcept;

/// Tests: the calls of this kind number after+1 … after+count fail with `error`. Replaces the fault that was there.
void inject(Call call, int error, std::uint32_t after = 0, std::uint32_t count = 1) noexcept;
/// Tests: what POLLUX_FAULTS does. The same seed makes the same choices, as long as one thread makes the calls.
void inject_randomly(std::uint64_t seed, std::size_t shortest) noexcept;
/// Tests: no call fails any more.
void clear_faults() noexcept;

namespace detail {
extern std::atomic<bool> faults_armed;
[[nodiscard]] int take_fault(Call call) noexcept;  ///< errno, or 0
[[nodiscard]] std::size_t random_limit(Call call, int fd) noexcept;
}  // namespace detail

/// Runs `function`, a system call that returns -1 and sets errno on failure, unless a fault is to be injected.
template <Call kCall, class F>
auto call(F&& function) noexcept -> decltype(function()) {
    if (detail::faults_armed.load(std::memory_order_relaxed)) [[unlikely]] {
        if (const int error = detail::take_fault(kCall)) {
            errno = error;
            return (decltype(function()))(-1);
        }
    }
    return function();
}

/// As call(), and repeats a call that a signal has interrupted.
template <Call kCall, class F>
auto call_again(F&& function) noexcept -> decltype(function()) {
    for (;;) {
        const auto result = call<kCall>(function);
        if (result != static_cast<decltype(result)>(-1) || errno != EINTR) return result;
    }
}

/// How many bytes the next transfer by `call` through `fd` may take: any number, unless it is to be cut short.
[[nodiscard]] inline std::size_t transfer_limit(Call call, int fd) noexcept {
    return detail::faults_armed.load(std::memory_order_relaxed) ? detail::random_limit(call, fd) : SIZE_MAX;
}

/// Writes all of a message, waiting where the descriptor is non-blocking; what cannot be written is lost, for nobody could be told.
void write_message(int fd, std::string_view text) noexcept;

/// The system's words for an errno value. Thread-safe.
[[nodiscard]] std::string error_text(int error);

}  // namespace pollux::sys
