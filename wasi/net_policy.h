// Which addresses and names the guest's own sockets may use. Denied unless a rule allows it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jit/base/error.h"
#include "wasi/socket_address.h"

namespace pollux::wasi {

class NetPolicy {
public:
    /// Rules as Config::allow_net and Config::allow_dns have them.
    [[nodiscard]] static Result<NetPolicy> parse(const std::vector<std::string>& allow_net, const std::vector<std::string>& allow_dns);

    /// Whether any rule allows any address: without one, not even a socket can be made.
    [[nodiscard]] bool any() const noexcept { return !net_rules_.empty(); }
    /// To bind to, connect to or send to. Addresses of a name that a rule names count once allow_addresses_of() has seen them.
    [[nodiscard]] bool allows(const SocketAddress& address) const;
    [[nodiscard]] bool allows_name(std::string_view name) const noexcept;
    /// `address` was found for `name`: rules that name it allow the address from now on. Thread-safe.
    void allow_address_of(std::string_view name, const SocketAddress& address) const;

private:
    struct NetRule {
        std::string name;       ///< a host name or "*.suffix"; empty for an address range
        std::string bytes;      ///< of the address range; empty: every address
        unsigned prefix = 0;    ///< bits that count
        bool everything = false;
        bool unix_path = false; ///< `name` is a path
        std::optional<std::uint16_t> port;
    };
    struct Learned {
        std::string bytes;
        std::optional<std::uint16_t> port;
    };
    struct LearnedAddresses {
        std::mutex mutex;
        std::vector<Learned> entries;
    };

    std::vector<NetRule> net_rules_;
    std::vector<std::string> dns_rules_;
    std::shared_ptr<LearnedAddresses> learned_ = std::make_shared<LearnedAddresses>();
};

}  // namespace pollux::wasi
