// Socket options: access to those of the host, and WAMR's functions, one for each option.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "wasi/socket_calls.h"

namespace pollux::wasi {

Status set_socket_option(Call& call, Fd fd, int level, int name, int value) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    return ::setsockopt((*found)->fd(), level, name, &value, sizeof(value)) == 0 ? Errno::success : errno_from_host(errno);
}

Expected<int> get_socket_option(const Call& call, Fd fd, int level, int name) {
    const auto found = find_socket(call, fd);
    if (!found) return std::unexpected(found.error());
    int value = 0;
    socklen_t length = sizeof(value);
    if (::getsockopt((*found)->fd(), level, name, &value, &length) != 0) return host_error();
    return value;
}

namespace wamr {
namespace {

Status get_bool(Call& call, Fd fd, int level, int name, Bytes out) {
    const auto value = get_socket_option(call, fd, level, name);
    if (!value) return value.error();
    return call.memory.write(out, *value != 0 ? 1 : 0);
}

Status get_byte(Call& call, Fd fd, int level, int name, Bytes out) {
    const auto value = get_socket_option(call, fd, level, name);
    if (!value) return value.error();
    return call.memory.write(out, static_cast<std::uint8_t>(*value));
}

Status get_number(Call& call, Fd fd, int level, int name, OutU32 out) {
    const auto value = get_socket_option(call, fd, level, name);
    if (!value) return value.error();
    return call.memory.write(out, static_cast<u32>(*value));
}

Status set_bool(Call& call, Fd fd, int level, int name, u32 value) { return set_socket_option(call, fd, level, name, value != 0 ? 1 : 0); }

Status set_number(Call& call, Fd fd, int level, int name, u32 value) {
    if (value > static_cast<u32>(std::numeric_limits<int>::max())) return Errno::inval;
    return set_socket_option(call, fd, level, name, static_cast<int>(value));
}

bool is_ipv6(const Call& call, Fd fd) {
    const auto domain = get_socket_option(call, fd, SOL_SOCKET, SO_DOMAIN);
    return domain && *domain == AF_INET6;
}

Status get_timeout(Call& call, Fd fd, std::atomic<std::uint64_t> Descriptor::* timeout, OutU64 microseconds) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    return call.memory.write(microseconds, ((**found).*timeout).load() / 1000);
}

Status set_timeout(Call& call, Fd fd, std::atomic<std::uint64_t> Descriptor::* timeout, u64 microseconds) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    // 292 years at most, so that a deadline does not overflow.
    constexpr u64 kLongest = std::numeric_limits<i64>::max() / 1000;
    ((**found).*timeout).store(std::min(microseconds, kLongest) * 1000);
    return Errno::success;
}

Status change_membership(Call& call, Fd fd, Bytes address, u32 interface_index, bool join) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    const auto kind = call.memory.read(GuestPtr<u32>{address.address});
    if (!kind) return kind.error();
    const auto bytes = call.memory.bytes(address.address, *kind == 0 ? 8 : 20);
    if (!bytes) return bytes.error();
    SocketAddress group;
    if (*kind == 0) {
        group = SocketAddress::from_ipv4(bytes->data() + 4, 0);
    } else if (*kind == 1) {
        std::uint8_t network[16];
        for (std::size_t i = 0; i < 16; ++i) network[i] = (*bytes)[4 + (i ^ 1)];
        group = SocketAddress::from_ipv6(network, 0);
    } else {
        return Errno::inval;
    }
    if (!call.context.net_policy().allows(group)) return Errno::acces;
    group_req request{};
    request.gr_interface = interface_index;
    request.gr_group = group.storage;
    const int level = *kind == 0 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6);
    const int name = join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
    return ::setsockopt((*found)->fd(), level, name, &request, sizeof(request)) == 0 ? Errno::success : errno_from_host(errno);
}

}  // namespace

