// What each switch of jit/base/tuning.h is worth: the same work with the default and with other values.
//
//   ablation/compile/MODULE/VARIANT      bytes to executable code, all threads (modules of a megabyte and more)
//   ablation/run/MODULE/VARIANT          a WASI program from its instantiation to its end (smaller ones)
//   ablation/instantiate/VARIANT         a store and an instance with a memory, made and freed
//   ablation/new_fiber/VARIANT           a fiber made, run to its end and freed
//
// Variants take turns: bench_ablation --benchmark_enable_random_interleaving=true --benchmark_repetitions=9.
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "bench/corpus.h"
#include "bench/run_guest.h"
#include "jit/base/tuning.h"
#include "wasi/wasi.h"

namespace pollux::bench {
namespace {

struct Variant {
    std::string name;
    void (*apply)(Tuning&);
};

constexpr std::size_t kKiB = 1024, kNever = std::numeric_limits<std::size_t>::max();

const std::vector<Variant>& compile_variants() {
    static const std::vector<Variant> variants = {
        {"huge_page_threshold=never", [](Tuning& t) { t.huge_page_threshold = kNever; }},
        {"huge_page_threshold=0", [](Tuning& t) { t.huge_page_threshold = 0; }},
        {"compile_batch_bytes=1KiB", [](Tuning& t) { t.compile_batch_bytes = kKiB; }},
        {"compile_batch_bytes=512KiB", [](Tuning& t) { t.compile_batch_bytes = 512 * kKiB; }},
        {"bytes_per_thread=never_a_second", [](Tuning& t) { t.bytes_per_thread = kNever / 2; }},
        {"code_chunk_bytes=32KiB", [](Tuning& t) { t.code_chunk_bytes = 32 * kKiB; }},
        {"code_chunk_bytes=2MiB", [](Tuning& t) { t.code_chunk_bytes = 2048 * kKiB; }},
    };
    return variants;
}

/// Switches of the code that is made: they change the time of compilation and that of running.
const std::vector<Variant>& code_variants() {
    static const std::vector<Variant> variants = {
        {"default", [](Tuning&) {}},
        {"fuse_comparisons=off", [](Tuning& t) { t.fuse_comparisons = false; }},
        {"fuse_shifts=off", [](Tuning& t) { t.fuse_shifts = false; }},
        {"fuse_loads=off", [](Tuning& t) { t.fuse_loads = false; }},
        {"reuse_flags=off", [](Tuning& t) { t.reuse_flags = false; }},
        {"choose_destinations=off", [](Tuning& t) { t.choose_destinations = false; }},
        {"scan_loops=off", [](Tuning& t) { t.scan_loops = false; }},
    };
    return variants;
}

const std::vector<Variant>& pool_variants() {
    static const std::vector<Variant> variants = {
        {"default", [](Tuning&) {}},
        {"pooled_memory_slots=0", [](Tuning& t) { t.pooled_memory_slots = 0; }},
        {"pooled_stacks=0", [](Tuning& t) { t.pooled_stacks = 0; }},
    };
    return variants;
}

/// The switches with a variant applied, for as long as this lives; and an engine made with them.
class Tuned {
public:
    explicit Tuned(const Variant& variant) : engine_((variant.apply(tuning), need(Engine::create()))) {}
    Tuned(const Tuned&) = delete;
    Tuned& operator=(const Tuned&) = delete;
    ~Tuned() {
        engine_.reset();
        tuning = Tuning{};
    }
    [[nodiscard]] const std::shared_ptr<Engine>& engine() const { return engine_; }

private:
    std::shared_ptr<Engine> engine_;
};

void compile(benchmark::State& state, const Variant& variant, const std::string& path) {
    const auto bytes = read_file(path);
    const Tuned tuned(variant);
    double code_bytes = 0;
    for (auto _ : state) {
        const auto module = need(ModuleBuilder::from_bytes(tuned.engine(), bytes));
        code_bytes = static_cast<double>(module->module().code_section_bytes);
    }
    using benchmark::Counter;
    state.counters["MB/s"] = Counter(code_bytes * static_cast<double>(state.iterations()) / 1e6, Counter::kIsRate);
}

/// Runs a WASI program to its end; its output goes nowhere. The arguments are CoreMark's, which other programs do not look at.
void run(benchmark::State& state, const Variant& variant, const std::string& path) {
    const Tuned tuned(variant);
    const auto module = need(ModuleBuilder::from_bytes(tuned.engine(), read_file(path)));
    for (auto _ : state) {
        wasi::Config config = wasi_config();
        config.args = {"guest", "0x0", "0x0", "0x66", "5000", "7", "1", "2000"};
        for (wasi::Stream& stream : config.streams) stream.source = wasi::Stream::Source::null;
        const auto system = need(wasi::Wasi::create(std::move(config)));
        const auto store = need(Store::create(tuned.engine()));
        Linker linker(*store);
        system->define_imports(linker, *store);
        const Func start = need(linker.instantiate(module))->find_function("_start");
        need(Fiber::create(*store, [&] { static_cast<void>(start.call({}, {})); }))->resume();
    }
}

GuestModule small_guest() {
    GuestModule guest;
    guest.memory(1);
    guest.export_memory();
    guest.export_function("nothing", guest.function(guest.type({}, {}), {}, {}));
    return guest;
}

void instantiate(benchmark::State& state, const Variant& variant) {
    const Tuned tuned(variant);
    const auto module = need(ModuleBuilder::from_bytes(tuned.engine(), small_guest().bytes()));
    for (auto _ : state) {
        const auto store = need(Store::create(tuned.engine()));
        Linker linker(*store);
        benchmark::DoNotOptimize(need(linker.instantiate(module)));
    }
}

void new_fiber(benchmark::State& state, const Variant& variant) {
    const Tuned tuned(variant);
    const auto store = need(Store::create(tuned.engine()));
    for (auto _ : state) need(Fiber::create(*store, [] {}))->resume();
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    using State = benchmark::State;
    constexpr std::uintmax_t kLarge = 1'000'000;
    for (const CorpusFile& file : corpus()) {
        const bool large = std::filesystem::file_size(file.path) >= kLarge;
        const auto add_variant = [&](const Variant& variant) {
            add(std::string("ablation/") + (large ? "compile/" : "run/") + file.name + "/" + variant.name,
                [&variant, large, path = file.path](State& state) { (large ? compile : run)(state, variant, path); })
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
        };
        for (const Variant& variant : code_variants()) add_variant(variant);
        if (!large) continue;
        for (const Variant& variant : compile_variants()) add_variant(variant);
    }
    for (const Variant& variant : pool_variants()) {
        add("ablation/instantiate/" + variant.name, [&variant](State& state) { instantiate(state, variant); });
        add("ablation/new_fiber/" + variant.name, [&variant](State& state) { new_fiber(state, variant); });
    }
    return run_all(argc, argv);
}
