#include "wasi/net_policy.h"

#include <gtest/gtest.h>

namespace pollux::wasi {
namespace {

SocketAddress ip(const char* text, std::uint16_t port) { return *SocketAddress::from_ip_text(text, port); }

TEST(NetPolicy, NothingIsAllowedByDefault) {
    const auto policy = NetPolicy::parse({}, {});
    EXPECT_FALSE(policy->any());
    EXPECT_FALSE(policy->allows(ip("127.0.0.1", 80)));
    EXPECT_FALSE(policy->allows_name("localhost"));
}

TEST(NetPolicy, AddressesRangesAndPorts) {
    const auto policy = NetPolicy::parse({"10.0.0.0/8:80", "192.168.1.7", "[2001:db8::]/32:443", "::1", "[::1]:9", "*:53"}, {});
    ASSERT_TRUE(policy.has_value()) << policy.error().message;
    EXPECT_TRUE(policy->allows(ip("10.200.3.4", 80)));
    EXPECT_FALSE(policy->allows(ip("10.200.3.4", 81)));
    EXPECT_FALSE(policy->allows(ip("11.0.0.1", 80)));
    EXPECT_TRUE(policy->allows(ip("192.168.1.7", 12345)));
    EXPECT_FALSE(policy->allows(ip("192.168.1.8", 12345)));
    EXPECT_TRUE(policy->allows(ip("2001:db8:1::5", 443)));
    EXPECT_FALSE(policy->allows(ip("2001:db9::5", 443)));
    EXPECT_TRUE(policy->allows(ip("::1", 1)));
    EXPECT_TRUE(policy->allows(ip("8.8.8.8", 53)));
    EXPECT_TRUE(policy->allows(ip("::ffff:10.1.1.1", 80))) << "an IPv4 address mapped into IPv6 is that address";
    EXPECT_FALSE(policy->allows(ip("::ffff:11.1.1.1", 80)));
}

TEST(NetPolicy, NamesAndTheAddressesFoundForThem) {
    const auto policy = NetPolicy::parse({"api.example.org:443"}, {"*.example.com", "exact.org"});
    EXPECT_TRUE(policy->allows_name("API.example.org"));
    EXPECT_TRUE(policy->allows_name("a.b.example.com"));
    EXPECT_FALSE(policy->allows_name("example.com"));
    EXPECT_FALSE(policy->allows_name("badexample.com"));
    EXPECT_FALSE(policy->allows_name("x.exact.org"));
    EXPECT_FALSE(policy->allows(ip("1.2.3.4", 443)));
    policy->allow_address_of("api.example.org", ip("1.2.3.4", 0));
    policy->allow_address_of("a.example.com", ip("5.6.7.8", 0));
    EXPECT_TRUE(policy->allows(ip("1.2.3.4", 443)));
    EXPECT_FALSE(policy->allows(ip("1.2.3.4", 80)));
    EXPECT_FALSE(policy->allows(ip("5.6.7.8", 443))) << "may be looked up, not connected to";
}

TEST(NetPolicy, UnixPaths) {
    const auto policy = NetPolicy::parse({"unix:/run/app.sock"}, {});
    EXPECT_TRUE(policy->allows(*SocketAddress::from_unix_path("/run/app.sock")));
    EXPECT_FALSE(policy->allows(*SocketAddress::from_unix_path("/run/other.sock")));
    EXPECT_FALSE(NetPolicy::parse({"*"}, {})->allows(*SocketAddress::from_unix_path("/run/app.sock")));
}

TEST(NetPolicy, RulesThatAreNone) {
    for (const char* rule : {"", ":80", "host:99999", "host:x", "10.0.0.0/33", "10.0.0.0/x", "name/8", "unix:"}) {
        const auto policy = NetPolicy::parse({rule}, {});
        ASSERT_FALSE(policy.has_value()) << rule;
        EXPECT_EQ(policy.error().kind, ErrorKind::usage);
    }
    EXPECT_FALSE(NetPolicy::parse({}, {""}).has_value());
}

}  // namespace
}  // namespace pollux::wasi
