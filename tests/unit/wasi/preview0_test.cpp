// wasi_unstable: the layouts and numbers in which it differs from preview 1.
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

class Preview0 : public ::testing::Test {
protected:
    Preview0() : guest_(Guest::with_directory(directory_)) {
        directory_.write("file", "0123456789");
        guest_.call().abi = AbiVersion::preview0;
    }
    TemporaryDirectory directory_;
    Guest guest_;
};

TEST_F(Preview0, FilestatHas56Bytes) {
    std::memset(guest_.memory().data() + kOut, 0xee, 64);
    ASSERT_EQ(path_filestat_get(guest_.call(), 3, 0, {kPath}, guest_.put_text(kPath, "file"), {kOut}), Errno::success);
    const auto stat = guest_.at<FilestatPreview0>(kOut);
    EXPECT_EQ(stat.filetype, FileType::regular_file);
    EXPECT_EQ(stat.nlink, 1u);
    EXPECT_EQ(stat.size, 10u);
    EXPECT_GT(stat.mtim, 0u);
    EXPECT_EQ(guest_.at<std::uint8_t>(kOut + 56), 0xee);
}

TEST_F(Preview0, WhenceCountsFromCurrent) {
    ASSERT_EQ(guest_.open(3, "file"), Errno::success);
    const Fd fd = guest_.opened();
    const auto seek = [&](i64 offset, u32 whence) {
        EXPECT_EQ(fd_seek(guest_.call(), fd, offset, whence, {kOut}), Errno::success);
        return guest_.at<u64>(kOut);
    };
    EXPECT_EQ(seek(4, 2), 4u) << "SET";
    EXPECT_EQ(seek(3, 0), 7u) << "CUR";
    EXPECT_EQ(seek(-1, 1), 9u) << "END";
    ASSERT_EQ(fd_tell(guest_.call(), fd, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<u64>(kOut), 9u);
}

TEST_F(Preview0, SubscriptionsHave56Bytes) {
    ASSERT_EQ(guest_.open(3, "file"), Errno::success);
    SubscriptionPreview0 clock;
    clock.userdata = 1;
    clock.identifier = 99;
    clock.clock = {1, 0, 0, 0, 0, {}};
    SubscriptionPreview0 read;
    read.userdata = 2;
    read.type = EventType::fd_read;
    read.identifier = guest_.opened();
    guest_.set(kSubscriptions, clock);
    guest_.set(kSubscriptions + 56, read);
    ASSERT_EQ(guest_.poll(2), Errno::success);
    ASSERT_EQ(guest_.events(), 2u);
    EXPECT_EQ(guest_.event(0).userdata, 1u);
    EXPECT_EQ(guest_.event(1).userdata, 2u);
    EXPECT_EQ(guest_.event(1).nbytes, 10u);
}

}  // namespace
}  // namespace pollux::wasi
