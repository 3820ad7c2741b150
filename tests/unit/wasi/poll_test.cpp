// poll_oneoff: what it reports, and that it waits exactly as long as it must.
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

constexpr u64 kMs = 1'000'000;

class Poll : public ::testing::TestWithParam<Without> {
    Disabled disabled_{GetParam().calls};
};
INSTANTIATE_TEST_SUITE_P(Reactors, Poll, ::testing::Values(Without{"nothing", {}}, Without{"epoll_pwait2", {sys::Call::epoll_pwait2}}),
                         fallback_name);

TEST_P(Poll, NothingToWaitForIsEinval) {
    Guest guest;
    EXPECT_EQ(guest.poll(0), Errno::inval);
    EXPECT_EQ(guest.at<u32>(kOut), 0xddddddddu) << "the count is written on success only";
}

TEST_P(Poll, TimeoutZeroTellsWhatIsReadyNow) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.subscribe_fd(0, EventType::fd_read, 0, 11);
    guest.subscribe_clock(1, 0, 0, 22);
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 22u);
    put(pipe.writer.get(), "abc");
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_GE(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 11u);
    EXPECT_EQ(guest.event(0).type, EventType::fd_read);
    EXPECT_EQ(guest.event(0).nbytes, 3u);
    EXPECT_EQ(guest.event(0).error, Errno::success);
}

TEST_P(Poll, WaitsForDataAndDoesNotConsumeIt) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    {
        const WhenParked later([&] { put(pipe.writer.get(), "abc"); });
        ASSERT_EQ(guest.poll(1), Errno::success);
    }
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).nbytes, 3u);
    ASSERT_EQ(guest.read(0, 10), Errno::success);
    EXPECT_EQ(guest.data(), "abc");
}

TEST_P(Poll, SeveralWakeUpsOfOneRegistration) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    for (int round = 0; round < 5; ++round) {
        guest.subscribe_fd(0, EventType::fd_read, 0, 1);
        guest.subscribe_clock(1, 1, kMs, 2);
        ASSERT_EQ(guest.poll(2), Errno::success);
        ASSERT_EQ(guest.events(), 1u);
        EXPECT_EQ(guest.event(0).userdata, 2u);
        const WhenParked later([&] { put(pipe.writer.get(), "x"); });
        ASSERT_EQ(guest.poll(1), Errno::success);
        EXPECT_EQ(guest.event(0).userdata, 1u);
        ASSERT_EQ(guest.read(0, 10), Errno::success);
    }
}

TEST_P(Poll, AReadyDescriptorBringsNoClockThatHasNotFired) {
    const Pipe pipe;
    put(pipe.writer.get(), "x");
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.subscribe_clock(0, 1, 60'000 * kMs, 1);
    guest.subscribe_fd(1, EventType::fd_read, 0, 2);
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 2u);
}

TEST_P(Poll, ClocksAreNeverEarly) {
    Guest guest;
    for (const u64 timeout : {u64{1}, u64{500}, 100'000 * u64{1}, 3 * kMs, 60 * kMs}) {
        for (const u32 id : {0u, 1u}) {
            const u64 before = monotonic_now();
            guest.subscribe_clock(0, id, timeout, 7);
            ASSERT_EQ(guest.poll(1), Errno::success);
            EXPECT_GE(monotonic_now() - before, timeout);
            ASSERT_EQ(guest.events(), 1u);
            const Event event = guest.event(0);
            EXPECT_EQ(event.userdata, 7u);
            EXPECT_EQ(event.type, EventType::clock);
            EXPECT_EQ(event.error, Errno::success);
        }
    }
}

TEST_P(Poll, AbsoluteTimesOfBothClocks) {
    Guest guest;
    for (const u32 id : {0u, 1u}) {
        const auto now = [id] { return id == 0 ? realtime_now() : monotonic_now(); };
        const u64 deadline = now() + 5 * kMs;
        guest.subscribe_clock(0, id, deadline, 1, subclockflags::kAbstime);
        ASSERT_EQ(guest.poll(1), Errno::success);
        EXPECT_GE(now(), deadline);
        for (const u64 past : {u64{0}, u64{1}, now() - kMs}) {
            guest.subscribe_clock(0, id, past, 1, subclockflags::kAbstime);
            ASSERT_EQ(guest.poll(1), Errno::success) << "at once";
            EXPECT_EQ(guest.events(), 1u);
        }
    }
}

TEST_P(Poll, OnlyClocksThatHaveExpiredAndEqualOnesBoth) {
    Guest guest;
    guest.subscribe_clock(0, 1, 60'000 * kMs, 1);
    guest.subscribe_clock(1, 1, kMs, 2);
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 2u);
    const u64 deadline = monotonic_now() + kMs;
    guest.subscribe_clock(0, 1, deadline, 1, subclockflags::kAbstime);
    guest.subscribe_clock(1, 1, deadline, 2, subclockflags::kAbstime);
    ASSERT_EQ(guest.poll(2), Errno::success);
    EXPECT_EQ(guest.events(), 2u);
}

TEST_P(Poll, HugeTimeoutsAreFarAway) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    for (const u64 timeout : {~u64{0}, ~u64{0} - 1, u64{1} << 63, (u64{1} << 31) * kMs}) {
        for (const u16 flags : {u16{0}, subclockflags::kAbstime}) {
            if (flags != 0 && timeout < u64{1} << 62) continue;
            guest.subscribe_clock(0, 0, timeout, 1, flags);
            guest.subscribe_clock(1, 1, timeout, 1, flags);
            guest.subscribe_fd(2, EventType::fd_read, 0, 2);
            const WhenParked later([&] { put(pipe.writer.get(), "x"); });
            ASSERT_EQ(guest.poll(3), Errno::success);
            ASSERT_EQ(guest.events(), 1u);
            EXPECT_EQ(guest.event(0).userdata, 2u);
            ASSERT_EQ(guest.read(0, 10), Errno::success);
        }
    }
}

