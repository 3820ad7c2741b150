// The path_* and fd_* calls on files and directories.
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

constexpr Rights kReadWrite = rights::kFdRead | rights::kFdWrite;

class Files : public ::testing::TestWithParam<Without> {
protected:
    Files() : disabled_(GetParam().calls), guest_(Guest::with_directory(directory_)) {}

    Status path_call(Status (*function)(Call&, Fd, Bytes, u32), std::string_view path) {
        return function(guest_.call(), 3, {kPath}, guest_.put_text(kPath, path));
    }
    Status rename(std::string_view from, std::string_view to) {
        return path_rename(guest_.call(), 3, {kPath}, guest_.put_text(kPath, from), 3, {kPath2}, guest_.put_text(kPath2, to));
    }
    Status symlink(std::string_view target, std::string_view path) {
        return path_symlink(guest_.call(), {kPath}, guest_.put_text(kPath, target), 3, {kPath2}, guest_.put_text(kPath2, path));
    }
    Status link(std::string_view from, std::string_view to, u32 lookup = 0) {
        return path_link(guest_.call(), 3, lookup, {kPath}, guest_.put_text(kPath, from), 3, {kPath2}, guest_.put_text(kPath2, to));
    }
    Status stat(std::string_view path, u32 lookup = 0) {
        return path_filestat_get(guest_.call(), 3, lookup, {kPath}, guest_.put_text(kPath, path), {kOut});
    }

    Disabled disabled_;
    TemporaryDirectory directory_;
    Guest guest_;
};
INSTANTIATE_TEST_SUITE_P(Resolvers, Files, ::testing::Values(Without{"nothing", {}}, Without{"openat2", {sys::Call::openat2}}),
                         fallback_name);

