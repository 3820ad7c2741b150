// How fast whole modules are validated and compiled. Rates are of the code section's bytes, in 10^6 bytes a second.
//
//   validate/MODULE             decoding and validating, one thread
//   functions/ISA/MODULE        a FunctionCompiler over all bodies, one thread, into memory that was written before
//   module/MODULE/threads:N     everything from bytes, which the module takes over, to executable code, as `run` does it
//   lazy/MODULE                 the same in lazy mode: validated, ready to compile at first calls
//
// Each is run once first (cold_ms; cold for the whole process only if it is the only benchmark that the filter lets through), then
// five times; the medians are what to look at. A module that is compiled is also freed, outside of the measured time. cpu_ms is the CPU
// time of all threads; heap_KiB what malloc holds at the end for the one compiler and its output.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/corpus.h"
#include "jit/base/tuning.h"
#include "jit/compile/backend.h"
#include "jit/runtime/runtime.h"
#include "jit/wasm/validate.h"

namespace pollux::bench {
namespace {

/// What one run of a measured thing yields.
struct Sample {
    double seconds = 0;
    double cpu_seconds = 0;         ///< of all threads
    double code_section_bytes = 0;
    double machine_code_bytes = 0;  ///< 0: none was made
    double not_compiled = 0;        ///< functions
    double heap_bytes = 0;          ///< that the compiler of a thread keeps
};

/// Runs from its construction to stop().
class Stopwatch {
public:
    void stop(Sample& sample) const {
        sample.seconds = now(CLOCK_MONOTONIC) - start_;
        sample.cpu_seconds = now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_;
    }

private:
    static double now(clockid_t clock) {
        timespec time{};
        clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    }
    double cpu_start_ = now(CLOCK_PROCESS_CPUTIME_ID);
    double start_ = now(CLOCK_MONOTONIC);
};

Sample validate(std::span<const std::uint8_t> bytes) {
    Sample sample;
    const Stopwatch watch;
    auto module = wasm::decode_and_validate(bytes, wasm::FeatureSet::all());
    if (!module) throw std::runtime_error(module.error().message);
    watch.stop(sample);
    sample.code_section_bytes = static_cast<double>((*module)->code_section_bytes);
    return sample;
}

/// A module decoded but not validated, its bodies collected.
struct Bodies : wasm::ModuleConsumer {
    std::vector<std::pair<std::uint32_t, std::span<const std::uint8_t>>> functions;
    std::shared_ptr<const wasm::Module> module;

    Result<> on_header_complete(const std::shared_ptr<const wasm::Module>& decoded) override {
        module = decoded;
        return {};
    }
    Result<> on_function(std::uint32_t function, std::span<const std::uint8_t> body) override {
        functions.emplace_back(function, body);
        return {};
    }
};

/// Bytes that malloc has handed out.
double heap_in_use() {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
}

class FunctionsBenchmark {
public:
    FunctionsBenchmark(const Backend& backend, std::span<const std::uint8_t> bytes) : backend_(backend) {
        if (auto decoded = wasm::Decoder::decode_whole(bytes, wasm::FeatureSet::all(), bodies_); !decoded)
            throw std::runtime_error(decoded.error().message);
        layout_ = std::make_unique<InstanceLayout>(*bodies_.module);
        environment_ = {.module = bodies_.module.get(), .layout = layout_.get()};
        std::size_t total = 0, largest = 0;
        for (const auto& [function, body] : bodies_.functions) {
            total += body.size();
            largest = std::max(largest, body.size());
        }
        capacity_ = total * 8 + largest * 64 + (std::size_t{1} << 20);
        void* memory = mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::runtime_error("no memory for code");
        buffer_ = static_cast<std::uint8_t*>(memory);
    }
    FunctionsBenchmark(const FunctionsBenchmark&) = delete;
    FunctionsBenchmark& operator=(const FunctionsBenchmark&) = delete;
    ~FunctionsBenchmark() { munmap(buffer_, capacity_); }

    Sample operator()() {
        Sample sample;
        const double heap_before = heap_in_use();
        const Stopwatch watch;
        auto compiler = backend_.make_compiler();
        FunctionOutput output;
        std::size_t at = 0;
        for (const auto& [function, body] : bodies_.functions) {
            at = (at + 15) & ~std::size_t{15};
            compile_one(*compiler, function, body, at, output);
            at += output.code_bytes;
            sample.code_section_bytes += static_cast<double>(body.size());
            sample.machine_code_bytes += output.code_bytes;
            sample.not_compiled += output.not_compiled.empty() ? 0 : 1;
        }
        watch.stop(sample);
        sample.heap_bytes = heap_in_use() - heap_before;
        return sample;
    }

private:
    void compile_one(FunctionCompiler& compiler, std::uint32_t function, std::span<const std::uint8_t> body, std::size_t at,
                     FunctionOutput& output) {
        // As much at a time as compiling threads take, more when that is too small.
        std::size_t capacity = std::max(tuning.code_chunk_bytes, body.size() * 16 + 4096);
        for (;;) {
            capacity = std::min(capacity, capacity_ - at);
            auto compiled = compiler.compile(environment_, function, body,
                                             {buffer_ + at, capacity, reinterpret_cast<std::uint64_t>(buffer_) + at}, output);
            if (compiled) return;
            if (compiled.error().kind != ErrorKind::resource || capacity == capacity_ - at)
                throw std::runtime_error(compiled.error().message);
            capacity *= 2;
        }
    }

