// Sockets that the guest makes itself: what the two extensions of preview 1 have in common. NetPolicy decides what they may reach.
//
// WasmEdge's functions (wasmedge_sockets.cpp) and WAMR's (wamr_sockets.cpp) share names and differ in parameters and layouts; both
// translate to the host's terms and call the functions here. The host's sockets are non-blocking; waiting parks the task.
#pragma once

#include <string>
#include <vector>

#include "wasi/calls.h"
#include "wasi/socket_address.h"

namespace pollux::wasi {

/// `family` and `type` are the host's. `acces` unless some rule allows the network.
[[nodiscard]] Expected<Fd> open_socket(Call& call, int family, int type);
[[nodiscard]] Status bind_socket(Call& call, Fd fd, const SocketAddress& address);
/// Waits until connected, unless the descriptor is non-blocking: then `inprogress`.
[[nodiscard]] Status connect_socket(Call& call, Fd fd, const SocketAddress& address);
[[nodiscard]] Status send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, const SocketAddress& address, OutU32 nwritten);

struct Received {
    std::size_t bytes = 0;
    u16 flags = 0;  ///< roflags
    SocketAddress from;
};
[[nodiscard]] Outcome<Received> receive_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags);

enum class End : std::uint8_t { local, peer };
[[nodiscard]] Expected<SocketAddress> address_of(const Call& call, Fd fd, End end);

[[nodiscard]] Expected<std::shared_ptr<Descriptor>> find_socket(const Call& call, Fd fd);

/// An address that a lookup found, with a socket type (SOCK_STREAM, SOCK_DGRAM).
struct Resolved {
    SocketAddress address;
    int type = 0;
};
/// getaddrinfo() on a blocking-call thread. `acces` for names that no rule allows; numeric addresses need none. 0: any family or type.
[[nodiscard]] Outcome<std::vector<Resolved>> look_up_name(Call& call, const std::string& host, const std::string& service, int family,
                                                          int type, bool passive);

/// An option with an int value, in the host's terms.
[[nodiscard]] Status set_socket_option(Call& call, Fd fd, int level, int name, int value);
[[nodiscard]] Expected<int> get_socket_option(const Call& call, Fd fd, int level, int name);

// Both extensions: the same name and parameters.
Status sock_listen(Call& call, Fd fd, u32 backlog);

// WasmEdge
namespace wasmedge {
struct Address {
    GuestAddress buf = 0;
    u32 length = 0;  ///< 4: IPv4, 16: IPv6, 128: u16 family and the address or path
};
using AddressPtr = GuestPtr<Address>;
Status sock_open(Call& call, u32 family, u32 type, OutU32 fd);
Status sock_bind(Call& call, Fd fd, AddressPtr address, u32 port);
Status sock_connect(Call& call, Fd fd, AddressPtr address, u32 port);
Status sock_accept(Call& call, Fd fd, OutU32 accepted);
Status sock_recv_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr address, u32 flags, OutU32 nread,
                      GuestPtr<u16> out_flags);
Status sock_recv_from_v2(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr address, u32 flags, OutU32 port, OutU32 nread,
                         GuestPtr<u16> out_flags);
Status sock_send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr address, u32 port, u32 flags, OutU32 nwritten);
Status sock_getsockopt(Call& call, Fd fd, u32 level, u32 name, Bytes value, OutU32 length);
Status sock_setsockopt(Call& call, Fd fd, u32 level, u32 name, Bytes value, u32 length);
Status sock_getlocaladdr(Call& call, Fd fd, AddressPtr address, OutU32 type, OutU32 port);
Status sock_getpeeraddr(Call& call, Fd fd, AddressPtr address, OutU32 type, OutU32 port);
Status sock_getlocaladdr_v2(Call& call, Fd fd, AddressPtr address, OutU32 port);
Status sock_getpeeraddr_v2(Call& call, Fd fd, AddressPtr address, OutU32 port);
Status sock_getaddrinfo(Call& call, Bytes node, u32 node_length, Bytes service, u32 service_length, Bytes hints, OutU32 result, u32 max,
                        OutU32 count);
}  // namespace wasmedge

