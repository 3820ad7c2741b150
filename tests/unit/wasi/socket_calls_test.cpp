// Sockets of the guest's own: WasmEdge's and WAMR's calls, and what the policy allows.
#include "wasi/socket_calls.h"

#include <netinet/in.h>

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

constexpr GuestAddress kAddress = 512;
constexpr GuestAddress kAddressBytes = 640;
constexpr u32 kInet4 = 1;
constexpr u32 kDgram = 1;
constexpr u32 kStream = 2;

Config allowing(std::vector<std::string> rules) {
    Config config = Guest::quiet();
    config.notice_fd = -1;
    config.allow_net = std::move(rules);
    return config;
}

wasmedge::AddressPtr edge_address(Guest& guest, std::array<std::uint8_t, 4> bytes) {
    guest.set(kAddressBytes, bytes);
    guest.set(kAddress, wasmedge::Address{kAddressBytes, 4});
    return {kAddress};
}

u32 local_port(Guest& guest, Fd fd) {
    EXPECT_EQ(wasmedge::sock_getlocaladdr_v2(guest.call(), fd, edge_address(guest, {}), {kOut + 8}), Errno::success);
    return guest.at<u32>(kOut + 8);
}

TEST(SocketCalls, ADenialIsExplainedOnce) {
    Pipe pipe;
    Config config = allowing({"10.1.2.3:80"});
    config.notice_fd = pipe.writer.get();
    Guest guest(std::move(config));
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(wasmedge::sock_connect(guest.call(), guest.at<Fd>(kOut), edge_address(guest, {127, 0, 0, 1}), 80), Errno::acces);
    }
    char text[200] = {};
    const ssize_t count = ::read(pipe.reader.get(), text, sizeof(text));
    EXPECT_EQ(std::string(text, static_cast<std::size_t>(count)),
              "pollux: the program was not allowed to connect to 127.0.0.1:80; --allow-net=127.0.0.1:80 would allow it\n");
}

TEST(SocketCalls, DeniedByDefault) {
    Guest guest;
    EXPECT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::acces);
    EXPECT_EQ(wamr::sock_open(guest.call(), 0, 0, 1, {kOut}), Errno::acces);
    Guest other(allowing({"10.1.2.3:80"}));
    ASSERT_EQ(wasmedge::sock_open(other.call(), kInet4, kStream, {kOut}), Errno::success);
    const Fd fd = other.at<Fd>(kOut);
    EXPECT_EQ(wasmedge::sock_connect(other.call(), fd, edge_address(other, {127, 0, 0, 1}), 80), Errno::acces);
    EXPECT_EQ(wasmedge::sock_bind(other.call(), fd, edge_address(other, {0, 0, 0, 0}), 80), Errno::acces);
    EXPECT_EQ(sock_listen(other.call(), fd, 5), Errno::acces);
    EXPECT_EQ(wasmedge::sock_send_to(other.call(), fd, {kIovecs}, 0, edge_address(other, {8, 8, 8, 8}), 53, 0, {kOut}), Errno::acces);
}

TEST(SocketCalls, WasmEdgeServerAndClient) {
    Guest guest(allowing({"127.0.0.1"}));
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    const Fd listener = guest.at<Fd>(kOut);
    ASSERT_EQ(wasmedge::sock_bind(guest.call(), listener, edge_address(guest, {127, 0, 0, 1}), 0), Errno::success);
    ASSERT_EQ(sock_listen(guest.call(), listener, 10), Errno::success);
    const u32 port = local_port(guest, listener);
    ASSERT_GT(port, 0u);

    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    const Fd client = guest.at<Fd>(kOut);
    ASSERT_EQ(guest.set_flags(client, fdflags::kNonblock), Errno::success);
    EXPECT_EQ(wasmedge::sock_connect(guest.call(), client, edge_address(guest, {127, 0, 0, 1}), port), Errno::inprogress);
    guest.subscribe_fd(0, EventType::fd_write, client, 1);
    ASSERT_EQ(guest.poll(1), Errno::success);
    guest.set(kOut + 16, u32{4});
    ASSERT_EQ(wasmedge::sock_getsockopt(guest.call(), client, 0, 2, {kOut + 20}, {kOut + 16}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut + 20), 0u) << "SO_ERROR";

    ASSERT_EQ(wasmedge::sock_accept(guest.call(), listener, {kOut}), Errno::success);
    const Fd connection = guest.at<Fd>(kOut);
    ASSERT_EQ(guest.write(client, "hello"), Errno::success);
    ASSERT_EQ(guest.read(connection, 10), Errno::success);
    EXPECT_EQ(guest.data(), "hello");
    ASSERT_EQ(wasmedge::sock_getpeeraddr(guest.call(), client, edge_address(guest, {}), {kOut + 4}, {kOut + 8}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut + 4), 4u);
    EXPECT_EQ(guest.at<u32>(kOut + 8), port);
    EXPECT_EQ((guest.at<std::array<std::uint8_t, 4>>(kAddressBytes)), (std::array<std::uint8_t, 4>{127, 0, 0, 1}));
}

