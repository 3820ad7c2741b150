// What the tests of the runtime share: an engine in each of its modes, modules instantiated in one line.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/runtime/runtime.h"
#include "tests/unit/runtime/wasm_modules.h"

namespace pollux::test {

/// A value, or a test failure that tells the error and ends the program: what follows would make no sense.
template <class T, class E>
T must(std::expected<T, E> result) {
    if (!result) {
        std::string why;
        if constexpr (requires { result.error().message.size(); })
            why = result.error().message;
        else if constexpr (requires { result.error().to_string(); })
            why = result.error().to_string();
        else if constexpr (requires { result.error().error.message; })
            why = result.error().error.message;
        ADD_FAILURE() << why;
        std::fprintf(stderr, "%s\n", why.c_str());
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct EngineMode {
    const char* name;
    CompileMode compile;
    BoundsOption bounds;
    bool fuel;
};

inline constexpr EngineMode kModes[] = {
    {"eager", CompileMode::eager, BoundsOption::guard_pages, false},
    {"lazy", CompileMode::lazy, BoundsOption::guard_pages, false},
    {"eager_checked", CompileMode::eager, BoundsOption::explicit_checks, false},
    {"lazy_checked", CompileMode::lazy, BoundsOption::explicit_checks, false},
    {"eager_fuel", CompileMode::eager, BoundsOption::guard_pages, true},
};

inline std::shared_ptr<Engine> make_engine(const EngineMode& mode) {
    EngineOptions options;
    options.mode = mode.compile;
    options.bounds = mode.bounds;
    options.fuel = mode.fuel;
    return must(Engine::create(options));
}

/// One store of an engine, and a linker for it.
struct Guest {
    explicit Guest(std::shared_ptr<Engine> with_engine, const StoreOptions& options = {})
        : engine(std::move(with_engine)), store(must(Store::create(engine, options))), linker(*store) {
        store->set_fuel(std::int64_t{1} << 40);
    }

    Instance& instantiate(std::span<const std::uint8_t> bytes) { return instantiate(must(ModuleBuilder::from_bytes(engine, bytes))); }
    Instance& instantiate(const std::shared_ptr<const CompiledModule>& module) { return *must(linker.instantiate(module)); }

    std::shared_ptr<Engine> engine;
    std::unique_ptr<Store> store;
    Linker linker;
};

inline std::expected<std::vector<Value>, Trap> call(Instance& instance, std::string_view name,
                                                    std::initializer_list<Value> arguments = {}) {
    const Func function = instance.find_function(name);
    EXPECT_TRUE(function) << name;
    return function.call(arguments);
}

/// The only result of a call that must not trap.
inline Value result(Instance& instance, std::string_view name, std::initializer_list<Value> arguments = {}) {
    const auto results = call(instance, name, arguments);
    EXPECT_TRUE(results) << name << ": " << (results ? "" : results.error().to_string());
    if (!results || results->empty()) return {};
    return results->front();
}

/// The trap of a call that must trap.
inline Trap trap_of(Instance& instance, std::string_view name, std::initializer_list<Value> arguments = {}) {
    const auto results = call(instance, name, arguments);
    EXPECT_FALSE(results) << name << " should have trapped";
    return results ? Trap{} : results.error();
}

/// Runs each test in all modes.
class EveryMode : public ::testing::TestWithParam<EngineMode> {
protected:
    Guest guest{make_engine(GetParam())};
};

#define POLLUX_IN_EVERY_MODE(suite)                                     \
    INSTANTIATE_TEST_SUITE_P(Modes, suite, ::testing::ValuesIn(kModes), \
                             [](const auto& parameter) { return std::string(parameter.param.name); })

}  // namespace pollux::test
