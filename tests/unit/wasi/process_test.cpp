#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

TEST(Process, ExitKeepsTheStatusAndEndsTheGuest) {
    Guest guest;
    EXPECT_FALSE(guest.context().exit_code().has_value());
    EXPECT_EQ(proc_exit(guest.call(), 0xabcd), Status::end(TrapCode::host_exit));
    EXPECT_EQ(proc_exit(guest.call(), 1), Status::end(TrapCode::host_exit));
    EXPECT_EQ(guest.context().exit_code(), 0xabcdu) << "the first counts";
}

TEST(Process, RaiseEndsAsAShellShowsIt) {
    Guest guest;
    EXPECT_EQ(proc_raise(guest.call(), 0), Errno::success);
    EXPECT_EQ(proc_raise(guest.call(), 27), Errno::success) << "SIGWINCH";
    EXPECT_EQ(proc_raise(guest.call(), 31), Errno::inval);
    EXPECT_EQ(proc_raise(guest.call(), 6), Status::end(TrapCode::host_exit));
    EXPECT_EQ(guest.context().exit_code(), 134u);
}

TEST(Process, RandomFillsAllOfIt) {
    Guest guest;
    constexpr u32 kBytes = 3 << 20;
    ASSERT_EQ(random_get(guest.call(), {kData}, kBytes), Errno::success);
    const auto begin = guest.memory().begin() + kData;
    EXPECT_NE(std::count(begin + kBytes - 4096, begin + kBytes, 0), 4096);
    EXPECT_EQ(guest.at<u32>(kData + kBytes), 0u);
    EXPECT_EQ(random_get(guest.call(), {kData}, 0), Errno::success);
    EXPECT_EQ(random_get(guest.call(), {kData}, ~0u), Errno::fault);
    EXPECT_EQ(sched_yield(guest.call()), Errno::success);
}

TEST(Process, ArgumentsAndEnvironment) {
    Config config = Guest::quiet();
    config.args = {"program", "", "a b"};
    config.env = {"NAME=value"};
    Guest guest(std::move(config));
    ASSERT_EQ(args_sizes_get(guest.call(), {kOut}, {kOut + 4}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut), 3u);
    EXPECT_EQ(guest.at<u32>(kOut + 4), 13u);
    ASSERT_EQ(args_get(guest.call(), {kOut}, {kData}), Errno::success);
    EXPECT_EQ(guest.text(kData, 13), std::string("program\0\0a b\0", 13));
    EXPECT_EQ(guest.at<u32>(kOut + 8), kData + 9);
    ASSERT_EQ(environ_sizes_get(guest.call(), {kOut}, {kOut + 4}), Errno::success);
    EXPECT_EQ(guest.at<u32>(kOut + 4), 11u);
    const auto end = static_cast<GuestAddress>(guest.memory().size());
    EXPECT_EQ(args_get(guest.call(), {end - 8}, {kData}), Errno::fault);
    EXPECT_EQ(args_get(guest.call(), {kOut}, {end - 12}), Errno::fault);
}

}  // namespace
}  // namespace pollux::wasi
