// The behaviours of the I/O conformance suite that need several guests in one process: 23, 26, 52, 61.
//
// Guests of guests/embedded_*.c share one FiberScheduler and so one thread; a second thread plays the outside world: it writes to
// their stdin, reads their stdout and, if a guest has not ended in time, interrupts it so that a hang is a failure.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "jit/base/unique_fd.h"
#include "jit/runtime/runtime.h"
#include "wasi/wasi.h"

namespace pollux {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

enum class Kind { pipe, socket, tty };

/// Two connected ends: what is written to `writer` arrives at `reader`.
struct Link {
    UniqueFd reader, writer;
};

Link make_link(Kind kind, bool guest_writes = false) {
    int ends[2] = {-1, -1};
    if (kind == Kind::pipe) {
        EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    } else if (kind == Kind::socket) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    } else {
        int controller = -1, terminal = -1;
        EXPECT_EQ(openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
        termios mode{};
        tcgetattr(terminal, &mode);
        cfmakeraw(&mode);
        tcsetattr(terminal, TCSANOW, &mode);
        ends[0] = guest_writes ? controller : terminal;
        ends[1] = guest_writes ? terminal : controller;
    }
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// What arrives at `fd` within `limit`, until `enough` says so or the other end is closed.
std::string read_until(int fd, std::chrono::milliseconds limit, const std::function<bool(const std::string&)>& enough) {
    std::string text;
    const auto end = Clock::now() + limit;
    while (!enough(text)) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        pollfd entry{fd, POLLIN, 0};
        if (left <= 0ms || poll(&entry, 1, static_cast<int>(left.count())) <= 0) break;
        char buffer[65536];
        const ssize_t n = read(fd, buffer, sizeof buffer);
        if (n <= 0) break;
        text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
}

std::string read_lines(int fd, std::size_t count, std::chrono::milliseconds limit = 3s) {
    return read_until(fd, limit, [count](const std::string& text) {
        return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) >= count;
    });
}

void send(int fd, std::string_view text) { EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size())); }

/// One program with its own store and descriptors, on a fiber of the shared scheduler.
class Guest {
public:
    Guest(const std::shared_ptr<Engine>& engine, const std::shared_ptr<CompiledModule>& module,
          const std::shared_ptr<wasi::FiberScheduler>& scheduler, std::vector<std::string> args, int input, int output) {
        wasi::Config config;
        config.args = std::move(args);
        config.streams[0] = {wasi::Stream::Source::fd, {}, input};
        config.streams[1] = {wasi::Stream::Source::fd, {}, output};
        config.directories.push_back({std::filesystem::temp_directory_path().string(), "/"});
        auto wasi = wasi::Wasi::create(std::move(config), scheduler);
        auto store = Store::create(engine);
        if (!wasi || !store) {
            ADD_FAILURE() << (wasi ? store.error().message : wasi.error().message);
            return;
        }
        wasi_ = *std::move(wasi);
        store_ = *std::move(store);
        auto fiber = Fiber::create(*store_, [this, module] { run(module); });
        if (!fiber) {
            ADD_FAILURE() << fiber.error().message;
            return;
        }
        fiber_ = *std::move(fiber);
        scheduler->spawn(*fiber_);
    }

    wasi::DescriptorTable& descriptors() { return wasi_->context().descriptors(); }
    void interrupt() { store_->interrupt(); }
    bool ended() const { return ended_; }
    /// "exit 0", or the trap.
    const std::string& outcome() const { return outcome_; }

private:
    void run(const std::shared_ptr<CompiledModule>& module) {
        Linker linker(*store_);
        wasi_->define_imports(linker, *store_);
        auto instance = linker.instantiate(module);
        if (!instance) {
            outcome_ = instance.error().error.message;
        } else if (auto result = (*instance)->find_function("_start").call(); result || result.error().code == TrapCode::host_exit) {
            outcome_ = "exit " + std::to_string(wasi_->exit_code().value_or(0));
        } else {
            outcome_ = result.error().message();
        }
        ended_ = true;
    }

    std::unique_ptr<wasi::Wasi> wasi_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Fiber> fiber_;
    std::atomic<bool> ended_ = false;
    std::string outcome_;
};

/// Guests of one scheduler, run while a second thread plays the outside world.
class House {
public:
    Guest& add(const std::string& guest, std::vector<std::string> args, int input, int output) {
        args.insert(args.begin(), guest);
        auto module = ModuleBuilder::from_file(engine_, std::filesystem::path(POLLUX_CONFORMANCE_GUESTS) / (guest + ".wasm"));
        EXPECT_TRUE(module) << module.error().message;
        guests_.push_back(std::make_unique<Guest>(engine_, *module, scheduler_, std::move(args), input, output));
        return *guests_.back();
    }