TEST_P(Poll, BadClocksAreEvents) {
    Guest guest;
    for (const auto& [id, error] : {std::pair{2u, Errno::notsup}, {3u, Errno::notsup}, {4u, Errno::inval}, {~0u, Errno::inval}}) {
        guest.subscribe_clock(0, id, 60'000 * kMs, 5);
        guest.subscribe_clock(1, 1, 60'000 * kMs, 6);
        ASSERT_EQ(guest.poll(2), Errno::success);
        ASSERT_EQ(guest.events(), 1u);
        EXPECT_EQ(guest.event(0).userdata, 5u);
        EXPECT_EQ(guest.event(0).error, error);
    }
}

TEST_P(Poll, ABadDescriptorSpoilsOnlyItsOwnSubscription) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    for (const bool bad_first : {true, false}) {
        guest.subscribe_fd(bad_first ? 0 : 1, EventType::fd_read, 99, 1);
        guest.subscribe_fd(bad_first ? 1 : 0, EventType::fd_read, 0, 2);
        guest.subscribe_clock(2, 1, 60'000 * kMs, 3);
        ASSERT_EQ(guest.poll(3), Errno::success);
        ASSERT_EQ(guest.events(), 1u);
        EXPECT_EQ(guest.event(0).userdata, 1u);
        EXPECT_EQ(guest.event(0).error, Errno::badf);
        EXPECT_EQ(guest.event(0).type, EventType::fd_read);
    }
    guest.subscribe_fd(0, EventType::fd_read, 99, 1);
    guest.subscribe_fd(1, EventType::fd_write, ~0u, 2);
    EXPECT_EQ(guest.poll(2), Errno::badf) << "nothing but bad descriptors";
}

TEST_P(Poll, RegularFilesDirectoriesAndDevicesNeverWait) {
    const TemporaryDirectory directory;
    directory.write("file", "0123456789");
    Guest guest(Guest::with_directory(directory));
    ASSERT_EQ(guest.open(3, "file", rights::kFdRead | rights::kFdWrite), Errno::success);
    const Fd file = guest.opened();
    const Fd null = guest.adopt(::open("/dev/null", O_RDWR | O_CLOEXEC), Ownership::exclusive);
    guest.subscribe_fd(0, EventType::fd_read, file, 1);
    guest.subscribe_fd(1, EventType::fd_write, file, 2);
    guest.subscribe_fd(2, EventType::fd_read, null, 3);
    guest.subscribe_fd(3, EventType::fd_write, null, 4);
    guest.subscribe_fd(4, EventType::fd_read, 3, 5);
    ASSERT_EQ(guest.poll(5), Errno::success);
    ASSERT_EQ(guest.events(), 5u);
    for (u32 i = 0; i < 4; ++i) EXPECT_EQ(guest.event(i).error, Errno::success);
    EXPECT_EQ(guest.event(0).nbytes, 10u);
    EXPECT_EQ(guest.event(0).flags, 0);
    EXPECT_EQ(guest.event(4).error, Errno::badf) << "a directory";
}

TEST_P(Poll, EndOfAPipeIsAHangupWithWhatIsLeft) {
    Pipe pipe;
    put(pipe.writer.get(), "abc");
    pipe.writer.reset();
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    for (const u64 left : {3u, 1u, 0u, 0u}) {
        guest.subscribe_fd(0, EventType::fd_read, 0, 1);
        ASSERT_EQ(guest.poll(1), Errno::success);
        ASSERT_EQ(guest.events(), 1u);
        EXPECT_EQ(guest.event(0).nbytes, left);
        EXPECT_EQ(guest.event(0).flags, eventrwflags::kHangup);
        EXPECT_EQ(guest.event(0).error, Errno::success);
        ASSERT_EQ(guest.read(0, left > 1 ? 2 : 1), Errno::success);
    }
}

TEST_P(Poll, EndOfAPipeWhoseWriterWasGoneAtTheFirstRead) {
    // A description opened after the writer left would never report the hang-up.
    Pipe pipe;
    pipe.writer.reset();
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    ASSERT_EQ(guest.read(0, 1), Errno::success);
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_clock(1, 1, 2000 * kMs, 2);
    ASSERT_EQ(guest.poll(2), Errno::success);
    EXPECT_EQ(guest.event(0).userdata, 1u);
}

TEST_P(Poll, AReaderThatIsGoneMakesWritable) {
    Pipe pipe;
    pipe.reader.reset();
    Guest guest(Guest::with_stream(1, pipe.writer.get()));
    guest.subscribe_fd(0, EventType::fd_write, 1, 1);
    ASSERT_EQ(guest.poll(1), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).error, Errno::success);
    EXPECT_EQ(guest.event(0).flags, 0);
}

TEST_P(Poll, AFullPipeBecomesWritableWhenDrained) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(1, pipe.writer.get()));
    ASSERT_EQ(guest.set_flags(1, fdflags::kNonblock), Errno::success);
    const std::string chunk(65'536, 'x');
    while (guest.write(1, chunk).ok()) {
    }
    guest.subscribe_fd(0, EventType::fd_write, 1, 1);
    const WhenParked later([&] {
        char buffer[65'536];
        ASSERT_GT(::read(pipe.reader.get(), buffer, sizeof(buffer)), 0);
    });
    ASSERT_EQ(guest.poll(1), Errno::success);
    EXPECT_EQ(guest.event(0).type, EventType::fd_write);
}

TEST_P(Poll, OneDescriptorSeveralTimesAndInBothDirections) {
    const SocketPair sockets;
    Guest guest(Guest::with_stream(0, sockets.guest.get()));
    put(sockets.peer.get(), "ab");
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_fd(1, EventType::fd_write, 0, 2);
    guest.subscribe_fd(2, EventType::fd_read, 0, 3);
    ASSERT_EQ(guest.poll(3), Errno::success);
    ASSERT_EQ(guest.events(), 3u);
    EXPECT_EQ(guest.event(0).nbytes, 2u);
    EXPECT_EQ(guest.event(1).type, EventType::fd_write);
    EXPECT_GT(guest.event(1).nbytes, 0u);
    EXPECT_EQ(guest.event(2).userdata, 3u);
}

TEST_P(Poll, ASilentStreamDoesNotHoldUpAReadyOne) {
    const Pipe silent;
    const Pipe output;
    Config config = Guest::with_stream(0, silent.reader.get());
    config.streams[1] = {Stream::Source::fd, {}, output.writer.get()};
    Guest guest(std::move(config));
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_fd(1, EventType::fd_write, 1, 2);
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 2u);
}

