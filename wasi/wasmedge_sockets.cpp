// WasmEdge's sockets: an address is a buffer of 4, 16 or 128 bytes, and the port a parameter of its own.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "wasi/socket_calls.h"

namespace pollux::wasi::wasmedge {
namespace {

constexpr u32 kIpv4Bytes = 4;
constexpr u32 kIpv6Bytes = 16;
constexpr u32 kStorageBytes = 128;  ///< u16 family, then the address
constexpr u32 kMaxName = 255;
enum : u32 { kUnspecified = 0, kInet4 = 1, kInet6 = 2, kUnix = 3 };
enum : u32 { kAny = 0, kDgram = 1, kStream = 2 };
enum : u32 { kTcp = 1, kUdp = 2 };
constexpr u16 kPassive = 1;  ///< of addrinfo's flags

struct AddrInfo {
    u16 flags = 0;
    std::uint8_t family = 0;
    std::uint8_t type = 0;
    u32 protocol = 0;
    u32 address_length = 0;
    GuestAddress address = 0;
    GuestAddress canonical_name = 0;
    u32 canonical_name_length = 0;
    GuestAddress next = 0;
};
struct SockAddr {
    std::uint8_t family = 0;
    std::uint8_t padding[3] = {};
    u32 data_length = 0;
    GuestAddress data = 0;
};
static_assert(sizeof(AddrInfo) == 28 && sizeof(SockAddr) == 12);

Expected<SocketAddress> read_address(const Call& call, AddressPtr pointer, u32 port) {
    if (port > 65'535) return std::unexpected(Errno::inval);
    const auto address = call.memory.read(pointer);
    if (!address) return std::unexpected(address.error());
    const auto bytes = call.memory.bytes(address->buf, address->length);
    if (!bytes) return std::unexpected(bytes.error());
    const auto host_port = static_cast<u16>(port);
    switch (address->length) {
        case kIpv4Bytes:    return SocketAddress::from_ipv4(bytes->data(), host_port);
        case kIpv6Bytes:    return SocketAddress::from_ipv6(bytes->data(), host_port);
        case kStorageBytes: {
            std::array<std::uint8_t, kStorageBytes> storage;
            std::memcpy(storage.data(), bytes->data(), storage.size());
            const u32 family = storage[0] | u32{storage[1]} << 8;
            if (family == kInet4) return SocketAddress::from_ipv4(storage.data() + 2, host_port);
            if (family == kInet6) return SocketAddress::from_ipv6(storage.data() + 2, host_port);
            if (family != kUnix) return std::unexpected(Errno::afnosupport);
            const auto* path = reinterpret_cast<const char*>(storage.data() + 2);
            const auto host = SocketAddress::from_unix_path({path, ::strnlen(path, kStorageBytes - 2)});
            if (!host) return std::unexpected(Errno::inval);
            return *host;
        }
        default: return std::unexpected(Errno::inval);
    }
}

u32 family_of(const SocketAddress& address) noexcept {
    return address.family() == AF_INET    ? kInet4
           : address.family() == AF_INET6 ? kInet6
           : address.family() == AF_UNIX  ? kUnix
                                          : kUnspecified;
}

/// The 4 or 16 bytes of an IP address of its own family.
std::string_view raw_bytes(const SocketAddress& address) noexcept {
    if (address.family() == AF_INET) return address.ip_bytes();
    if (address.family() != AF_INET6) return {};
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr), kIpv6Bytes};
}

Status write_address(const Call& call, AddressPtr pointer, const SocketAddress& host) {
    const auto address = call.memory.read(pointer);
    if (!address) return address.error();
    const auto bytes = call.memory.bytes(address->buf, address->length);
    if (!bytes) return bytes.error();
    std::string_view source = host.family() == AF_UNIX ? host.unix_path() : raw_bytes(host);
    std::span<std::uint8_t> target = *bytes;
    if (address->length >= kStorageBytes) {
        std::ranges::fill(target, std::uint8_t{0});
        target[0] = static_cast<std::uint8_t>(family_of(host));
        target = target.subspan(2);
    }
    if (source.size() > target.size()) return Errno::inval;
    if (!source.empty()) std::memcpy(target.data(), source.data(), source.size());
    return Errno::success;
}

Status write_names(Call& call, Fd fd, End end, AddressPtr address, const OutU32* type, OutU32 port) {
    const auto host = address_of(call, fd, end);
    if (!host) return host.error();
    if (const Status status = write_address(call, address, *host); !status.ok()) return status;
    if (type != nullptr) {
        if (const Errno error = call.memory.write(*type, host->family() == AF_INET6 ? 6 : 4); error != Errno::success) return error;
    }
    return call.memory.write(port, host->port());
}

Expected<std::string> text(const GuestMemory& memory, Bytes address, u32 length) {
    if (length > kMaxName) return std::unexpected(Errno::nametoolong);
    const auto bytes = memory.bytes(address.address, length);
    if (!bytes) return std::unexpected(bytes.error());
    const std::string string(bytes->begin(), bytes->end());
    return string.substr(0, string.find('\0'));  // some guests count the NUL
}

/// SOL_SOCKET options by WasmEdge's number.
constexpr int kOptions[] = {SO_REUSEADDR, SO_TYPE,      SO_ERROR,  SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF,   SO_RCVBUF,
                            SO_KEEPALIVE, SO_OOBINLINE, SO_LINGER, SO_RCVLOWAT,  SO_RCVTIMEO,  SO_SNDTIMEO, SO_ACCEPTCONN};

Expected<int> option(u32 level, u32 name) noexcept {
    if (level != 0 || name >= std::size(kOptions)) return std::unexpected(Errno::noprotoopt);
    return kOptions[name];
}

/// A guest's timeval: seconds and microseconds, two of 32 or two of 64 bits.
struct TimeValue {
    i64 seconds = 0;
    i64 microseconds = 0;
};

}  // namespace

