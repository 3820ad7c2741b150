// sock_accept, sock_recv, sock_send, sock_shutdown of preview 1.
#include <poll.h>
#include <sys/socket.h>

#include "jit/base/syscall.h"
#include "wasi/calls.h"
#include "wasi/io.h"
#include "wasi/transfer.h"

namespace pollux::wasi {
namespace {

Expected<std::shared_ptr<Descriptor>> socket(const Call& call, Fd fd) {
    auto found = call.descriptor(fd);
    if (found && !(*found)->is_socket()) return std::unexpected(Errno::notsock);
    return found;
}

Expected<UniqueFd> accept_now(int listener) {
    UniqueFd accepted(
        sys::call_again<sys::Call::accept>([&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
    if (!accepted) return host_error();
    return accepted;
}

}  // namespace

Status sock_accept(Call& call, Fd fd, u32 flags, OutU32 accepted_fd) {
    if ((flags & ~u32{fdflags::kNonblock}) != 0) return Errno::inval;
    if (!call.memory.has(accepted_fd)) return Errno::fault;
    while (true) {
        const auto found = socket(call, fd);
        if (!found) return found.error();
        Descriptor& listener = **found;
        if (listener.kind() != Kind::listener) return Errno::inval;
        Expected<UniqueFd> accepted = std::unexpected(Errno::again);
        if (!listener.accept_needs_thread()) {
            accepted = accept_now(listener.fd());
        } else if (poll_now(listener.fd(), POLLIN) != 0) {
            // Another process may take the connection first, and then accept() blocks.
            auto result = call.reactor.call_blocking([descriptor = *found] { return accept_now(descriptor->fd()); }, call.interrupt, true);
            if (!result) return status_of(result.error());
            accepted = std::move(*result);
        }
        if (accepted) {
            auto descriptor = Descriptor::adopt(accepted->release(), Ownership::exclusive);
            if (!descriptor) return descriptor.error();
            (*descriptor)->set_flags(static_cast<u16>(flags));
            const auto number = call.context.descriptors().insert(std::move(*descriptor));
            if (!number) return number.error();
            return call.memory.write(accepted_fd, *number);
        }
        if (accepted.error() != Errno::again || listener.nonblocking()) return accepted.error();
        if (const Status status = park_on(call, listener, EPOLLIN); !status.ok()) return status;
    }
}

Status sock_recv(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, OutU32 nread, GuestPtr<u16> out_flags) {
    if ((flags & ~u32{riflags::kAll}) != 0) return Errno::inval;
    auto found = socket(call, fd);
    if (!found) return found.error();
    auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nread) || !call.memory.has(out_flags)) return Errno::fault;
    const bool peek = (flags & riflags::kPeek) != 0;
    // What MSG_WAITALL does to a blocking socket; peeking cannot wait for more, for nothing would tell when more is there.
    const bool wait_all = (flags & riflags::kWaitall) != 0 && !peek;
    std::size_t total = 0;
    const auto done = [&](std::size_t bytes, u16 reported) -> Status {
        if (const Errno error = call.memory.write(nread, static_cast<u32>(bytes)); error != Errno::success) return error;
        return call.memory.write(out_flags, reported);
    };
    while (true) {
        Descriptor& descriptor = **found;
        if (buffers->empty()) return done(total, 0);
        msghdr message{};
        const int host_flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0);
        const ssize_t result = transfer_message<sys::Call::recvmsg>(descriptor.fd(), buffers->view(), message,
                                                                    [&] { return ::recvmsg(descriptor.fd(), &message, host_flags); });
        if (result >= 0) {
            total += static_cast<std::size_t>(result);
            buffers->consume(static_cast<std::size_t>(result));
            const bool stream = descriptor.file_type() == FileType::socket_stream;
            if (result > 0 && wait_all && stream && !descriptor.nonblocking() && total < kMaxTransfer) continue;
            return done(total, (message.msg_flags & MSG_TRUNC) != 0 ? roflags::kDataTruncated : u16{0});
        }
        const int error = errno;
        if (error != EAGAIN || descriptor.nonblocking()) {
            if (total > 0) return done(total, 0);
            return errno_from_host(error);
        }
        if (const Status status = park_on(call, descriptor, EPOLLIN | EPOLLRDHUP); !status.ok()) return status;
        found = socket(call, fd);
        if (!found) return found.error();
    }
}

Status sock_send(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, OutU32 nwritten) {
    if (flags != 0) return Errno::inval;
    if (const auto found = socket(call, fd); !found) return found.error();
    return fd_write(call, fd, iovs, count, nwritten);
}

Status sock_shutdown(Call& call, Fd fd, u32 how) {
    const auto found = socket(call, fd);
    if (!found) return found.error();
    int host_how = SHUT_RDWR;
    switch (how) {
        case sdflags::kRd:                host_how = SHUT_RD; break;
        case sdflags::kWr:                host_how = SHUT_WR; break;
        case sdflags::kRd | sdflags::kWr: break;
        default:                          return Errno::inval;
    }
    if (::shutdown((*found)->fd(), host_how) != 0) return errno_from_host(errno);
    return Errno::success;
}

}  // namespace pollux::wasi
