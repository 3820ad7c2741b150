// The program is run on a fiber: its waits are in WASI's reactor, on this thread.
#include "tools/pollux/run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "jit/runtime/runtime.h"
#include "tools/pollux/load.h"
#include "tools/pollux/options.h"
#include "tools/pollux/perf_map.h"
#include "tools/pollux/report.h"
#include "tools/pollux/terminal.h"
#include "tools/pollux/time_limit.h"
#include "tools/pollux/values.h"
#include "wasi/call_stats.h"
#include "wasi/reactor.h"
#include "wasi/wasi.h"

namespace pollux::cli {
namespace {

/// An exit status: of the program, or of its failure, which was already reported.
using Status = int;
/// What a step gives, or the exit status after its failure was reported.
template <class T>
using Step = std::expected<T, Status>;

}  // namespace

EngineOptions engine_options(const RunOptions& options) {
    EngineOptions engine;
    // Measured: lazy code is as fast, and large programs start sooner, for they call a fraction of their functions. Only while a module
    // still arrives is compiling everything free. And a map for perf must hold all functions before the program starts.
    engine.mode = options.perf_map ? CompileMode::eager : options.compile_mode;
    engine.bounds = options.explicit_bounds ? BoundsOption::explicit_checks : BoundsOption::automatic;
    engine.memory_reservation = options.memory_reservation.value_or(0);
    engine.fuel = options.fuel.has_value();
    engine.features = options.features;
    engine.relaxed_simd_deterministic = options.relaxed_simd_deterministic;
    engine.threads = options.compile_threads;
    if (options.max_wasm_stack) engine.max_wasm_stack = *options.max_wasm_stack;
    return engine;
}

StoreOptions store_options(const RunOptions& options) {
    StoreOptions store;
    if (options.max_memory_size) store.max_memory_bytes = *options.max_memory_size;
    if (options.max_table_elements) store.max_table_elements = *options.max_table_elements;
    if (options.max_gc_heap_size) store.max_gc_heap_bytes = *options.max_gc_heap_size;
    store.gc_stress = options.gc_stress;
    return store;
}

namespace {

/// "NAME=value" in order: what is inherited, then what is given; of several with one name, the last.
std::vector<std::string> environment(const RunOptions& options) {
    std::vector<std::string> all;
    for (char** variable = environ; options.inherit_environment && *variable != nullptr; ++variable) all.emplace_back(*variable);
    for (const auto& [name, value] : options.environment) all.push_back(name + "=" + value);
    std::unordered_set<std::string_view> seen;
    std::vector<std::string> kept;
    for (auto variable = all.rbegin(); variable != all.rend(); ++variable) {
        if (seen.insert(std::string_view(*variable).substr(0, variable->find('='))).second) kept.push_back(*variable);
    }
    return {kept.rbegin(), kept.rend()};
}

}  // namespace

wasi::Config wasi_config(const RunOptions& options) {
    wasi::Config config;
    config.args.push_back(options.argv0.value_or(options.file));
    // With --invoke, the words after the file are the function's.
    if (!options.invoke) config.args.insert(config.args.end(), options.arguments.begin(), options.arguments.end());
    config.env = environment(options);
    wasi::Stream& input = config.streams[0];
    if (options.standard_input == StandardInput::null) input.source = wasi::Stream::Source::null;
    if (options.standard_input == StandardInput::file) {
        input.source = wasi::Stream::Source::file;
        input.path = options.standard_input_file;
    }
    if (options.standard_input == StandardInput::nonblock) config.stdin_nonblock = wasi::StdinNonblock::on;
    if (options.standard_input == StandardInput::inherit) config.stdin_nonblock = wasi::StdinNonblock::inherit;
    for (const Directory& directory : options.directories)
        config.directories.push_back({directory.host, directory.guest, directory.read_only});
    for (const std::string& address : options.listen) config.sockets.push_back({wasi::PreopenSocket::Mode::listen, {}, address});
    for (const std::string& address : options.connect) config.sockets.push_back({wasi::PreopenSocket::Mode::connect, {}, address});
    config.allow_net = options.allow_net;
    config.allow_dns = options.allow_dns;
    config.exit_on_broken_pipe = options.exit_on_broken_pipe;
    config.close_standard_streams = true;
    config.trace = options.trace;
    return config;
}

namespace {

std::string ms(std::uint64_t nanoseconds) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f ms", static_cast<double>(nanoseconds) / 1e6);
    return text.data();
}

/// When the module arrived and was compiled, on one line.
void print_timings(const BuildTimes& times, const std::string& file) {
    print_message("timings of " + file + ": first byte " + ms(times.first_byte) + ", first function " + ms(times.first_function) +
                  ", last byte " + ms(times.last_byte) + ", last function " + ms(times.last_function) + ", ready " + ms(times.published) +
                  "; " + std::to_string(times.functions) + " functions, " + std::to_string(times.wasm_bytes) + " bytes of wasm, " +
                  std::to_string(times.code_bytes) + " of code, " + std::to_string(times.threads) + " threads");
}

void print_collections(const GcStatistics& heap) {
    print_message("garbage collections: " + std::to_string(heap.collections) + ", longest " + ms(heap.longest_pause) + ", all " +
                  ms(heap.total_pause) + "; " + std::to_string(heap.allocated_bytes) + " bytes allocated, " +
                  std::to_string(heap.live_bytes) + " live after the last");
}

}  // namespace