TEST(SocketCalls, ARefusedConnectionOfABlockingGuest) {
    Guest guest(allowing({"127.0.0.1"}));
    // A port that nobody listens on: bound and given up.
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    const Fd bound = guest.at<Fd>(kOut);
    ASSERT_EQ(wasmedge::sock_bind(guest.call(), bound, edge_address(guest, {127, 0, 0, 1}), 0), Errno::success);
    const u32 port = local_port(guest, bound);
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    EXPECT_EQ(wasmedge::sock_connect(guest.call(), guest.at<Fd>(kOut), edge_address(guest, {127, 0, 0, 1}), port), Errno::connrefused);
}

TEST(SocketCalls, DatagramsOfBothAbis) {
    Guest guest(allowing({"127.0.0.0/8"}));
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kDgram, {kOut}), Errno::success);
    const Fd edge = guest.at<Fd>(kOut);
    ASSERT_EQ(wasmedge::sock_bind(guest.call(), edge, edge_address(guest, {127, 0, 0, 1}), 0), Errno::success);
    const u32 port = local_port(guest, edge);
    ASSERT_EQ(wamr::sock_open(guest.call(), 0, 0, 0, {kOut}), Errno::success);
    const Fd wamr_fd = guest.at<Fd>(kOut);

    wamr::Address to{};
    to.v4 = {{127, 0, 0, 1}, static_cast<u16>(port)};
    guest.set(kAddress, to);
    guest.set(kIovecs, Iovec{kData, guest.put_text(kData, "datagram")});
    ASSERT_EQ(wamr::sock_send_to(guest.call(), wamr_fd, {kIovecs}, 1, 0, {kAddress}, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), 8u);
    guest.set(kIovecs, Iovec{kData + 100, 50});
    ASSERT_EQ(wasmedge::sock_recv_from_v2(guest.call(), edge, {kIovecs}, 1, edge_address(guest, {}), 0, {kOut + 4}, {kOut}, {kOut + 8}),
              Errno::success);
    EXPECT_EQ(guest.text(kData + 100, guest.at<u32>(kOut)), "datagram");
    ASSERT_EQ(wamr::sock_addr_local(guest.call(), wamr_fd, {kAddress}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut + 4), guest.at<wamr::Address>(kAddress).v4.port);
}

