#include "wasi/blocking_pool.h"

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

TEST(BlockingPool, RunsTheCallOnAnotherThread) {
    const auto reactor = std::move(*Reactor::create());
    const pid_t here = ::gettid();
    const auto there = reactor->call_blocking([] { return ::gettid(); }, nullptr, true);
    ASSERT_TRUE(there.has_value());
    EXPECT_NE(*there, here);
    EXPECT_EQ(reactor->call_blocking([] { return ::gettid(); }, nullptr), here) << "nobody else is there to be held up";
}

TEST(BlockingPool, AnInterruptedCallIsAbandonedAndEndsAlone) {
    const auto reactor = std::move(*Reactor::create());
    Pipe pipe;
    InterruptFlag interrupt{0};
    auto finished = std::make_shared<std::atomic<bool>>(false);
    const WhenParked later([&] {
        interrupt = 1;
        reactor->wake();
    });
    const auto result = reactor->call_blocking(
        [fd = pipe.reader.get(), finished] {
            char byte = 0;
            const ssize_t count = ::read(fd, &byte, 1);
            *finished = true;
            return count;
        },
        &interrupt, true);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), Wake::interrupted);
    EXPECT_FALSE(*finished);
    put(pipe.writer.get(), "x");
    while (!*finished) ::usleep(100);
}

TEST(BlockingPool, ManyCallsReuseItsThreads) {
    const auto reactor = std::move(*Reactor::create());
    int sum = 0;
    for (int i = 0; i < 200; ++i) sum += reactor->call_blocking([i] { return i; }, nullptr, true).value();
    EXPECT_EQ(sum, 199 * 100);
}

}  // namespace
}  // namespace pollux::wasi
