// What each switch of jit/base/tuning.h is worth: the same work with the default and with other values.
//
//   ablation/compile/MODULE/VARIANT      bytes to executable code, all threads
//   ablation/instantiate/VARIANT         a store and an instance with a memory, made and freed
//   ablation/new_fiber/VARIANT           a fiber made, run to its end and freed
//
// Variants take turns: bench_ablation --benchmark_enable_random_interleaving=true --benchmark_repetitions=9.
#include <limits>
#include <string>
#include <vector>

#include "bench/corpus.h"
#include "bench/run_guest.h"
#include "jit/base/tuning.h"

namespace pollux::bench {
namespace {

struct Variant {
    std::string name;
    void (*apply)(Tuning&);
};

constexpr std::size_t kKiB = 1024, kNever = std::numeric_limits<std::size_t>::max();

const std::vector<Variant>& compile_variants() {
    static const std::vector<Variant> variants = {
        {"default", [](Tuning&) {}},
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
    for (const CorpusFile& file : corpus()) {
        for (const Variant& variant : compile_variants()) {
            add("ablation/compile/" + file.name + "/" + variant.name,
                [&variant, path = file.path](State& state) { compile(state, variant, path); })
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
        }
    }
    for (const Variant& variant : pool_variants()) {
        add("ablation/instantiate/" + variant.name, [&variant](State& state) { instantiate(state, variant); });
        add("ablation/new_fiber/" + variant.name, [&variant](State& state) { new_fiber(state, variant); });
    }
    return run_all(argc, argv);
}