TEST(SocketCalls, TimeoutsEndAWait) {
    Guest guest(allowing({"127.0.0.1"}));
    ASSERT_EQ(wamr::sock_open(guest.call(), 0, 0, 0, {kOut}), Errno::success);
    const Fd fd = guest.at<Fd>(kOut);
    ASSERT_EQ(wamr::sock_set_recv_timeout(guest.call(), fd, 5000), Errno::success);
    ASSERT_EQ(wamr::sock_get_recv_timeout(guest.call(), fd, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<u64>(kOut), 5000u);
    guest.set(kIovecs, Iovec{kData, 10});
    const u64 before = monotonic_now();
    EXPECT_EQ(wamr::sock_recv_from(guest.call(), fd, {kIovecs}, 1, 0, {kAddress}, {kOut}), Errno::again);
    EXPECT_GE(monotonic_now() - before, 5'000'000u);
}

TEST(SocketCalls, Options) {
    Guest guest(allowing({"127.0.0.1"}));
    ASSERT_EQ(wamr::sock_open(guest.call(), 0, 0, 1, {kOut}), Errno::success);
    const Fd fd = guest.at<Fd>(kOut);
    for (const auto& [set, get] : {std::pair{&wamr::sock_set_tcp_no_delay, &wamr::sock_get_tcp_no_delay},
                                   {&wamr::sock_set_keep_alive, &wamr::sock_get_keep_alive},
                                   {&wamr::sock_set_reuse_addr, &wamr::sock_get_reuse_addr}}) {
        for (const u32 value : {1u, 0u}) {
            ASSERT_EQ(set(guest.call(), fd, value), Errno::success);
            ASSERT_EQ(get(guest.call(), fd, {kOut}), Errno::success);
            EXPECT_EQ(guest.at<std::uint8_t>(kOut), value);
        }
    }
    ASSERT_EQ(wamr::sock_set_linger(guest.call(), fd, 1, 7), Errno::success);
    ASSERT_EQ(wamr::sock_get_linger(guest.call(), fd, {kOut}, {kOut + 4}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut + 4), 7u);
    EXPECT_EQ(wamr::sock_set_recv_buf_size(guest.call(), fd, ~0u), Errno::inval);
    guest.set(kData, u32{1});
    EXPECT_EQ(wasmedge::sock_setsockopt(guest.call(), fd, 0, 0, {kData}, 4), Errno::success);
    EXPECT_EQ(wasmedge::sock_setsockopt(guest.call(), fd, 0, 0, {kData}, 3), Errno::inval);
    EXPECT_EQ(wasmedge::sock_setsockopt(guest.call(), fd, 0, 99, {kData}, 4), Errno::noprotoopt);
    guest.set(kOut, u32{4});
    ASSERT_EQ(wasmedge::sock_getsockopt(guest.call(), fd, 0, 1, {kData}, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kData), kStream) << "SO_TYPE";
    EXPECT_EQ(wamr::sock_get_ip_ttl(guest.call(), 55, {kOut}), Errno::badf);
}

TEST(SocketCalls, NamesAreLookedUpOnlyWhereAllowed) {
    Guest guest(allowing({"127.0.0.1"}));
    const auto resolve = [&](const char* name) {
        const u32 length = guest.put_text(kPath, std::string(name) + '\0');
        guest.put_text(kPath2, std::string("80\0", 3));
        std::memset(guest.memory().data() + kAddress, 0, 12);
        static_cast<void>(length);
        return wamr::sock_addr_resolve(guest.call(), {kPath}, {kPath2}, {kAddress}, {kData}, 4, {kOut});
    };
    EXPECT_EQ(resolve("127.0.0.1"), Errno::success) << "a number needs no lookup";
    ASSERT_GE(guest.at<u32>(kOut), 1u);
    EXPECT_EQ(guest.at<wamr::Address>(kData).v4.port, 80);
    EXPECT_EQ(resolve("localhost"), Errno::acces);

    Config config = allowing({"localhost:80"});
    Guest allowed(std::move(config));
    const auto found = look_up_name(allowed.call(), "localhost", "80", AF_INET, SOCK_STREAM, false);
    ASSERT_TRUE(found.has_value());
    ASSERT_FALSE(found->empty());
    EXPECT_TRUE(allowed.context().net_policy().allows(found->front().address)) << "the addresses of a name that a rule names";
    SocketAddress other_port = found->front().address;
    other_port.set_port(81);
    EXPECT_FALSE(allowed.context().net_policy().allows(other_port));
}

TEST(SocketCalls, WasmEdgeFillsTheGuestsList) {
    Guest guest(allowing({"127.0.0.1"}));
    constexpr GuestAddress kNode = kData;        // two addrinfos, their sockaddrs, their data
    for (u32 i = 0; i < 2; ++i) {
        const GuestAddress info = kNode + i * 100;
        guest.set(info + 12, GuestAddress{info + 32});              // address
        guest.set(info + 24, GuestAddress{kNode + (i + 1) * 100});  // next
        guest.set(info + 36, u32{26});
        guest.set(info + 40, GuestAddress{info + 60});
    }
    guest.set(kOut, GuestAddress{kNode});
    std::array<std::uint8_t, 28> hints{};
    hints[3] = kStream;
    guest.set(kAddress, hints);
    ASSERT_EQ(wasmedge::sock_getaddrinfo(guest.call(), {kPath}, guest.put_text(kPath, "127.0.0.1"), {kPath2},
                                         guest.put_text(kPath2, "8080"), {kAddress}, {kOut}, 2, {kOut + 4}),
              Errno::success);
    ASSERT_EQ(guest.at<u32>(kOut + 4), 1u);
    EXPECT_EQ(guest.at<std::uint8_t>(kNode + 2), kInet4);
    EXPECT_EQ(guest.at<std::uint8_t>(kNode + 3), kStream);
    EXPECT_EQ((guest.at<std::array<std::uint8_t, 6>>(kNode + 60)), (std::array<std::uint8_t, 6>{0x1f, 0x90, 127, 0, 0, 1}));
    EXPECT_EQ(guest.at<u32>(kNode + 36), 14u);
}

TEST(SocketCalls, BadAddressesAreErrors) {
    Guest guest(allowing({"*"}));
    ASSERT_EQ(wasmedge::sock_open(guest.call(), kInet4, kStream, {kOut}), Errno::success);
    const Fd fd = guest.at<Fd>(kOut);
    guest.set(kAddress, wasmedge::Address{kAddressBytes, 5});
    EXPECT_EQ(wasmedge::sock_bind(guest.call(), fd, {kAddress}, 0), Errno::inval);
    guest.set(kAddress, wasmedge::Address{~0u, 4});
    EXPECT_EQ(wasmedge::sock_bind(guest.call(), fd, {kAddress}, 0), Errno::fault);
    EXPECT_EQ(wasmedge::sock_bind(guest.call(), fd, edge_address(guest, {}), 65'536), Errno::inval);
    guest.set(kAddress, wamr::Address{7, {}});
    EXPECT_EQ(wamr::sock_bind(guest.call(), fd, {kAddress}), Errno::inval);
    EXPECT_EQ(wasmedge::sock_open(guest.call(), 9, kStream, {kOut}), Errno::afnosupport);
    EXPECT_EQ(wamr::sock_open(guest.call(), 0, 0, 9, {kOut}), Errno::prototype);
}

}  // namespace
}  // namespace pollux::wasi