    const Backend& backend_;
    Bodies bodies_;
    std::unique_ptr<InstanceLayout> layout_;
    CompileEnvironment environment_;
    std::uint8_t* buffer_ = nullptr;
    std::size_t capacity_ = 0;
};

Sample build(const std::shared_ptr<Engine>& engine, std::span<const std::uint8_t> bytes) {
    Sample sample;
    std::vector<std::uint8_t> given(bytes.begin(), bytes.end());
    const Stopwatch watch;
    auto module = ModuleBuilder::from_bytes(engine, std::move(given));
    watch.stop(sample);
    if (!module) throw std::runtime_error(module.error().message);
    sample.code_section_bytes = static_cast<double>((*module)->module().code_section_bytes);
    if (!(*module)->is_lazy()) {
        const wasm::Module& decoded = (*module)->module();
        for (auto f = decoded.imported_functions; f < decoded.functions.size(); ++f)
            sample.machine_code_bytes += static_cast<double>((*module)->machine_code(f).size());
    }
    sample.not_compiled = (*module)->times().not_compiled;
    return sample;
}

std::shared_ptr<Engine> make_engine(CompileMode mode, unsigned threads) {
    auto engine = Engine::create({.mode = mode, .threads = threads});
    if (!engine) throw std::runtime_error(engine.error().message);
    return *engine;
}

/// Runs `measure` once cold, then as often as the library wants; reports the counters.
void report(benchmark::State& state, double cold_seconds, const std::function<Sample()>& measure) {
    Sample sample;
    for (auto _ : state) {
        sample = measure();
        state.SetIterationTime(sample.seconds);
    }
    using benchmark::Counter;
    const double bytes = sample.code_section_bytes * static_cast<double>(state.iterations());
    state.counters["MB/s"] = Counter(bytes / 1e6, Counter::kIsRate);
    state.counters["s/byte"] = Counter(bytes, Counter::kIsRate | Counter::kInvert);
    state.counters["cpu_ms"] = sample.cpu_seconds * 1e3;
    state.counters["cold_ms"] = cold_seconds * 1e3;
    state.counters["code_MB"] = sample.code_section_bytes / 1e6;
    if (sample.machine_code_bytes > 0) state.counters["out/in"] = sample.machine_code_bytes / sample.code_section_bytes;
    if (sample.heap_bytes > 0) state.counters["heap_KiB"] = sample.heap_bytes / 1024;
    if (sample.not_compiled > 0) state.counters["not_compiled"] = sample.not_compiled;
}

/// `prepare` makes the measured thing when the benchmark is first run, so that a filter also saves its memory.
void add(const std::string& name, std::function<std::function<Sample()>()> prepare) {
    struct Prepared {
        std::function<Sample()> measure;
        double cold_seconds = 0;
    };
    const auto prepared = std::make_shared<Prepared>();
    benchmark::RegisterBenchmark(name.c_str(),
                                 [prepared, prepare = std::move(prepare)](benchmark::State& state) {
                                     try {
                                         if (!prepared->measure) {
                                             prepared->measure = prepare();
                                             prepared->cold_seconds = prepared->measure().seconds;
                                         }
                                         report(state, prepared->cold_seconds, prepared->measure);
                                     } catch (const std::exception& error) {
                                         state.SkipWithError(error.what());
                                     }
                                 })
        ->Iterations(1)
        ->Repetitions(5)
        ->DisplayAggregatesOnly()
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

void register_module(const CorpusFile& file) {
    // Read when it is first wanted, then kept.
    const auto bytes = [path = file.path, read = std::make_shared<std::vector<std::uint8_t>>()]() -> const std::vector<std::uint8_t>& {
        if (read->empty()) *read = read_file(path);
        return *read;
    };
    add("validate/" + file.name, [bytes] { return [&module = bytes()] { return validate(module); }; });
    for (const std::string_view isa : {"x86_64", "aarch64"}) {
        add("functions/" + std::string(isa) + "/" + file.name, [bytes, isa] {
            auto benchmark = std::make_shared<FunctionsBenchmark>(*find_backend(isa), bytes());
            return [benchmark] { return (*benchmark)(); };
        });
    }
    std::vector<unsigned> thread_counts{1};
    if (const unsigned all = std::thread::hardware_concurrency(); all > 1) thread_counts.push_back(all);
    for (const unsigned threads : thread_counts) {
        add("module/" + file.name + "/threads:" + std::to_string(threads), [bytes, threads] {
            return [engine = make_engine(CompileMode::eager, threads), &module = bytes()] { return build(engine, module); };
        });
    }
    add("lazy/" + file.name,
        [bytes] { return [engine = make_engine(CompileMode::lazy, 0), &module = bytes()] { return build(engine, module); }; });
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    const auto files = pollux::bench::corpus();
    if (files.empty()) {
        std::fputs("bench_compilation: no modules: set POLLUX_BENCH_MODULES=FILE:FILE…, or run bench/fetch_peers.sh\n", stderr);
        return 0;
    }
    for (const auto& file : files) pollux::bench::register_module(file);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
