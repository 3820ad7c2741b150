// What the tests of the dispatcher share: a guest without an engine. Its memory is a buffer, its calls are the functions of wasi/calls.h.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "jit/base/syscall.h"
#include "jit/base/unique_fd.h"
#include "wasi/calls.h"

namespace pollux::wasi {

inline void PrintTo(Errno error, std::ostream* out) { *out << errno_name(error); }
inline void PrintTo(Status status, std::ostream* out) {
    *out << errno_name(status.error());
    if (status.trap() != TrapCode::none) *out << " and the end of the guest";
}

/// A pipe, both ends ours.
struct Pipe {
    UniqueFd reader, writer;
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
        reader.reset(ends[0]);
        writer.reset(ends[1]);
    }
};

struct SocketPair {
    UniqueFd guest, peer;
    explicit SocketPair(int type = SOCK_STREAM) {
        int ends[2];
        if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
        guest.reset(ends[0]);
        peer.reset(ends[1]);
    }
};

struct Pty {
    UniqueFd controller, terminal;
    Pty() {
        int a = -1;
        int b = -1;
        if (::openpty(&a, &b, nullptr, nullptr, nullptr) != 0) std::abort();
        controller.reset(a);
        terminal.reset(b);
    }
};

/// A fresh directory, removed at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "pollux-wasi-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    void write(std::string_view name, std::string_view text) const {
        const UniqueFd file(::open((*this / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
    }

private:
    std::string path_;
};

inline void put(int fd, std::string_view text) { ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size())); }
inline int host_flags(int fd) { return ::fcntl(fd, F_GETFL); }

/// Closes calls off for as long as it lives.
class Disabled {
public:
    explicit Disabled(std::vector<sys::Call> calls) : calls_(std::move(calls)) {
        for (const sys::Call call : calls_) sys::set_available(call, false);
    }
    ~Disabled() {
        for (const sys::Call call : calls_) sys::set_available(call, true);
    }
    Disabled(const Disabled&) = delete;
    Disabled& operator=(const Disabled&) = delete;

private:
    std::vector<sys::Call> calls_;
};

/// The parameter of tests that run on every rung of the ladder and on both path resolvers.
struct Without {
    std::string_view name;
    std::vector<sys::Call> calls;
};
inline void PrintTo(const Without& without, std::ostream* out) { *out << "without_" << without.name; }
inline std::vector<Without> fallbacks() {
    using enum sys::Call;
    return {{"nothing", {}},
            {"reopen", {reopen}},
            {"reopen_and_rwf", {reopen, preadv2, pwritev2}},
            {"anything_new", {reopen, preadv2, pwritev2, openat2, epoll_pwait2}}};
}
inline std::string fallback_name(const ::testing::TestParamInfo<Without>& info) { return "without_" + std::string(info.param.name); }

/// Where things lie in the guest's memory.
inline constexpr GuestAddress kOut = 64;         // results
inline constexpr GuestAddress kIovecs = 256;
inline constexpr GuestAddress kPath = 1024;
inline constexpr GuestAddress kPath2 = 1536;
inline constexpr GuestAddress kData = 4096;
inline constexpr GuestAddress kSubscriptions = 1 << 20;
inline constexpr GuestAddress kEvents = 1 << 23;

class Guest {
public:
    explicit Guest(Config config = quiet(), TaskScheduler* scheduler = nullptr) {
        auto made = WasiContext::create(std::move(config));
        if (!made) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        context_ = std::move(*made);
        reactor_ = std::move(*Reactor::create(scheduler));
        call_.reset(new Call{*context_, *reactor_, GuestMemory(std::span(memory_)), &interrupt, AbiVersion::preview1});
    }

    /// No standard streams, nothing opened.
    static Config quiet() {
        Config config;
        config.notice_fd = -1;
        for (Stream& stream : config.streams) stream.source = Stream::Source::closed;
        return config;
    }
    static Config with_stream(int number, int host_fd) {
        Config config = quiet();
        config.streams[static_cast<std::size_t>(number)] = {Stream::Source::fd, {}, host_fd};
        return config;
    }
    static Config with_directory(const TemporaryDirectory& directory, bool read_only = false) {
        Config config = quiet();
        config.directories.push_back({directory.path(), "/", read_only});
        return config;
    }