Status sock_open(Call& call, u32 family, u32 type, OutU32 fd) {
    if (!call.memory.has(fd)) return Errno::fault;
    const int host_family = family == kInet4 ? AF_INET : family == kInet6 ? AF_INET6 : family == kUnix ? AF_UNIX : -1;
    if (host_family < 0) return Errno::afnosupport;
    if (type != kDgram && type != kStream && type != kAny) return Errno::prototype;
    const auto opened = open_socket(call, host_family, type == kDgram ? SOCK_DGRAM : SOCK_STREAM);
    if (!opened) return opened.error();
    return call.memory.write(fd, *opened);
}

Status sock_bind(Call& call, Fd fd, AddressPtr pointer, u32 port) {
    const auto address = read_address(call, pointer, port);
    return address ? bind_socket(call, fd, *address) : address.error();
}

Status sock_connect(Call& call, Fd fd, AddressPtr pointer, u32 port) {
    const auto address = read_address(call, pointer, port);
    return address ? connect_socket(call, fd, *address) : address.error();
}

Status sock_accept(Call& call, Fd fd, OutU32 accepted) { return wasi::sock_accept(call, fd, 0, accepted); }

Status sock_recv_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr address, u32 flags, OutU32 nread,
                      GuestPtr<u16> out_flags) {
    if (!call.memory.has(nread) || !call.memory.has(out_flags)) return Errno::fault;
    const auto received = receive_from(call, fd, iovs, count, flags);
    if (!received) return received.error();
    if (const Status status = write_address(call, address, received->from); !status.ok()) return status;
    if (const Errno error = call.memory.write(out_flags, received->flags); error != Errno::success) return error;
    return call.memory.write(nread, static_cast<u32>(received->bytes));
}

