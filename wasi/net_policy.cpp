#include "wasi/net_policy.h"

#include <algorithm>
#include <charconv>

namespace pollux::wasi {
namespace {

/// A guest that looks up names without end must not fill the host's memory.
constexpr std::size_t kMaxLearned = 4096;

bool name_matches(std::string_view pattern, std::string_view name) noexcept {
    const auto same = [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
        return lower(a) == lower(b);
    };
    if (pattern == "*") return true;
    if (pattern.starts_with("*.")) {
        pattern.remove_prefix(1);
        return name.size() > pattern.size() && std::equal(pattern.rbegin(), pattern.rend(), name.rbegin(), same);
    }
    return std::equal(pattern.begin(), pattern.end(), name.begin(), name.end(), same);
}

bool in_range(std::string_view range, unsigned prefix, std::string_view address) noexcept {
    if (range.size() != address.size()) return false;
    const std::size_t whole = prefix / 8;
    if (range.substr(0, whole) != address.substr(0, whole)) return false;
    const unsigned rest = prefix % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return ((static_cast<std::uint8_t>(range[whole]) ^ static_cast<std::uint8_t>(address[whole])) & mask) == 0;
}

}  // namespace

Result<NetPolicy> NetPolicy::parse(const std::vector<std::string>& allow_net, const std::vector<std::string>& allow_dns) {
    NetPolicy policy;
    for (const std::string& text : allow_net) {
        const auto wrong = [&] {
            return fail(ErrorKind::usage, "'" + text + "' is no network rule: expected host, host:port, address/bits:port or *:port");
        };
        NetRule rule;
        if (text.starts_with("unix:")) {
            rule.unix_path = true;
            rule.name = text.substr(5);
            if (rule.name.empty()) return wrong();
            policy.net_rules_.push_back(std::move(rule));
            continue;
        }
        HostPort parts = split_host_port(text);
        if (!parts.port.empty() && parts.port.front() == '/') {  // "[::]/0:80"
            const std::size_t colon = parts.port.find(':');
            parts.host += parts.port.substr(0, colon);
            parts.port = colon == std::string::npos ? "" : parts.port.substr(colon + 1);
        }
        if (!parts.port.empty() && parts.port != "*") {
            rule.port = parse_port(parts.port);
            if (!rule.port) return wrong();
        }
        if (parts.host.empty()) return wrong();
        std::string host = parts.host;
        std::optional<unsigned> prefix;
        if (const std::size_t slash = host.find('/'); slash != std::string::npos) {
            unsigned bits = 0;
            const char* end = host.data() + host.size();
            const auto [stop, error] = std::from_chars(host.data() + slash + 1, end, bits);
            if (error != std::errc{} || stop != end) return wrong();
            prefix = bits;
            host.resize(slash);
        }
        if (host == "*") {
            rule.everything = true;
        } else if (const auto address = SocketAddress::from_ip_text(host, 0)) {
            rule.bytes = std::string(address->ip_bytes());
            rule.prefix = prefix.value_or(static_cast<unsigned>(rule.bytes.size()) * 8);
            if (rule.prefix > rule.bytes.size() * 8) return wrong();
        } else {
            if (prefix) return wrong();
            rule.name = host;
        }
        policy.net_rules_.push_back(std::move(rule));
    }
    for (const std::string& text : allow_dns) {
        if (text.empty())
            return fail(ErrorKind::usage, "an empty name is no rule for name resolution: expected a host name, *.suffix or *");
        policy.dns_rules_.push_back(text);
    }
    return policy;
}

bool NetPolicy::allows(const SocketAddress& address) const {
    const std::uint16_t port = address.port();
    if (address.family() == AF_UNIX) {
        return std::ranges::any_of(net_rules_, [&](const NetRule& rule) { return rule.unix_path && rule.name == address.unix_path(); });
    }
    const std::string_view bytes = address.ip_bytes();
    if (bytes.empty()) return false;
    for (const NetRule& rule : net_rules_) {
        if (rule.unix_path || (rule.port && *rule.port != port)) continue;
        if (rule.everything || (!rule.bytes.empty() && in_range(rule.bytes, rule.prefix, bytes))) return true;
    }
    const std::scoped_lock lock(learned_->mutex);
    return std::ranges::any_of(learned_->entries,
                               [&](const Learned& learned) { return learned.bytes == bytes && (!learned.port || *learned.port == port); });
}

bool NetPolicy::allows_name(std::string_view name) const noexcept {
    const auto names = [&](const NetRule& rule) { return !rule.unix_path && !rule.name.empty() && name_matches(rule.name, name); };
    return std::ranges::any_of(dns_rules_, [&](const std::string& rule) { return name_matches(rule, name); }) ||
           std::ranges::any_of(net_rules_, names);
}

void NetPolicy::allow_address_of(std::string_view name, const SocketAddress& address) const {
    const std::string bytes(address.ip_bytes());
    if (bytes.empty()) return;
    const std::scoped_lock lock(learned_->mutex);
    for (const NetRule& rule : net_rules_) {
        if (rule.unix_path || rule.name.empty() || !name_matches(rule.name, name)) continue;
        const auto known = [&](const Learned& learned) { return learned.bytes == bytes && learned.port == rule.port; };
        if (learned_->entries.size() < kMaxLearned && std::ranges::none_of(learned_->entries, known)) {
            learned_->entries.push_back({bytes, rule.port});
        }
    }
}

}  // namespace pollux::wasi
