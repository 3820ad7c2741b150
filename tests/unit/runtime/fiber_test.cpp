#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

TEST(Fiber, SuspendsAndResumes) {
    Guest guest(make_engine(kModes[0]));
    std::vector<int> order;
    Fiber* seen = nullptr;
    auto fiber = must(Fiber::create(*guest.store, [&] {
        seen = Fiber::current();
        order.push_back(1);
        Fiber::suspend();
        order.push_back(3);
    }));
    EXPECT_EQ(Fiber::current(), nullptr);
    EXPECT_FALSE(fiber->started());
    fiber->resume();
    EXPECT_EQ(seen, fiber.get());
    EXPECT_EQ(Fiber::current(), nullptr);
    order.push_back(2);
    EXPECT_FALSE(fiber->done());
    fiber->resume();
    EXPECT_TRUE(fiber->done());
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Fiber, OneCanResumeAnother) {
    Guest guest(make_engine(kModes[0]));
    std::string order;
    auto inner = must(Fiber::create(*guest.store, [&] {
        order += 'b';
        Fiber::suspend();
        order += 'd';
    }));
    auto outer = must(Fiber::create(*guest.store, [&] {
        order += 'a';
        inner->resume();
        order += 'c';
        inner->resume();
        order += 'e';
    }));
    outer->resume();
    EXPECT_EQ(order, "abcde");
    EXPECT_TRUE(inner->done() && outer->done());
}

void yield_to_host(CallContext&) { Fiber::suspend(); }

HostResult<std::int32_t> callback_after_yield(CallContext& context, std::int32_t value) {
    Fiber::suspend();
    const auto results = host_data<Func>(context).call({Value::i32(value)});
    Fiber::suspend();
    if (!results) return std::unexpected(results.error().code);
    return results->front().as_i32();
}

class Fibers : public EveryMode {};

/// Two hundred guests of one store, in turn, each nested guest → host → guest.
TEST_P(Fibers, ManyInOneStore) {
    Func callback;
    guest.linker.define(
        "env", "mix",
        must(guest.store->new_function(
            {{wasm::Kind::i32, wasm::Kind::i64, wasm::Kind::f32, wasm::Kind::f64, wasm::Kind::v128, wasm::kExternRef, wasm::Kind::i32,
              wasm::Kind::i32, wasm::Kind::i32, wasm::Kind::i32, wasm::Kind::i32, wasm::Kind::i32, wasm::Kind::i32, wasm::Kind::f64},
             {wasm::Kind::f64}},
            [](CallContext&, wasm::V128*) { return TrapCode::unreachable; })));
    guest.linker.define("env", "pair",
                        host_function<[](CallContext&, std::int32_t) { return std::tuple<std::int32_t, std::int64_t>{}; }>());
    guest.linker.define("env", "fail", host_function<[](CallContext& context, std::int32_t) { yield_to_host(context); }>());
    guest.linker.define("env", "callback", host_function<&callback_after_yield>(), &callback);
    Instance& instance = guest.instantiate(kHostModule);
    callback = instance.find_function("count");

    constexpr int kFibers = 200;
    std::vector<std::unique_ptr<Fiber>> fibers;
    int correct = 0;
    int trapped = 0;
    for (int i = 0; i < kFibers; ++i) {
        fibers.push_back(must(Fiber::create(*guest.store, [&, i] {
            const bool traps = i % 10 == 9;
            const auto results = instance.find_function(traps ? "down" : "count").call({Value::i32(i % 7)});
            if (results && results->front() == Value::i32(i % 7)) ++correct;
            if (!results && results.error().code == TrapCode::unreachable) ++trapped;
        })));
    }
    for (bool running = true; running;) {
        running = false;
        for (std::size_t i = 0; i < fibers.size(); ++i) {
            if (fibers[i]->done()) continue;
            fibers[i]->resume();
            running = true;
        }
    }
    // "down" traps only if it reaches 0 itself; its callback is "count".
    int expected_traps = 0;
    for (int i = 9; i < kFibers; i += 10) expected_traps += i % 7 == 0 ? 1 : 0;
    EXPECT_EQ(trapped, expected_traps);
    EXPECT_EQ(correct, kFibers - expected_traps);
    EXPECT_EQ(guest.store->entry, nullptr);
    EXPECT_EQ(guest.store->exit_frame, nullptr);
}

TEST_P(Fibers, EachHasItsOwnStackLimit) {
    Instance& instance = guest.instantiate(kTrapsModule);
    int overflows = 0;
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < 20; ++i) {
        fibers.push_back(must(Fiber::create(*guest.store, [&] {
            for (int j = 0; j < 2; ++j) {
                if (trap_of(instance, "overflow").code == TrapCode::stack_overflow) ++overflows;
                Fiber::suspend();
            }
        })));
    }
    for (int round = 0; round < 3; ++round) {
        for (const auto& fiber : fibers) {
            if (!fiber->done()) fiber->resume();
        }
    }
    EXPECT_EQ(overflows, 40);
}

/// Guests of different stores on one thread.
TEST_P(Fibers, ManyStores) {
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kBasicModule));
    std::vector<std::unique_ptr<Guest>> guests;
    std::vector<std::unique_ptr<Fiber>> fibers;
    int correct = 0;
    for (int i = 0; i < 50; ++i) {
        guests.push_back(std::make_unique<Guest>(guest.engine));
        Instance& instance = guests.back()->instantiate(module);
        fibers.push_back(must(Fiber::create(*guests.back()->store, [&] {
            for (int j = 0; j < 3; ++j) {
                if (result(instance, "fac", {Value::i64(5)}) == Value::i64(120)) ++correct;
                Fiber::suspend();
            }
        })));
    }
    for (int round = 0; round < 4; ++round) {
        for (const auto& fiber : fibers) {
            if (!fiber->done()) fiber->resume();
        }
    }
    EXPECT_EQ(correct, 150);
}

POLLUX_IN_EVERY_MODE(Fibers);

}  // namespace
}  // namespace pollux::test
