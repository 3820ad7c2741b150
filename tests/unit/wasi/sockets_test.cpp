// The sock_* calls of preview 1, on listeners and connections that the guest was given.
#include <netinet/in.h>

#include "tests/unit/wasi/fixture.h"
#include "wasi/socket_address.h"

namespace pollux::wasi {
namespace {

Config with_listener() {
    Config config = Guest::quiet();
    config.sockets.push_back({PreopenSocket::Mode::listen, "web", "127.0.0.1:0"});
    return config;
}

SocketAddress address_of_host(int fd) {
    SocketAddress address;
    address.length = sizeof(address.storage);
    ::getsockname(fd, address.get(), &address.length);
    return address;
}

UniqueFd connect_to(Guest& guest, Fd listener) {
    const SocketAddress address = address_of_host((*guest.call().descriptor(listener))->fd());
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.get(), address.get(), address.length) != 0) client.reset();
    return client;
}

TEST(Sockets, APreopenedListener) {
    Guest guest(with_listener());
    EXPECT_EQ(guest.context().env(), (std::vector<std::string>{"LISTEN_FDS=1", "LISTEN_FDNAMES=web", "WASI_LISTEN_FD_START=3"}));
    ASSERT_EQ(guest.set_flags(3, fdflags::kNonblock), Errno::success);
    EXPECT_EQ(sock_accept(guest.call(), 3, 0, {kOut}), Errno::again);
    guest.subscribe_fd(0, EventType::fd_read, 3, 1);
    UniqueFd client;
    {
        const WhenParked later([&] { client = connect_to(guest, 3); });
        ASSERT_EQ(guest.poll(1), Errno::success);
    }
    EXPECT_GE(guest.event(0).nbytes, 1u);
    ASSERT_EQ(sock_accept(guest.call(), 3, fdflags::kNonblock, {kOut}), Errno::success);
    const Fd connection = guest.at<Fd>(kOut);
    EXPECT_EQ(connection, 0u) << "the lowest free number";
    EXPECT_EQ(guest.read(connection, 10), Errno::again);
    put(client.get(), "hello");
    guest.subscribe_fd(0, EventType::fd_read, connection, 1);
    ASSERT_EQ(guest.poll(1), Errno::success);
    ASSERT_EQ(guest.read(connection, 10), Errno::success);
    EXPECT_EQ(guest.data(), "hello");
    EXPECT_EQ(guest.write(connection, "answer"), Errno::success);
    EXPECT_EQ(sock_accept(guest.call(), 3, 8, {kOut}), Errno::inval);
    EXPECT_EQ(sock_accept(guest.call(), connection, 0, {kOut}), Errno::inval);
}

TEST(Sockets, BlockingAcceptParks) {
    Guest guest(with_listener());
    UniqueFd client;
    const WhenParked later([&] { client = connect_to(guest, 3); });
    ASSERT_EQ(sock_accept(guest.call(), 3, 0, {kOut}), Errno::success);
}

TEST(Sockets, AListenerOfAnotherProcessIsLeftAsItIs) {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SocketAddress any = *SocketAddress::from_ip_text("127.0.0.1", 0);
    ASSERT_EQ(::bind(listener.get(), any.get(), any.length), 0);
    ASSERT_EQ(::listen(listener.get(), 5), 0);
    Guest guest;
    const Fd fd = guest.adopt(listener.get());
    UniqueFd client;
    {
        const WhenParked later([&] { client = connect_to(guest, fd); });
        ASSERT_EQ(sock_accept(guest.call(), fd, 0, {kOut}), Errno::success);
    }
    EXPECT_EQ(host_flags(listener.get()) & O_NONBLOCK, 0);
}

