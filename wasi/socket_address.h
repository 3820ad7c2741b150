// Socket addresses of the host: parsed from text, printed, compared with address ranges.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "jit/base/error.h"

namespace pollux::wasi {

/// An IPv4, IPv6 or Unix address.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] int family() const noexcept { return storage.ss_family; }
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    /// 0 for a Unix address.
    [[nodiscard]] std::uint16_t port() const noexcept;
    void set_port(std::uint16_t port) noexcept;
    /// The 4 or 16 bytes of an IP address, in network order; an IPv4 address mapped into IPv6 gives its 4 bytes.
    [[nodiscard]] std::string_view ip_bytes() const noexcept;
    /// "192.0.2.1:80", "[::1]:80", "unix:/path"
    [[nodiscard]] std::string text() const;
    /// Path of a Unix address.
    [[nodiscard]] std::string_view unix_path() const noexcept;

    [[nodiscard]] static SocketAddress from_ipv4(const std::uint8_t* bytes, std::uint16_t port) noexcept;
    [[nodiscard]] static SocketAddress from_ipv6(const std::uint8_t* bytes, std::uint16_t port) noexcept;
    /// Nothing when the path is empty, too long or has a NUL inside.
    [[nodiscard]] static std::optional<SocketAddress> from_unix_path(std::string_view path) noexcept;
    /// "192.0.2.1" or "::1", no name.
    [[nodiscard]] static std::optional<SocketAddress> from_ip_text(const std::string& text, std::uint16_t port) noexcept;
};

/// Set by a program that is linked statically, before the first lookup: hosts are looked up in files and DNS, which the C library has in
/// it. Other name services are shared objects.
inline bool built_in_name_services_only = false;

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;

/// getaddrinfo(), which may block for long; an empty host or service is none. Error: one of its EAI_ numbers.
[[nodiscard]] std::expected<AddressList, int> look_up(const std::string& host, const std::string& service, const addrinfo& hints);

/// "host:port", "[v6]:port", ":port" (every address), "unix:path". Names are looked up, which may take long.
[[nodiscard]] Result<SocketAddress> resolve_socket_address(const std::string& text, bool passive);

/// Splits "host:port" and "[v6]:port"; the port is empty where there is none. A bare IPv6 address has no port.
struct HostPort {
    std::string host;
    std::string port;
};
[[nodiscard]] HostPort split_host_port(std::string_view text);

/// A decimal number of 0 to 65535.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text) noexcept;

}  // namespace pollux::wasi
