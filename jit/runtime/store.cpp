#include "jit/runtime/store.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "jit/runtime/instance.h"
#include "jit/wasm/type_registry.h"

namespace pollux {

/// A host function and the reference to it; at one address for the store's life.
struct Store::HostFunctionObject : HostFunction {
    FuncRef ref;
    HostBody untyped = nullptr;

    /// For bodies that do not record the backtrace of a failure themselves.
    static TrapCode run_untyped(CallContext& context, wasm::V128* values) {
        const TrapCode code = static_cast<HostFunctionObject*>(context.function)->untyped(context, values);
        if (code != TrapCode::none) [[unlikely]]
            host_function_failed(context, code);
        return code;
    }
};

Store::Store(std::shared_ptr<Engine> engine, const StoreOptions& options)
    : engine_(std::move(engine)),
      options_(options),
      memory_budget_(std::make_shared<Budget>(options.max_memory_bytes)),
      table_budget_(std::make_shared<Budget>(options.max_table_elements)),
      heap_(*this, options.max_gc_heap_bytes, options.gc_stress) {}

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::create(std::shared_ptr<Engine> engine, const StoreOptions& options) {
    return std::unique_ptr<Store>(new Store(std::move(engine), options));
}

// --- the host's own objects --------------------------------------------------------------------------------------------

Result<Func> Store::new_function(const HostFunctionType& function, void* data) {
    auto type = wasm::TypeRegistry::add(function.type);
    if (!type) return std::unexpected(std::move(type.error()));
    auto stub = engine_->host_stub(*type);
    if (!stub) return std::unexpected(std::move(stub.error()));
    HostFunctionObject& object = functions_.emplace_back();
    object.store = this;
    object.body = function.body;
    object.data = data;
    object.type = *type;
    object.ref = {&wasm::TypeRegistry::object_type(*type), *stub, static_cast<HostFunction*>(&object), *type, 0};
    return Func(*this, &object.ref);
}

Result<Func> Store::new_function(const wasm::FuncType& type, HostBody body, void* data) {
    auto function = new_function(HostFunctionType{type, &HostFunctionObject::run_untyped}, data);
    if (function) functions_.back().untyped = body;
    return function;
}

Result<std::shared_ptr<Memory>> Store::new_memory(const wasm::MemoryType& type) {
    return Memory::create(type, engine_->memory_options(), engine_->memory_pool(), memory_budget_);
}

Result<Table*> Store::new_table(const wasm::TableType& type, const Value& init) {
    auto table = Table::create(type, init.bits.low, table_budget_);
    if (!table) return std::unexpected(std::move(table.error()));
    return tables_.emplace_back(std::move(*table)).get();
}

Global Store::new_global(const wasm::GlobalType& type, const Value& value) {
    const Global global{type, &globals_.emplace_back()};
    global.set(value);
    return global;
}

const Tag* Store::new_tag(wasm::TypeId type) { return &tags_.emplace_back(Tag{type}); }

ExternRef Store::make_extern(std::uint64_t value) {
    const auto [at, is_new] = externs_.try_emplace(value);
    if (is_new) {
        at->second.bits = reinterpret_cast<std::uint64_t>(&host_objects_.emplace_back(Object{&wasm::host_object_type()}, value));
        extern_values_.emplace(at->second.bits, value);
    }
    return at->second;
}

std::optional<std::uint64_t> Store::extern_value(ExternRef reference) const noexcept {
    const auto at = extern_values_.find(reference.bits);
    return at != extern_values_.end() ? std::optional(at->second) : std::nullopt;
}

Instance* Store::add_instance(std::unique_ptr<Instance> instance) {
    instance->header()->stack_limit = stack_limit_;
    instance->header()->windows = windows_;
    return instances_.emplace_back(std::move(instance)).get();
}

// --- ending the guest ----------------------------------------------------------------------------------------------------

void Store::signal_thread() noexcept {
    interrupt_pending.store(1, std::memory_order_seq_cst);
    wait_word.store(2, std::memory_order_seq_cst);
    static_cast<void>(::syscall(SYS_futex, &wait_word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0));
    if (Scheduler* scheduler = scheduler_) scheduler->interrupted();
    const std::int32_t thread = running_thread_.load(std::memory_order_seq_cst);
    if (thread != 0) static_cast<void>(::syscall(SYS_tgkill, ::getpid(), thread, interrupt_signal()));
}

void Store::interrupt(TrapCode why) noexcept {
    interrupt_reason_.store(static_cast<std::uint32_t>(why), std::memory_order_seq_cst);
    signal_thread();
}

void Store::request_yield() noexcept {
    yield_requested_.store(true, std::memory_order_seq_cst);
    interrupt_pending.store(1, std::memory_order_seq_cst);
    const std::int32_t thread = running_thread_.load(std::memory_order_seq_cst);
    if (thread != 0) static_cast<void>(::syscall(SYS_tgkill, ::getpid(), thread, interrupt_signal()));
}

void Store::clear_interrupt() noexcept {
    interrupt_reason_.store(0, std::memory_order_seq_cst);
    yield_requested_.store(false, std::memory_order_seq_cst);
    interrupt_pending.store(0, std::memory_order_seq_cst);
    // One that came in between has set its reason before the flag.
    if (interrupt_reason_.load(std::memory_order_seq_cst) != 0) interrupt_pending.store(1, std::memory_order_seq_cst);
}

TrapCode Store::act_on_interrupt() noexcept {
    if (const TrapCode code = interrupted(); code != TrapCode::none) return code;
    if (yield_requested_.exchange(false, std::memory_order_seq_cst)) {
        interrupt_pending.store(0, std::memory_order_seq_cst);
        if (interrupted() != TrapCode::none) interrupt_pending.store(1, std::memory_order_seq_cst);
        if (yield_hook_ != nullptr) {
            yield_hook_(*this);
        } else if (scheduler_ != nullptr) {
            scheduler_->yield();
        }
        return interrupted();
    }
    interrupt_pending.store(0, std::memory_order_seq_cst);
    if (interrupted() != TrapCode::none || yield_requested_.load(std::memory_order_seq_cst))
        interrupt_pending.store(1, std::memory_order_seq_cst);
    return interrupted();
}

TrapCode Store::set_exit(std::uint32_t status) noexcept {
    exit_status_ = status;
    return TrapCode::host_exit;
}

TrapCode Store::set_host_error(Error error) {
    host_error_ = std::move(error);
    return TrapCode::host_error;
}

std::optional<Error> Store::take_host_error() noexcept { return std::exchange(host_error_, std::nullopt); }

// --- fibers ----------------------------------------------------------------------------------------------------------------

void Store::set_stack(std::uint64_t limit, AllocationWindows* windows) noexcept {
    if (limit == stack_limit_ && windows == windows_) return;
    stack_limit_ = limit;
    windows_ = windows;
    for (const auto& instance : instances_) {
        instance->header()->stack_limit = limit;
        instance->header()->windows = windows;
    }
}

void Store::set_running(bool running) noexcept {
    static thread_local const auto kThread = static_cast<std::int32_t>(::syscall(SYS_gettid));
    running_thread_.store(running ? kThread : 0, std::memory_order_seq_cst);
}

Result<> Store::run_on_fiber(Fiber::Body body) {
    if (const Fiber* fiber = Fiber::current(); fiber != nullptr && &fiber->store() == this) {
        body();
        return {};
    }
    auto fiber = Fiber::create(*this, std::move(body));
    if (!fiber) return std::unexpected(std::move(fiber.error()));
    (*fiber)->resume();
    // A body that parked waits for the scheduler; without one nothing parks, and a mere yield comes straight back.
    while (!(*fiber)->done()) {
        if (scheduler_ != nullptr) {
            scheduler_->run_until_done(**fiber);
        } else {
            (*fiber)->resume();
        }
    }
    return {};
}

}  // namespace pollux