TEST_P(Files, CreateWriteSeekRead) {
    ASSERT_EQ(guest_.open(3, "new", kReadWrite, oflags::kCreat | oflags::kExcl), Errno::success);
    const Fd fd = guest_.opened();
    ASSERT_EQ(guest_.write(fd, "hello world"), Errno::success);
    ASSERT_EQ(fd_tell(guest_.call(), fd, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<u64>(kOut), 11u);
    ASSERT_EQ(fd_seek(guest_.call(), fd, -5, 2, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<u64>(kOut), 6u);
    ASSERT_EQ(guest_.read(fd, 100), Errno::success);
    EXPECT_EQ(guest_.data(), "world");
    EXPECT_EQ(fd_seek(guest_.call(), fd, -1, 0, {kOut}), Errno::inval);
    EXPECT_EQ(fd_seek(guest_.call(), fd, 0, 3, {kOut}), Errno::inval);
    EXPECT_EQ(guest_.open(3, "new", kReadWrite, oflags::kCreat | oflags::kExcl), Errno::exist);
    EXPECT_EQ(fd_sync(guest_.call(), fd), Errno::success);
    EXPECT_EQ(fd_datasync(guest_.call(), fd), Errno::success);
    EXPECT_EQ(fd_close(guest_.call(), fd), Errno::success);
    EXPECT_EQ(fd_close(guest_.call(), fd), Errno::badf);
}

TEST_P(Files, AccessIsWhatTheRightsAskFor) {
    directory_.write("file", "0123456789");
    ASSERT_EQ(guest_.open(3, "file", rights::kFdRead), Errno::success);
    const Fd reader = guest_.opened();
    EXPECT_EQ(guest_.write(reader, "x"), Errno::badf);
    ASSERT_EQ(guest_.open(3, "file", rights::kFdWrite), Errno::success);
    const Fd writer = guest_.opened();
    EXPECT_EQ(guest_.read(writer, 1), Errno::badf);
    EXPECT_EQ(guest_.write(writer, "x"), Errno::success);
    ASSERT_EQ(fd_fdstat_get(guest_.call(), writer, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<Fdstat>(kOut).rights_base & kReadWrite, rights::kFdWrite);
    EXPECT_EQ(guest_.at<Fdstat>(kOut).filetype, FileType::regular_file);
    EXPECT_EQ(fd_fdstat_set_rights(guest_.call(), writer, rights::kAll, 0), Errno::notcapable) << "rights can only be given up";
}

TEST_P(Files, PositionedReadsAndWrites) {
    ASSERT_EQ(guest_.open(3, "new", kReadWrite, oflags::kCreat), Errno::success);
    const Fd fd = guest_.opened();
    guest_.set(kIovecs, Iovec{kData, guest_.put_text(kData, "abc")});
    ASSERT_EQ(fd_pwrite(guest_.call(), fd, {kIovecs}, 1, 5, {kOut}), Errno::success);
    ASSERT_EQ(fd_pread(guest_.call(), fd, {kIovecs}, 1, 6, {kOut}), Errno::success);
    EXPECT_EQ(guest_.data(), "bc");
    EXPECT_EQ(fd_pread(guest_.call(), fd, {kIovecs}, 1, ~u64{0}, {kOut}), Errno::inval);
    ASSERT_EQ(fd_tell(guest_.call(), fd, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<u64>(kOut), 0u);
}

TEST_P(Files, SizesAndTimes) {
    ASSERT_EQ(guest_.open(3, "new", kReadWrite, oflags::kCreat), Errno::success);
    const Fd fd = guest_.opened();
    EXPECT_EQ(fd_filestat_set_size(guest_.call(), fd, 1000), Errno::success);
    EXPECT_EQ(fd_filestat_set_size(guest_.call(), fd, ~u64{0}), Errno::inval);
    EXPECT_EQ(fd_allocate(guest_.call(), fd, 0, 0), Errno::inval);
    EXPECT_EQ(fd_allocate(guest_.call(), fd, u64{1} << 62, u64{1} << 62), Errno::fbig);
    EXPECT_EQ(fd_advise(guest_.call(), fd, 0, 100, 3), Errno::success);
    EXPECT_EQ(fd_advise(guest_.call(), fd, 0, 100, 6), Errno::inval);
    EXPECT_EQ(fd_filestat_set_times(guest_.call(), fd, 1'500'000'001, 2'000'000'002, fstflags::kAtim | fstflags::kMtim), Errno::success);
    ASSERT_EQ(fd_filestat_get(guest_.call(), fd, {kOut}), Errno::success);
    const auto info = guest_.at<Filestat>(kOut);
    EXPECT_EQ(info.size, 1000u);
    EXPECT_EQ(info.atim, 1'500'000'001u);
    EXPECT_EQ(info.mtim, 2'000'000'002u);
    EXPECT_EQ(info.nlink, 1u);
    EXPECT_EQ(fd_filestat_set_times(guest_.call(), fd, 0, 0, fstflags::kAtim | fstflags::kAtimNow), Errno::inval);
    EXPECT_EQ(fd_filestat_set_times(guest_.call(), fd, 0, 0, 16), Errno::inval);
    EXPECT_EQ(path_filestat_set_times(guest_.call(), 3, 0, {kPath}, guest_.put_text(kPath, "new"), 0, 7, fstflags::kMtim), Errno::success);
    ASSERT_EQ(stat("new"), Errno::success);
    EXPECT_EQ(guest_.at<Filestat>(kOut).mtim, 7u);
    EXPECT_EQ(guest_.at<Filestat>(kOut).atim, 1'500'000'001u);
}

TEST_P(Files, DirectoriesComeAndGo) {
    EXPECT_EQ(path_call(path_create_directory, "a"), Errno::success);
    EXPECT_EQ(path_call(path_create_directory, "a"), Errno::exist);
    EXPECT_EQ(path_call(path_create_directory, "a/b/"), Errno::success);
    EXPECT_EQ(path_call(path_remove_directory, "a"), Errno::notempty);
    EXPECT_EQ(path_call(path_unlink_file, "a"), Errno::isdir);
    EXPECT_EQ(path_call(path_remove_directory, "a/b"), Errno::success);
    EXPECT_EQ(path_call(path_remove_directory, "a/"), Errno::success);
    EXPECT_EQ(path_call(path_remove_directory, "a"), Errno::noent);
    EXPECT_EQ(path_call(path_create_directory, "../escaped"), Errno::notcapable);
    EXPECT_EQ(path_call(path_create_directory, ".."), Errno::notcapable);
    EXPECT_EQ(path_call(path_remove_directory, "/tmp"), Errno::notcapable);
}

TEST_P(Files, LinksAndNames) {
    directory_.write("file", "x");
    EXPECT_EQ(symlink("file", "link"), Errno::success);
    EXPECT_EQ(symlink("/etc", "absolute"), Errno::notcapable);
    EXPECT_EQ(symlink("file", "link"), Errno::exist);
    ASSERT_EQ(path_readlink(guest_.call(), 3, {kPath}, guest_.put_text(kPath, "link"), {kData}, 100, {kOut}), Errno::success);
    EXPECT_EQ(guest_.data(), "file");
    ASSERT_EQ(path_readlink(guest_.call(), 3, {kPath}, guest_.put_text(kPath, "link"), {kData}, 2, {kOut}), Errno::success);
    EXPECT_EQ(guest_.data(), "fi");
    EXPECT_EQ(path_readlink(guest_.call(), 3, {kPath}, guest_.put_text(kPath, "file"), {kData}, 2, {kOut}), Errno::inval);
    ASSERT_EQ(stat("link"), Errno::success);
    EXPECT_EQ(guest_.at<Filestat>(kOut).filetype, FileType::symbolic_link);
    ASSERT_EQ(stat("link", lookupflags::kSymlinkFollow), Errno::success);
    EXPECT_EQ(guest_.at<Filestat>(kOut).filetype, FileType::regular_file);
    EXPECT_EQ(link("file", "hard"), Errno::success);
    EXPECT_EQ(link("link", "hard_link"), Errno::success);
    EXPECT_TRUE(std::filesystem::is_symlink(directory_ / "hard_link"));
    EXPECT_EQ(link("link", "followed", lookupflags::kSymlinkFollow), Errno::success);
    EXPECT_FALSE(std::filesystem::is_symlink(directory_ / "followed"));
    ASSERT_EQ(stat("file"), Errno::success);
    EXPECT_EQ(guest_.at<Filestat>(kOut).nlink, 3u);
    EXPECT_EQ(rename("hard", "moved"), Errno::success);
    EXPECT_EQ(rename("hard", "moved"), Errno::noent);
    EXPECT_EQ(rename("moved", "../moved"), Errno::notcapable);
    EXPECT_EQ(path_call(path_unlink_file, "moved"), Errno::success);
    EXPECT_EQ(path_call(path_unlink_file, "file/"), Errno::notdir);
    EXPECT_EQ(guest_.open(3, "link", rights::kFdRead), Errno::loop);
    EXPECT_EQ(guest_.open(3, "link", rights::kFdRead, 0, lookupflags::kSymlinkFollow), Errno::success);
}

TEST_P(Files, ReadOnlyDirectories) {
    directory_.write("file", "0123456789");
    std::filesystem::create_directory(directory_ / "sub");
    directory_.write("sub/inner", "x");
    Guest guest(Guest::with_directory(directory_, true));
    const auto call = [&](auto function, std::string_view path) {
        return function(guest.call(), 3, Bytes{kPath}, guest.put_text(kPath, path));
    };
    EXPECT_EQ(guest.open(3, "file", kReadWrite), Errno::perm);
    EXPECT_EQ(guest.open(3, "file", rights::kFdRead, oflags::kTrunc), Errno::perm);
    EXPECT_EQ(guest.open(3, "new", rights::kFdRead, oflags::kCreat), Errno::perm);
    EXPECT_EQ(guest.open(3, "new", rights::kFdRead, oflags::kCreat | oflags::kExcl), Errno::perm);
    EXPECT_EQ(guest.open(3, "file", rights::kFdRead, oflags::kCreat | oflags::kExcl), Errno::exist);
    EXPECT_EQ(call(path_create_directory, "new"), Errno::perm);
    EXPECT_EQ(call(path_remove_directory, "sub"), Errno::perm);
    EXPECT_EQ(call(path_unlink_file, "file"), Errno::perm);
    EXPECT_EQ(path_rename(guest.call(), 3, {kPath}, guest.put_text(kPath, "file"), 3, {kPath2}, guest.put_text(kPath2, "x")), Errno::perm);
    EXPECT_EQ(path_link(guest.call(), 3, 0, {kPath}, guest.put_text(kPath, "file"), 3, {kPath2}, guest.put_text(kPath2, "x")), Errno::perm);
    EXPECT_EQ(path_symlink(guest.call(), {kPath}, guest.put_text(kPath, "file"), 3, {kPath2}, guest.put_text(kPath2, "x")), Errno::perm);
    EXPECT_EQ(path_filestat_set_times(guest.call(), 3, 0, {kPath}, guest.put_text(kPath, "file"), 0, 0, fstflags::kMtimNow), Errno::perm);
    ASSERT_EQ(guest.open(3, "file", rights::kFdRead, oflags::kCreat), Errno::success);
    const Fd file = guest.opened();
    EXPECT_EQ(fd_filestat_set_size(guest.call(), file, 0), Errno::perm);
    EXPECT_EQ(fd_filestat_set_times(guest.call(), file, 0, 0, fstflags::kMtimNow), Errno::perm);
    ASSERT_EQ(guest.read(file, 100), Errno::success);
    EXPECT_EQ(guest.data(), "0123456789");
    ASSERT_EQ(guest.open(3, "sub", 0, oflags::kDirectory), Errno::success);
    const Fd sub = guest.opened();
    EXPECT_EQ(guest.open(sub, "inner", kReadWrite), Errno::perm) << "also beneath a directory beneath";
    EXPECT_EQ(guest.open(sub, "../file", kReadWrite), Errno::perm);
    ASSERT_EQ(fd_fdstat_get(guest.call(), 3, {kOut}), Errno::success);
    EXPECT_EQ(guest.at<Fdstat>(kOut).rights_inheriting & rights::kFdWrite, 0u);
    EXPECT_EQ(std::filesystem::file_size(directory_ / "file"), 10u);
}

TEST_P(Files, AFifoByPath) {
    ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0644), 0);
    ASSERT_EQ(guest_.open(3, "fifo", rights::kFdRead, 0, 0, fdflags::kNonblock), Errno::success);
    const Fd reader = guest_.opened();
    ASSERT_EQ(guest_.open(3, "fifo", rights::kFdWrite, 0, 0, fdflags::kNonblock), Errno::success);
    const Fd writer = guest_.opened();
    EXPECT_EQ(guest_.read(reader, 10), Errno::again);
    EXPECT_EQ(guest_.write(writer, "ab"), Errno::success);
    ASSERT_EQ(guest_.read(reader, 10), Errno::success);
    EXPECT_EQ(guest_.data(), "ab");
    EXPECT_EQ(fd_close(guest_.call(), reader), Errno::success);
    EXPECT_EQ(fd_close(guest_.call(), writer), Errno::success);
    EXPECT_EQ(guest_.open(3, "fifo", rights::kFdWrite, 0, 0, fdflags::kNonblock), Errno::nxio) << "no reader";
    // Blocking: waits for the peer.
    UniqueFd peer;
    {
        const WhenParked later([&] { peer.reset(::open((directory_ / "fifo").c_str(), O_WRONLY | O_CLOEXEC)); });
        ASSERT_EQ(guest_.open(3, "fifo", rights::kFdRead), Errno::success);
    }
    put(peer.get(), "late");
    ASSERT_EQ(guest_.read(guest_.opened(), 10), Errno::success);
    EXPECT_EQ(guest_.data(), "late");
}

TEST_P(Files, OpeningAFifoCanBeInterrupted) {
    ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0644), 0);
    const WhenParked later([&] {
        guest_.interrupt = 1;
        guest_.reactor().wake();
    });
    EXPECT_EQ(guest_.open(3, "fifo", rights::kFdRead), Status::end(TrapCode::interrupted));
    // The thread that waits for a writer is let go.
    const UniqueFd peer(::open((directory_ / "fifo").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

TEST_P(Files, Preopens) {
    ASSERT_EQ(fd_prestat_get(guest_.call(), 3, {kOut}), Errno::success);
    EXPECT_EQ(guest_.at<Prestat>(kOut).name_length, 1u);
    EXPECT_EQ(fd_prestat_dir_name(guest_.call(), 3, {kData}, 0), Errno::nametoolong);
    EXPECT_EQ(fd_prestat_dir_name(guest_.call(), 3, {kData}, 1), Errno::success);
    EXPECT_EQ(guest_.text(kData, 1), "/");
    EXPECT_EQ(fd_prestat_get(guest_.call(), 4, {kOut}), Errno::badf);
    ASSERT_EQ(guest_.open(3, ".", 0, oflags::kDirectory), Errno::success);
    EXPECT_NE(guest_.opened(), 3u);
    EXPECT_EQ(fd_prestat_get(guest_.call(), guest_.opened(), {kOut}), Errno::badf) << "no preopen";
}

TEST_P(Files, DirectoriesAreNoFiles) {
    EXPECT_EQ(guest_.read(3, 1), Errno::isdir);
    EXPECT_EQ(guest_.write(3, "x"), Errno::badf);
    EXPECT_EQ(fd_seek(guest_.call(), 3, 0, 0, {kOut}), Errno::badf);
    EXPECT_EQ(fd_filestat_set_size(guest_.call(), 3, 0), Errno::badf);
    EXPECT_EQ(fd_allocate(guest_.call(), 3, 0, 1), Errno::badf);
    EXPECT_EQ(sock_shutdown(guest_.call(), 3, 3), Errno::notsock);
}

TEST_P(Files, FlagsOfPathOpenAreChecked) {
    EXPECT_EQ(guest_.open(3, "x", 0, 16), Errno::inval);
    EXPECT_EQ(guest_.open(3, "x", 0, 0, 0, 32), Errno::inval);
    EXPECT_EQ(guest_.open(3, "x", 0, oflags::kDirectory | oflags::kCreat), Errno::inval);
    EXPECT_EQ(path_open(guest_.call(), 3, 0, {kPath}, 1, 0, 0, 0, 0, {0xffff'ffff}), Errno::fault);
    directory_.write("file", "x");
    ASSERT_EQ(guest_.open(3, "file"), Errno::success);
    EXPECT_EQ(guest_.open(guest_.opened(), "x"), Errno::notdir);
    EXPECT_EQ(guest_.open(77, "x"), Errno::badf);
    EXPECT_EQ(fd_fdstat_set_flags(guest_.call(), 3, 32), Errno::inval);
}

}  // namespace
}  // namespace pollux::wasi
