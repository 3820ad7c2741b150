#include "jit/runtime/engine.h"

#include <sched.h>

#include <algorithm>
#include <string>
#include <thread>

#include "jit/runtime/compiled_module.h"
#include "jit/runtime/exceptions.h"
#include "jit/runtime/helpers.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/store.h"
#include "jit/runtime/trap.h"
#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

constexpr std::uint64_t kDefaultReservation = std::uint64_t{64} << 30;
constexpr std::size_t kFixedStubBytes = 32 * 1024;

unsigned usable_processors() noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1U, static_cast<unsigned>(CPU_COUNT(&set)));
    return std::max(1U, std::thread::hardware_concurrency());
}

std::size_t host_stub_bytes(const wasm::FuncType& type) noexcept { return 512 + 40 * (type.params.size() + type.results.size()); }

// --- what the stubs call -------------------------------------------------------------------------------------------------

std::uint32_t act_on_interrupt(StoreContext* context) {
    Store& store = Store::of(context);
    const TrapCode code = store.act_on_interrupt();
    if (code != TrapCode::none && code != TrapCode::host_exit) collect_backtrace(store);
    return static_cast<std::uint32_t>(code);
}

std::uint64_t rethrow(StoreContext* context) { return rethrow_uncaught(Store::of(context)); }

const void* compile_lazily(InstanceHeader* header, std::uint32_t function) {
    Instance& instance = Instance::of(header);
    TrapCode trap = TrapCode::none;
    const void* code = instance.compile_lazily(function, trap);
    if (code == nullptr) instance.store().set_pending_trap(trap);
    return code;
}

std::uint32_t pending_trap(StoreContext* context) {
    Store& store = Store::of(context);
    collect_backtrace(store);
    return static_cast<std::uint32_t>(store.pending_trap());
}

}  // namespace

Engine::Engine(const EngineOptions& options)
    : options_(options), backend_(options.target != nullptr ? *options.target : host_backend()), stack_pool_(options.max_wasm_stack) {
    threads_ = options.threads != 0 ? options.threads : usable_processors();
    memory_options_.max_reservation = options.memory_reservation != 0 ? options.memory_reservation : kDefaultReservation;
}

Engine::~Engine() = default;

const StubTargets& Engine::stub_targets() noexcept {
    static const StubTargets kTargets = {helper_functions(), &act_on_interrupt, &compile_lazily, &pending_trap, &rethrow};
    return kTargets;
}

Result<std::shared_ptr<Engine>> Engine::create(const EngineOptions& options) {
    if (options.max_wasm_stack < 16 * 1024 || options.max_wasm_stack > (std::size_t{1} << 30)) {
        return fail(ErrorKind::usage, "the stack of a guest must be between 16 KiB and 1 GiB");
    }
    std::shared_ptr<Engine> engine(new Engine(options));
    if (!engine->runs_here()) {
        engine->memory_options_.bounds =
            options.bounds == BoundsOption::explicit_checks ? BoundsMode::explicit_checks : BoundsMode::guard_pages;
        return engine;
    }
    if (auto ready = engine->backend_.check_host(); !ready) return std::unexpected(std::move(ready.error()));
    if (options.relaxed_simd_deterministic) {
        if (auto ready = engine->backend_.check_deterministic_simd(); !ready) return std::unexpected(std::move(ready.error()));
    }
    if (auto ready = prepare_signals(options.interrupt_signal); !ready) return std::unexpected(std::move(ready.error()));
    prepare_instruction_barrier();
    switch (options.bounds) {
        case BoundsOption::guard_pages:     engine->memory_options_.bounds = BoundsMode::guard_pages; break;
        case BoundsOption::explicit_checks: engine->memory_options_.bounds = BoundsMode::explicit_checks; break;
        case BoundsOption::automatic:
            engine->memory_options_.bounds =
                options.memory_reservation == 0 && engine->memory_pool_->probe() ? BoundsMode::guard_pages : BoundsMode::explicit_checks;
            break;
    }
    auto memory = engine->add_stub_memory(kFixedStubBytes);
    if (!memory) return std::unexpected(std::move(memory.error()));
    auto buffer = (*memory)->code.take(kFixedStubBytes);
    if (!buffer) return std::unexpected(std::move(buffer.error()));
    auto used = engine->backend_.emit_stubs(*buffer, stub_targets(), engine->stubs_);
    if (!used) return std::unexpected(std::move(used.error()));
    CodeMemory::publish(engine->backend_, buffer->execute, *used);
    if (auto sealed = (*memory)->code.seal(); !sealed) return std::unexpected(std::move(sealed.error()));
    return engine;
}

Result<Engine::StubMemory*> Engine::add_stub_memory(std::size_t bytes) {
    auto memory = std::make_unique<StubMemory>();
    if (auto done = memory->code.reserve(CodeSharing::sealed, bytes, bytes, 0, false); !done)
        return std::unexpected(std::move(done.error()));
    memory->region.register_region({memory->code.begin(), memory->code.end()});
    return stub_memory_.emplace_back(std::move(memory)).get();
}

Result<> Engine::prepare_host_stubs(std::span<const wasm::TypeId> types) {
    const std::scoped_lock lock(host_stub_mutex_);
    std::vector<wasm::TypeId> missing;
    std::size_t bytes = 0;
    for (const wasm::TypeId type : types) {
        if (host_stubs_.contains(type) || std::ranges::find(missing, type) != missing.end()) continue;
        missing.push_back(type);
        bytes += host_stub_bytes(wasm::func_type(type));
    }
    if (missing.empty()) return {};
    auto memory = add_stub_memory(bytes);
    if (!memory) return std::unexpected(std::move(memory.error()));
    auto buffer = (*memory)->code.take(bytes);
    if (!buffer) return std::unexpected(std::move(buffer.error()));
    std::vector<const void*> stubs;
    for (const wasm::TypeId type : missing) {
        auto used = backend_.emit_host_stub(*buffer, wasm::func_type(type), stub_targets(), stubs_);
        if (!used) return std::unexpected(std::move(used.error()));
        stubs.push_back(reinterpret_cast<const void*>(buffer->execute));
        CodeMemory::publish(backend_, buffer->execute, *used);
        const std::size_t step = std::min((*used + 15) & ~std::size_t{15}, buffer->capacity);
        buffer->write += step;
        buffer->execute += step;
        buffer->capacity -= step;
    }
    if (auto sealed = (*memory)->code.seal(); !sealed) return sealed;
    for (std::size_t i = 0; i < missing.size(); ++i) host_stubs_.emplace(missing[i], stubs[i]);
    return {};
}

Result<const void*> Engine::host_stub(wasm::TypeId type) {
    if (auto done = prepare_host_stubs({&type, 1}); !done) return std::unexpected(std::move(done.error()));
    const std::scoped_lock lock(host_stub_mutex_);
    return host_stubs_.at(type);
}

Result<std::shared_ptr<Memory>> Engine::new_shared_memory(const wasm::MemoryType& type) {
    return Memory::create(type, memory_options_, memory_pool_, std::make_shared<Budget>(~std::uint64_t{0}));
}

}  // namespace pollux