std::string not_compiled_feature(const Trap& trap) {
    if (trap.frames.empty() || trap.frames.front().module == nullptr) return {};
    const std::string feature = trap.frames.front().module->not_compiled(trap.frames.front().function);
    return feature.empty() ? "" : ": " + feature;
}

namespace {

/// What programs that cannot ask the terminal go by: COLUMNS and LINES, where the guest's standard input is one and they are not given.
void add_terminal_size(wasi::Config& config) {
    if (config.streams[0].source != wasi::Stream::Source::inherit) return;
    const auto size = terminal_size();
    if (!size) return;
    const auto add = [&](const std::string& name, unsigned value) {
        const auto is_it = [&](const std::string& variable) { return variable.starts_with(name); };
        if (std::ranges::none_of(config.env, is_it)) config.env.push_back(name + std::to_string(value));
    };
    add("COLUMNS=", size->columns);
    add("LINES=", size->lines);
}

/// One program: its module, its store and what it was granted.
class Program {
public:
    explicit Program(RunOptions options) : options_(std::move(options)) {}

    Status run() {
        if (auto opened = open(); !opened) return opened.error();
        Status status = kExitFailure;
        const TerminalGuard terminal(options_.terminal);
        const TimeLimit limit(*store_, options_.timeout);
        if (options_.fuel) store_->set_fuel(static_cast<std::int64_t>(std::min(*options_.fuel, std::uint64_t{1} << 62)));
        const auto ran = store_->run_on_fiber([&] { status = run_on_fiber(); });
        wasi_->end_threads();
        if (call_stats_) print_message("WASI calls\n" + call_stats_->table());
        if (options_.timings) print_run_timings();
        if (!ran) return report(ran.error());
        return status;
    }

private:
    /// Everything that can fail before the program runs.
    Step<void> open() {
        const auto failed = [](const Error& error, std::string_view context = {}) { return std::unexpected(report(error, context)); };
        wasi::Config config = wasi_config(options_);
        add_terminal_size(config);
        if (options_.hostcall_stats) config.call_stats = &call_stats_.emplace();
        auto system = wasi::Wasi::create(std::move(config));
        if (!system) return failed(system.error());
        wasi_ = *std::move(system);
        auto engine = Engine::create(engine_options(options_));
        if (!engine) return failed(engine.error());
        engine_ = *std::move(engine);
        auto module = load(options_.file, options_.precompiled);
        if (!module) return std::unexpected(module.error());
        module_ = *std::move(module);
        for (const auto& [name, file] : options_.preloads) {
            auto preload = load(file);
            if (!preload) return std::unexpected(preload.error());
            wasi_->add_library(name, *preload);
            preloads_.emplace_back(name, *std::move(preload));
        }
        auto store = Store::create(engine_, store_options(options_));
        if (!store) return failed(store.error());
        store_ = *std::move(store);
        wasi_->define_imports(linker_.emplace(*store_), *store_);
        return {};
    }

    Step<std::shared_ptr<CompiledModule>> load(const std::string& file, bool precompiled = false) const {
        auto module = load_module(engine_, file, precompiled);
        if (!module) return std::unexpected(report(module.error(), file == "-" ? "standard input" : file));
        warn_not_compiled(**module);
        if (options_.timings) print_timings((*module)->times(), file);
        if (options_.perf_map) {
            if (auto written = write_perf_map(**module); !written) return std::unexpected(report(written.error()));
        }
        return *std::move(module);
    }

    Status run_on_fiber() {
        began_ = wasi::monotonic_now();
        for (const auto& [name, module] : preloads_) {
            auto instance = instantiate(module);
            if (!instance) return instance.error();
            linker_->define_instance(name, **instance);
        }
        auto instance = instantiate(module_);
        if (!instance) return instance.error();
        if (options_.invoke) return invoke(**instance);
        if (const Func start = (*instance)->find_function("_start")) {
            if (auto called = call(start, {}, {}); !called) return called.error();
        }
        return 0;
    }

