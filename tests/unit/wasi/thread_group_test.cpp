// wasi-threads and the dispatcher on the real engine: threads share memory and descriptors, and end together.
#include "wasi/thread_group.h"

#include "jit/runtime/runtime.h"
#include "tests/unit/wasi/fixture.h"
#include "tests/unit/wasi/threads_wasm.h"
#include "wasi/wasi.h"

namespace pollux::wasi {
namespace {

enum Action : std::int32_t { kReturn, kExit, kTrap, kCompute, kWait, kPoll };

class Threads : public ::testing::TestWithParam<CompileMode> {
protected:
    Threads() {
        EngineOptions options;
        options.mode = GetParam();
        engine_ = *Engine::create(options);
        module_ = *ModuleBuilder::from_bytes(engine_, std::span<const std::uint8_t>(kThreadsModuleBytes));
        store_ = *Store::create(engine_);
        wasi_ = *Wasi::create(Guest::quiet());
    }
    ~Threads() override { wasi_->end_threads(); }

    /// What ends only when it is ended. Waiting on memory needs atomic instructions, which not every build of the compiler has.
    std::vector<Action> lasting_actions() const {
        if (!module_->not_compiled_functions().empty() || GetParam() == CompileMode::lazy) return {kCompute, kPoll};
        return {kCompute, kPoll, kWait};
    }

    /// The thread and the first one each do something: what `run` returned, or how it ended.
    std::expected<std::int32_t, TrapCode> run(Action thread, Action self) {
        std::expected<std::int32_t, TrapCode> outcome = std::unexpected(TrapCode::none);
        const auto ran = store_->run_on_fiber([&] {
            Linker linker(*store_);
            wasi_->define_imports(linker, *store_);
            const auto instance = linker.instantiate(module_);
            if (!instance) {
                ADD_FAILURE() << instance.error().error.message;
                return;
            }
            const auto result = (*instance)->find_function("run").call({Value::i32(thread), Value::i32(self)});
            if (result) {
                outcome = result->front().as_i32();
            } else {
                outcome = std::unexpected(result.error().code);
            }
        });
        EXPECT_TRUE(ran.has_value());
        return outcome;
    }

    std::shared_ptr<Engine> engine_;
    std::shared_ptr<CompiledModule> module_;
    std::unique_ptr<Wasi> wasi_;
    std::unique_ptr<Store> store_;
};
INSTANTIATE_TEST_SUITE_P(Modes, Threads, ::testing::Values(CompileMode::eager, CompileMode::lazy),
                         [](const auto& mode) { return mode.param == CompileMode::eager ? "eager" : "lazy"; });

TEST_P(Threads, AThreadSharesTheMemory) { EXPECT_EQ(run(kReturn, kReturn), 1) << "the thread's number"; }

TEST_P(Threads, TheFirstThreadsExitEndsTheOthers) {
    for (const Action thread : lasting_actions()) {
        EXPECT_EQ(run(thread, kExit).error(), TrapCode::host_exit);
        wasi_->end_threads();
        EXPECT_EQ(wasi_->exit_code(), 33u);
        wasi_ = *Wasi::create(Guest::quiet());
        store_ = *Store::create(engine_);
    }
}

TEST_P(Threads, AThreadsExitEndsTheFirst) {
    for (const Action self : lasting_actions()) {
        EXPECT_EQ(run(kExit, self).error(), TrapCode::host_exit) << self;
        wasi_->end_threads();
        EXPECT_EQ(wasi_->exit_code(), 33u);
        wasi_ = *Wasi::create(Guest::quiet());
        store_ = *Store::create(engine_);
    }
}

TEST_P(Threads, AThreadsTrapEndsTheFirst) {
    for (const Action self : lasting_actions()) {
        EXPECT_EQ(run(kTrap, self).error(), TrapCode::unreachable) << self;
        wasi_->end_threads();
        wasi_ = *Wasi::create(Guest::quiet());
        store_ = *Store::create(engine_);
    }
}

TEST_P(Threads, TheEndOfTheFirstEndsTheOthers) {
    for (const Action thread : lasting_actions()) {
        EXPECT_TRUE(run(thread, kReturn).has_value());
        wasi_->end_threads();
        wasi_ = *Wasi::create(Guest::quiet());
        store_ = *Store::create(engine_);
    }
}

}  // namespace
}  // namespace pollux::wasi
