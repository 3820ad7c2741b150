// WAMR's sockets: addresses are one struct with the port inside.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "wasi/socket_calls.h"

namespace pollux::wasi::wamr {
namespace {

constexpr u32 kMaxName = 255;  // of a host or service
enum : u32 { kInet4 = 0, kInet6 = 1, kUnspecified = 2 };
enum : u32 { kDgram = 0, kStream = 1, kAny = ~u32{0} };

struct Info {
    Address address;
    u32 type = kStream;
};
struct Hints {
    u32 type = kAny;
    u32 family = kUnspecified;
    std::uint8_t enabled = 0;
};
static_assert(sizeof(Info) == 28 && sizeof(Hints) == 12);

Expected<SocketAddress> to_host(const Address& address) {
    if (address.kind == kInet4) return SocketAddress::from_ipv4(address.v4.bytes, address.v4.port);
    if (address.kind != kInet6) return std::unexpected(Errno::inval);
    std::uint8_t bytes[16];
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[2 * i] = static_cast<std::uint8_t>(address.v6.words[i] >> 8);
        bytes[2 * i + 1] = static_cast<std::uint8_t>(address.v6.words[i]);
    }
    return SocketAddress::from_ipv6(bytes, address.v6.port);
}

Expected<SocketAddress> read_address(const Call& call, AddressPtr pointer) {
    const auto address = call.memory.read(pointer);
    if (!address) return std::unexpected(address.error());
    return to_host(*address);
}

Expected<Address> from_host(const SocketAddress& host) {
    Address address;
    const std::string_view bytes = host.ip_bytes();
    if (host.family() == AF_INET) {
        address.kind = kInet4;
        std::memcpy(address.v4.bytes, bytes.data(), 4);
        address.v4.port = host.port();
        return address;
    }
    if (host.family() != AF_INET6) return std::unexpected(Errno::afnosupport);
    // An address mapped from IPv4 comes as 4 bytes: ::ffff:a.b.c.d
    std::uint8_t network[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::memcpy(network + (16 - bytes.size()), bytes.data(), bytes.size());
    address.kind = kInet6;
    for (std::size_t i = 0; i < 8; ++i) address.v6.words[i] = static_cast<u16>(network[2 * i] << 8 | network[2 * i + 1]);
    address.v6.port = host.port();
    return address;
}

Status write_address(Call& call, AddressPtr pointer, const Expected<SocketAddress>& host) {
    if (!host) return host.error();
    const auto address = from_host(*host);
    if (!address) return address.error();
    return call.memory.write(pointer, *address);
}

/// A C string of the guest, of at most kMaxName bytes. A null pointer is an empty string.
Expected<std::string> c_string(const GuestMemory& memory, Bytes address) {
    std::string text;
    if (address.address == 0) return text;
    for (u32 i = 0; i <= kMaxName; ++i) {
        const u64 at = u64{address.address} + i;
        if (at >= memory.size()) return std::unexpected(Errno::fault);
        const auto byte = memory.read(Bytes{static_cast<GuestAddress>(at)});
        if (!byte) return std::unexpected(byte.error());
        if (*byte == 0) return text;
        text += static_cast<char>(*byte);
    }
    return std::unexpected(Errno::nametoolong);
}

}  // namespace

Status sock_open(Call& call, u32 /*pool_fd*/, u32 family, u32 type, OutU32 fd) {
    if (!call.memory.has(fd)) return Errno::fault;
    if (family > kInet6) return Errno::afnosupport;
    if (type > kStream) return Errno::prototype;
    const auto opened = open_socket(call, family == kInet4 ? AF_INET : AF_INET6, type == kDgram ? SOCK_DGRAM : SOCK_STREAM);
    if (!opened) return opened.error();
    return call.memory.write(fd, *opened);
}

Status sock_bind(Call& call, Fd fd, AddressPtr pointer) {
    const auto address = read_address(call, pointer);
    return address ? bind_socket(call, fd, *address) : address.error();
}

Status sock_connect(Call& call, Fd fd, AddressPtr pointer) {
    const auto address = read_address(call, pointer);
    return address ? connect_socket(call, fd, *address) : address.error();
}

Status sock_addr_local(Call& call, Fd fd, AddressPtr address) { return write_address(call, address, address_of(call, fd, End::local)); }
Status sock_addr_remote(Call& call, Fd fd, AddressPtr address) { return write_address(call, address, address_of(call, fd, End::peer)); }

Status sock_recv_from(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, AddressPtr address, OutU32 nread) {
    if (!call.memory.has(address) || !call.memory.has(nread)) return Errno::fault;
    const auto received = receive_from(call, fd, iovs, count, flags);
    if (!received) return received.error();
    if (const auto from = from_host(received->from)) {
        if (const Errno error = call.memory.write(address, *from); error != Errno::success) return error;
    }
    return call.memory.write(nread, static_cast<u32>(received->bytes));
}

Status sock_send_to(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, AddressPtr pointer, OutU32 nwritten) {
    if (flags != 0) return Errno::inval;
    const auto address = read_address(call, pointer);
    return address ? send_to(call, fd, iovs, count, *address, nwritten) : address.error();
}

Status sock_addr_resolve(Call& call, Bytes host, Bytes service, Bytes hints_address, Bytes info, u32 max, OutU32 count) {
    const auto host_name = c_string(call.memory, host);
    if (!host_name) return host_name.error();
    const auto service_name = c_string(call.memory, service);
    if (!service_name) return service_name.error();
    const auto hints = call.memory.read(GuestPtr<Hints>{hints_address.address});
    if (!hints) return hints.error();
    const GuestPtr<Info> entries{info.address};
    if (!call.memory.has(entries, max) || !call.memory.has(count)) return Errno::fault;
    const bool hinted = hints->enabled != 0;
    const int family = !hinted || hints->family >= kUnspecified ? AF_UNSPEC : hints->family == kInet4 ? AF_INET : AF_INET6;
    const int type = !hinted || hints->type > kStream ? 0 : hints->type == kDgram ? SOCK_DGRAM : SOCK_STREAM;
    const auto found = look_up_name(call, *host_name, *service_name, family, type, false);
    if (!found) return found.error();
    u32 written = 0;
    for (const Resolved& resolved : *found) {
        const auto address = from_host(resolved.address);
        if (!address) continue;
        if (written < max) {
            const Info entry{*address, resolved.type == SOCK_DGRAM ? kDgram : kStream};
            if (const Errno error = call.memory.write(entries.at(written), entry); error != Errno::success) return error;
        }
        ++written;
    }
    return call.memory.write(count, written);
}

}  // namespace pollux::wasi::wamr
