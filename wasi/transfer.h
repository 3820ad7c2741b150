// One system call that transfers data through a list of buffers. Where tests ask for it, it transfers less than it could.
#pragma once

#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "jit/base/syscall.h"

namespace pollux::wasi {

/// The first buffers of a list, at most `limit` bytes together.
class Clipped {
public:
    Clipped(std::span<const iovec> buffers, std::size_t limit) noexcept {
        for (const iovec& buffer : buffers) {
            if (limit == 0 || count_ == kept_.size()) break;
            kept_[count_] = {buffer.iov_base, std::min(buffer.iov_len, limit)};
            limit -= kept_[count_].iov_len;
            ++count_;
        }
    }
    [[nodiscard]] std::span<const iovec> view() const noexcept { return std::span(kept_).first(count_); }

private:
    std::array<iovec, 16> kept_{};
    std::size_t count_ = 0;
};

/// Calls `function(const iovec*, int count)`, which is the system call `kCall` on `fd`, again when a signal has interrupted it.
template <sys::Call kCall, class F>
ssize_t transfer(int fd, std::span<const iovec> buffers, F&& function) noexcept {
    const auto run = [&](std::span<const iovec> list) {
        return sys::call_again<kCall>([&] { return function(list.data(), static_cast<int>(std::min<std::size_t>(list.size(), IOV_MAX))); });
    };
    if (const std::size_t limit = sys::transfer_limit(kCall, fd); limit != SIZE_MAX) [[unlikely]]
        return run(Clipped(buffers, limit).view());
    return run(buffers);
}

/// recvmsg() and sendmsg() with these buffers; `message` has the rest.
template <sys::Call kCall, class F>
ssize_t transfer_message(int fd, std::span<const iovec> buffers, msghdr& message, F&& function) noexcept {
    return transfer<kCall>(fd, buffers, [&](const iovec* list, int count) {
        message.msg_iov = const_cast<iovec*>(list);
        message.msg_iovlen = static_cast<std::size_t>(count);
        return function();
    });
}

}  // namespace pollux::wasi
