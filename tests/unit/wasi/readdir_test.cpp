#include <map>

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

struct Entry {
    u64 next;
    FileType type;
    u64 ino;
};

/// Lists the directory as wasi-libc does, with a buffer of this size.
std::map<std::string, Entry> list(Guest& guest, Fd fd, u32 size) {
    std::map<std::string, Entry> entries;
    u64 cookie = 0;
    while (true) {
        EXPECT_EQ(fd_readdir(guest.call(), fd, {kData}, size, cookie, {kOut}), Errno::success);
        const u32 used = guest.at<u32>(kOut);
        EXPECT_LE(used, size);
        u32 at = 0;
        while (at + sizeof(Dirent) <= used) {
            const auto dirent = guest.at<Dirent>(kData + at);
            if (at + sizeof(Dirent) + dirent.name_length > used) break;  // cut off
            const std::string name = guest.text(kData + at + 24, dirent.name_length);
            EXPECT_TRUE(entries.emplace(name, Entry{dirent.next, dirent.type, dirent.ino}).second) << name << " came twice";
            cookie = dirent.next;
            at += static_cast<u32>(sizeof(Dirent)) + dirent.name_length;
        }
        if (used < size) return entries;
        if (at == 0) {
            ADD_FAILURE() << "no progress";
            return entries;
        }
    }
}

TEST(Readdir, ListsEverythingOnceWithAnyBuffer) {
    const TemporaryDirectory directory;
    for (int i = 0; i < 300; ++i) directory.write("file" + std::to_string(i), "");
    std::filesystem::create_directory(directory / "folder");
    std::filesystem::create_symlink("file1", directory / "link");
    Guest guest(Guest::with_directory(directory));
    for (const u32 size : {300u, 1000u, 4096u, 100'000u}) {
        const auto entries = list(guest, 3, size);
        EXPECT_EQ(entries.size(), 304u);
        EXPECT_EQ(entries.at("folder").type, FileType::directory);
        EXPECT_EQ(entries.at("link").type, FileType::symbolic_link);
        EXPECT_EQ(entries.at("file7").type, FileType::regular_file);
        EXPECT_TRUE(entries.contains("."));
        EXPECT_EQ(entries.at("..").ino, 0u) << "of a preopened directory, what lies above is not told";
    }
}

TEST(Readdir, CookiesStayRightWhenEntriesComeAndGo) {
    const TemporaryDirectory directory;
    for (int i = 0; i < 50; ++i) directory.write("file" + std::to_string(i), "");
    Guest guest(Guest::with_directory(directory));
    const auto before = list(guest, 3, 4096);
    for (const auto& [name, entry] : before) {
        if (name.starts_with("file") && name.size() == 5) std::filesystem::remove(directory / name);
    }
    // From the cookie after file20 on, what followed it then still follows it.
    ASSERT_EQ(fd_readdir(guest.call(), 3, {kData}, 4096, before.at("file20").next, {kOut}), Errno::success);
    EXPECT_LT(guest.at<u32>(kOut), 4096u);
    ASSERT_EQ(fd_readdir(guest.call(), 3, {kData}, 4096, 0, {kOut}), Errno::success);
}

TEST(Readdir, TheLastEntryIsCutOff) {
    const TemporaryDirectory directory;
    directory.write("a_long_name_for_a_file", "");
    Guest guest(Guest::with_directory(directory));
    for (u32 size = 0; size < 60; ++size) {
        ASSERT_EQ(fd_readdir(guest.call(), 3, {kData}, size, 0, {kOut}), Errno::success);
        EXPECT_EQ(guest.at<u32>(kOut), size) << "full: there is more";
    }
}

TEST(Readdir, Errors) {
    const TemporaryDirectory directory;
    directory.write("file", "");
    Guest guest(Guest::with_directory(directory));
    ASSERT_EQ(guest.open(3, "file"), Errno::success);
    EXPECT_EQ(fd_readdir(guest.call(), guest.opened(), {kData}, 100, 0, {kOut}), Errno::notdir);
    EXPECT_EQ(fd_readdir(guest.call(), 99, {kData}, 100, 0, {kOut}), Errno::badf);
    EXPECT_EQ(fd_readdir(guest.call(), 3, {kData}, ~0u, 0, {kOut}), Errno::fault);
    EXPECT_EQ(fd_readdir(guest.call(), 3, {kData}, 100, ~u64{0}, {kOut}), Errno::inval);
}

}  // namespace
}  // namespace pollux::wasi
