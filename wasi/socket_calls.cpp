#include "wasi/socket_calls.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "jit/base/syscall.h"
#include "wasi/io.h"
#include "wasi/transfer.h"

namespace pollux::wasi {
namespace {

/// Of one lookup.
constexpr std::size_t kMaxResolved = 256;

Errno from_lookup_error(int error) noexcept {
    switch (error) {
        case EAI_AGAIN:   return Errno::again;
        case EAI_FAMILY:  return Errno::afnosupport;
        case EAI_MEMORY:  return Errno::nomem;
        case EAI_NONAME:
        case EAI_SERVICE: return Errno::noent;
        case EAI_SYSTEM:  return errno_from_host(errno);
        default:          return Errno::io;
    }
}

using Lookup = std::expected<std::vector<Resolved>, int>;

Lookup resolve(const std::string& host, const std::string& service, const addrinfo& hints) {
    const auto found = look_up(host, service, hints);
    if (!found) return std::unexpected(found.error());
    std::vector<Resolved> all;
    for (const addrinfo* entry = found->get(); entry != nullptr && all.size() < kMaxResolved; entry = entry->ai_next) {
        if (entry->ai_addrlen > sizeof(sockaddr_storage) || (entry->ai_socktype != SOCK_STREAM && entry->ai_socktype != SOCK_DGRAM))
            continue;
        Resolved& resolved = all.emplace_back();
        std::memcpy(&resolved.address.storage, entry->ai_addr, entry->ai_addrlen);
        resolved.address.length = entry->ai_addrlen;
        resolved.type = entry->ai_socktype;
    }
    return all;
}

/// Refuses with `acces`, and says once what would allow it.
Errno denied(Call& call, std::string_view action, const SocketAddress& address) {
    const std::string text = address.text();
    call.context.note_denied(std::string(action) + " " + text, "--allow-net=" + text);
    return Errno::acces;
}

}  // namespace

Expected<std::shared_ptr<Descriptor>> find_socket(const Call& call, Fd fd) {
    auto found = call.descriptor(fd);
    if (found && !(*found)->is_socket()) return std::unexpected(Errno::notsock);
    return found;
}

Expected<Fd> open_socket(Call& call, int family, int type) {
    if (!call.context.net_policy().any()) {
        call.context.note_denied("open a socket", "--allow-net=HOST:PORT");
        return std::unexpected(Errno::acces);
    }
    const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return host_error();
    auto descriptor = Descriptor::adopt(fd, Ownership::exclusive);
    if (!descriptor) return std::unexpected(descriptor.error());
    return call.context.descriptors().insert(std::move(*descriptor));
}

Status bind_socket(Call& call, Fd fd, const SocketAddress& address) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    if (!call.context.net_policy().allows(address)) return denied(call, "bind a socket to", address);
    return ::bind((*found)->fd(), address.get(), address.length) == 0 ? Errno::success : errno_from_host(errno);
}

Status sock_listen(Call& call, Fd fd, u32 backlog) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    // Without bind() the system picks an address.
    const auto local = address_of(call, fd, End::local);
    if (!local) return local.error();
    if (!call.context.net_policy().allows(*local)) return denied(call, "listen on", *local);
    if (::listen((*found)->fd(), static_cast<int>(std::min<u32>(backlog, SOMAXCONN))) != 0) return errno_from_host(errno);
    (*found)->note_listening();
    return Errno::success;
}

Status connect_socket(Call& call, Fd fd, const SocketAddress& address) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    if (!call.context.net_policy().allows(address)) return denied(call, "connect to", address);
    Descriptor& descriptor = **found;
    if (::connect(descriptor.fd(), address.get(), address.length) == 0) return Errno::success;
    // EAGAIN: the queue of a Unix listener is full; it gives no sign when there is room.
    if (errno != EINPROGRESS && errno != EINTR) return errno_from_host(errno);
    if (descriptor.nonblocking()) return Errno::inprogress;
    while (true) {
        if (const Status status = park_on(call, descriptor, EPOLLOUT); !status.ok()) return status;
        if (poll_now(descriptor.fd(), POLLOUT) == 0) continue;
        const auto error = get_socket_option(call, fd, SOL_SOCKET, SO_ERROR);
        return error ? errno_from_host(*error) : error.error();
    }
}