TEST_P(Poll, PeerThatShutItsSendingSide) {
    const SocketPair sockets;
    Guest guest(Guest::with_stream(0, sockets.guest.get()));
    put(sockets.peer.get(), "ab");
    ASSERT_EQ(::shutdown(sockets.peer.get(), SHUT_WR), 0);
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_fd(1, EventType::fd_write, 0, 2);
    ASSERT_EQ(guest.poll(2), Errno::success);
    ASSERT_EQ(guest.events(), 2u);
    EXPECT_EQ(guest.event(0).flags, eventrwflags::kHangup);
    EXPECT_EQ(guest.event(0).nbytes, 2u);
    EXPECT_EQ(guest.event(1).flags, 0);
}

TEST_P(Poll, EveryByteOfAnEventIsWritten) {
    Guest guest;
    std::memset(guest.memory().data() + kEvents, 0xee, 64);
    guest.subscribe_clock(0, 1, 0, ~u64{0});
    ASSERT_EQ(guest.poll(1), Errno::success);
    const auto* bytes = guest.memory().data() + kEvents;
    EXPECT_TRUE(std::all_of(bytes, bytes + 8, [](auto b) { return b == 0xff; }));
    EXPECT_TRUE(std::all_of(bytes + 8, bytes + 32, [](auto b) { return b == 0; }));
    EXPECT_EQ(bytes[32], 0xee);
}

