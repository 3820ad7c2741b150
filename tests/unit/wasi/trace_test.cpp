#include "wasi/trace.h"

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

std::string trace(Guest& guest, std::string_view name, const std::vector<u64>& values) {
    for (const Import& import : imports()) {
        if (import.name != name || import.signature.size() != values.size()) continue;
        std::vector<wasm::V128> arguments;
        for (const u64 value : values) arguments.push_back({value, 0});
        std::string line = Trace::before(import, guest.call(), arguments.data());
        const Status status = import.invoke(guest.call(), arguments.data());
        return line + Trace::after(import, guest.call(), arguments.data(), status);
    }
    return "no such import";
}

TEST(Trace, ReadsAndWrites) {
    const Pipe pipe;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    ASSERT_EQ(guest.set_flags(0, fdflags::kNonblock), Errno::success);
    guest.set(kIovecs, Iovec{kData, 512});
    EXPECT_EQ(trace(guest, "fd_read", {0, kIovecs, 1, kOut}), "fd_read(0, [{0x1000, 512}]) = EAGAIN");
    put(pipe.writer.get(), "hi\n");
    EXPECT_EQ(trace(guest, "fd_read", {0, kIovecs, 1, kOut}), "fd_read(0, [{0x1000, 512}]) = 0 [3] \"hi\\n\"");
    guest.set(kIovecs, Iovec{kData, guest.put_text(kData, "a\"\x01")});
    EXPECT_EQ(trace(guest, "fd_write", {0, kIovecs, 1, kOut}), "fd_write(0, [\"a\\\"\\x01\"]) = EBADF");
}

TEST(Trace, PathsAndFlags) {
    const TemporaryDirectory directory;
    Guest guest(Guest::with_directory(directory));
    const u32 length = guest.put_text(kPath, "notes.txt");
    EXPECT_EQ(trace(guest, "path_open", {3, 1, kPath, length, 9, 0x42, 0, 4, kOut}),
              "path_open(3, SYMLINK_FOLLOW, \"notes.txt\", CREAT|TRUNC, 0x42, 0x0, NONBLOCK) = 0 [0]");
    EXPECT_EQ(trace(guest, "fd_fdstat_set_flags", {0, 0}), "fd_fdstat_set_flags(0, 0) = 0");
    EXPECT_EQ(trace(guest, "proc_exit", {3}), "proc_exit(3) = exit");
}

TEST(Trace, WhatCallsFillIn) {
    const TemporaryDirectory directory;
    directory.write("notes.txt", "text");
    ASSERT_EQ(::symlink("notes.txt", (directory / "link").c_str()), 0);
    Guest guest(Guest::with_directory(directory));
    const u32 length = guest.put_text(kPath, "link");
    EXPECT_EQ(trace(guest, "path_filestat_get", {3, 1, kPath, length, kData}),
              "path_filestat_get(3, SYMLINK_FOLLOW, \"link\") = 0 {REGULAR_FILE size 4 nlink 1}");
    EXPECT_EQ(trace(guest, "path_readlink", {3, kPath, length, kData, 100, kOut}), "path_readlink(3, \"link\") = 0 [9] \"notes.txt\"");
    EXPECT_EQ(trace(guest, "fd_prestat_get", {3, kData}), "fd_prestat_get(3) = 0 {DIRECTORY name length 1}");
    EXPECT_EQ(trace(guest, "fd_prestat_dir_name", {3, kData, 1}), "fd_prestat_dir_name(3) = 0 \"/\"");
    ASSERT_EQ(guest.open(3, "notes.txt"), Errno::success);
    EXPECT_EQ(trace(guest, "fd_seek", {guest.opened(), 0, 2, kOut}), "fd_seek(0, 0, END) = 0 [4]");
    EXPECT_EQ(trace(guest, "fd_fdstat_get", {0, kData}).find("fd_fdstat_get(0) = 0 {REGULAR_FILE flags 0 rights 0x"), 0u);
}

TEST(Trace, Groups) {
    EXPECT_EQ(group_of("fd_read"), CallGroup::fd);
    EXPECT_EQ(group_of("poll_oneoff"), CallGroup::poll);
    EXPECT_EQ(group_of("epoll_oneoff"), CallGroup::poll);
    EXPECT_EQ(group_of("proc_exit"), CallGroup::other);
    EXPECT_EQ(parse_call_groups("fd,clock"), 1 << 1 | 1 << 4);
    EXPECT_EQ(parse_call_groups(""), 63);
    for (const char* wrong : {"fds", "fd,", "poll fd", "other"}) EXPECT_EQ(parse_call_groups(wrong), std::nullopt) << wrong;
}

TEST(Trace, ParksAndWakes) {
    const Pipe pipe;
    const Pipe output;
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.set(kIovecs, Iovec{kData, 512});
    const Trace trace(output.writer.get(), 63, "[guest] ");
    const Import& import = *find_import("fd_read", "iiii");
    const std::array<wasm::V128, 4> arguments = {{{0, 0}, {kIovecs, 0}, {1, 0}, {kOut, 0}}};
    const WhenParked later([&] { put(pipe.writer.get(), "x"); });
    TracedCall call(trace, import, guest.call(), arguments.data());
    guest.reactor().observe(&call);
    call.ends(import.invoke(guest.call(), arguments.data()));
    std::string text(1000, ' ');
    text.resize(static_cast<std::size_t>(::read(output.reader.get(), text.data(), text.size())));
    text.resize(text.rfind('<'));  // the time
    EXPECT_EQ(text,
              "[guest] fd_read(0, [{0x1000, 512}]) <parks ...>\n"
              "[guest] <... fd_read wakes: ready>\n"
              "[guest] <... fd_read resumed> = 0 [1] \"x\" ");
}

TEST(Trace, Polls) {
    const Pipe pipe;
    put(pipe.writer.get(), "hello");
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_clock(1, 1, 100'000'000, 2);
    EXPECT_EQ(trace(guest, "poll_oneoff", {kSubscriptions, kEvents, 2, kOut}),
              "poll_oneoff([{fd_read 0}, {clock MONOTONIC +100ms}], 2) = 0 [1] {fd_read nbytes 5}");
}

TEST(Trace, HostileAddressesAreJustPrinted) {
    Guest guest;
    EXPECT_EQ(trace(guest, "path_unlink_file", {3, 0xffff'fff0, 100}), "path_unlink_file(3, 0xfffffff0, 100) = EBADF");
    EXPECT_EQ(trace(guest, "fd_write", {0, 0xffff'fff0, 1000, 0}), "fd_write(0, [?]) = EBADF");
    EXPECT_EQ(trace(guest, "poll_oneoff", {0xffff'fff0, 0, 10, 0}), "poll_oneoff([?], 10) = EFAULT");
}

}  // namespace
}  // namespace pollux::wasi