    Call& call() { return *call_; }
    WasiContext& context() { return *context_; }
    Reactor& reactor() { return *reactor_; }
    std::vector<std::uint8_t>& memory() { return memory_; }
    template <class T>
    T at(GuestAddress address) const {
        T value;
        std::memcpy(&value, memory_.data() + address, sizeof(T));
        return value;
    }
    template <class T>
    void set(GuestAddress address, const T& value) {
        std::memcpy(memory_.data() + address, &value, sizeof(T));
    }
    u32 put_text(GuestAddress address, std::string_view text) {
        std::memcpy(memory_.data() + address, text.data(), text.size());
        return static_cast<u32>(text.size());
    }
    std::string text(GuestAddress address, u32 length) const {
        return std::string(reinterpret_cast<const char*>(memory_.data()) + address, length);
    }

    /// Takes over a host descriptor under the lowest free number.
    Fd adopt(int host_fd, Ownership ownership = Ownership::borrowed) {
        auto descriptor = Descriptor::adopt(host_fd, ownership);
        if (!descriptor) return ~Fd{0};
        return context_->descriptors().insert(std::move(*descriptor)).value_or(~Fd{0});
    }

    Status read(Fd fd, u32 length) {
        set(kIovecs, Iovec{kData, length});
        set(kOut, u32{0xdddddddd});
        return fd_read(*call_, fd, {kIovecs}, 1, {kOut});
    }
    std::string data() const { return text(kData, at<u32>(kOut)); }
    Status write(Fd fd, std::string_view bytes) {
        set(kIovecs, Iovec{kData, put_text(kData, bytes)});
        return fd_write(*call_, fd, {kIovecs}, 1, {kOut});
    }
    Status set_flags(Fd fd, u16 flags) { return fd_fdstat_set_flags(*call_, fd, flags); }
    Status open(Fd directory, std::string_view path, Rights rights = rights::kFdRead, u32 open_flags = 0, u32 lookup = 0, u32 flags = 0) {
        return path_open(*call_, directory, lookup, {kPath}, put_text(kPath, path), open_flags, rights, 0, flags, {kOut});
    }
    Fd opened() const { return at<Fd>(kOut); }

    void subscribe_fd(u32 index, EventType type, Fd fd, u64 userdata) {
        Subscription subscription;
        subscription.userdata = userdata;
        subscription.type = type;
        subscription.clock.id = fd;
        set(kSubscriptions + index * 48, subscription);
    }
    void subscribe_clock(u32 index, u32 id, u64 timeout, u64 userdata, u16 flags = 0) {
        Subscription subscription;
        subscription.userdata = userdata;
        subscription.clock = {id, 0, timeout, 0, flags, {}};
        set(kSubscriptions + index * 48, subscription);
    }
    Status poll(u32 count) {
        set(kOut, u32{0xdddddddd});
        return poll_oneoff(*call_, {kSubscriptions}, {kEvents}, count, {kOut});
    }
    u32 events() const { return at<u32>(kOut); }
    Event event(u32 index) const { return at<Event>(kEvents + index * 32); }

    InterruptFlag interrupt{0};

private:
    std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(16 << 20);
    std::unique_ptr<WasiContext> context_;
    std::unique_ptr<Reactor> reactor_;
    std::unique_ptr<Call> call_;
};

/// Does something on another thread once the guest waits: the thread sees the guest's thread sleeping in the kernel.
class WhenParked {
public:
    explicit WhenParked(std::function<void()> action)
        : guest_(::gettid()), thread_([this, action = std::move(action)] {
              wait_until_asleep();
              action();
          }) {}
    ~WhenParked() { thread_.join(); }
    WhenParked(const WhenParked&) = delete;
    WhenParked& operator=(const WhenParked&) = delete;

private:
    void wait_until_asleep() const {
        // In epoll_pwait2, epoll_pwait or poll; `running` while it computes.
        const std::string path = "/proc/self/task/" + std::to_string(guest_) + "/syscall";
        for (int tries = 0; tries < 2000; ++tries) {
            char text[64] = {};
            const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            if (!file || ::read(file.get(), text, sizeof(text) - 1) <= 0) break;  // not readable here: act at once
            const long number = std::strtol(text, nullptr, 10);
            if (number == SYS_epoll_pwait || number == kEmulatorsEpollPwait || number == kEpollPwait2) return;
            ::usleep(500);
        }
    }
    static constexpr long kEpollPwait2 = 441;
    static constexpr long kEmulatorsEpollPwait = 281;  ///< x86-64's: what shows where qemu runs a program of another machine

    pid_t guest_;
    std::thread thread_;
};

}  // namespace pollux::wasi
