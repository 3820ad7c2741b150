// Calls between guest functions, and from the host: ns for one round of a guest's loop that does nothing else.
//
// "loop" is the loop alone: subtract it. A round of the others is one call and one return.
#include "bench/run_guest.h"

namespace pollux::bench {
namespace {

/// The loop keeps a sum in local 1, which each call gets and gives back.
void loop_of(benchmark::State& state, GuestModule& guest, const Bytes& change_of_sum) {
    guest.export_function("run", guest.counted_loop(join({{kLocalGet, 1}, change_of_sum, {kLocalSet, 1}}), {kI32}));
    GuestProgram program(guest.bytes());
    measure_rounds(state, program);
}

void loop(benchmark::State& state) {
    GuestModule guest;
    loop_of(state, guest, {kI32Const, 1, kI32Add});
}

void direct(benchmark::State& state) {
    GuestModule guest;
    const auto add = guest.function(guest.type({kI32}, {kI32}), {}, {kLocalGet, 0, kI32Const, 1, kI32Add});
    loop_of(state, guest, {kCall, add});
}

void direct_8_arguments(benchmark::State& state) {
    GuestModule guest;
    const auto type = guest.type({kI32, kI32, kI32, kI32, kI32, kI32, kI32, kI32}, {kI32});
    const auto add = guest.function(type, {}, {kLocalGet, 0, kLocalGet, 7, kI32Add});
    loop_of(state, guest, {kI32Const, 1, kI32Const, 2, kI32Const, 3, kI32Const, 4, kI32Const, 5, kI32Const, 6, kI32Const, 7, kCall, add});
}

void direct_8_locals_live(benchmark::State& state) {
    GuestModule guest;
    const auto add = guest.function(guest.type({kI32}, {kI32}), {}, {kLocalGet, 0, kI32Const, 1, kI32Add});
    const Bytes locals(8, kI32);
    Bytes use;  // each local is changed in each round
    for (std::uint8_t i = 2; i < 9; ++i) use = join({use, {kLocalGet, i, kI32Const, 1, kI32Add, kLocalSet, i}});
    guest.export_function("run", guest.counted_loop(join({{kLocalGet, 1, kCall, add, kLocalSet, 1}, use}), locals));
    GuestProgram program(guest.bytes());
    measure_rounds(state, program);
}

void indirect(benchmark::State& state) {
    GuestModule guest;
    const auto type = guest.type({kI32}, {kI32});
    guest.table({guest.function(type, {}, {kLocalGet, 0, kI32Const, 1, kI32Add})});
    loop_of(state, guest, {kI32Const, 0, kCallIndirect, type, 0});
}

void fib(benchmark::State& state) {
    constexpr std::int32_t kN = 25;
    constexpr double kCalls = 242785;  // of fib(25)
    GuestModule guest;
    const auto type = guest.type({kI32}, {kI32});
    constexpr std::uint8_t kSelf = 0;
    const auto fib_function =
        guest.function(type, {}, {kLocalGet, 0,       kI32Const, 2,     kI32LtS, kIf,   kI32,  kLocalGet, 0, /* else */ 0x05,
                                  kLocalGet, 0,       kI32Const, 1,     kI32Sub, kCall, kSelf, kLocalGet, 0, kI32Const,
                                  2,         kI32Sub, kCall,     kSelf, kI32Add, kEnd});
    guest.export_function("run", guest.function(guest.type({kI32}, {}), {}, {kLocalGet, 0, kCall, fib_function, kDrop}));
    GuestProgram program(guest.bytes());
    const Func run = program.function("run");
    for (auto _ : state) GuestProgram::call(run, {Value::i32(kN)});
    using benchmark::Counter;
    state.counters["s/call"] = Counter(static_cast<double>(state.iterations()) * kCalls, Counter::kIsRate | Counter::kInvert);
}

/// A function that calls itself in tail position: a round is one tail call.
void tail(benchmark::State& state) {
    GuestModule guest;
    constexpr std::uint8_t kSelf = 0;
    guest.export_function("run", guest.function(guest.type({kI32}, {}), {},
                                                {kLocalGet, 0, kIf, kVoid, kLocalGet, 0, kI32Const, 1, kI32Sub, kReturnCall, kSelf, kEnd}));
    GuestProgram program(guest.bytes());
    measure_rounds(state, program);
}

/// A call of a function of another instance.
void between_instances(benchmark::State& state) {
    GuestModule library;
    library.export_function("add", library.function(library.type({kI32}, {kI32}), {}, {kLocalGet, 0, kI32Const, 1, kI32Add}));
    const auto module = need(ModuleBuilder::from_bytes(shared_engine(), library.bytes()));
    GuestModule guest;
    const auto add = guest.import_function("library", "add", guest.type({kI32}, {kI32}));
    guest.export_function("run", guest.counted_loop({kLocalGet, 1, kCall, add, kLocalSet, 1}, {kI32}));
    GuestProgram program(guest.bytes(), [&](Linker& linker, Store& store) {
        Linker own(store);
        linker.define_instance("library", *need(own.instantiate(module)));
    });
    measure_rounds(state, program);
}

/// The host calls a function that returns at once, on a fiber as programs run.
void from_host(benchmark::State& state) {
    GuestModule guest;
    guest.export_function("nothing", guest.function(guest.type({}, {}), {}, {}));
    GuestProgram program(guest.bytes());
    const Func nothing = program.function("nothing");
    need(program.store().run_on_fiber([&] {
        for (auto _ : state) benchmark::DoNotOptimize(nothing.call(std::span<const Value>{}, {}));
    }));
}

/// The same from the thread's own stack: the call goes to a fiber and back.
void from_host_outside(benchmark::State& state) {
    GuestModule guest;
    guest.export_function("nothing", guest.function(guest.type({}, {}), {}, {}));
    GuestProgram program(guest.bytes());
    const Func nothing = program.function("nothing");
    for (auto _ : state) benchmark::DoNotOptimize(nothing.call(std::span<const Value>{}, {}));
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    add("calls/loop", loop);
    add("calls/direct", direct);
    add("calls/direct_8_arguments", direct_8_arguments);
    add("calls/direct_8_locals_live", direct_8_locals_live);
    add("calls/indirect", indirect);
    add("calls/between_instances", between_instances);
    add("calls/tail", tail);
    add("calls/fib", fib);
    add("calls/from_host", from_host);
    add("calls/from_host_outside_fiber", from_host_outside);
    return run_all(argc, argv);
}
