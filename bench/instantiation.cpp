// From a compiled module to an instance that can be called, and back: store, linker, memories, tables, segments. ns for one instance.
#include <cstdint>

#include "bench/corpus.h"
#include "bench/run_guest.h"
#include "wasi/wasi.h"

namespace pollux::bench {
namespace {

/// A store, an instance in it, and their end, in each iteration.
void measure(benchmark::State& state, const std::shared_ptr<CompiledModule>& module) {
    for (auto _ : state) {
        auto store = need(Store::create(shared_engine()));
        Linker linker(*store);
        benchmark::DoNotOptimize(need(linker.instantiate(module)));
    }
}

void measure(benchmark::State& state, const GuestModule& guest) {
    measure(state, need(ModuleBuilder::from_bytes(shared_engine(), guest.bytes())));
}

void empty(benchmark::State& state) { measure(state, GuestModule()); }

void store_alone(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(need(Store::create(shared_engine())));
}

/// A memory of `pages`, of which `bytes` are initialised.
void with_memory(benchmark::State& state, std::uint32_t pages, std::size_t bytes) {
    GuestModule guest;
    guest.memory(pages);
    if (bytes != 0) guest.data(0, Bytes(bytes, 1));
    guest.export_memory();
    measure(state, guest);
}

void with_table(benchmark::State& state) {
    GuestModule guest;
    const auto function = guest.function(guest.type({}, {}), {}, {});
    guest.table(Bytes(1000, function));
    measure(state, guest);
}

/// The second instance of a store and all after it: nothing is made but the instance.
void in_one_store(benchmark::State& state) {
    GuestModule guest;
    guest.export_function("f", guest.function(guest.type({}, {}), {}, {}));
    const auto module = need(ModuleBuilder::from_bytes(shared_engine(), guest.bytes()));
    auto store = need(Store::create(shared_engine(), {.max_instances = 1'000'000'000}));
    std::size_t in_store = 0;
    for (auto _ : state) {
        if (++in_store == 10'000) {  // instances live as long as their store
            state.PauseTiming();
            store = need(Store::create(shared_engine()));
            in_store = 0;
            state.ResumeTiming();
        }
        Linker linker(*store);
        benchmark::DoNotOptimize(need(linker.instantiate(module)));
    }
}

/// A program as `run` sets it up, up to its first instruction: with the WASI dispatcher.
void program(benchmark::State& state, const std::string& path) {
    const auto bytes = read_file(path);
    const auto module = need(ModuleBuilder::from_bytes(shared_engine(), bytes));
    for (auto _ : state) {
        const auto wasi = need(wasi::Wasi::create(wasi_config()));
        auto store = need(Store::create(shared_engine()));
        Linker linker(*store);
        wasi->define_imports(linker, *store);
        benchmark::DoNotOptimize(need(linker.instantiate(module)));
    }
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    using State = benchmark::State;
    add("instantiation/store_alone", store_alone);
    add("instantiation/empty_module", empty);
    add("instantiation/memory_1_page", [](State& state) { with_memory(state, 1, 0); });
    add("instantiation/memory_1_MiB_initialised", [](State& state) { with_memory(state, 16, std::size_t{1} << 20); });
    add("instantiation/memory_1_GiB_untouched", [](State& state) { with_memory(state, 16384, 0); });
    add("instantiation/table_1000_functions", with_table);
    add("instantiation/in_one_store", in_one_store);
    for (const CorpusFile& file : corpus()) {
        add("instantiation/program/" + file.name, [path = file.path](State& state) {
            program(state, path);
        })->Unit(benchmark::kMicrosecond);
    }
    return run_all(argc, argv);
}
