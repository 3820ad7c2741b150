// The store: all that instances of one guest share. One thread at a time; only interrupt() may come from elsewhere.
//
// It owns instances, tables, host functions and its share of memories until it is destroyed; handles (Func, Global, Table*, Instance*) are
// valid until then.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/compile/backend.h"
#include "jit/runtime/engine.h"
#include "jit/runtime/extern.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/gc_heap.h"
#include "jit/runtime/host_function.h"
#include "jit/runtime/scheduler.h"
#include "jit/runtime/trap.h"

namespace pollux {

class Instance;

struct StoreOptions {
    std::uint64_t max_memory_bytes = ~std::uint64_t{0};   ///< of all memories together
    std::uint64_t max_table_elements = 20'000'000;        ///< of all tables together
    std::uint32_t max_instances = 100'000;
    std::uint64_t max_gc_heap_bytes = std::uint64_t{4} << 30;  ///< of all objects together
    bool gc_stress = false;                               ///< a collection before every allocation
};

class Store final : public StoreContext {
public:
    [[nodiscard]] static Result<std::unique_ptr<Store>> create(std::shared_ptr<Engine> engine, const StoreOptions& options = {});
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    /// No fiber of the store may be alive.
    ~Store();

    [[nodiscard]] static Store& of(StoreContext* context) noexcept { return *static_cast<Store*>(context); }
    [[nodiscard]] Engine& engine() const noexcept { return *engine_; }
    [[nodiscard]] const std::shared_ptr<Engine>& shared_engine() const noexcept { return engine_; }
    [[nodiscard]] const StoreOptions& options() const noexcept { return options_; }
    void* user_data = nullptr;  ///< the embedder's own

    // --- the host's own objects ----------------------------------------------------------------------------------------
    /// A host function; `data` must outlive the store.
    [[nodiscard]] Result<Func> new_function(const HostFunctionType& function, void* data = nullptr);
    /// An untyped host function: values as HostBody describes them.
    [[nodiscard]] Result<Func> new_function(const wasm::FuncType& type, HostBody body, void* data = nullptr);
    [[nodiscard]] Result<std::shared_ptr<Memory>> new_memory(const wasm::MemoryType& type);
    [[nodiscard]] Result<Table*> new_table(const wasm::TableType& type, const Value& init);
    [[nodiscard]] Global new_global(const wasm::GlobalType& type, const Value& value);
    [[nodiscard]] const Tag* new_tag(wasm::TypeId type);
    /// An externref that stands for `value`: equal values give equal references.
    [[nodiscard]] ExternRef make_extern(std::uint64_t value);
    /// The value of a non-null externref that make_extern made; nothing for others.
    [[nodiscard]] std::optional<std::uint64_t> extern_value(ExternRef reference) const noexcept;
    [[nodiscard]] const std::shared_ptr<Budget>& memory_budget() const noexcept { return memory_budget_; }
    [[nodiscard]] const std::shared_ptr<Budget>& table_budget() const noexcept { return table_budget_; }

    // --- ending the guest -----------------------------------------------------------------------------------------------
    /// Makes the running guest end with `why` (interrupted, host_exit, …) as soon as it is in guest code or the host function that it
    /// called looks at interrupted(); the next call if none runs. From any thread and from signal handlers. Lasts until the outermost
    /// activation has ended.
    void interrupt(TrapCode why = TrapCode::interrupted) noexcept;
    /// Makes the running guest call the yield hook at the next chance. From any thread and from signal handlers.
    void request_yield() noexcept;
    /// The reason that interrupt() gave and that has not been acted on, or none. Host functions that wait must ask after each EINTR and
    /// wake-up.
    [[nodiscard]] TrapCode interrupted() const noexcept { return static_cast<TrapCode>(interrupt_reason_.load(std::memory_order_acquire)); }
    /// Where interrupted() looks: not 0 while the guest is to end. For host functions that hand their wait to somebody else.
    [[nodiscard]] const std::atomic<std::uint32_t>& interrupt_flag() const noexcept { return interrupt_reason_; }
    void clear_interrupt() noexcept;
    /// For proc_exit: keeps the status and returns TrapCode::host_exit, to be returned from the host function.
    [[nodiscard]] TrapCode set_exit(std::uint32_t status) noexcept;
    [[nodiscard]] std::optional<std::uint32_t> exit_status() const noexcept { return exit_status_; }
    /// For a failed host function: keeps the error for Trap::error and returns TrapCode::host_error.
    [[nodiscard]] TrapCode set_host_error(Error error);

