#include "wasi/descriptor.h"

#include "jit/base/syscall.h"
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

TEST(Descriptor, KindsAndFileTypes) {
    const Pipe pipe;
    const SocketPair stream;
    const SocketPair datagram(SOCK_DGRAM);
    const Pty pty;
    const TemporaryDirectory directory;
    directory.write("file", "x");
    const auto type = [](int fd) { return (*Descriptor::adopt(fd, Ownership::borrowed))->file_type(); };
    const UniqueFd file(::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd folder(::open(directory.path().c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(type(pipe.reader.get()), FileType::unknown);
    EXPECT_EQ(type(stream.guest.get()), FileType::socket_stream);
    EXPECT_EQ(type(datagram.guest.get()), FileType::socket_dgram);
    EXPECT_EQ(type(pty.terminal.get()), FileType::character_device);
    EXPECT_EQ(type(file.get()), FileType::regular_file);
    EXPECT_EQ(type(folder.get()), FileType::directory);
    EXPECT_EQ(type(null.get()), FileType::character_device);
    EXPECT_EQ(Descriptor::adopt(9999, Ownership::borrowed).error(), Errno::badf);
}

TEST(Descriptor, OnlyATerminalLooksLikeOne) {
    const Pty pty;
    const TemporaryDirectory directory;
    directory.write("file", "x");
    const UniqueFd file(::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC));
    const auto is_a_tty = [](int fd) {
        const auto descriptor = *Descriptor::adopt(fd, Ownership::borrowed);
        return descriptor->file_type() == FileType::character_device &&
               (descriptor->rights_base() & (rights::kFdSeek | rights::kFdTell)) == 0;
    };
    EXPECT_TRUE(is_a_tty(pty.terminal.get()));
    EXPECT_FALSE(is_a_tty(file.get()));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_FALSE(is_a_tty(null.get()));
}

TEST(Descriptor, AccessModeShowsInTheRights) {
    const Pipe pipe;
    const auto reader = *Descriptor::adopt(pipe.reader.get(), Ownership::borrowed);
    const auto writer = *Descriptor::adopt(pipe.writer.get(), Ownership::borrowed);
    EXPECT_EQ(reader->rights_base() & (rights::kFdRead | rights::kFdWrite), rights::kFdRead);
    EXPECT_EQ(writer->rights_base() & (rights::kFdRead | rights::kFdWrite), rights::kFdWrite);
    EXPECT_TRUE(reader->readable());
    EXPECT_FALSE(reader->writable());
}

TEST(Descriptor, ATerminalThatIsHungUpEndsHoweverTheKernelSaysIt) {
    Pty pty;
    const auto terminal = *Descriptor::adopt(pty.terminal.get(), Ownership::borrowed);
    char byte = 0;
    const iovec buffer{&byte, 1};
    sys::inject(sys::Call::read, EIO);
    EXPECT_EQ(terminal->read(std::span(&buffer, 1)).error(), Errno::io) << "an error of a terminal that is there stays one";
    pty.controller.reset();
    sys::inject(sys::Call::read, EIO);
    EXPECT_EQ(terminal->read(std::span(&buffer, 1)), std::size_t{0});
    EXPECT_EQ(terminal->read(std::span(&buffer, 1)), std::size_t{0});
}

TEST(Descriptor, OwnershipDecidesWhoCloses) {
    Pipe pipe;
    const int borrowed = pipe.reader.get();
    {
        const auto descriptor = Descriptor::adopt(borrowed, Ownership::borrowed);
    }
    EXPECT_GE(::fcntl(borrowed, F_GETFD), 0);
    const int owned = pipe.reader.release();
    {
        const auto descriptor = Descriptor::adopt(owned, Ownership::shared);
    }
    EXPECT_EQ(::fcntl(owned, F_GETFD), -1);
    // A standard stream leaves /dev/null behind, and its other end sees it closed.
    const int standard = pipe.writer.release();
    {
        const auto descriptor = Descriptor::adopt(standard, Ownership::standard);
    }
    struct stat info{};
    ASSERT_EQ(::fstat(standard, &info), 0);
    EXPECT_TRUE(S_ISCHR(info.st_mode));
    ::close(standard);
}

TEST(Descriptor, FlagsNeverReachASharedDescription) {
    const Pipe pipe;
    const SocketPair sockets;
    const Pty pty;
    const TemporaryDirectory directory;
    directory.write("file", "0123456789");
    const UniqueFd file(::open((directory / "file").c_str(), O_RDWR | O_CLOEXEC));
    for (const int fd : {pipe.reader.get(), pipe.writer.get(), sockets.guest.get(), pty.terminal.get(), file.get()}) {
        const int before = host_flags(fd);
        const auto descriptor = *Descriptor::adopt(fd, Ownership::borrowed);
        descriptor->set_flags(fdflags::kAll);
        std::uint8_t byte = 'x';
        const iovec buffer{&byte, 1};
        static_cast<void>(descriptor->write({&buffer, 1}));
        static_cast<void>(descriptor->read({&buffer, 1}));
        EXPECT_EQ(host_flags(fd), before);
    }
}

TEST(Descriptor, AppendGoesToTheEndWhateverTheOffset) {
    for (const bool with_rwf : {true, false}) {
        const Disabled disabled(with_rwf ? std::vector<sys::Call>{} : std::vector{sys::Call::pwritev2});
        const TemporaryDirectory directory;
        directory.write("log", "0123456789");
        const UniqueFd file(::open((directory / "log").c_str(), O_RDWR | O_CLOEXEC));
        Guest guest(Guest::with_stream(1, file.get()));
        ASSERT_EQ(guest.set_flags(1, fdflags::kAppend), Errno::success);
        ASSERT_EQ(guest.write(1, "ab"), Errno::success);
        EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 12);
        ASSERT_EQ(guest.set_flags(1, 0), Errno::success);
        ASSERT_EQ(fd_seek(guest.call(), 1, 0, 0, {kOut}), Errno::success);
        ASSERT_EQ(guest.write(1, "X"), Errno::success);
        char text[13] = {};
        ASSERT_EQ(::pread(file.get(), text, 12, 0), 12);
        EXPECT_STREQ(text, "X123456789ab");
        EXPECT_EQ(host_flags(file.get()) & O_APPEND, 0);
    }
}

TEST(Descriptor, AvailableBytesAreExact) {
    const Pipe pipe;
    put(pipe.writer.get(), "12345");
    EXPECT_EQ((*Descriptor::adopt(pipe.reader.get(), Ownership::borrowed))->readable_bytes(), 5u);
    const TemporaryDirectory directory;
    directory.write("file", "0123456789");
    const UniqueFd file(::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC));
    ::lseek(file.get(), 4, SEEK_SET);
    EXPECT_EQ((*Descriptor::adopt(file.get(), Ownership::borrowed))->readable_bytes(), 6u);
    ::lseek(file.get(), 40, SEEK_SET);
    EXPECT_EQ((*Descriptor::adopt(file.get(), Ownership::borrowed))->readable_bytes(), 0u);
}

}  // namespace
}  // namespace pollux::wasi
