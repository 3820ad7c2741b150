// From a guest's trap to the host's Trap value, backtrace with names included: ns for one call that ends so.
#include "bench/run_guest.h"

namespace pollux::bench {
namespace {

void measure(benchmark::State& state, const Bytes& body, TrapCode expected) {
    GuestModule guest;
    guest.memory(1);
    const auto type = guest.type({}, {});
    guest.table({guest.function(guest.type({kI32}, {}), {}, {})});
    guest.export_function("run", guest.function(type, {}, body));
    GuestProgram program(guest.bytes());
    const Func run = program.function("run");
    need(program.store().run_on_fiber([&] {
        for (auto _ : state) {
            const auto result = run.call(std::span<const Value>{}, {});
            if (result || result.error().code != expected) {
                state.SkipWithError("the guest did not trap as expected");
                break;
            }
        }
    }));
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux;
    using namespace pollux::bench;
    using State = benchmark::State;
    add("traps/unreachable", [](State& state) { measure(state, {kUnreachable}, TrapCode::unreachable); });
    add("traps/divide_by_zero",
        [](State& state) { measure(state, {kI32Const, 1, kI32Const, 0, kI32DivS, kDrop}, TrapCode::integer_divide_by_zero); });
    add("traps/memory_out_of_bounds",
        [](State& state) { measure(state, join({constant(0x200000), {kI32Load, 2, 0, kDrop}}), TrapCode::memory_out_of_bounds); });
    add("traps/indirect_call_of_null",
        [](State& state) { measure(state, {kI32Const, 1, kCallIndirect, 0, 0}, TrapCode::indirect_call_to_null); });
    add("traps/stack_overflow", [](State& state) {
        measure(state, {kCall, 1}, TrapCode::stack_overflow);  // itself
    });
    return run_all(argc, argv);
}
