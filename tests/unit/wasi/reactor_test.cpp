// The reactor by itself, with one task and with several on stacks of their own (ucontext).
#include "wasi/reactor.h"

#include <ucontext.h>

#include <algorithm>
#include <deque>

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

/// A scheduler of tasks on small stacks, as plain as can be.
class Tasks final : public TaskScheduler {
public:
    struct Entry {
        ucontext_t context{};
        std::vector<char> stack = std::vector<char>(256 * 1024);
        std::function<void()> body;
        bool done = false;
    };

    Reactor* reactor = nullptr;

    void spawn(std::function<void()> body) {
        Entry& entry = *entries_.emplace_back(std::make_unique<Entry>());
        entry.body = std::move(body);
        ::getcontext(&entry.context);
        entry.context.uc_stack = {entry.stack.data(), 0, entry.stack.size()};
        entry.context.uc_link = &main_;
        const auto address = reinterpret_cast<std::uintptr_t>(&entry);
        ::makecontext(&entry.context, reinterpret_cast<void (*)()>(&Tasks::start), 2, static_cast<int>(address >> 32),
                      static_cast<int>(address));
        ready_.push_back(&entry);
    }
    void run() {
        while (std::ranges::any_of(entries_, [](const auto& entry) { return !entry->done; })) {
            if (ready_.empty()) {
                reactor->wait(true);
                continue;
            }
            current_ = ready_.front();
            ready_.pop_front();
            ::swapcontext(&main_, &current_->context);
            current_ = nullptr;
        }
    }

    Task current() noexcept override { return current_; }
    void suspend() noexcept override { ::swapcontext(&current_->context, &main_); }
    void make_ready(Task task) noexcept override { ready_.push_back(static_cast<Entry*>(task)); }
    void yield() override {
        ready_.push_back(current_);
        suspend();
    }
    bool has_others() noexcept override { return !ready_.empty() || reactor->has_parked(); }

private:
    static void start(unsigned high, unsigned low) {
        auto& entry = *reinterpret_cast<Entry*>(std::uintptr_t{high} << 32 | low);
        entry.body();
        entry.done = true;
    }

    std::vector<std::unique_ptr<Entry>> entries_;
    std::deque<Entry*> ready_;
    Entry* current_ = nullptr;
    ucontext_t main_{};
};

struct ManyTasks {
    Tasks tasks;
    std::unique_ptr<Reactor> reactor = std::move(*Reactor::create(&tasks));
    ManyTasks() { tasks.reactor = reactor.get(); }
};

TEST(Reactor, AReadyDescriptorWakesAtOnce) {
    const auto reactor = std::move(*Reactor::create());
    const Pipe pipe;
    put(pipe.writer.get(), "x");
    EXPECT_EQ(reactor->park({pipe.reader.get(), EPOLLIN}, nullptr), Wake::ready);
    EXPECT_FALSE(reactor->has_parked());
}

TEST(Reactor, WhatEpollRefusesIsReady) {
    const auto reactor = std::move(*Reactor::create());
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(reactor->park({null.get(), EPOLLIN}, nullptr), Wake::ready);
    EXPECT_EQ(reactor->park({9999, EPOLLIN}, nullptr), Wake::ready) << "the operation will say EBADF";
}

TEST(Reactor, DeadlinesOfBothClocks) {
    const auto reactor = std::move(*Reactor::create());
    const u64 monotonic = monotonic_now() + 2'000'000;
    EXPECT_EQ(reactor->park({}, {.monotonic = monotonic}, nullptr), Wake::deadline);
    EXPECT_GE(monotonic_now(), monotonic);
    const u64 realtime = realtime_now() + 2'000'000;
    EXPECT_EQ(reactor->park({}, {.realtime = realtime}, nullptr), Wake::deadline);
    EXPECT_GE(realtime_now(), realtime);
    EXPECT_EQ(reactor->park({}, {.monotonic = 1}, nullptr), Wake::deadline) << "long past";
}

