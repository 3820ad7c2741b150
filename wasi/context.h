// The state of one WASI program: arguments, environment, descriptors, exit status. Shared by all threads of the program.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jit/base/error.h"
#include "wasi/config.h"
#include "wasi/descriptor_table.h"
#include "wasi/guest_memory.h"
#include "wasi/net_policy.h"
#include "wasi/reactor.h"

namespace pollux::wasi {

/// Fills the numbers 0, 1 and 2 of the process with /dev/null where they are closed, and remembers which were, so that a descriptor opened
/// later is never taken for a standard stream. To be called first in main(); later calls change nothing. Thread-safe.
void reserve_standard_streams() noexcept;

class WasiContext {
public:
    /// Opens what `config` names.
    [[nodiscard]] static Result<std::unique_ptr<WasiContext>> create(Config config);

    [[nodiscard]] const std::vector<std::string>& args() const noexcept { return config_.args; }
    [[nodiscard]] const std::vector<std::string>& env() const noexcept { return config_.env; }
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] DescriptorTable& descriptors() noexcept { return descriptors_; }
    [[nodiscard]] const NetPolicy& net_policy() const noexcept { return net_policy_; }

    /// Tells the user once that a network rule is missing: `what` the program tried, `option` that would allow it.
    void note_denied(std::string_view what, std::string_view option) noexcept;

    /// The status that the program ended with: proc_exit's argument, or 141 after a broken pipe. The first call counts.
    void set_exit(std::uint32_t code) noexcept;
    /// Nothing while the program has not called proc_exit.
    [[nodiscard]] std::optional<std::uint32_t> exit_code() const noexcept;

private:
    explicit WasiContext(Config config) : config_(std::move(config)) {}
    Result<> open_streams();
    Result<> open_directories();
    Result<> open_sockets();

    Config config_;
    DescriptorTable descriptors_;
    NetPolicy net_policy_;
    static constexpr std::uint64_t kRunning = ~std::uint64_t{0};
    std::atomic<std::uint64_t> exit_{kRunning};
    std::atomic<bool> denial_noted_{false};
};

/// One call of a guest: what every WASI function gets.
struct Call {
    WasiContext& context;
    Reactor& reactor;
    GuestMemory memory;
    const InterruptFlag* interrupt = nullptr;
    AbiVersion abi = AbiVersion::preview1;

    /// The open descriptor, or `badf`.
    [[nodiscard]] Expected<std::shared_ptr<Descriptor>> descriptor(Fd fd) const {
        auto found = context.descriptors().get(fd);
        if (!found) return std::unexpected(Errno::badf);
        return found;
    }
};

/// What a guest gets that was woken: success to try again, or the end.
[[nodiscard]] inline Status status_of(Wake wake) noexcept {
    switch (wake) {
        case Wake::interrupted: return Status::end(TrapCode::interrupted);
        case Wake::failed:      return Errno::nomem;
        default:                return Errno::success;
    }
}

/// Waits until the descriptor may be ready for `events` (EPOLLIN, EPOLLOUT). `again` when a socket's own timeout has passed.
[[nodiscard]] inline Status park_on(Call& call, Descriptor& descriptor, std::uint32_t events) {
    descriptor.note_parked();
    Deadlines deadlines;
    const std::uint64_t timeout = ((events & EPOLLOUT) != 0 ? descriptor.send_timeout : descriptor.receive_timeout).load();
    if (timeout != Descriptor::kNoTimeout) deadlines.monotonic = monotonic_now() + timeout;
    const Interest interest{descriptor.fd(), events};
    const Wake wake = call.reactor.park({&interest, 1}, deadlines, call.interrupt);
    return wake == Wake::deadline ? Status(Errno::again) : status_of(wake);
}

}  // namespace pollux::wasi
