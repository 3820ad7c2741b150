// The engine: what all modules and stores of a process share. Thread-safe; held by std::shared_ptr.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "jit/base/error.h"
#include "jit/compile/backend.h"
#include "jit/runtime/code_map.h"
#include "jit/runtime/code_memory.h"
#include "jit/runtime/code_pages.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/memory.h"
#include "jit/wasm/features.h"

namespace pollux {

enum class CompileMode : std::uint8_t {
    eager,  ///< all functions, on all threads, before the module is usable
    lazy,   ///< all functions are validated first, and compiled when they are first called
    automatic,  ///< lazy; but eager for modules that arrive piece by piece, or are small (tuning.lazy_from_bytes)
};

/// How memories are kept in bounds.
enum class BoundsOption : std::uint8_t {
    automatic,        ///< guard pages if the system grants the address space, else explicit checks
    guard_pages,
    explicit_checks,
};

struct EngineOptions {
    CompileMode mode = CompileMode::eager;
    BoundsOption bounds = BoundsOption::automatic;
    bool fuel = false;                                ///< code counts fuel (Store::set_fuel)
    const Backend* target = nullptr;                  ///< null: the host's; code for another ISA is emitted, but never run
    bool portable = false;                            ///< code for precompiled files
    wasm::FeatureSet features = wasm::FeatureSet::all();
    bool relaxed_simd_deterministic = false;          ///< the same results of relaxed SIMD on all machines
    unsigned threads = 0;                             ///< that compile; 0: as many as the process may use
    std::size_t max_wasm_stack = std::size_t{1} << 20;  ///< bytes for guest frames
    std::uint64_t memory_reservation = 0;             ///< explicit checks: most bytes of address space for a memory; 0: 64 GiB
    int interrupt_signal = SIGURG;                    ///< sent to threads by Store::interrupt; ignored when it is not ours
};

class Engine {
public:
    /// Error: the CPU lacks something, or address space is short.
    [[nodiscard]] static Result<std::shared_ptr<Engine>> create(const EngineOptions& options = {});
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }
    [[nodiscard]] const Backend& backend() const noexcept { return backend_; }
    /// Whether this host can run the code.
    [[nodiscard]] bool runs_here() const noexcept { return &backend_ == &host_backend(); }
    [[nodiscard]] BoundsMode bounds() const noexcept { return memory_options_.bounds; }
    [[nodiscard]] unsigned threads() const noexcept { return threads_; }
    [[nodiscard]] const Stubs& stubs() const noexcept { return stubs_; }
    [[nodiscard]] static const StubTargets& stub_targets() noexcept;
    [[nodiscard]] const MemoryOptions& memory_options() const noexcept { return memory_options_; }
    [[nodiscard]] const std::shared_ptr<MemoryPool>& memory_pool() const noexcept { return memory_pool_; }
    [[nodiscard]] StackPool& stack_pool() noexcept { return stack_pool_; }
    [[nodiscard]] CodePages& code_pages() noexcept { return code_pages_; }
    /// A memory that can be given to several stores (their Linkers).
    [[nodiscard]] Result<std::shared_ptr<Memory>> new_shared_memory(const wasm::MemoryType& type);

    /// The stub through which guests call host functions of this type; emitted at the first request.
    [[nodiscard]] Result<const void*> host_stub(wasm::TypeId type);
    /// Emits the stubs of several types at once, in one piece of memory.
    [[nodiscard]] Result<> prepare_host_stubs(std::span<const wasm::TypeId> types);

private:
    explicit Engine(const EngineOptions& options);

    struct StubMemory {
        CodeMemory code;
        RegisteredRegion region;
    };
    [[nodiscard]] Result<StubMemory*> add_stub_memory(std::size_t bytes);

    EngineOptions options_;
    const Backend& backend_;
    unsigned threads_ = 1;
    MemoryOptions memory_options_;
    std::shared_ptr<MemoryPool> memory_pool_ = std::make_shared<MemoryPool>();
    StackPool stack_pool_;
    CodePages code_pages_;
    Stubs stubs_;
    std::mutex host_stub_mutex_;
    std::map<wasm::TypeId, const void*> host_stubs_;
    std::vector<std::unique_ptr<StubMemory>> stub_memory_;
};

}  // namespace pollux
