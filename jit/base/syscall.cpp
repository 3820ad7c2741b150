#include "jit/base/syscall.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <system_error>

namespace pollux::sys {
namespace {

constexpr auto kCallCount = static_cast<std::size_t>(Call::count_);

constexpr std::array<std::string_view, kCallCount> kNames = {
#define X(name) #name,
    POLLUX_SYSTEM_CALLS(X)
#undef X
};

struct Fault {
    int error = 0;
    std::uint32_t after = 0;
    std::uint32_t count = 0;
};

/// Calls that a signal can interrupt; the others never give EINTR.
constexpr std::uint64_t kInterruptible = [] {
    std::uint64_t bits = 0;
    for (const Call call :
         {Call::openat2, Call::epoll_pwait2, Call::preadv2, Call::pwritev2, Call::open, Call::read, Call::write, Call::poll, Call::accept,
          Call::sendmsg, Call::recvmsg, Call::fsync, Call::epoll_pwait, Call::fallocate, Call::ftruncate, Call::getdents}) {
        bits |= std::uint64_t{1} << static_cast<unsigned>(call);
    }
    return bits;
}();

std::mutex fault_mutex;
std::array<Fault, kCallCount> faults;

std::atomic<bool> random_faults{false};
std::atomic<std::uint64_t> random_state{0};
std::atomic<std::size_t> shortest_transfer{1};

/// SplitMix64 (Steele, Lea, Flood 2014): a counter, mixed.
std::uint64_t draw() noexcept {
    std::uint64_t z = random_state.fetch_add(0x9e37'79b9'7f4a'7c15, std::memory_order_relaxed);
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

/// Reads POLLUX_FAULTS before main().
[[maybe_unused]] const bool from_environment = [] {
    const char* text = std::getenv("POLLUX_FAULTS");
    if (text == nullptr) return false;
    char* rest = nullptr;
    const std::uint64_t seed = std::strtoull(text, &rest, 10);
    inject_randomly(seed, *rest == ',' ? std::strtoull(rest + 1, nullptr, 10) : 1);
    return true;
}();

/// One bit for each call that is switched off; read from the environment at the first question.
std::atomic<std::uint64_t>& disabled() noexcept {
    static_assert(kCallCount <= 64);
    static std::atomic<std::uint64_t> bits = [] {
        std::uint64_t off = 0;
        const char* text = std::getenv("POLLUX_DISABLE");
        for (std::string_view rest = text != nullptr ? text : ""; !rest.empty();) {
            const std::size_t comma = rest.find(',');
            const std::string_view word = rest.substr(0, comma);
            for (std::size_t i = 0; i < kCallCount; ++i) {
                if (kNames[i] == word) off |= std::uint64_t{1} << i;
            }
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        }
        return off;
    }();
    return bits;
}

}  // namespace

namespace detail {
std::atomic<bool> faults_armed{false};

int take_fault(Call call) noexcept {
    if (random_faults.load(std::memory_order_relaxed)) {
        const bool interruptible = (kInterruptible >> static_cast<unsigned>(call) & 1) != 0;
        return interruptible && draw() % 4 == 0 ? EINTR : 0;
    }
    const std::scoped_lock lock(fault_mutex);
    Fault& fault = faults[static_cast<std::size_t>(call)];
    if (fault.count == 0) return 0;
    if (fault.after > 0) return --fault.after, 0;
    --fault.count;
    return fault.error;
}

std::size_t random_limit(Call call, int fd) noexcept {
    if (!random_faults.load(std::memory_order_relaxed)) return SIZE_MAX;
    const std::uint64_t number = draw();
    if (number % 2 == 0) return SIZE_MAX;
    // A message is sent whole or not at all, and what is not received of it is lost.
    int type = 0;
    socklen_t size = sizeof(type);
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type != SOCK_STREAM) return SIZE_MAX;
    // A file's read is short at the file's end only: no signal interrupts it (signal(7)).
    struct stat info{};
    const bool reads = call == Call::read || call == Call::preadv2;
    if (reads && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return SIZE_MAX;
    // Mostly a few bytes, at times thousands.
    const std::uint64_t most = std::uint64_t{1} << (number >> 8) % 17;
    return std::max<std::size_t>(shortest_transfer.load(std::memory_order_relaxed), 1 + (number >> 16) % most);
}
}  // namespace detail

std::string_view name(Call call) noexcept { return kNames[static_cast<std::size_t>(call)]; }

bool available(Call call) noexcept { return (disabled().load(std::memory_order_relaxed) >> static_cast<unsigned>(call) & 1) == 0; }

void set_available(Call call, bool on) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(call);
    if (on) {
        disabled().fetch_and(~bit);
    } else {
        disabled().fetch_or(bit);
    }
}

void inject(Call call, int error, std::uint32_t after, std::uint32_t count) noexcept {
    const std::scoped_lock lock(fault_mutex);
    faults[static_cast<std::size_t>(call)] = {error, after, count};
    detail::faults_armed.store(true, std::memory_order_relaxed);
}

void inject_randomly(std::uint64_t seed, std::size_t shortest) noexcept {
    random_state.store(seed * 0xd134'2543'de82'ef95);  // neighbouring seeds are far apart
    shortest_transfer.store(std::max<std::size_t>(shortest, 1));
    random_faults.store(true);
    detail::faults_armed.store(true, std::memory_order_relaxed);
}

void clear_faults() noexcept {
    const std::scoped_lock lock(fault_mutex);
    faults = {};
    random_faults.store(false);
    detail::faults_armed.store(false, std::memory_order_relaxed);
}

void write_message(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t bytes = std::min(text.size(), transfer_limit(Call::write, fd));
        const ssize_t written = call_again<Call::write>([&] { return ::write(fd, text.data(), bytes); });
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (written < 0 && errno == EAGAIN) {
            pollfd entry{fd, POLLOUT, 0};
            if (call_again<Call::poll>([&] { return ::poll(&entry, 1, -1); }) < 0) return;
        } else {
            return;
        }
    }
}

std::string error_text(int error) { return std::generic_category().message(error); }

}  // namespace pollux::sys
