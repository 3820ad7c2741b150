// The sandbox: nothing outside of a preopened directory can be reached, by openat2 and by the walk that stands in for it.
#include "wasi/path.h"

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

class Path : public ::testing::TestWithParam<Without> {
protected:
    // root/{file, dir/{inner, nested/deep}, links…}, and outside/secret beside root
    Path() {
        namespace fs = std::filesystem;
        fs::create_directories(base_ / "root/dir/nested");
        fs::create_directories(base_ / "outside");
        base_.write("root/file", "file");
        base_.write("root/dir/inner", "inner");
        base_.write("root/dir/nested/deep", "deep");
        base_.write("outside/secret", "secret");
        const auto link = [&](const char* target, const char* name) { fs::create_symlink(target, base_ / ("root/" + std::string(name))); };
        link("file", "to_file");
        link("dir", "to_dir");
        link("../outside/secret", "to_secret");
        link("../outside", "to_outside");
        link("/etc/passwd", "to_absolute");
        link("/", "to_root");
        link("dir/../file", "through_dotdot");
        link("dir/../../outside/secret", "escapes_late");
        link("loop_b", "loop_a");
        link("loop_a", "loop_b");
        link("missing", "dangling");
        link("nested/../../file", "dir/back");
        link("to_dir/nested", "chain");
        link("..", "dir/up");
        root_.reset(::open((base_ / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }

    Expected<std::string> contents(const std::string& path, int flags = O_RDONLY) {
        auto file = open_beneath(root_.get(), path, flags);
        if (!file) return std::unexpected(file.error());
        char text[100];
        const ssize_t count = ::read(file->get(), text, sizeof(text));
        if (count < 0) return std::string("(directory)");
        return std::string(text, static_cast<std::size_t>(count));
    }

    Disabled disabled_{GetParam().calls};
    TemporaryDirectory base_;
    UniqueFd root_;
};
INSTANTIATE_TEST_SUITE_P(Resolvers, Path, ::testing::Values(Without{"nothing", {}}, Without{"openat2", {sys::Call::openat2}}),
                         fallback_name);

TEST_P(Path, OpensWhatIsBeneath) {
    for (const auto& [path, text] : std::initializer_list<std::pair<const char*, const char*>>{{"file", "file"},
                                                                                               {"./file", "file"},
                                                                                               {"dir//inner", "inner"},
                                                                                               {"dir/./nested/deep", "deep"},
                                                                                               {"dir/../file", "file"},
                                                                                               {"dir/nested/../../file", "file"},
                                                                                               {"to_file", "file"},
                                                                                               {"to_dir/inner", "inner"},
                                                                                               {"through_dotdot", "file"},
                                                                                               {"dir/back", "file"},
                                                                                               {"chain/deep", "deep"},
                                                                                               {"dir/up/file", "file"},
                                                                                               {"to_dir/up/to_dir/up/file", "file"}}) {
        EXPECT_EQ(contents(path), text) << path;
    }
    for (const char* path : {".", "dir", "dir/", "dir/.", "dir/nested/..", "to_dir/", "dir/..", "to_dir/nested/../.."}) {
        EXPECT_EQ(contents(path, O_RDONLY | O_DIRECTORY), "(directory)") << path;
    }
}

TEST_P(Path, RefusesWhatLeadsOutside) {
    for (const char* path : {"..",
                             "../",
                             "../outside/secret",
                             "dir/../../outside/secret",
                             "dir/../..",
                             "to_secret",
                             "to_outside/secret",
                             "to_outside",
                             "to_absolute",
                             "to_root",
                             "to_root/etc/passwd",
                             "escapes_late",
                             "/etc/passwd",
                             "/",
                             "//",
                             "./..",
                             "dir/up/..",
                             "dir/up/../outside/secret",
                             "dir/nested/../../../outside/secret",
                             "to_dir/../../outside/secret"}) {
        const auto opened = contents(path);
        ASSERT_FALSE(opened.has_value()) << path << " gave " << *opened;
        EXPECT_EQ(opened.error(), Errno::notcapable) << path;
        EXPECT_EQ(open_beneath(root_.get(), path, O_PATH).error(), Errno::notcapable) << path;
    }
}

TEST_P(Path, TheErrorsOfTheSystem) {
    for (const auto& [path, flags, error] :
         std::initializer_list<std::tuple<const char*, int, Errno>>{{"missing", O_RDONLY, Errno::noent},
                                                                    {"missing/x", O_RDONLY, Errno::noent},
                                                                    {"dangling", O_RDONLY, Errno::noent},
                                                                    {"file/x", O_RDONLY, Errno::notdir},
                                                                    {"file/", O_RDONLY, Errno::notdir},
                                                                    {"file/..", O_RDONLY, Errno::notdir},
                                                                    {"to_file/", O_RDONLY, Errno::notdir},
                                                                    {"loop_a", O_RDONLY, Errno::loop},
                                                                    {"loop_a/x", O_RDONLY, Errno::loop},
                                                                    {"to_file", O_RDONLY | O_NOFOLLOW, Errno::loop},
                                                                    {"dir", O_WRONLY, Errno::isdir},
                                                                    {"file", O_RDONLY | O_DIRECTORY, Errno::notdir},
                                                                    {"file", O_CREAT | O_EXCL | O_WRONLY, Errno::exist},
                                                                    {"dangling", O_CREAT | O_EXCL | O_WRONLY, Errno::exist},
                                                                    {"new/", O_CREAT | O_WRONLY, Errno::isdir}}) {
        const auto opened = open_beneath(root_.get(), path, flags, 0644);
        ASSERT_FALSE(opened.has_value()) << path;
        EXPECT_EQ(opened.error(), error) << path;
    }
    EXPECT_EQ(contents(std::string(300, 'x')).error(), Errno::nametoolong);
    EXPECT_EQ(contents("").error(), Errno::noent);
}

TEST_P(Path, LinksThemselvesCanBeLookedUp) {
    for (const char* path : {"to_file", "to_secret", "to_absolute", "dangling", "loop_a", "dir/up"}) {
        const auto link = open_beneath(root_.get(), path, O_PATH | O_NOFOLLOW);
        ASSERT_TRUE(link.has_value()) << path;
        struct stat info{};
        ASSERT_EQ(::fstat(link->get(), &info), 0);
        EXPECT_TRUE(S_ISLNK(info.st_mode)) << path;
    }
    // A slash after it makes it followed, and then it leads outside.
    EXPECT_EQ(open_beneath(root_.get(), "to_outside/", O_PATH | O_NOFOLLOW).error(), Errno::notcapable);
}

TEST_P(Path, CreatingThroughALink) {
    ASSERT_TRUE(open_beneath(root_.get(), "dangling", O_CREAT | O_WRONLY, 0644).has_value());
    EXPECT_TRUE(std::filesystem::exists(base_ / "root/missing"));
    EXPECT_EQ(open_beneath(root_.get(), "to_outside/planted", O_CREAT | O_WRONLY, 0644).error(), Errno::notcapable);
    EXPECT_FALSE(std::filesystem::exists(base_ / "outside/planted"));
}

TEST_P(Path, ParentsOfChanges) {
    for (const auto& [path, name] : std::initializer_list<std::pair<const char*, const char*>>{
             {"new", "new"}, {"dir/new", "new"}, {"dir//new/", "new/"}, {"to_dir/nested/new", "new"}, {"to_outside", "to_outside"}}) {
        const auto parent = open_parent(root_.get(), path);
        ASSERT_TRUE(parent.has_value()) << path;
        EXPECT_EQ(parent->name, name);
    }
    for (const char* path : {"..", "../x", "to_outside/x", "dir/../../x", "dir/../..", "/", "//x", "to_root/tmp/x"}) {
        EXPECT_EQ(open_parent(root_.get(), path).error(), Errno::notcapable) << path;
    }
    EXPECT_EQ(open_parent(root_.get(), "missing/x").error(), Errno::noent);
    EXPECT_EQ(open_parent(root_.get(), "file/x").error(), Errno::notdir);
}

TEST_P(Path, NeverOutsideWhateverIsRenamedMeanwhile) {
    // `swap` is now a directory, now a link that leads outside; `moving` goes up and down the tree.
    namespace fs = std::filesystem;
    fs::create_directories(base_ / "root/a/b/c");
    base_.write("root/a/b/c/target", "inside");
    fs::create_directories(base_ / "root/swap");
    base_.write("root/swap/secret", "inside");
    fs::create_symlink("../outside", base_ / "root/evil");
    const std::string root = base_ / "root";
    std::atomic<bool> stop{false};
    std::thread attacker([&] {
        while (!stop) {
            static_cast<void>(
                ::syscall(SYS_renameat2, AT_FDCWD, (root + "/swap").c_str(), AT_FDCWD, (root + "/evil").c_str(), 2 /* EXCHANGE */));
            static_cast<void>(::rename((root + "/a/b/c").c_str(), (root + "/c").c_str()));
            static_cast<void>(::rename((root + "/c").c_str(), (root + "/a/b/c").c_str()));
        }
    });
    int opened = 0;
    for (int i = 0; i < 4000; ++i) {
        for (const char* path :
             {"swap/secret", "swap/../swap/secret", "a/b/c/target", "a/b/c/../../../../outside/secret", "c/../../outside/secret"}) {
            const auto text = contents(path);
            if (!text) continue;
            ++opened;
            ASSERT_EQ(*text, "inside") << path;
        }
    }
    stop = true;
    attacker.join();
    EXPECT_GT(opened, 0);
}

TEST(GuestPath, IsCheckedBeforeUse) {
    Guest guest;
    const auto path = [&](std::string_view text) { return guest_path(guest.call().memory, {kData}, guest.put_text(kData, text)); };
    EXPECT_EQ(path("a/b").value(), "a/b");
    EXPECT_EQ(path("").error(), Errno::noent);
    EXPECT_EQ(path("/a").error(), Errno::notcapable);
    EXPECT_EQ(path(std::string_view("a\0b", 3)).error(), Errno::ilseq);
    EXPECT_EQ(path(std::string(5000, 'x')).error(), Errno::nametoolong);
    EXPECT_EQ(guest_path(guest.call().memory, {kData}, 1u << 31).error(), Errno::fault);
}

}  // namespace
}  // namespace pollux::wasi
