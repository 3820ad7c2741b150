// fd_read and fd_write on pipes, terminals, sockets and files, with every rung of the ladder of descriptor.h.
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

class Stdio : public ::testing::TestWithParam<Without> {
    Disabled disabled_{GetParam().calls};
};

INSTANTIATE_TEST_SUITE_P(Ladder, Stdio, ::testing::ValuesIn(fallbacks()), fallback_name);

TEST_P(Stdio, NonblockingReadOfASilentStreamIsEagain) {
    const Pipe pipe;
    const SocketPair sockets;
    const Pty pty;
    for (const int host_fd : {pipe.reader.get(), sockets.guest.get(), pty.terminal.get()}) {
        const int before = host_flags(host_fd);
        Guest guest(Guest::with_stream(0, host_fd));
        ASSERT_EQ(guest.set_flags(0, fdflags::kNonblock), Errno::success);
        ASSERT_EQ(fd_fdstat_get(guest.call(), 0, {kOut}), Errno::success);
        EXPECT_EQ(guest.at<Fdstat>(kOut).flags, fdflags::kNonblock);
        EXPECT_EQ(guest.read(0, 10), Errno::again);
        EXPECT_EQ(host_flags(host_fd), before) << "the shared description was touched";
    }
    EXPECT_EQ(host_flags(pipe.reader.get()) & O_NONBLOCK, 0);
}

TEST_P(Stdio, BlockingReadWaitsForData) {
    const Pipe pipe;
    const SocketPair sockets;
    const Pty pty;
    for (const auto& [host_fd, other_end] : {std::pair{pipe.reader.get(), pipe.writer.get()},
                                             {sockets.guest.get(), sockets.peer.get()},
                                             {pty.terminal.get(), pty.controller.get()}}) {
        Guest guest(Guest::with_stream(0, host_fd));
        const WhenParked later([other = other_end] { put(other, "hello\n"); });
        ASSERT_EQ(guest.read(0, 100), Errno::success);
        EXPECT_EQ(guest.data(), "hello\n");
    }
}

TEST_P(Stdio, BlockingGuestWaitsOnAHostDescriptorThatIsNonblocking) {
    const Pipe pipe;
    ASSERT_EQ(::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK), 0);
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    const WhenParked later([&] { put(pipe.writer.get(), "x"); });
    ASSERT_EQ(guest.read(0, 100), Errno::success);
    EXPECT_EQ(guest.data(), "x");
}

TEST_P(Stdio, EndOfFileIsZeroEachTime) {
    Pipe pipe;
    put(pipe.writer.get(), "abc");
    pipe.writer.reset();
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    ASSERT_EQ(guest.read(0, 2), Errno::success);
    EXPECT_EQ(guest.data(), "ab");
    ASSERT_EQ(guest.read(0, 2), Errno::success);
    EXPECT_EQ(guest.data(), "c");
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(guest.read(0, 2), Errno::success);
        EXPECT_EQ(guest.data(), "");
    }
}

TEST_P(Stdio, ATerminalsEndOfFileIsNotSticky) {
    const Pty pty;
    Guest guest(Guest::with_stream(0, pty.terminal.get()));
    put(pty.controller.get(), "\x04");
    ASSERT_EQ(guest.read(0, 10), Errno::success);
    EXPECT_EQ(guest.data(), "");
    ASSERT_EQ(guest.set_flags(0, fdflags::kNonblock), Errno::success);
    EXPECT_EQ(guest.read(0, 10), Errno::again);
    put(pty.controller.get(), "ab");
    EXPECT_EQ(guest.read(0, 10), Errno::again) << "no line yet";
    put(pty.controller.get(), "\n");
    ASSERT_EQ(guest.read(0, 10), Errno::success);
    EXPECT_EQ(guest.data(), "ab\n");
}

TEST_P(Stdio, ZeroLengthReadReturnsAtOnce) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    ASSERT_EQ(guest.read(0, 0), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), 0u);
    EXPECT_EQ(fd_read(guest.call(), 0, {kIovecs}, 0, {kOut}), Errno::success);
}