    // --- fuel ------------------------------------------------------------------------------------------------------------
    /// Counted only by engines with EngineOptions::fuel.
    void set_fuel(std::int64_t amount) noexcept { fuel = amount; }
    [[nodiscard]] std::int64_t fuel_left() const noexcept { return fuel < 0 ? 0 : fuel; }

    // --- fibers and waiting ------------------------------------------------------------------------------------------------
    void set_scheduler(Scheduler* scheduler) noexcept { scheduler_ = scheduler; }
    [[nodiscard]] Scheduler* scheduler() const noexcept { return scheduler_; }
    /// Called on the guest's fiber, in ordinary code, after request_yield(): may suspend the fiber.
    void set_yield_hook(void (*hook)(Store&)) noexcept { yield_hook_ = hook; }
    /// Runs `body` on a fiber of this store until it has ended, waiting with the scheduler whenever it parks; here, if this is such a
    /// fiber. Error: no stack can be had.
    [[nodiscard]] Result<> run_on_fiber(Fiber::Body body);

    // --- for the runtime itself ----------------------------------------------------------------------------------------------
    [[nodiscard]] GcHeap& heap() noexcept { return heap_; }
    [[nodiscard]] std::unordered_set<Fiber*>& fibers() noexcept { return fibers_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Table>>& tables() const noexcept { return tables_; }
    [[nodiscard]] const std::deque<GlobalCell>& host_globals() const noexcept { return globals_; }
    /// What was thrown and left an activation, until the next one begins.
    [[nodiscard]] ExceptionObject* uncaught() const noexcept { return uncaught_; }
    void set_uncaught(ExceptionObject* thrown) noexcept { uncaught_ = thrown; }
    [[nodiscard]] RawBacktrace& raw_backtrace() noexcept { return raw_backtrace_; }
    [[nodiscard]] EntryArguments& entry_arguments() noexcept { return entry_arguments_; }
    [[nodiscard]] std::optional<Error> take_host_error() noexcept;
    [[nodiscard]] Instance* add_instance(std::unique_ptr<Instance> instance);
    [[nodiscard]] bool can_add_instance() const noexcept { return instances_.size() < options_.max_instances; }
    [[nodiscard]] std::vector<std::unique_ptr<Instance>>& instances() noexcept { return instances_; }
    [[nodiscard]] std::uint64_t stack_limit() const noexcept { return stack_limit_; }
    [[nodiscard]] AllocationWindows* windows() const noexcept { return windows_; }
    /// Sets the stack limit and the windows of all instances.
    void set_stack(std::uint64_t limit, AllocationWindows* windows) noexcept;
    /// What the preempt stub and the ends of stubs call: yields if asked to; the code with which the guest must end, or none.
    [[nodiscard]] TrapCode act_on_interrupt() noexcept;
    void set_running(bool running) noexcept;
    /// Where a wait of this store's thread sleeps: 0 waiting, 1 notified, 2 interrupted.
    std::atomic<std::uint32_t> wait_word{1};
    void set_pending_trap(TrapCode code) noexcept { pending_trap_ = code; }
    [[nodiscard]] TrapCode pending_trap() const noexcept { return pending_trap_; }

private:
    Store(std::shared_ptr<Engine> engine, const StoreOptions& options);

    struct HostFunctionObject;
    void signal_thread() noexcept;

    std::shared_ptr<Engine> engine_;
    StoreOptions options_;
    std::shared_ptr<Budget> memory_budget_, table_budget_;
    std::vector<std::unique_ptr<Instance>> instances_;
    std::vector<std::unique_ptr<Table>> tables_;
    std::deque<HostFunctionObject> functions_;
    std::deque<GlobalCell> globals_;
    std::deque<Tag> tags_;
    std::unordered_map<std::uint64_t, ExternRef> externs_;  ///< by value
    std::unordered_map<std::uint64_t, std::uint64_t> extern_values_;  ///< by reference
    std::deque<HostObject> host_objects_;  ///< whose addresses are the references
    std::uint64_t stack_limit_ = 0;
    AllocationWindows* windows_ = nullptr;
    std::unordered_set<Fiber*> fibers_;
    Scheduler* scheduler_ = nullptr;
    void (*yield_hook_)(Store&) = nullptr;
    std::atomic<std::uint32_t> interrupt_reason_{0};  ///< a TrapCode
    std::atomic<bool> yield_requested_{false};
    std::atomic<std::int32_t> running_thread_{0};  ///< its kernel id, while a fiber of this store runs
    std::optional<std::uint32_t> exit_status_;
    std::optional<Error> host_error_;
    TrapCode pending_trap_ = TrapCode::none;
    GcHeap heap_;
    ExceptionObject* uncaught_ = nullptr;
    EntryArguments entry_arguments_;
    RawBacktrace raw_backtrace_;
};

}  // namespace pollux
