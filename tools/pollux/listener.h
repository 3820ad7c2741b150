// Sockets that `serve` accepts connections from.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "jit/base/error.h"
#include "jit/base/unique_fd.h"

namespace pollux::cli {

struct Connection {
    UniqueFd socket;
    std::string peer;  ///< for messages
    bool tells_quiet_time = false;  ///< quiet_time() works: a TCP connection, but not under emulators
};

/// Why no connection was accepted.
enum class NotAccepted : std::uint8_t {
    none_waiting,
    no_descriptors,
    no_memory,
};

class Listener {
public:
    /// "host:port", "[v6]:port", ":port", "unix:PATH"
    [[nodiscard]] static Result<Listener> open(const std::string& address);
    Listener(Listener&&) noexcept = default;
    Listener& operator=(Listener&&) noexcept = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    /// Stops listening. A Unix socket's file goes, too.
    ~Listener();

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    /// With the port that the system chose.
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// Does not block.
    [[nodiscard]] std::expected<Connection, NotAccepted> accept() const;

private:
    Listener() = default;
    UniqueFd socket_;
    std::string address_;
    std::string unix_path_;
};

/// Nanoseconds since a byte has last been sent or received on a TCP connection, if the system tells that.
[[nodiscard]] std::optional<std::uint64_t> quiet_time(int tcp_socket) noexcept;

/// Ends a connection so that the peer still gets all that was sent: closing it while input is unread would make TCP drop that.
void hang_up(UniqueFd socket) noexcept;

}  // namespace pollux::cli
