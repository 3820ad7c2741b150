// wasi-threads: the threads of one program, and their common end.
//
// Import `wasi.thread-spawn(arg) -> tid`: a thread of the host gets its own store, scheduler and instance of the same module, with the
// same imported shared memories, and calls the export `wasi_thread_start(tid, arg)`. The context (descriptors, exit status) is shared.
// Modules that satisfied the program's imports (add_library) are instantiated anew for each thread.
// One thread's proc_exit or trap ends all: the others are interrupted, wherever they run or wait. So does the end of the first thread.
// Source: the wasi-threads proposal (WebAssembly/wasi-threads), legacy since 2024, still emitted for wasm32-wasip1-threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "jit/abi/trap_code.h"
#include "jit/runtime/trap.h"
#include "wasi/context.h"

namespace pollux {
class CompiledModule;
class Instance;
class Store;
}  // namespace pollux

namespace pollux::wasi {

/// The trap that ended a program, and the number of the thread that it happened in.
struct ThreadTrap {
    std::uint32_t thread = 0;
    Trap trap;
};

class ThreadGroup : public std::enable_shared_from_this<ThreadGroup> {
public:
    static constexpr std::size_t kMaxThreads = 1024;

    explicit ThreadGroup(std::shared_ptr<WasiContext> context) noexcept : context_(std::move(context)) {}
    ~ThreadGroup();

    /// A module whose instance satisfies imports from `name` of those added later and of the program. Not thread-safe: before any thread.
    /// A thread's own instance of it imports the shared memories that the thread's module imports, by the same names; if it has a shared
    /// memory it is not initialised again. One that defines a shared memory cannot be had twice, and exists in the first thread only.
    void add_library(std::string name, std::shared_ptr<const CompiledModule> module) {
        libraries_.emplace_back(std::move(name), std::move(module));
    }
    /// Starts a thread as `caller`'s import asks, and waits until it has what it needs. Its number, from 1 on; negative when the module
    /// exports no wasi_thread_start, imports what only the first thread has, or the system has no thread, descriptors or stack for one
    /// more.
    [[nodiscard]] std::int32_t spawn(Instance& caller, std::uint32_t argument);

    /// The first thread's store, to be interrupted when another thread ends the program. Null: it is about to be destroyed.
    void set_first(Store* store) noexcept;
    /// Ends all threads but the one of `except`, with this code; the first call counts. Does not wait.
    void end(TrapCode code, const Store* except) noexcept;
    /// Ends all threads but the first, and waits until they have ended.
    void end_others_and_wait() noexcept;
    /// What ended the program, if that was a trap of a thread other than the first.
    [[nodiscard]] std::optional<ThreadTrap> thread_trap() const;

private:
    struct Start;
    using Libraries = std::vector<std::pair<std::string, std::shared_ptr<const CompiledModule>>>;
    static void* run(void* start);
    void run_thread(Start& start);
    void interrupt_all(const Store* except) noexcept;  ///< with mutex_ held
    void report(std::uint32_t number, const std::string& what) const noexcept;

    std::shared_ptr<WasiContext> context_;
    Libraries libraries_;
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::set<Store*> stores_;  ///< of running threads
    Store* first_ = nullptr;
    std::size_t alive_ = 0;
    std::uint32_t next_number_ = 1;
    TrapCode end_code_ = TrapCode::none;
    std::optional<ThreadTrap> thread_trap_;
};

}  // namespace pollux::wasi
