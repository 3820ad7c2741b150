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
#include <memory>
#include <optional>
#include <string_view>

#include "jit/base/error.h"
#include "jit/runtime/linker.h"
#include "wasi/config.h"
#include "wasi/context.h"
#include "wasi/fiber_scheduler.h"
#include "wasi/trace.h"

namespace pollux::wasi {

inline constexpr std::string_view kPreview1Module = "wasi_snapshot_preview1";
inline constexpr std::string_view kPreview0Module = "wasi_unstable";

class Wasi {
public:
    /// Opens what `config` names. `scheduler` is shared with other programs of this thread, and made when null.
    [[nodiscard]] static Result<std::unique_ptr<Wasi>> create(Config config, std::shared_ptr<FiberScheduler> scheduler = nullptr);
    Wasi(const Wasi&) = delete;
    Wasi& operator=(const Wasi&) = delete;
    ~Wasi();

    /// Sets the linker's resolver, and the store's scheduler: imports of the two modules are found by name and type, other imports are asked of
    /// `otherwise`. The Wasi must outlive the store.
    void define_imports(Linker& linker, Store& store, Linker::Resolver otherwise = nullptr);

    /// What the program handed to proc_exit, or 141 when a broken pipe ended it (Config::exit_on_broken_pipe); nothing before.
    [[nodiscard]] std::optional<std::uint32_t> exit_code() const noexcept { return context_->exit_code(); }

    [[nodiscard]] WasiContext& context() noexcept { return *context_; }
    [[nodiscard]] FiberScheduler& scheduler() noexcept { return *scheduler_; }
    [[nodiscard]] Reactor& reactor() noexcept { return scheduler_->reactor(); }

private:
    struct Binding;
    Wasi(std::unique_ptr<WasiContext> context, std::shared_ptr<FiberScheduler> scheduler);
    [[nodiscard]] std::optional<Extern> resolve(Store& store, const wasm::Module& module, const wasm::Import& import);
    static TrapCode dispatch(CallContext& context, wasm::V128* values);

    std::unique_ptr<WasiContext> context_;
    std::shared_ptr<FiberScheduler> scheduler_;
    std::optional<Trace> trace_;
    std::vector<std::unique_ptr<Binding>> bindings_;
};

}  // namespace pollux::wasi
