// clock_res_get and clock_time_get.
#include <time.h>

#include <array>

#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

/// By ClockId.
constexpr std::array<clockid_t, 4> kHostClocks = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};

std::uint64_t nanoseconds(const timespec& time) noexcept {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

Status clock_res_get(Call& call, u32 id, OutU64 resolution) {
    if (id >= kHostClocks.size()) return Errno::inval;
    timespec time{};
    if (::clock_getres(kHostClocks[id], &time) != 0) return errno_from_host(errno);
    return call.memory.write(resolution, nanoseconds(time));
}

Status clock_time_get(Call& call, u32 id, u64 /*precision*/, OutU64 time_out) {
    if (id >= kHostClocks.size()) return Errno::inval;
    timespec time{};
    if (::clock_gettime(kHostClocks[id], &time) != 0) return errno_from_host(errno);
    return call.memory.write(time_out, nanoseconds(time));
}

}  // namespace pollux::wasi