Status sock_recv_from_v2(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr address, u32 flags, OutU32 port, OutU32 nread,
                         GuestPtr<u16> out_flags) {
    if (!call.memory.has(nread) || !call.memory.has(out_flags) || !call.memory.has(port)) return Errno::fault;
    const auto received = receive_from(call, fd, iovs, count, flags);
    if (!received) return received.error();
    if (const Status status = write_address(call, address, received->from); !status.ok()) return status;
    if (const Errno error = call.memory.write(port, received->from.port()); error != Errno::success) return error;
    if (const Errno error = call.memory.write(out_flags, received->flags); error != Errno::success) return error;
    return call.memory.write(nread, static_cast<u32>(received->bytes));
}

Status sock_send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, AddressPtr pointer, u32 port, u32 flags, OutU32 nwritten) {
    if (flags != 0) return Errno::inval;
    const auto address = read_address(call, pointer, port);
    return address ? send_to(call, fd, iovs, count, *address, nwritten) : address.error();
}

Status sock_getlocaladdr(Call& call, Fd fd, AddressPtr address, OutU32 type, OutU32 port) {
    return write_names(call, fd, End::local, address, &type, port);
}
Status sock_getpeeraddr(Call& call, Fd fd, AddressPtr address, OutU32 type, OutU32 port) {
    return write_names(call, fd, End::peer, address, &type, port);
}
Status sock_getlocaladdr_v2(Call& call, Fd fd, AddressPtr address, OutU32 port) {
    return write_names(call, fd, End::local, address, nullptr, port);
}
Status sock_getpeeraddr_v2(Call& call, Fd fd, AddressPtr address, OutU32 port) {
    return write_names(call, fd, End::peer, address, nullptr, port);
}

Status sock_getsockopt(Call& call, Fd fd, u32 level, u32 name, Bytes value, OutU32 length) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    const auto host_name = option(level, name);
    if (!host_name) return host_name.error();
    const auto capacity = call.memory.read(length);
    if (!capacity) return capacity.error();
    std::array<i64, 2> wide{};
    std::size_t size = sizeof(i32);
    if (*host_name == SO_RCVTIMEO || *host_name == SO_SNDTIMEO) {
        const u64 ns = (*host_name == SO_RCVTIMEO ? (*found)->receive_timeout : (*found)->send_timeout).load();
        wide = {static_cast<i64>(ns / 1'000'000'000), static_cast<i64>(ns % 1'000'000'000 / 1000)};
        size = sizeof(wide);
    } else if (*host_name == SO_LINGER) {
        socklen_t host_length = sizeof(linger);
        if (::getsockopt((*found)->fd(), SOL_SOCKET, SO_LINGER, wide.data(), &host_length) != 0) return errno_from_host(errno);
        size = sizeof(linger);
    } else {
        const auto number = get_socket_option(call, fd, SOL_SOCKET, *host_name);
        if (!number) return number.error();
        i32 result = *number;
        if (*host_name == SO_ERROR) result = static_cast<i32>(errno_from_host(*number));
        if (*host_name == SO_TYPE) result = *number == SOCK_DGRAM ? kDgram : kStream;
        std::memcpy(wide.data(), &result, sizeof(result));
    }
    if (*capacity < size) return Errno::inval;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(wide.data());
    if (const Errno error = call.memory.write_bytes(value.address, {bytes, size}); error != Errno::success) return error;
    return call.memory.write(length, static_cast<u32>(size));
}

