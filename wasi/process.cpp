// proc_exit, proc_raise, sched_yield, random_get.
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

/// Between two looks at the interrupt flag.
constexpr std::size_t kRandomSlice = std::size_t{1} << 20;

/// Signals of WASI whose default action is to do nothing or to continue: CHLD 16, CONT 17, STOP 18, TSTP 19, TTIN 20, TTOU 21, URG 22,
/// WINCH 27.
constexpr std::array<u32, 8> kHarmlessSignals = {16, 17, 18, 19, 20, 21, 22, 27};
constexpr u32 kLastSignal = 30;

}  // namespace

Status proc_exit(Call& call, u32 code) {
    call.context.set_exit(code);
    return Status::end(TrapCode::host_exit);
}

Status proc_raise(Call& call, u32 signal) {
    if (signal > kLastSignal) return Errno::inval;
    if (signal == 0 || std::ranges::find(kHarmlessSignals, signal) != kHarmlessSignals.end()) return Errno::success;
    // There are no handlers in preview 1: the signal's default action ends the program, with the status that a shell shows.
    call.context.set_exit(128 + signal);
    return Status::end(TrapCode::host_exit);
}

Status sched_yield(Call& call) {
    call.reactor.yield();
    return Errno::success;
}

Status random_get(Call& call, Bytes buffer, u32 length) {
    const auto bytes = call.memory.bytes(buffer.address, length);
    if (!bytes) return bytes.error();
    for (std::span<std::uint8_t> rest = *bytes; !rest.empty();) {
        const ssize_t got = ::getrandom(rest.data(), std::min(rest.size(), kRandomSlice), 0);
        if (got < 0 && errno != EINTR) return errno_from_host(errno);
        if (call.interrupt != nullptr && call.interrupt->load() != 0) return Status::end(TrapCode::interrupted);
        if (got > 0) rest = rest.subspan(static_cast<std::size_t>(got));
    }
    return Errno::success;
}

}  // namespace pollux::wasi
