#include "jit/runtime/module_builder.h"

#include "jit/base/tuning.h"
#include "tests/unit/runtime/runtime_fixture.h"

namespace pollux::test {
namespace {

class Builder : public EveryMode {
protected:
    /// Small batches, so that the test's small modules are spread over threads.
    Builder() {
        tuning.compile_batch_bytes = 16;
        tuning.bytes_per_thread = 32;
    }
    ~Builder() override { tuning = saved; }
    Tuning saved = tuning;
};

TEST_P(Builder, ChunksOfAnySize) {
    for (std::size_t step = 1; step < sizeof kBasicModule; step += 1 + step / 3) {
        ModuleBuilder builder(guest.engine);
        for (std::size_t at = 0; at < sizeof kBasicModule; at += step) {
            ASSERT_TRUE(builder.feed(std::span(kBasicModule).subspan(at, std::min(step, sizeof kBasicModule - at))));
        }
        const auto module = must(builder.finish());
        EXPECT_EQ(result(guest.instantiate(module), "fac", {Value::i64(5)}), Value::i64(120));
        EXPECT_EQ(module->times().functions, module->module().functions.size());
        EXPECT_GT(module->times().published, module->times().first_byte);
        EXPECT_EQ(module->times().wasm_bytes, sizeof kBasicModule);
    }
}

TEST_P(Builder, SeveralThreads) {
    EngineOptions options;
    options.mode = GetParam().compile;
    options.threads = 4;
    const auto engine = must(Engine::create(options));
    for (int i = 0; i < 20; ++i) {
        Guest threaded(engine);
        const auto module = must(ModuleBuilder::from_bytes(engine, kTrapsModule));
        Instance& instance = threaded.instantiate(module);
        EXPECT_EQ(trap_of(instance, "outer").frames.size(), 3U);
        EXPECT_EQ(result(instance, "divide", {Value::i32(8), Value::i32(2)}), Value::i32(4));
    }
}

TEST_P(Builder, AbandonedHalfWay) {
    ModuleBuilder builder(guest.engine);
    EXPECT_TRUE(builder.feed(std::span(kTrapsModule).first(sizeof kTrapsModule / 2)));
}

TEST_P(Builder, EveryTruncationIsAnError) {
    for (std::size_t size = 0; size < sizeof kHostModule; size += 3) {
        const auto bytes = std::span(kHostModule).first(size);
        const auto whole = ModuleBuilder::from_bytes(guest.engine, bytes);
        ModuleBuilder builder(guest.engine);
        const bool fed = builder.feed(bytes).has_value();
        const auto streamed = builder.finish();
        EXPECT_EQ(whole.has_value(), fed && streamed.has_value()) << size;
        if (!whole && !streamed) {
            EXPECT_EQ(whole.error().message, streamed.error().message) << size;
        }
    }
}

TEST_P(Builder, TheFirstInvalidBodyIsReported) {
    std::vector<std::uint8_t> bytes(std::begin(kTrapsModule), std::end(kTrapsModule));
    const auto module = must(ModuleBuilder::from_bytes(guest.engine, kTrapsModule));
    // `unreachable` becomes `drop` in the second body, garbage in a later one.
    const auto& functions = module->module().functions;
    bytes[functions[1].body_offset + 1] = 0x1a;
    bytes[functions[8].body_offset + 1] = 0xff;
    for (int i = 0; i < 20; ++i) {
        const auto built = ModuleBuilder::from_bytes(guest.engine, bytes);
        ASSERT_FALSE(built);
        EXPECT_EQ(built.error().kind, ErrorKind::invalid);
        EXPECT_LT(built.error().offset, functions[2].body_offset);
    }
}

POLLUX_IN_EVERY_MODE(Builder);

}  // namespace
}  // namespace pollux::test