Status sock_setsockopt(Call& call, Fd fd, u32 level, u32 name, Bytes value, u32 length) {
    const auto found = find_socket(call, fd);
    if (!found) return found.error();
    const auto host_name = option(level, name);
    if (!host_name) return host_name.error();
    if (*host_name == SO_RCVTIMEO || *host_name == SO_SNDTIMEO) {
        TimeValue time;
        if (length == 16) {
            const auto read = call.memory.read(GuestPtr<TimeValue>{value.address});
            if (!read) return read.error();
            time = *read;
        } else if (length == 8) {
            const auto read = call.memory.read(GuestPtr<std::array<i32, 2>>{value.address});
            if (!read) return read.error();
            time = {(*read)[0], (*read)[1]};
        } else {
            return Errno::inval;
        }
        constexpr i64 kLongest = 4'000'000'000;  // seconds; a deadline must not overflow
        if (time.seconds < 0 || time.microseconds < 0 || time.microseconds >= 1'000'000) return Errno::dom;
        const u64 ns = static_cast<u64>(std::min(time.seconds, kLongest)) * 1'000'000'000 + static_cast<u64>(time.microseconds) * 1000;
        (*host_name == SO_RCVTIMEO ? (*found)->receive_timeout : (*found)->send_timeout).store(ns);
        return Errno::success;
    }
    if (*host_name == SO_LINGER) {
        if (length != sizeof(linger)) return Errno::inval;
        const auto read = call.memory.read(GuestPtr<std::array<i32, 2>>{value.address});
        if (!read) return read.error();
        const linger host{(*read)[0], (*read)[1]};
        return ::setsockopt((*found)->fd(), SOL_SOCKET, SO_LINGER, &host, sizeof(host)) == 0 ? Errno::success : errno_from_host(errno);
    }
    if (length != sizeof(i32)) return Errno::inval;
    const auto number = call.memory.read(GuestPtr<i32>{value.address});
    if (!number) return number.error();
    return set_socket_option(call, fd, SOL_SOCKET, *host_name, *number);
}

Status sock_getaddrinfo(Call& call, Bytes node, u32 node_length, Bytes service, u32 service_length, Bytes hints_address, OutU32 result,
                        u32 max, OutU32 count) {
    const auto host = text(call.memory, node, node_length);
    if (!host) return host.error();
    const auto service_name = text(call.memory, service, service_length);
    if (!service_name) return service_name.error();
    const auto hints = call.memory.read(GuestPtr<AddrInfo>{hints_address.address});
    if (!hints) return hints.error();
    const auto first = call.memory.read(result);
    if (!first) return first.error();
    if (!call.memory.has(count)) return Errno::fault;
    const int family = hints->family == kInet4 ? AF_INET : hints->family == kInet6 ? AF_INET6 : AF_UNSPEC;
    const int type = hints->type == kDgram ? SOCK_DGRAM : hints->type == kStream ? SOCK_STREAM : 0;
    const auto found = look_up_name(call, *host, *service_name, family, type, (hints->flags & kPassive) != 0);
    if (!found) return found.error();

    u32 written = 0;
    GuestAddress at = *first;
    for (const Resolved& resolved : *found) {
        if (written == max) break;
        const GuestPtr<AddrInfo> place{at};
        auto info = call.memory.read(place);
        if (!info) return info.error();
        auto address = call.memory.read(GuestPtr<SockAddr>{info->address});
        if (!address) return address.error();
        // What follows the family in the host's sockaddr: port, address, and for IPv6 flow and scope.
        const std::size_t data_length = resolved.address.family() == AF_INET6 ? 26 : 14;
        const auto* data = reinterpret_cast<const std::uint8_t*>(&resolved.address.storage) + sizeof(sa_family_t);
        address->family = static_cast<std::uint8_t>(family_of(resolved.address));
        address->data_length = std::min(address->data_length, static_cast<u32>(data_length));
        info->flags = 0;
        info->family = address->family;
        info->type = static_cast<std::uint8_t>(resolved.type == SOCK_DGRAM ? kDgram : kStream);
        info->protocol = resolved.type == SOCK_DGRAM ? kUdp : kTcp;
        info->address_length = static_cast<u32>(sizeof(sa_family_t) + data_length);
        info->canonical_name_length = 0;
        for (const Errno error : {call.memory.write_bytes(address->data, {data, address->data_length}),
                                  call.memory.write(GuestPtr<SockAddr>{info->address}, *address), call.memory.write(place, *info)}) {
            if (error != Errno::success) return error;
        }
        at = info->next;
        ++written;
    }
    return call.memory.write(count, written);
}

}  // namespace pollux::wasi::wasmedge