TEST(Reactor, InterruptBeforeAndDuringAPark) {
    const auto reactor = std::move(*Reactor::create());
    InterruptFlag flag{1};
    EXPECT_EQ(reactor->park({}, {}, &flag), Wake::interrupted);
    flag = 0;
    const WhenParked later([&] {
        flag = 1;
        reactor->wake();
    });
    EXPECT_EQ(reactor->park({}, {}, &flag), Wake::interrupted);
}

TEST(Reactor, AWakeForNobodyIsNoWake) {
    const auto reactor = std::move(*Reactor::create());
    InterruptFlag flag{0};
    reactor->wake();
    const u64 deadline = monotonic_now() + 1'000'000;
    EXPECT_EQ(reactor->park({}, {.monotonic = deadline}, &flag), Wake::deadline);
}

TEST(Reactor, ADescriptorThatStaysReadyDoesNotSpin) {
    const auto reactor = std::move(*Reactor::create());
    const Pipe readable;
    const Pipe silent;
    put(readable.writer.get(), "x");
    ASSERT_EQ(reactor->park({readable.reader.get(), EPOLLIN}, nullptr), Wake::ready);
    // It is still registered and ready, but nobody waits for it: at most one event.
    timespec before{};
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    const Interest interest{silent.reader.get(), EPOLLIN};
    EXPECT_EQ(reactor->park({&interest, 1}, {.monotonic = monotonic_now() + 30'000'000}, nullptr), Wake::deadline);
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    EXPECT_LT((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec, 15'000'000);
}

TEST(Reactor, TasksWaitTogether) {
    ManyTasks many;
    const Pipe pipe;
    std::string order;
    many.tasks.spawn([&] {
        EXPECT_EQ(many.reactor->park({pipe.reader.get(), EPOLLIN}, nullptr), Wake::ready);
        order += "r";
    });
    many.tasks.spawn([&] {
        EXPECT_EQ(many.reactor->park({}, {.monotonic = monotonic_now() + 1'000'000}, nullptr), Wake::deadline);
        order += "c";
        put(pipe.writer.get(), "x");
    });
    many.tasks.spawn([&] { order += "f"; });
    many.tasks.run();
    EXPECT_EQ(order, "fcr");
}

TEST(Reactor, SeveralTasksOnOneDescriptor) {
    ManyTasks many;
    const SocketPair sockets;
    int readers = 0;
    int writers = 0;
    for (int i = 0; i < 3; ++i) {
        many.tasks.spawn([&] {
            EXPECT_EQ(many.reactor->park({sockets.guest.get(), EPOLLIN}, nullptr), Wake::ready);
            ++readers;
        });
    }
    many.tasks.spawn([&] {
        EXPECT_EQ(many.reactor->park({sockets.guest.get(), EPOLLOUT}, nullptr), Wake::ready);
        ++writers;
        EXPECT_EQ(readers, 0) << "writable, not readable";
        put(sockets.peer.get(), "x");
    });
    many.tasks.run();
    EXPECT_EQ(readers, 3);
    EXPECT_EQ(writers, 1);
}

TEST(Reactor, ClosingADescriptorWakesWhoWaitsForIt) {
    ManyTasks many;
    Pipe pipe;
    bool woken = false;
    many.tasks.spawn([&] {
        EXPECT_EQ(many.reactor->park({pipe.reader.get(), EPOLLIN}, nullptr), Wake::ready);
        woken = true;
    });
    many.tasks.spawn([&] {
        Reactor::wake_descriptor(pipe.reader.get());
        EXPECT_FALSE(woken) << "not before its turn";
    });
    many.tasks.run();
    EXPECT_TRUE(woken);
    Reactor::forget(pipe.reader.get());
    const int number = pipe.reader.get();
    pipe.reader.reset();
    // The same number for something else: nothing of the old registration is left.
    const Pipe other;
    EXPECT_TRUE(other.reader.get() == number || other.writer.get() == number);
    put(other.writer.get(), "x");
    many.tasks.spawn([&] { EXPECT_EQ(many.reactor->park({other.reader.get(), EPOLLIN}, nullptr), Wake::ready); });
    many.tasks.run();
}

TEST(Reactor, WakeTaskEndsThisParkOrTheNext) {
    ManyTasks many;
    TaskScheduler::Task first = nullptr;
    int woken = 0;
    many.tasks.spawn([&] {
        first = many.tasks.current();
        EXPECT_EQ(many.reactor->park({}, {}, nullptr), Wake::ready);
        ++woken;
        many.reactor->wake_task(first);
        EXPECT_EQ(many.reactor->park({}, {}, nullptr), Wake::ready);
        ++woken;
    });
    many.tasks.spawn([&] { many.reactor->wake_task(first); });
    many.tasks.run();
    EXPECT_EQ(woken, 2);
}

TEST(Reactor, ABlockingCallHoldsUpNobodyElse) {
    ManyTasks many;
    const Pipe pipe;
    std::string order;
    many.tasks.spawn([&] {
        char byte = 0;
        EXPECT_EQ(many.reactor->call_blocking([&] { return ::read(pipe.reader.get(), &byte, 1); }, nullptr), 1);
        order += "b";
    });
    many.tasks.spawn([&] {
        order += "o";
        put(pipe.writer.get(), "x");
    });
    many.tasks.run();
    EXPECT_EQ(order, "ob");
}

TEST(Reactor, ThousandsOfTimers) {
    ManyTasks many;
    std::vector<int> fired;
    const u64 base = monotonic_now();
    for (int i = 0; i < 300; ++i) {
        many.tasks.spawn([&, i] {
            EXPECT_EQ(many.reactor->park({}, {.monotonic = base + 1'000'000 + static_cast<u64>(i * 37 % 300) * 10'000}, nullptr),
                      Wake::deadline);
            fired.push_back(i * 37 % 300);
        });
    }
    many.tasks.run();
    ASSERT_EQ(fired.size(), 300u);
    EXPECT_TRUE(std::ranges::is_sorted(fired));
}

TEST(Guests, TwoOnOneDescriptorNeitherLosesAWakeUp) {
    ManyTasks many;
    const Pipe pipe;
    InterruptFlag interrupt{0};
    const auto context = std::move(*WasiContext::create(Guest::with_stream(0, pipe.reader.get())));
    std::vector<std::uint8_t> memory(1 << 16);
    int served = 0;
    const auto guest = [&](GuestAddress base) {
        Call call{*context, *many.reactor, GuestMemory(std::span(memory)), &interrupt, AbiVersion::preview1};
        const Iovec iovec{base + 100, 1};
        std::memcpy(memory.data() + base, &iovec, sizeof(iovec));
        EXPECT_EQ(fd_read(call, 0, {base}, 1, {base + 8}), Errno::success);
        ++served;
        put(pipe.writer.get(), "y");  // for the other one
    };
    many.tasks.spawn([&] { guest(0); });
    many.tasks.spawn([&] { guest(1000); });
    many.tasks.spawn([&] { put(pipe.writer.get(), "x"); });
    many.tasks.run();
    EXPECT_EQ(served, 2);
}

TEST(Guests, CloseWhileAnotherTaskPollsGivesBadf) {
    ManyTasks many;
    const Pipe pipe;
    const auto context = std::move(*WasiContext::create(Guest::with_stream(0, pipe.reader.get())));
    std::vector<std::uint8_t> memory(1 << 16);
    Call call{*context, *many.reactor, GuestMemory(std::span(memory)), nullptr, AbiVersion::preview1};
    Status polled = Errno::success;
    many.tasks.spawn([&] {
        Subscription subscription;
        subscription.type = EventType::fd_read;
        std::memcpy(memory.data() + 1000, &subscription, sizeof(subscription));
        subscription.type = EventType::clock;
        subscription.clock.id = 1;
        subscription.clock.timeout = 60'000'000'000;
        std::memcpy(memory.data() + 1048, &subscription, sizeof(subscription));
        polled = poll_oneoff(call, {1000}, {2000}, 2, {0});
    });
    many.tasks.spawn([&] { EXPECT_EQ(fd_close(call, 0), Errno::success); });
    many.tasks.run();
    EXPECT_EQ(polled, Errno::success);
    Event event;
    std::memcpy(&event, memory.data() + 2000, sizeof(event));
    EXPECT_EQ(event.error, Errno::badf);
}

}  // namespace
}  // namespace pollux::wasi
