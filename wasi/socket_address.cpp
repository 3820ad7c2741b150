#include "wasi/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nss.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <mutex>

namespace pollux::wasi {
namespace {

const sockaddr_in& as_ipv4(const sockaddr_storage& storage) noexcept { return reinterpret_cast<const sockaddr_in&>(storage); }
const sockaddr_in6& as_ipv6(const sockaddr_storage& storage) noexcept { return reinterpret_cast<const sockaddr_in6&>(storage); }

}  // namespace

std::uint16_t SocketAddress::port() const noexcept {
    if (family() == AF_INET) return ntohs(as_ipv4(storage).sin_port);
    if (family() == AF_INET6) return ntohs(as_ipv6(storage).sin6_port);
    return 0;
}

void SocketAddress::set_port(std::uint16_t port) noexcept {
    if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
    if (family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
}

std::string_view SocketAddress::ip_bytes() const noexcept {
    if (family() == AF_INET) return {reinterpret_cast<const char*>(&as_ipv4(storage).sin_addr), 4};
    if (family() != AF_INET6) return {};
    const in6_addr& address = as_ipv6(storage).sin6_addr;
    const std::string_view bytes(reinterpret_cast<const char*>(&address), 16);
    return IN6_IS_ADDR_V4MAPPED(&address) ? bytes.substr(12) : bytes;
}

std::string SocketAddress::text() const {
    char host[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET && ::inet_ntop(AF_INET, &as_ipv4(storage).sin_addr, host, sizeof(host)) != nullptr) {
        return std::string(host) + ":" + std::to_string(port());
    }
    if (family() == AF_INET6 && ::inet_ntop(AF_INET6, &as_ipv6(storage).sin6_addr, host, sizeof(host)) != nullptr) {
        return "[" + std::string(host) + "]:" + std::to_string(port());
    }
    return "unix:" + std::string(unix_path());
}

std::string_view SocketAddress::unix_path() const noexcept {
    if (family() != AF_UNIX || length <= offsetof(sockaddr_un, sun_path)) return {};
    const char* path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
    return {path, ::strnlen(path, length - offsetof(sockaddr_un, sun_path))};
}

SocketAddress SocketAddress::from_ipv4(const std::uint8_t* bytes, std::uint16_t port) noexcept {
    SocketAddress address;
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, bytes, 4);
    address.length = sizeof(in);
    address.set_port(port);
    return address;
}

SocketAddress SocketAddress::from_ipv6(const std::uint8_t* bytes, std::uint16_t port) noexcept {
    SocketAddress address;
    auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
    in.sin6_family = AF_INET6;
    std::memcpy(&in.sin6_addr, bytes, 16);
    address.length = sizeof(in);
    address.set_port(port);
    return address;
}

std::optional<SocketAddress> SocketAddress::from_unix_path(std::string_view path) noexcept {
    SocketAddress address;
    auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
    if (path.empty() || path.size() >= sizeof(un.sun_path) || path.find('\0') != std::string_view::npos) return std::nullopt;
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

std::optional<SocketAddress> SocketAddress::from_ip_text(const std::string& text, std::uint16_t port) noexcept {
    std::uint8_t bytes[16];
    if (::inet_pton(AF_INET, text.c_str(), bytes) == 1) return from_ipv4(bytes, port);
    if (::inet_pton(AF_INET6, text.c_str(), bytes) == 1) return from_ipv6(bytes, port);
    return std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return port;
}

HostPort split_host_port(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close != std::string_view::npos) {
            const std::string_view rest = text.substr(close + 1);
            return {std::string(text.substr(1, close - 1)), std::string(rest.starts_with(':') ? rest.substr(1) : rest)};
        }
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || text.find(':') != colon) return {std::string(text), {}};
    return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::expected<AddressList, int> look_up(const std::string& host, const std::string& service, const addrinfo& hints) {
    static std::once_flag configured;
    if (built_in_name_services_only) std::call_once(configured, [] { ::__nss_configure_lookup("hosts", "files dns"); });
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.empty() ? nullptr : service.c_str(), &hints, &found);
    if (error != 0) return std::unexpected(error);
    return AddressList(found);
}

Result<SocketAddress> resolve_socket_address(const std::string& text, bool passive) {
    if (text.starts_with("unix:")) {
        const auto address = SocketAddress::from_unix_path(std::string_view(text).substr(5));
        if (!address) return fail(ErrorKind::usage, "'" + text + "': not a path that a Unix socket can have");
        return *address;
    }
    const HostPort parts = split_host_port(text);
    if (!parse_port(parts.port)) return fail(ErrorKind::usage, "'" + text + "' is no address: expected host:port, :port or unix:path");
    addrinfo hints{};
    hints.ai_flags = passive ? AI_PASSIVE | AI_NUMERICSERV : AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    const auto found = look_up(parts.host, parts.port, hints);
    if (!found) return fail(ErrorKind::io, "cannot look up '" + parts.host + "': " + ::gai_strerror(found.error()));
    SocketAddress address;
    const addrinfo* first = found->get();
    if (first != nullptr && first->ai_addrlen <= sizeof(address.storage)) {
        std::memcpy(&address.storage, first->ai_addr, first->ai_addrlen);
        address.length = first->ai_addrlen;
        return address;
    }
    return fail(ErrorKind::io, "cannot look up '" + parts.host + "': no address");
}

}  // namespace pollux::wasi
