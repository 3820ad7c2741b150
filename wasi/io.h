// A guest's scatter/gather list as the host's, checked once and for all.
#pragma once

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "wasi/guest_memory.h"

namespace pollux::wasi {

/// Exit status after a broken pipe: that of a process killed by SIGPIPE, as a shell shows it.
inline constexpr std::uint32_t kBrokenPipeStatus = 141;
/// Most bytes of one read or write, so that counts fit the guest's 32 bits; also Linux's own limit.
inline constexpr std::size_t kMaxTransfer = 0x7fff'f000;

class HostBuffers {
public:
    /// IOV_MAX: of a longer list, the first so many non-empty buffers are used, which makes a short read or write.
    static constexpr std::size_t kMaxBuffers = 1024;

    /// `fault` when the list or a buffer is out of bounds. Empty buffers are left out.
    [[nodiscard]] static Expected<HostBuffers> from_guest(const GuestMemory& memory, GuestPtr<Iovec> iovs, std::uint32_t count);

    [[nodiscard]] bool empty() const noexcept { return first_ == size_; }
    [[nodiscard]] std::span<const iovec> view() const noexcept {
        return std::span(many_.empty() ? few_.data() : many_.data(), size_).subspan(first_);
    }
    /// Takes `bytes` off the front.
    void consume(std::size_t bytes) noexcept;

private:
    void push(iovec buffer);

    std::array<iovec, 8> few_{};
    std::vector<iovec> many_;  ///< all of them, when more than `few_` holds
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace pollux::wasi
