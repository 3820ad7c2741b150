// Calls from guests to the host: ns for one round of a guest's loop that makes one call. "calls/loop" is such a loop without.
#include <fcntl.h>
#include <unistd.h>

#include "bench/run_guest.h"
#include "wasi/wasi.h"

namespace pollux::bench {
namespace {

void nothing(CallContext&) {}
std::int32_t add_two(CallContext&, std::int32_t a, std::int32_t b) { return a + b; }
std::int32_t add_six(CallContext&, std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d, std::int32_t e, std::int32_t f) {
    return a + b + c + d + e + f;
}
std::int32_t read_memory(CallContext& context, std::uint32_t address) {
    const auto bytes = memory_of(context)->bytes();
    return address < bytes.size() ? bytes[address] : -1;
}

/// A loop that calls the import "env" "f" of this type.
template <class Type>
void measure(benchmark::State& state, const Type& host, const Bytes& params, const Bytes& results, const Bytes& arguments) {
    GuestModule guest;
    const auto f = guest.import_function("env", "f", guest.type(params, results));
    guest.memory(1);
    guest.export_memory();
    guest.export_function("run", guest.counted_loop(join({arguments, {kCall, f}, results.empty() ? Bytes{} : Bytes{kDrop}})));
    GuestProgram program(guest.bytes(), [&](Linker& linker, Store&) { linker.define("env", "f", host); });
    measure_rounds(state, program);
}

/// A loop that calls a WASI function, whose errno is dropped.
void measure_wasi(benchmark::State& state, std::string_view name, const Bytes& params, const Bytes& arguments) {
    GuestModule guest;
    const auto f = guest.import_function(wasi::kPreview1Module, name, guest.type(params, {kI32}));
    guest.memory(1);
    guest.data(16, {64, 0, 0, 0, 1, 0, 0, 0});  // an iovec: one byte at 64
    guest.export_memory();
    guest.export_function("run", guest.counted_loop(join({arguments, {kCall, f, kDrop}})));
    wasi::Config config = wasi_config();
    config.streams[1].source = wasi::Stream::Source::null;
    const auto wasi = need(wasi::Wasi::create(std::move(config)));
    GuestProgram program(guest.bytes(), [&](Linker& linker, Store& store) { wasi->define_imports(linker, store); });
    measure_rounds(state, program, 10'000);
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux;
    using namespace pollux::bench;
    using State = benchmark::State;
    add("host_calls/no_arguments", [](State& state) { measure(state, host_function<&nothing>(), {}, {}, {}); });
    add("host_calls/2_arguments",
        [](State& state) { measure(state, host_function<&add_two>(), {kI32, kI32}, {kI32}, {kI32Const, 1, kI32Const, 2}); });
    add("host_calls/6_arguments", [](State& state) {
        measure(state, host_function<&add_six>(), Bytes(6, kI32), {kI32},
                {kI32Const, 1, kI32Const, 2, kI32Const, 3, kI32Const, 4, kI32Const, 5, kI32Const, 6});
    });
    add("host_calls/memory", [](State& state) { measure(state, host_function<&read_memory>(), {kI32}, {kI32}, {kI32Const, 8}); });
    add("wasi_calls/args_sizes_get",
        [](State& state) { measure_wasi(state, "args_sizes_get", {kI32, kI32}, {kI32Const, 0, kI32Const, 4}); });
    add("wasi_calls/clock_time_get",
        [](State& state) { measure_wasi(state, "clock_time_get", {kI32, kI64, kI32}, {kI32Const, 1, kI64Const, 0, kI32Const, 0}); });
    add("wasi_calls/fd_write_dev_null",
        [](State& state) { measure_wasi(state, "fd_write", Bytes(4, kI32), {kI32Const, 1, kI32Const, 16, kI32Const, 1, kI32Const, 0}); });
    add("wasi_calls/sched_yield", [](State& state) { measure_wasi(state, "sched_yield", {}, {}); });
    return run_all(argc, argv);
}