    /// Runs all guests to their ends, beside `world`. What has not ended 5 s after `world` has returned is interrupted.
    void run(const std::function<void()>& world) {
        std::atomic<bool> over = false;
        std::thread thread([&] {
            world();
            for (const auto end = Clock::now() + 5s; !over && Clock::now() < end;) std::this_thread::sleep_for(1ms);
            if (over) return;
            for (auto& guest : guests_) {
                if (!guest->ended()) guest->interrupt();
            }
        });
        scheduler_->run();
        over = true;
        thread.join();
    }

private:
    static std::shared_ptr<Engine> make_engine() {
        auto engine = Engine::create();
        EXPECT_TRUE(engine) << engine.error().message;
        return *engine;
    }
    static std::shared_ptr<wasi::FiberScheduler> make_scheduler() {
        auto scheduler = wasi::FiberScheduler::create();
        EXPECT_TRUE(scheduler) << scheduler.error().message;
        return *scheduler;
    }

    std::shared_ptr<Engine> engine_ = make_engine();
    std::shared_ptr<wasi::FiberScheduler> scheduler_ = make_scheduler();
    std::vector<std::unique_ptr<Guest>> guests_;
};

class Embedded : public testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(std::filesystem::path(POLLUX_CONFORMANCE_GUESTS) / "embedded_lines.wasm")) {
            GTEST_SKIP() << "the guests were not built";
        }
    }
};
class Behaviour23 : public Embedded {};
class Behaviour26 : public Embedded {};
class Behaviour52 : public Embedded {};
class Behaviour61 : public Embedded {};

/// The sum of n over the lines "read n".
int bytes_read(const std::string& lines) {
    int sum = 0;
    for (std::size_t at = lines.find("read "); at != std::string::npos; at = lines.find("read ", at + 1))
        sum += std::stoi(lines.substr(at + 5));
    return sum;
}

/// Two guests poll and read one stdin: each message is taken by one of them, promptly, and both see the end.
void two_pollers(Kind kind) {
    House house;
    Link input = make_link(kind), output = make_link(Kind::pipe);
    Guest& first = house.add("embedded_lines", {"loop"}, input.reader.get(), output.writer.get());
    Guest& second = house.add("embedded_lines", {"loop"}, input.reader.get(), output.writer.get());
    constexpr int kMessages = 100;
    house.run([&] {
        for (int i = 0; i < kMessages; ++i) {
            send(input.writer.get(), "abc");
            const std::string lines = read_until(output.reader.get(), 2s, [](const std::string& text) { return bytes_read(text) >= 3; });
            EXPECT_EQ(bytes_read(lines), 3) << "message " << i << ": " << lines;
        }
        input.writer.reset();
    });
    EXPECT_EQ(first.outcome(), "exit 0");
    EXPECT_EQ(second.outcome(), "exit 0");
}

TEST_F(Behaviour23, TwoPollersOnAPipe) { two_pollers(Kind::pipe); }
TEST_F(Behaviour23, TwoPollersOnASocket) { two_pollers(Kind::socket); }
TEST_F(Behaviour23, TwoPollersOnATerminal) { two_pollers(Kind::tty); }

/// Two guests wait in fd_read on one stdin: one message each, whoever is first.
void two_readers(Kind kind) {
    House house;
    Link input = make_link(kind), output = make_link(Kind::pipe);
    Guest& first = house.add("embedded_lines", {"read"}, input.reader.get(), output.writer.get());
    Guest& second = house.add("embedded_lines", {"read"}, input.reader.get(), output.writer.get());
    house.run([&] {
        for (int i = 0; i < 2; ++i) {
            std::this_thread::sleep_for(30ms);
            send(input.writer.get(), "abc");
            EXPECT_EQ(read_lines(output.reader.get(), 1), "read 3\n");
        }
    });
    EXPECT_EQ(first.outcome(), "exit 0");
    EXPECT_EQ(second.outcome(), "exit 0");
}

TEST_F(Behaviour23, TwoReadersOnAPipe) { two_readers(Kind::pipe); }
TEST_F(Behaviour23, TwoReadersOnASocket) { two_readers(Kind::socket); }
TEST_F(Behaviour23, TwoReadersOnATerminal) { two_readers(Kind::tty); }

