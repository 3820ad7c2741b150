#include "tools/pollux/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "jit/base/syscall.h"
#include "wasi/reactor.h"
#include "wasi/socket_address.h"

namespace pollux::cli {

Result<Listener> Listener::open(const std::string& text) {
    auto address = wasi::resolve_socket_address(text, true);
    if (!address) return std::unexpected(std::move(address.error()));
    const auto failed = [&text] { return fail(ErrorKind::io, "cannot listen at '" + text + "': " + sys::error_text(errno)); };
    Listener listener;
    listener.socket_.reset(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener.socket_) return failed();
    const int fd = listener.socket_.get();
    const int on = 1;
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    if (::bind(fd, address->get(), address->length) != 0) return failed();
    listener.unix_path_ = address->unix_path();
    if (::listen(fd, SOMAXCONN) != 0) return failed();
    address->length = sizeof(address->storage);
    if (::getsockname(fd, address->get(), &address->length) != 0) return failed();
    listener.address_ = address->text();
    return listener;
}

Listener::~Listener() {
    if (!socket_) return;
    wasi::Reactor::forget(socket_.get());
    if (!unix_path_.empty()) static_cast<void>(::unlink(unix_path_.c_str()));
}

std::expected<Connection, NotAccepted> Listener::accept() const {
    for (;;) {
        wasi::SocketAddress peer;
        peer.length = sizeof(peer.storage);
        UniqueFd socket(
            sys::call<sys::Call::accept>([&] { return ::accept4(socket_.get(), peer.get(), &peer.length, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
        if (socket) {
            Connection connection;
            connection.socket = std::move(socket);
            const bool tcp = peer.family() == AF_INET || peer.family() == AF_INET6;
            connection.tells_quiet_time = tcp && quiet_time(connection.socket.get()).has_value();
            // Peers at a Unix socket have no names.
            connection.peer = tcp ? peer.text() : address_;
            const int on = 1;
            // Programs that write to a pipe or a terminal expect no delay, and have no way to ask for this.
            if (tcp) static_cast<void>(::setsockopt(connection.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
            return connection;
        }
        switch (errno) {
            case EAGAIN:     return std::unexpected(NotAccepted::none_waiting);
            case EMFILE:
            case ENFILE:     return std::unexpected(NotAccepted::no_descriptors);
            case ENOBUFS:
            case ENOMEM:     return std::unexpected(NotAccepted::no_memory);
            case EBADF:
            case EINVAL:
            case ENOTSOCK:
            case EOPNOTSUPP:
            case EFAULT:     return std::unexpected(NotAccepted::none_waiting);
            default:         break;  // of this connection, which is gone (ECONNABORTED, EPROTO, network errors), or EINTR: to the next
        }
    }
}

std::optional<std::uint64_t> quiet_time(int tcp_socket) noexcept {
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (::getsockopt(tcp_socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    // qemu-user takes every option of TCP for an int.
    if (size < offsetof(tcp_info, tcpi_last_data_recv) + sizeof(info.tcpi_last_data_recv)) return std::nullopt;
    return std::uint64_t{std::min(info.tcpi_last_data_sent, info.tcpi_last_data_recv)} * 1'000'000;
}

void hang_up(UniqueFd socket) noexcept {
    static_cast<void>(::shutdown(socket.get(), SHUT_WR));
    std::array<char, 16 * 1024> unread;
    constexpr int kReads = 16;
    for (int i = 0; i < kReads && ::recv(socket.get(), unread.data(), unread.size(), MSG_DONTWAIT) > 0; ++i) continue;
}

}  // namespace pollux::cli