TEST(Sockets, ReceiveWithPeekAndWaitall) {
    const SocketPair sockets;
    Guest guest(Guest::with_stream(0, sockets.guest.get()));
    const auto receive = [&](u32 length, u16 flags) {
        guest.set(kIovecs, Iovec{kData, length});
        return sock_recv(guest.call(), 0, {kIovecs}, 1, flags, {kOut}, {kOut + 4});
    };
    put(sockets.peer.get(), "abcd");
    ASSERT_EQ(receive(10, riflags::kPeek), Errno::success);
    EXPECT_EQ(guest.data(), "abcd");
    ASSERT_EQ(receive(2, 0), Errno::success);
    EXPECT_EQ(guest.data(), "ab");
    {
        const WhenParked later([&] { put(sockets.peer.get(), "ef"); });
        ASSERT_EQ(receive(4, riflags::kWaitall), Errno::success);
    }
    EXPECT_EQ(guest.data(), "cdef");
    EXPECT_EQ(guest.at<u16>(kOut + 4), 0);
    EXPECT_EQ(receive(1, 4), Errno::inval);
    put(sockets.peer.get(), "xy");
    ASSERT_EQ(::shutdown(sockets.peer.get(), SHUT_WR), 0);
    ASSERT_EQ(receive(10, riflags::kWaitall), Errno::success);
    EXPECT_EQ(guest.data(), "xy");
}

TEST(Sockets, ADatagramThatIsCutOff) {
    const SocketPair sockets(SOCK_DGRAM);
    Guest guest(Guest::with_stream(0, sockets.guest.get()));
    put(sockets.peer.get(), "abcdef");
    guest.set(kIovecs, Iovec{kData, 3});
    ASSERT_EQ(sock_recv(guest.call(), 0, {kIovecs}, 1, 0, {kOut}, {kOut + 4}), Errno::success);
    EXPECT_EQ(guest.data(), "abc");
    EXPECT_EQ(guest.at<u16>(kOut + 4), roflags::kDataTruncated);
}

TEST(Sockets, ShutdownOfEachDirection) {
    const SocketPair sockets;
    Guest guest(Guest::with_stream(0, sockets.guest.get()));
    EXPECT_EQ(sock_shutdown(guest.call(), 0, 0), Errno::inval);
    EXPECT_EQ(sock_shutdown(guest.call(), 0, 4), Errno::inval);
    EXPECT_EQ(sock_shutdown(guest.call(), 0, sdflags::kWr), Errno::success);
    guest.set(kIovecs, Iovec{kData, 1});
    EXPECT_EQ(sock_send(guest.call(), 0, {kIovecs}, 1, 0, {kOut}), Errno::pipe);
    EXPECT_EQ(sock_send(guest.call(), 0, {kIovecs}, 1, 1, {kOut}), Errno::inval);
    EXPECT_EQ(sock_shutdown(guest.call(), 0, sdflags::kRd), Errno::success);
    ASSERT_EQ(guest.read(0, 1), Errno::success);
    EXPECT_EQ(guest.data(), "");
    EXPECT_EQ(sock_shutdown(guest.call(), 9, 3), Errno::badf);
}

TEST(Sockets, PreopensComeAfterDirectoriesAndErrorsHaveNames) {
    const TemporaryDirectory directory;
    Config config = with_listener();
    config.directories.push_back({directory.path(), "/", false});
    Guest guest(std::move(config));
    EXPECT_EQ(fd_prestat_get(guest.call(), 3, {kOut}), Errno::success);
    EXPECT_EQ(fd_prestat_get(guest.call(), 4, {kOut}), Errno::badf);
    ASSERT_EQ(fd_fdstat_get(guest.call(), 4, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<Fdstat>(kOut).filetype, FileType::socket_stream);
    Config wrong = Guest::quiet();
    wrong.sockets.push_back({PreopenSocket::Mode::listen, "", "nonsense"});
    const auto context = WasiContext::create(std::move(wrong));
    ASSERT_FALSE(context.has_value());
    EXPECT_NE(context.error().message.find("nonsense"), std::string::npos);
}

TEST(Sockets, APreconnectedSocket) {
    Guest server(with_listener());
    const std::uint16_t port = address_of_host((*server.call().descriptor(3))->fd()).port();
    Config config = Guest::quiet();
    config.sockets.push_back({PreopenSocket::Mode::connect, "db", "127.0.0.1:" + std::to_string(port)});
    Guest client(std::move(config));
    ASSERT_EQ(client.write(3, "ping"), Errno::success);
    ASSERT_EQ(sock_accept(server.call(), 3, 0, {kOut}), Errno::success);
    const Fd connection = server.at<Fd>(kOut);
    ASSERT_EQ(server.read(connection, 10), Errno::success);
    EXPECT_EQ(server.data(), "ping");
}

}  // namespace
}  // namespace pollux::wasi