TEST_P(Stdio, NonblockingWriteFillsThePipeThenEagain) {
    const Pipe pipe;
    const int before = host_flags(pipe.writer.get());
    Guest guest(Guest::with_stream(1, pipe.writer.get()));
    ASSERT_EQ(guest.set_flags(1, fdflags::kNonblock), Errno::success);
    const std::string chunk(100'000, 'x');
    std::size_t total = 0;
    Status status = Errno::success;
    while ((status = guest.write(1, chunk)).ok()) total += guest.at<u32>(kOut);
    EXPECT_EQ(status, Errno::again);
    EXPECT_GE(total, 60'000u);
    EXPECT_LE(total, 65'536u);
    EXPECT_EQ(host_flags(pipe.writer.get()), before);
}

TEST_P(Stdio, BlockingWriteWritesAllOfIt) {
    Pipe pipe;
    Guest guest(Guest::with_stream(1, pipe.writer.get()));
    std::string all(1'000'000, 0);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i * 7);
    std::string received;
    std::thread reader([&] {
        char buffer[50'000];
        while (received.size() < all.size()) {
            const ssize_t count = ::read(pipe.reader.get(), buffer, sizeof(buffer));
            if (count <= 0) break;
            received.append(buffer, static_cast<std::size_t>(count));
        }
    });
    EXPECT_EQ(guest.write(1, all), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), all.size());
    reader.join();
    EXPECT_EQ(received, all);
}

TEST_P(Stdio, WritingToATerminal) {
    const Pty pty;
    termios mode{};
    ::tcgetattr(pty.terminal.get(), &mode);
    ::cfmakeraw(&mode);
    ::tcsetattr(pty.terminal.get(), TCSANOW, &mode);
    const int before = host_flags(pty.terminal.get());
    Guest guest(Guest::with_stream(1, pty.terminal.get()));
    const std::string line(300, 'y');
    ASSERT_EQ(guest.write(1, line), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), line.size());
    char buffer[1000];
    EXPECT_EQ(::read(pty.controller.get(), buffer, sizeof(buffer)), 300);
    EXPECT_EQ(host_flags(pty.terminal.get()), before);
}

TEST_P(Stdio, AReaderThatIsGoneGivesEpipe) {
    Pipe pipe;
    SocketPair sockets;
    pipe.reader.reset();
    sockets.peer.reset();
    for (const int host_fd : {pipe.writer.get(), sockets.guest.get()}) {
        Guest guest(Guest::with_stream(1, host_fd));
        EXPECT_EQ(guest.write(1, "x"), Errno::pipe);
    }
}

TEST(StdioOptions, ABrokenPipeCanEndTheGuest) {
    Pipe pipe;
    pipe.reader.reset();
    Config config = Guest::with_stream(1, pipe.writer.get());
    config.exit_on_broken_pipe = true;
    Guest guest(std::move(config));
    EXPECT_EQ(guest.write(1, "x"), Status::end(TrapCode::host_exit));
    EXPECT_EQ(guest.context().exit_code(), 141u);
}

TEST(StdioOptions, StdinStartsNonblockingWhenAsked) {
    const Pipe pipe;
    for (const auto& [mode, host, expected] : {std::tuple{StdinNonblock::off, O_NONBLOCK, 0},
                                               {StdinNonblock::on, 0, 4},
                                               {StdinNonblock::inherit, O_NONBLOCK, 4},
                                               {StdinNonblock::inherit, 0, 0}}) {
        ASSERT_EQ(::fcntl(pipe.reader.get(), F_SETFL, host), 0);
        Config config = Guest::with_stream(0, pipe.reader.get());
        config.stdin_nonblock = mode;
        Guest guest(std::move(config));
        ASSERT_EQ(fd_fdstat_get(guest.call(), 0, {kOut}), Errno::success);
        EXPECT_EQ(guest.at<Fdstat>(kOut).flags, expected);
    }
}

TEST(StdioOptions, FilesAndNothing) {
    const TemporaryDirectory directory;
    directory.write("in", "from a file");
    Config config;
    config.streams[0] = {Stream::Source::file, directory / "in", -1};
    config.streams[1] = {Stream::Source::file, directory / "out", -1};
    config.streams[2] = {Stream::Source::null, {}, -1};
    Guest guest(std::move(config));
    ASSERT_EQ(guest.read(0, 100), Errno::success);
    EXPECT_EQ(guest.data(), "from a file");
    EXPECT_EQ(guest.write(1, "to a file"), Errno::success);
    EXPECT_EQ(guest.write(2, "to nowhere"), Errno::success);
    EXPECT_EQ(std::filesystem::file_size(directory / "out"), 9u);
    EXPECT_EQ(guest.write(0, "x"), Errno::badf);
    EXPECT_EQ(guest.read(1, 1), Errno::badf);
}

TEST(StdioOptions, AMissingFileIsAnErrorWithItsName) {
    Config config = Guest::quiet();
    config.streams[0] = {Stream::Source::file, "/nonexistent/input", -1};
    const auto context = WasiContext::create(std::move(config));
    ASSERT_FALSE(context.has_value());
    EXPECT_NE(context.error().message.find("/nonexistent/input"), std::string::npos);
}

TEST(StdioOptions, ReadingAFileLeavesTheHostsOffsetExactly) {
    const TemporaryDirectory directory;
    directory.write("in", "0123456789");
    const UniqueFd file(::open((directory / "in").c_str(), O_RDONLY | O_CLOEXEC));
    Guest guest(Guest::with_stream(0, file.get()));
    ASSERT_EQ(guest.read(0, 4), Errno::success);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 4);
}

