#include "jit/base/syscall.h"

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

std::mutex fault_mutex;
std::array<Fault, kCallCount> faults;

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
    const std::scoped_lock lock(fault_mutex);
    Fault& fault = faults[static_cast<std::size_t>(call)];
    if (fault.count == 0) return 0;
    if (fault.after > 0) return --fault.after, 0;
    --fault.count;
    return fault.error;
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

void clear_faults() noexcept {
    const std::scoped_lock lock(fault_mutex);
    faults = {};
    detail::faults_armed.store(false, std::memory_order_relaxed);
}

std::string error_text(int error) { return std::generic_category().message(error); }

}  // namespace pollux::sys