Status send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, const SocketAddress& address, OutU32 nwritten) {
    if (!call.context.net_policy().allows(address)) return denied(call, "send to", address);
    const auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nwritten)) return Errno::fault;
    while (true) {
        const auto found = find_socket(call, fd);
        if (!found) return found.error();
        msghdr message{};
        message.msg_name = const_cast<sockaddr*>(address.get());
        message.msg_namelen = address.length;
        const int host_fd = (*found)->fd();
        const ssize_t sent = transfer_message<sys::Call::sendmsg>(
            host_fd, buffers->view(), message, [&] { return ::sendmsg(host_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
        if (sent >= 0) return call.memory.write(nwritten, static_cast<u32>(sent));
        if (errno != EAGAIN || (*found)->nonblocking()) return errno_from_host(errno);
        if (const Status status = park_on(call, **found, EPOLLOUT); !status.ok()) return status;
    }
}

Outcome<Received> receive_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags) {
    const auto error = [](Status status) { return std::unexpected(status); };
    if ((flags & ~u32{riflags::kAll}) != 0) return error(Errno::inval);
    const auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return error(buffers.error());
    const int host_flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | ((flags & riflags::kPeek) != 0 ? MSG_PEEK : 0);
    while (true) {
        const auto found = find_socket(call, fd);
        if (!found) return error(found.error());
        Received received;
        msghdr message{};
        message.msg_name = received.from.get();
        message.msg_namelen = sizeof(received.from.storage);
        const int host_fd = (*found)->fd();
        const ssize_t result = transfer_message<sys::Call::recvmsg>(host_fd, buffers->view(), message,
                                                                    [&] { return ::recvmsg(host_fd, &message, host_flags); });
        if (result >= 0) {
            received.bytes = static_cast<std::size_t>(result);
            received.flags = (message.msg_flags & MSG_TRUNC) != 0 ? roflags::kDataTruncated : u16{0};
            received.from.length = message.msg_namelen;
            if (message.msg_namelen == 0) {  // a connected stream has no address in its messages
                if (const auto peer = address_of(call, fd, End::peer)) received.from = *peer;
            }
            return received;
        }
        if (errno != EAGAIN || (*found)->nonblocking()) return error(errno_from_host(errno));
        if (const Status status = park_on(call, **found, EPOLLIN | EPOLLRDHUP); !status.ok()) return error(status);
    }
}

Expected<SocketAddress> address_of(const Call& call, Fd fd, End end) {
    const auto found = find_socket(call, fd);
    if (!found) return std::unexpected(found.error());
    SocketAddress address;
    socklen_t length = sizeof(address.storage);
    const int result =
        end == End::local ? ::getsockname((*found)->fd(), address.get(), &length) : ::getpeername((*found)->fd(), address.get(), &length);
    if (result != 0) return host_error();
    address.length = std::min<socklen_t>(length, sizeof(address.storage));
    return address;
}

Outcome<std::vector<Resolved>> look_up_name(Call& call, const std::string& host, const std::string& service, int family, int type,
                                            bool passive) {
    addrinfo hints{};
    hints.ai_family = family;
    hints.ai_socktype = type;
    hints.ai_flags = AI_NUMERICHOST | (passive ? AI_PASSIVE : 0);
    // No question to anybody; services are looked up in a local file.
    Lookup found = resolve(host, service, hints);
    if (!found && found.error() == EAI_NONAME && !host.empty()) {
        if (!call.context.net_policy().allows_name(host)) {
            call.context.note_denied("look up '" + host + "'", "--allow-dns=" + host);
            return std::unexpected(Status(Errno::acces));
        }
        hints.ai_flags &= ~AI_NUMERICHOST;
        auto result = call.reactor.call_blocking([host, service, hints] { return resolve(host, service, hints); }, call.interrupt, true);
        if (!result) return std::unexpected(status_of(result.error()));
        found = std::move(*result);
        if (found) {
            for (const Resolved& resolved : *found) call.context.net_policy().allow_address_of(host, resolved.address);
        }
    }
    if (!found) return std::unexpected(Status(from_lookup_error(found.error())));
    return std::move(*found);
}

}  // namespace pollux::wasi
