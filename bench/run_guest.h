// What the benchmarks of guest programs share: skipping with the reason, and loops of guest code measured per round.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <exception>
#include <string>

#include "bench/guest_module.h"

namespace pollux::bench {

/// Registers a benchmark that is reported as skipped, with the reason, when it throws.
template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, const Body& body) {
    return benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
        try {
            body(state);
        } catch (const std::exception& error) {
            state.SkipWithError(error.what());
        }
    });
}

inline constexpr std::int32_t kRounds = 100'000;

/// Calls the guest's "run" with kRounds, again and again; reports ns for one round.
inline void measure_rounds(benchmark::State& state, GuestProgram& program, std::int32_t rounds = kRounds) {
    const Func run = program.function("run");
    for (auto _ : state) GuestProgram::call(run, {Value::i32(rounds)});
    using benchmark::Counter;
    state.counters["s/round"] = Counter(static_cast<double>(state.iterations()) * rounds, Counter::kIsRate | Counter::kInvert);
}

/// The end of each program's main().
inline int run_all(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

}  // namespace pollux::bench