// WAMR
namespace wamr {
/// `kind` 0: IPv4, bytes and port follow; 1: IPv6, eight numbers in the host's byte order and the port.
struct Address {
    u32 kind = 0;
    union {
        struct {
            std::uint8_t bytes[4];
            u16 port;
        } v4;
        struct {
            u16 words[8];
            u16 port;
        } v6 = {};
    };
};
static_assert(sizeof(Address) == 24);
using AddressPtr = GuestPtr<Address>;
Status sock_open(Call& call, u32 pool_fd, u32 family, u32 type, OutU32 fd);
Status sock_bind(Call& call, Fd fd, AddressPtr address);
Status sock_connect(Call& call, Fd fd, AddressPtr address);
Status sock_addr_local(Call& call, Fd fd, AddressPtr address);
Status sock_addr_remote(Call& call, Fd fd, AddressPtr address);
Status sock_addr_resolve(Call& call, Bytes host, Bytes service, Bytes hints, Bytes info, u32 max, OutU32 count);
Status sock_recv_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, AddressPtr address, OutU32 nread);
Status sock_send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, AddressPtr address, OutU32 nwritten);

Status sock_get_broadcast(Call& call, Fd fd, Bytes value);
Status sock_set_broadcast(Call& call, Fd fd, u32 value);
Status sock_get_keep_alive(Call& call, Fd fd, Bytes value);
Status sock_set_keep_alive(Call& call, Fd fd, u32 value);
Status sock_get_linger(Call& call, Fd fd, Bytes on, OutU32 seconds);
Status sock_set_linger(Call& call, Fd fd, u32 on, u32 seconds);
Status sock_get_recv_buf_size(Call& call, Fd fd, OutU32 value);
Status sock_set_recv_buf_size(Call& call, Fd fd, u32 value);
Status sock_get_send_buf_size(Call& call, Fd fd, OutU32 value);
Status sock_set_send_buf_size(Call& call, Fd fd, u32 value);
Status sock_get_recv_timeout(Call& call, Fd fd, OutU64 microseconds);
Status sock_set_recv_timeout(Call& call, Fd fd, u64 microseconds);
Status sock_get_send_timeout(Call& call, Fd fd, OutU64 microseconds);
Status sock_set_send_timeout(Call& call, Fd fd, u64 microseconds);
Status sock_get_reuse_addr(Call& call, Fd fd, Bytes value);
Status sock_set_reuse_addr(Call& call, Fd fd, u32 value);
Status sock_get_reuse_port(Call& call, Fd fd, Bytes value);
Status sock_set_reuse_port(Call& call, Fd fd, u32 value);
Status sock_get_tcp_fastopen_connect(Call& call, Fd fd, Bytes value);
Status sock_set_tcp_fastopen_connect(Call& call, Fd fd, u32 value);
Status sock_get_tcp_keep_idle(Call& call, Fd fd, OutU32 value);
Status sock_set_tcp_keep_idle(Call& call, Fd fd, u32 value);
Status sock_get_tcp_keep_intvl(Call& call, Fd fd, OutU32 value);
Status sock_set_tcp_keep_intvl(Call& call, Fd fd, u32 value);
Status sock_get_tcp_no_delay(Call& call, Fd fd, Bytes value);
Status sock_set_tcp_no_delay(Call& call, Fd fd, u32 value);
Status sock_get_tcp_quick_ack(Call& call, Fd fd, Bytes value);
Status sock_set_tcp_quick_ack(Call& call, Fd fd, u32 value);
Status sock_get_ip_multicast_loop(Call& call, Fd fd, u32 ipv6, Bytes value);
Status sock_set_ip_multicast_loop(Call& call, Fd fd, u32 ipv6, u32 value);
Status sock_get_ip_multicast_ttl(Call& call, Fd fd, Bytes value);
Status sock_set_ip_multicast_ttl(Call& call, Fd fd, u32 value);
Status sock_set_ip_add_membership(Call& call, Fd fd, Bytes address, u32 interface_index);
Status sock_set_ip_drop_membership(Call& call, Fd fd, Bytes address, u32 interface_index);
Status sock_get_ip_ttl(Call& call, Fd fd, Bytes value);
Status sock_set_ip_ttl(Call& call, Fd fd, u32 value);
Status sock_get_ipv6_only(Call& call, Fd fd, Bytes value);
Status sock_set_ipv6_only(Call& call, Fd fd, u32 value);
}  // namespace wamr

}  // namespace pollux::wasi
