// Who runs when: fibers that were woken go before those that have used their time slice, and neither kind starves.
#include "wasi/fiber_scheduler.h"

#include "jit/runtime/runtime.h"
#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

class Fibers : public ::testing::Test {
protected:
    void spawn(Fiber::Body body) {
        Fiber& fiber = *fibers_.emplace_back(*Fiber::create(*store_, std::move(body)));
        scheduler_->spawn(fiber);
    }
    /// A fiber that computes for a time slice before each yield, and writes its name.
    void spawn_busy(char name, const bool& stop) {
        spawn([this, name, &stop] {
            while (!stop) {
                order_ += name;
                compute();
                scheduler_->yield();
            }
        });
    }
    /// What a whole time slice takes.
    static void compute() {
        const std::uint64_t end = monotonic_now() + PreemptionTimer::kTimeSlice;
        while (monotonic_now() < end) continue;
    }
    Wake wait_for(const Pipe& pipe) { return scheduler_->reactor().park({pipe.reader.get(), EPOLLIN}, nullptr); }

    std::shared_ptr<Engine> engine_ = *Engine::create({});
    std::shared_ptr<FiberScheduler> scheduler_ = *FiberScheduler::create();
    std::unique_ptr<Store> store_ = *Store::create(engine_);
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::string order_;
};

TEST_F(Fibers, WhoWasWokenGoesBeforeThoseThatCompute) {
    const Pipe pipe;
    put(pipe.writer.get(), "x");  // and nobody takes it: always ready
    bool stop = false;
    for (const char name : {'a', 'b', 'c', 'd'}) spawn_busy(name, stop);
    spawn([&] {
        for (int i = 0; i < 12; ++i) {
            EXPECT_EQ(wait_for(pipe), Wake::ready);
            order_ += '!';
        }
        stop = true;
    });
    scheduler_->run();
    // All begin as equals; from then on the one that waits comes between any two of the others, which take turns. (Where the machine is
    // busy, a turn may be counted as long that was not.)
    const std::string tail = order_.substr(order_.find('!'));
    EXPECT_LE(tail.size(), 36u) << order_;
    for (const char name : {'a', 'b', 'c', 'd'}) EXPECT_NE(tail.find(name), std::string::npos) << order_;
}

TEST_F(Fibers, ManyThatAreWokenDoNotStarveOneThatComputes) {
    const Pipe there;
    const Pipe back;
    bool stop = false;
    std::size_t rounds = 0;
    // Of these two one is ready at any time.
    const auto pass_on = [&](const Pipe& from, const Pipe& to) {
        char byte = 0;
        while (!stop) {
            EXPECT_EQ(wait_for(from), Wake::ready);
            if (::read(from.reader.get(), &byte, 1) == 1) ++rounds;
            put(to.writer.get(), "x");
        }
    };
    put(there.writer.get(), "x");
    spawn([&] { pass_on(there, back); });
    spawn([&] { pass_on(back, there); });
    spawn([&] {
        for (int turn = 0; turn < 5; ++turn) {
            const std::size_t before = rounds;
            compute();
            scheduler_->yield();
            EXPECT_GT(rounds, before);
        }
        stop = true;
    });
    scheduler_->run();
}

TEST_F(Fibers, YieldingOftenIsNotComputing) {
    bool stop = false;
    int turns = 0;
    spawn_busy('a', stop);
    spawn_busy('b', stop);
    spawn([&] {
        // So short turns that all together are less than a slice.
        for (; turns < 10; ++turns) scheduler_->yield();
        order_ += '!';
        stop = true;
    });
    scheduler_->run();
    EXPECT_LE(order_.find('!'), 10u) << order_;
}

TEST_F(Fibers, AloneItGoesOnAtOnce) {
    bool done = false;
    spawn([&] {
        for (int i = 0; i < 100; ++i) scheduler_->yield();
        done = true;
    });
    scheduler_->run();
    EXPECT_TRUE(done);
}

}  // namespace
}  // namespace pollux::wasi
