#include "wasi/trace.h"

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

std::string trace(Guest& guest, std::string_view name, std::vector<u64> values) {
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
    EXPECT_EQ(trace(guest, "fd_read", {0, kIovecs, 1, kOut}), "fd_read(0, [{0x1000, 512}]) = EAGAIN\n");
    put(pipe.writer.get(), "hi\n");
    EXPECT_EQ(trace(guest, "fd_read", {0, kIovecs, 1, kOut}), "fd_read(0, [{0x1000, 512}]) = 0 [3] \"hi\\n\"\n");
    guest.set(kIovecs, Iovec{kData, guest.put_text(kData, "a\"\x01")});
    EXPECT_EQ(trace(guest, "fd_write", {0, kIovecs, 1, kOut}), "fd_write(0, [\"a\\\"\\x01\"]) = EBADF\n");
}

TEST(Trace, PathsAndFlags) {
    const TemporaryDirectory directory;
    Guest guest(Guest::with_directory(directory));
    const u32 length = guest.put_text(kPath, "notes.txt");
    EXPECT_EQ(trace(guest, "path_open", {3, 1, kPath, length, 9, 0x42, 0, 4, kOut}),
              "path_open(3, 0x1, \"notes.txt\", CREAT|TRUNC, 0x42, 0x0, NONBLOCK) = 0 [0]\n");
    EXPECT_EQ(trace(guest, "fd_fdstat_set_flags", {0, 0}), "fd_fdstat_set_flags(0, 0) = 0\n");
    EXPECT_EQ(trace(guest, "proc_exit", {3}), "proc_exit(3) = exit\n");
}

TEST(Trace, Polls) {
    const Pipe pipe;
    put(pipe.writer.get(), "hello");
    Guest guest(Guest::with_stream(0, pipe.reader.get()));
    guest.subscribe_fd(0, EventType::fd_read, 0, 1);
    guest.subscribe_clock(1, 1, 100'000'000, 2);
    EXPECT_EQ(trace(guest, "poll_oneoff", {kSubscriptions, kEvents, 2, kOut}),
              "poll_oneoff([{fd_read 0}, {clock MONOTONIC +100ms}], 2) = 0 [1] {fd_read nbytes 5}\n");
}

TEST(Trace, HostileAddressesAreJustPrinted) {
    Guest guest;
    EXPECT_EQ(trace(guest, "path_unlink_file", {3, 0xffff'fff0, 100}), "path_unlink_file(3, 0xfffffff0, 100) = EBADF\n");
    EXPECT_EQ(trace(guest, "fd_write", {0, 0xffff'fff0, 1000, 0}), "fd_write(0, [?]) = EBADF\n");
    EXPECT_EQ(trace(guest, "poll_oneoff", {0xffff'fff0, 0, 10, 0}), "poll_oneoff([?], 10) = EFAULT\n");
}

}  // namespace
}  // namespace pollux::wasi