    /// An instance; if it is a reactor, an initialised one.
    Step<Instance*> instantiate(const std::shared_ptr<CompiledModule>& module) {
        auto instance = linker_->instantiate(module);
        if (!instance) {
            const InstantiationError& error = instance.error();
            return std::unexpected(error.trap ? end_of(*error.trap) : report(error.error));
        }
        if (const Func initialize = wasi::initializer(**instance)) {
            if (auto called = call(initialize, {}, {}); !called) return std::unexpected(called.error());
        }
        return *instance;
    }

    /// Calls a function; when it does not return, the exit status.
    Step<void> call(const Func& function, std::span<const Value> arguments, std::span<Value> results) {
        called_ = wasi::monotonic_now();
        const CallResult called = function.call(arguments, results);
        ended_ = wasi::monotonic_now();
        if (!called) return std::unexpected(end_of(called.error()));
        return {};
    }

    Status invoke(Instance& instance) {
        const Func function = instance.find_function(*options_.invoke);
        if (!function) return report({ErrorKind::link, options_.file + ": no function is exported as '" + *options_.invoke + "'"});
        const wasm::FuncType& type = function.type();
        const auto wrong = [&](const std::string& what) {
            return report({ErrorKind::usage, "--invoke " + *options_.invoke + ": " + what});
        };
        if (options_.arguments.size() != type.params.size()) {
            return wrong("the function takes " + std::to_string(type.params.size()) + " arguments, not " +
                         std::to_string(options_.arguments.size()) + ": " + describe(type));
        }
        std::vector<Value> arguments;
        for (std::size_t i = 0; i < type.params.size(); ++i) {
            const auto value = parse_value(type.params[i], options_.arguments[i]);
            if (!value) return wrong("'" + options_.arguments[i] + "' is no value of type " + type_text(type.params[i]));
            arguments.push_back(*value);
        }
        std::vector<Value> results(type.results.size());
        if (auto called = call(function, arguments, results); !called) return called.error();
        for (std::size_t i = 0; i < results.size(); ++i) std::printf("%s\n", value_text(type.results[i], results[i]).c_str());
        return std::fflush(stdout) == 0 ? 0 : kExitFailure;
    }

    /// Why the program stopped, as an exit status; anything but its own exit is reported.
    Status end_of(const Trap& trap) const {
        switch (trap.code) {
            case TrapCode::host_exit:      return static_cast<Status>(wasi_->exit_code().value_or(0) & 0xff);
            case TrapCode::interrupted:    return stopped("time limit reached", trap, kExitLimit);
            case TrapCode::not_compiled:   return stopped("trap: " + trap.message() + not_compiled_feature(trap), trap, kExitTrap);
            case TrapCode::fuel_exhausted: return stopped("fuel limit reached", trap, kExitLimit);
            case TrapCode::out_of_memory:
                return stopped("trap: out of memory; all objects together may take " +
                                   std::to_string(store_->options().max_gc_heap_bytes >> 20) + " MiB (-W max-gc-heap-size)",
                               trap, kExitTrap);
            default: print_trap("", trap, wasi_->thread_trap(), options_.max_backtrace); return kExitTrap;
        }
    }

    void print_run_timings() const {
        if (const GcStatistics& heap = store_->heap().statistics(); heap.collections != 0) print_collections(heap);
        if (ended_ != 0) print_message("timings of the run: instantiation " + ms(called_ - began_) + ", execution " + ms(ended_ - called_));
    }

    Status stopped(std::string_view headline, const Trap& trap, Status status) const {
        print_backtrace(headline, trap, options_.max_backtrace);
        return status;
    }

    RunOptions options_;
    std::shared_ptr<Engine> engine_;
    std::shared_ptr<CompiledModule> module_;
    std::vector<std::pair<std::string, std::shared_ptr<CompiledModule>>> preloads_;
    std::optional<wasi::CallStats> call_stats_;
    std::unique_ptr<wasi::Wasi> wasi_;
    std::unique_ptr<Store> store_;
    std::optional<Linker> linker_;
    std::uint64_t began_ = 0;  ///< when instantiation began, CLOCK_MONOTONIC in ns
    std::uint64_t called_ = 0;  ///< when the last call into an instance began: of _start, or of what is invoked
    std::uint64_t ended_ = 0;  ///< when it had returned or trapped
};

}  // namespace

int run_command(std::span<const char* const> words) {
    auto options = parse_run_options(words);
    if (!options) return report(options.error());
    if (options->help) {
        std::fputs(run_help().c_str(), stdout);
        return 0;
    }
    auto program = std::make_unique<Program>(*std::move(options));
    const Status status = program->run();
#ifndef __SANITIZE_ADDRESS__
    // The process ends: the system takes everything back at once. Only where leaks are looked for is it given back piece by piece.
    [[maybe_unused]] const Program* left_to_the_system = program.release();
#endif
    return status;
}

}  // namespace pollux::cli