Status sock_get_broadcast(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, SOL_SOCKET, SO_BROADCAST, value); }
Status sock_set_broadcast(Call& call, Fd fd, u32 value) { return set_bool(call, fd, SOL_SOCKET, SO_BROADCAST, value); }
Status sock_get_keep_alive(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, SOL_SOCKET, SO_KEEPALIVE, value); }
Status sock_set_keep_alive(Call& call, Fd fd, u32 value) { return set_bool(call, fd, SOL_SOCKET, SO_KEEPALIVE, value); }
Status sock_get_recv_buf_size(Call& call, Fd fd, OutU32 value) { return get_number(call, fd, SOL_SOCKET, SO_RCVBUF, value); }
Status sock_set_recv_buf_size(Call& call, Fd fd, u32 value) { return set_number(call, fd, SOL_SOCKET, SO_RCVBUF, value); }
Status sock_get_send_buf_size(Call& call, Fd fd, OutU32 value) { return get_number(call, fd, SOL_SOCKET, SO_SNDBUF, value); }
Status sock_set_send_buf_size(Call& call, Fd fd, u32 value) { return set_number(call, fd, SOL_SOCKET, SO_SNDBUF, value); }
Status sock_get_reuse_addr(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, SOL_SOCKET, SO_REUSEADDR, value); }
Status sock_set_reuse_addr(Call& call, Fd fd, u32 value) { return set_bool(call, fd, SOL_SOCKET, SO_REUSEADDR, value); }
Status sock_get_reuse_port(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, SOL_SOCKET, SO_REUSEPORT, value); }
Status sock_set_reuse_port(Call& call, Fd fd, u32 value) { return set_bool(call, fd, SOL_SOCKET, SO_REUSEPORT, value); }
Status sock_get_tcp_fastopen_connect(Call& call, Fd fd, Bytes value) {
    return get_bool(call, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, value);
}
Status sock_set_tcp_fastopen_connect(Call& call, Fd fd, u32 value) { return set_bool(call, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, value); }
Status sock_get_tcp_keep_idle(Call& call, Fd fd, OutU32 value) { return get_number(call, fd, IPPROTO_TCP, TCP_KEEPIDLE, value); }
Status sock_set_tcp_keep_idle(Call& call, Fd fd, u32 value) { return set_number(call, fd, IPPROTO_TCP, TCP_KEEPIDLE, value); }
Status sock_get_tcp_keep_intvl(Call& call, Fd fd, OutU32 value) { return get_number(call, fd, IPPROTO_TCP, TCP_KEEPINTVL, value); }
Status sock_set_tcp_keep_intvl(Call& call, Fd fd, u32 value) { return set_number(call, fd, IPPROTO_TCP, TCP_KEEPINTVL, value); }
Status sock_get_tcp_no_delay(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, IPPROTO_TCP, TCP_NODELAY, value); }
Status sock_set_tcp_no_delay(Call& call, Fd fd, u32 value) { return set_bool(call, fd, IPPROTO_TCP, TCP_NODELAY, value); }
Status sock_get_tcp_quick_ack(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, IPPROTO_TCP, TCP_QUICKACK, value); }
Status sock_set_tcp_quick_ack(Call& call, Fd fd, u32 value) { return set_bool(call, fd, IPPROTO_TCP, TCP_QUICKACK, value); }
Status sock_get_ipv6_only(Call& call, Fd fd, Bytes value) { return get_bool(call, fd, IPPROTO_IPV6, IPV6_V6ONLY, value); }
Status sock_set_ipv6_only(Call& call, Fd fd, u32 value) { return set_bool(call, fd, IPPROTO_IPV6, IPV6_V6ONLY, value); }

Status sock_get_ip_ttl(Call& call, Fd fd, Bytes value) {
    return is_ipv6(call, fd) ? get_byte(call, fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, value) : get_byte(call, fd, IPPROTO_IP, IP_TTL, value);
}
Status sock_set_ip_ttl(Call& call, Fd fd, u32 value) {
    return is_ipv6(call, fd) ? set_number(call, fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, value)
                             : set_number(call, fd, IPPROTO_IP, IP_TTL, value);
}
Status sock_get_ip_multicast_ttl(Call& call, Fd fd, Bytes value) {
    return is_ipv6(call, fd) ? get_byte(call, fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, value)
                             : get_byte(call, fd, IPPROTO_IP, IP_MULTICAST_TTL, value);
}
Status sock_set_ip_multicast_ttl(Call& call, Fd fd, u32 value) {
    return is_ipv6(call, fd) ? set_number(call, fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, value)
                             : set_number(call, fd, IPPROTO_IP, IP_MULTICAST_TTL, value);
}
Status sock_get_ip_multicast_loop(Call& call, Fd fd, u32 ipv6, Bytes value) {
    return ipv6 != 0 ? get_bool(call, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, value)
                     : get_bool(call, fd, IPPROTO_IP, IP_MULTICAST_LOOP, value);
}
Status sock_set_ip_multicast_loop(Call& call, Fd fd, u32 ipv6, u32 value) {
    return ipv6 != 0 ? set_bool(call, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, value)
                     : set_bool(call, fd, IPPROTO_IP, IP_MULTICAST_LOOP, value);
}
Status sock_set_ip_add_membership(Call& call, Fd fd, Bytes address, u32 interface_index) {
    return change_membership(call, fd, address, interface_index, true);
}
Status sock_set_ip_drop_membership(Call& call, Fd fd, Bytes address, u32 interface_index) {
    return change_membership(call, fd, address, interface_index, false);
}

Status sock_get_recv_timeout(Call& call, Fd fd, OutU64 microseconds) {
    return get_timeout(call, fd, &Descriptor::receive_timeout, microseconds);
}
Status sock_set_recv_timeout(Call& call, Fd fd, u64 microseconds) {
    return set_timeout(call, fd, &Descriptor::receive_timeout, microseconds);
}
Status sock_get_send_timeout(Call& call, Fd fd, OutU64 microseconds) {
    return get_timeout(call, fd, &Descriptor::send_timeout, microseconds);
}
Status sock_set_send_timeout(Call& call, Fd fd, u64 microseconds) { return set_timeout(call, fd, &Descriptor::send_timeout, microseconds); }

Status sock_get_linger(Call& call, Fd fd, Bytes on, OutU32 seconds) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    linger value{};
    socklen_t length = sizeof(value);
    if (::getsockopt((*found)->fd(), SOL_SOCKET, SO_LINGER, &value, &length) != 0) return errno_from_host(errno);
    if (const Errno error = call.memory.write(on, value.l_onoff != 0 ? 1 : 0); error != Errno::success) return error;
    return call.memory.write(seconds, static_cast<u32>(value.l_linger));
}
Status sock_set_linger(Call& call, Fd fd, u32 on, u32 seconds) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    const linger value{on != 0 ? 1 : 0, static_cast<int>(std::min<u32>(seconds, 65'535))};
    return ::setsockopt((*found)->fd(), SOL_SOCKET, SO_LINGER, &value, sizeof(value)) == 0 ? Errno::success : errno_from_host(errno);
}

}  // namespace wamr
}  // namespace pollux::wasi