TEST(StdioOptions, AnInterruptedGuestEnds) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    const WhenParked later([&] {
        guest.interrupt = 1;
        guest.reactor().wake();
    });
    EXPECT_EQ(guest.read(0, 1), Status::end(TrapCode::interrupted));
    EXPECT_EQ(guest.poll(0), Errno::inval);
    guest.subscribe_clock(0, 1, 60'000'000'000, 1);
    EXPECT_EQ(guest.poll(1), Status::end(TrapCode::interrupted)) << "asked for before the wait began";
}

TEST(StdioOptions, AScatterGatherListIsOneCall) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(1, pipe.writer.get()));
    const u32 length = guest.put_text(kData, "onetwothree");
    guest.set(kIovecs, std::array{Iovec{kData, 3}, Iovec{kData + 3, 0}, Iovec{kData + 3, 3}, Iovec{kData + 6, length - 6}});
    ASSERT_EQ(fd_write(guest.call(), 1, {kIovecs}, 4, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), 11u);
    char buffer[20];
    EXPECT_EQ(::read(pipe.reader.get(), buffer, sizeof(buffer)), 11);
}

TEST(StdioOptions, ListsThatAreWrongAreFaults) {
    const Pipe pipe;
    put(pipe.writer.get(), "abc");
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    const auto end = static_cast<GuestAddress>(guest.memory().size());
    EXPECT_EQ(fd_read(guest.call(), 0, {end - 4}, 1, {kOut}), Errno::fault);
    EXPECT_EQ(fd_read(guest.call(), 0, {kIovecs}, ~0u, {kOut}), Errno::fault);
    guest.set(kIovecs, Iovec{end - 1, 2});
    EXPECT_EQ(fd_read(guest.call(), 0, {kIovecs}, 1, {kOut}), Errno::fault);
    guest.set(kIovecs, Iovec{kData, 3});
    EXPECT_EQ(fd_read(guest.call(), 0, {kIovecs}, 1, {end - 2}), Errno::fault);
    ASSERT_EQ(guest.read(0, 3), Errno::success);
    EXPECT_EQ(guest.data(), "abc") << "nothing was consumed by the calls that failed";
    // Far more than IOV_MAX entries, all of one large buffer: no overflow.
    for (u32 i = 0; i < 5000; ++i) guest.set(kSubscriptions + i * 8, Iovec{0, end});
    put(pipe.writer.get(), "xyz");
    ASSERT_EQ(fd_read(guest.call(), 0, {kSubscriptions}, 5000, {kOut}), Errno::success);
}

}  // namespace
}  // namespace pollux::wasi