/// A guest whose reader sleeps is the only one that waits.
void slow_reader(Kind kind) {
    House house;
    Link silent = make_link(Kind::pipe), slow = make_link(kind, true), ticks = make_link(Kind::pipe);
    constexpr std::size_t kKib = 512, kTicks = 20;
    Guest& flood = house.add("embedded_flood", {"flood", std::to_string(kKib)}, silent.reader.get(), slow.writer.get());
    Guest& ticker = house.add("embedded_flood", {"tick", std::to_string(kTicks)}, silent.reader.get(), ticks.writer.get());
    house.run([&] {
        const std::string dots = read_until(ticks.reader.get(), 3s, [](const std::string& text) { return text.size() >= kTicks; });
        EXPECT_EQ(dots.size(), kTicks) << "the other guest was stalled";
        EXPECT_FALSE(flood.ended());
        const std::string all = read_until(slow.reader.get(), 5s, [](const std::string& text) { return text.size() >= kKib * 1024; });
        EXPECT_EQ(all.size(), kKib * 1024);
    });
    EXPECT_EQ(flood.outcome(), "exit 0");
    EXPECT_EQ(ticker.outcome(), "exit 0");
}

TEST_F(Behaviour26, SlowReaderOfAPipe) { slow_reader(Kind::pipe); }
TEST_F(Behaviour26, SlowReaderOfASocket) { slow_reader(Kind::socket); }
TEST_F(Behaviour26, SlowReaderOfATerminal) { slow_reader(Kind::tty); }

/// A guest waits for descriptor 0 while somebody else takes it away: it wakes, and learns at most that the descriptor is bad.
void taken_away(Kind kind, const std::function<void(wasi::DescriptorTable&)>& take) {
    House house;
    Link input = make_link(kind), output = make_link(Kind::pipe);
    Guest& guest = house.add("embedded_close", {}, input.reader.get(), output.writer.get());
    std::string line;
    house.run([&] {
        EXPECT_EQ(read_lines(output.reader.get(), 1, 50ms), "") << "it did not wait";
        take(guest.descriptors());
        line = read_lines(output.reader.get(), 1);
    });
    EXPECT_EQ(guest.outcome(), "exit 0");
    EXPECT_TRUE(line.starts_with("0 1 ") || line == "8 0 0\n") << line;
}

TEST_F(Behaviour52, CloseWhilePolledOnAPipe) {
    taken_away(Kind::pipe, [](wasi::DescriptorTable& table) { EXPECT_EQ(table.close(0), wasi::Errno::success); });
}
TEST_F(Behaviour52, CloseWhilePolledOnASocket) {
    taken_away(Kind::socket, [](wasi::DescriptorTable& table) { EXPECT_EQ(table.close(0), wasi::Errno::success); });
}
TEST_F(Behaviour52, RenumberOntoPolledDescriptor) {
    taken_away(Kind::pipe, [](wasi::DescriptorTable& table) { EXPECT_EQ(table.renumber(3, 0), wasi::Errno::success); });
}

/// One guest polls, another reads: a message goes to one of them and the other goes on waiting.
void poll_and_read(Kind kind) {
    House house;
    Link input = make_link(kind), output = make_link(Kind::pipe);
    Guest& poller = house.add("embedded_lines", {"poll"}, input.reader.get(), output.writer.get());
    Guest& reader = house.add("embedded_lines", {"read"}, input.reader.get(), output.writer.get());
    house.run([&] {
        std::this_thread::sleep_for(30ms);
        for (int i = 0; i < 2; ++i) {
            send(input.writer.get(), "ab");
            const std::string lines = read_until(output.reader.get(), 2s, [](const std::string& text) { return bytes_read(text) >= 2; });
            EXPECT_EQ(bytes_read(lines), 2) << lines;
            EXPECT_EQ(bytes_read(read_lines(output.reader.get(), 1, 60ms)), 0) << "the other one went on without data";
            if (i == 0) {
                EXPECT_NE(poller.ended(), reader.ended());
            }
        }
    });
    EXPECT_EQ(poller.outcome(), "exit 0");
    EXPECT_EQ(reader.outcome(), "exit 0");
}

TEST_F(Behaviour61, PollAndReadOnAPipe) { poll_and_read(Kind::pipe); }
TEST_F(Behaviour61, PollAndReadOnASocket) { poll_and_read(Kind::socket); }
TEST_F(Behaviour61, PollAndReadOnATerminal) { poll_and_read(Kind::tty); }

}  // namespace
}  // namespace pollux