TEST_P(Poll, OverlappingAndUnalignedLists) {
    Guest guest;
    for (const int shift : {0, 1, 7}) {
        const auto in = static_cast<GuestAddress>(kSubscriptions + static_cast<u32>(shift));
        for (u32 i = 0; i < 3; ++i) {
            Subscription subscription;
            subscription.userdata = 100 + i;
            subscription.clock = {1, 0, 0, 0, 0, {}};
            guest.set(in + i * 48, subscription);
        }
        ASSERT_EQ(poll_oneoff(guest.call(), {in}, {in}, 3, {kOut}), Errno::success);
        ASSERT_EQ(guest.events(), 3u);
        for (u32 i = 0; i < 3; ++i) EXPECT_EQ(guest.at<Event>(in + i * 32).userdata, 100 + i);
    }
}

TEST_P(Poll, ListsOutOfBoundsAreFaults) {
    Guest guest;
    const auto end = static_cast<GuestAddress>(guest.memory().size());
    guest.subscribe_clock(0, 1, 0, 1);
    EXPECT_EQ(poll_oneoff(guest.call(), {end - 47}, {kEvents}, 1, {kOut}), Errno::fault);
    EXPECT_EQ(poll_oneoff(guest.call(), {kSubscriptions}, {end - 31}, 1, {kOut}), Errno::fault);
    EXPECT_EQ(poll_oneoff(guest.call(), {kSubscriptions}, {kEvents}, 1, {end - 3}), Errno::fault);
    EXPECT_EQ(poll_oneoff(guest.call(), {kSubscriptions}, {kEvents}, ~0u, {kOut}), Errno::fault);
    EXPECT_EQ(poll_oneoff(guest.call(), {~0u}, {~0u}, 0x0555'5555, {kOut}), Errno::fault);
    Subscription unknown;
    unknown.type = static_cast<EventType>(9);
    guest.set(kSubscriptions, unknown);
    EXPECT_EQ(guest.poll(1), Errno::inval);
}

TEST_P(Poll, ManySubscriptions) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    constexpr u32 kCount = 65'536;
    for (u32 i = 0; i < kCount; ++i) guest.subscribe_fd(i, EventType::fd_read, 0, i);
    const WhenParked later([&] { put(pipe.writer.get(), "x"); });
    ASSERT_EQ(guest.poll(kCount), Errno::success);
    ASSERT_EQ(guest.events(), kCount);
    EXPECT_EQ(guest.event(kCount - 1).userdata, kCount - 1);
}

TEST_P(Poll, ManyDescriptors) {
    std::vector<SocketPair> sockets(300);
    Guest guest;
    for (u32 i = 0; i < sockets.size(); ++i) guest.subscribe_fd(i, EventType::fd_read, guest.adopt(sockets[i].guest.get()), i);
    const WhenParked later([&] {
        put(sockets[17].peer.get(), "a");
        put(sockets[17].peer.get(), "b");
    });
    ASSERT_EQ(guest.poll(static_cast<u32>(sockets.size())), Errno::success);
    ASSERT_EQ(guest.events(), 1u);
    EXPECT_EQ(guest.event(0).userdata, 17u);
}

TEST_P(Poll, ADescriptorThatIsRenumberedOnto) {
    const TemporaryDirectory directory;
    directory.write("file", "0123456789");
    const Pipe pipe;
    Config config = Guest::with_stream(0, pipe.reader.get());
    config.directories.push_back({directory.path(), "/", false});
    Guest guest(std::move(config));
    ASSERT_EQ(guest.open(3, "file"), Errno::success);
    ASSERT_EQ(fd_renumber(guest.call(), guest.opened(), 0), Errno::success);
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    ASSERT_EQ(guest.poll(1), Errno::success);
    EXPECT_EQ(guest.event(0).nbytes, 10u);
    ASSERT_EQ(guest.read(0, 100), Errno::success);
    EXPECT_EQ(guest.data(), "0123456789");
}

TEST_P(Poll, SignalsDoNotShow) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    struct sigaction before{};
    ::sigaction(SIGUSR1, &action, &before);
    Guest guest;
    const u64 start = monotonic_now();
    guest.subscribe_clock(0, 1, 30 * kMs, 1);
    {
        const pid_t thread = ::gettid();
        const WhenParked later([thread] { ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR1); });
        EXPECT_EQ(guest.poll(1), Errno::success);
    }
    EXPECT_GE(monotonic_now() - start, 30 * kMs);
    ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace pollux::wasi
