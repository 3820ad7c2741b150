#include <time.h>

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

TEST(Clock, MonotonicAndRealtimeAgreeWithTheHost) {
    Guest guest;
    for (const auto& [id, host] : {std::pair{0u, CLOCK_REALTIME}, std::pair{1u, CLOCK_MONOTONIC}}) {
        timespec before{};
        timespec after{};
        clock_gettime(host, &before);
        ASSERT_EQ(clock_time_get(guest.call(), id, 0, {kOut}), Errno::success);
        clock_gettime(host, &after);
        const auto ns = [](const timespec& t) { return static_cast<u64>(t.tv_sec) * 1'000'000'000 + static_cast<u64>(t.tv_nsec); };
        EXPECT_LE(ns(before), guest.at<u64>(kOut));
        EXPECT_GE(ns(after), guest.at<u64>(kOut));
    }
}

TEST(Clock, CpuTimesAndResolutionsExist) {
    Guest guest;
    for (u32 id = 0; id < 4; ++id) {
        EXPECT_EQ(clock_time_get(guest.call(), id, 0, {kOut}), Errno::success);
        ASSERT_EQ(clock_res_get(guest.call(), id, {kOut}), Errno::success);
        EXPECT_GT(guest.at<u64>(kOut), 0u);
    }
}

TEST(Clock, UnknownIdsAndBadPointers) {
    Guest guest;
    EXPECT_EQ(clock_time_get(guest.call(), 4, 0, {kOut}), Errno::inval);
    EXPECT_EQ(clock_time_get(guest.call(), ~0u, 0, {kOut}), Errno::inval);
    EXPECT_EQ(clock_res_get(guest.call(), 4, {kOut}), Errno::inval);
    EXPECT_EQ(clock_time_get(guest.call(), 1, 0, {0xffff'fffc}), Errno::fault);
}

}  // namespace
}  // namespace pollux::wasi
