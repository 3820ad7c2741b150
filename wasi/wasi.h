// The public face of the WASI dispatcher: what an embedder and the command line use.
//
//     reserve_standard_streams();                                      // first thing in main()
//     auto wasi = Wasi::create(std::move(config));                     // opens directories and sockets; one per program
//     store->set_scheduler(&(*wasi)->scheduler());                     // define_imports does it
//     (*wasi)->define_imports(linker);                                 // wasi_snapshot_preview1 and wasi_unstable
//     … run the guest; it ended with TrapCode::host_exit:
//     (*wasi)->exit_code()
//
// A guest's waits happen in the scheduler's reactor, on the thread that runs the store. Store::interrupt() ends a waiting guest: from any
// thread or signal handler. Several programs can share one scheduler (Wasi::create's second parameter), and then wait together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/base/error.h"
#include "jit/runtime/linker.h"
#include "wasi/config.h"
#include "wasi/context.h"
#include "wasi/fiber_scheduler.h"
#include "wasi/thread_group.h"
#include "wasi/trace.h"

namespace pollux::wasi {

inline constexpr std::string_view kPreview1Module = "wasi_snapshot_preview1";
inline constexpr std::string_view kPreview0Module = "wasi_unstable";
inline constexpr std::string_view kThreadsModule = "wasi";

class Wasi {
public:
    /// Opens what `config` names. `scheduler` is shared with other programs of this thread, and made when null.
    [[nodiscard]] static Result<std::unique_ptr<Wasi>> create(Config config, std::shared_ptr<FiberScheduler> scheduler = nullptr);
    Wasi(const Wasi&) = delete;
    Wasi& operator=(const Wasi&) = delete;
    ~Wasi();

    /// Sets the linker's resolver, and the store's scheduler: imports of the two modules are found by name and type, other imports are
    /// asked of `otherwise`. The Wasi must outlive the store.
    void define_imports(Linker& linker, Store& store, Linker::Resolver otherwise = nullptr);

    /// wasi-threads: each thread gets an instance of its own of this module, which was instantiated and defined as `name` for the modules
    /// added after it and for the program. To be called before the program runs.
    void add_library(std::string name, std::shared_ptr<const CompiledModule> module) {
        threads_->add_library(std::move(name), std::move(module));
    }

    /// wasi-threads: ends the threads that the program has started, and waits for their end. To be called when the program has ended and
    /// before its store is destroyed; the destructor and the end of the process do it, too.
    void end_threads() noexcept { threads_->end_others_and_wait(); }

    /// wasi-threads: what ended the program, if that was a trap of another thread than the first. Thread-safe.
    [[nodiscard]] std::optional<ThreadTrap> thread_trap() const { return threads_->thread_trap(); }

    /// What the program handed to proc_exit, or 141 when a broken pipe ended it (Config::exit_on_broken_pipe); nothing before.
    [[nodiscard]] std::optional<std::uint32_t> exit_code() const noexcept { return context_->exit_code(); }

    /// Calls of the first thread that have ended so far: while it does not change, the program waits or computes.
    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }

    [[nodiscard]] WasiContext& context() noexcept { return *context_; }
    [[nodiscard]] FiberScheduler& scheduler() noexcept { return *scheduler_; }
    [[nodiscard]] Reactor& reactor() noexcept { return scheduler_->reactor(); }

private:
    friend class ThreadGroup;
    struct Binding;
    Wasi(std::shared_ptr<WasiContext> context, std::shared_ptr<FiberScheduler> scheduler, std::shared_ptr<ThreadGroup> threads);
    [[nodiscard]] std::optional<Extern> shared_memory(Store& store, const wasm::Module& module, const wasm::Import& import);
    static std::int32_t spawn_thread(CallContext& context, std::uint32_t argument);
    [[nodiscard]] std::optional<Extern> resolve(Store& store, const wasm::Module& module, const wasm::Import& import);
    static TrapCode dispatch(CallContext& context, wasm::V128* values);

    std::shared_ptr<WasiContext> context_;
    std::shared_ptr<FiberScheduler> scheduler_;
    std::shared_ptr<ThreadGroup> threads_;
    bool is_first_thread_ = false;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<Memory>> memories_;  ///< shared ones that modules have imported
    std::optional<Trace> trace_;
    std::uint64_t calls_ = 0;
    std::vector<std::unique_ptr<Binding>> bindings_;
};

/// What must be called once a module is instantiated: `_initialize` of a reactor. None of a command, which has `_start`.
[[nodiscard]] Func initializer(Instance& instance);

}  // namespace pollux::wasi
