#include "wasi/wasi.h"

#include <string>
#include <utility>

#include "jit/runtime/store.h"
#include "wasi/call_stats.h"
#include "wasi/import_table.h"

namespace pollux::wasi {

/// What a host function gets as its data.
struct Wasi::Binding {
    Wasi& wasi;
    const Import& import;
    AbiVersion abi;
};

namespace {

/// 'i' and 'I' for each parameter; empty and false when the type is none that WASI has.
std::pair<std::string, bool> signature_of(const wasm::FuncType& type) {
    std::string signature;
    for (const wasm::ValType& param : type.params) {
        if (param.is_ref() || (param.kind() != wasm::Kind::i32 && param.kind() != wasm::Kind::i64)) return {};
        signature += param.kind() == wasm::Kind::i64 ? 'I' : 'i';
    }
    return {signature, true};
}

bool results_fit(const Import& import, const wasm::FuncType& type) {
    if (!import.returns_errno) return type.results.empty();
    return type.results.size() == 1 && type.results[0] == wasm::ValType(wasm::Kind::i32);
}

}  // namespace

Wasi::Wasi(std::shared_ptr<WasiContext> context, std::shared_ptr<FiberScheduler> scheduler, std::shared_ptr<ThreadGroup> threads)
    : context_(std::move(context)), scheduler_(std::move(scheduler)), threads_(std::move(threads)) {
    const Config& config = context_->config();
    if (config.trace != 0) trace_.emplace(config.trace_fd, config.trace, config.trace_label);
}

Wasi::~Wasi() {
    if (is_first_thread_) threads_->end_others_and_wait();
}

Result<std::unique_ptr<Wasi>> Wasi::create(Config config, std::shared_ptr<FiberScheduler> scheduler) {
    auto made = WasiContext::create(std::move(config));
    if (!made) return std::unexpected(made.error());
    std::shared_ptr<WasiContext> context = std::move(*made);
    if (!scheduler) {
        auto created = FiberScheduler::create();
        if (!created) return std::unexpected(created.error());
        scheduler = std::move(*created);
    }
    auto threads = std::make_shared<ThreadGroup>(context);
    std::unique_ptr<Wasi> wasi(new Wasi(std::move(context), std::move(scheduler), std::move(threads)));
    wasi->is_first_thread_ = true;
    return wasi;
}

void Wasi::define_imports(Linker& linker, Store& store, Linker::Resolver otherwise) {
    store.set_scheduler(scheduler_.get());
    threads_->set_first(&store);
    linker.set_resolver([this, otherwise = std::move(otherwise)](Store& of, const wasm::Module& module,
                                                                 const wasm::Import& import) -> std::optional<Extern> {
        if (auto found = resolve(of, module, import)) return found;
        if (otherwise) {
            if (auto found = otherwise(of, module, import)) return found;
        }
        return shared_memory(of, module, import);
    });
}

/// Programs for wasi-threads import their memory, and every thread gets the same one.
std::optional<Extern> Wasi::shared_memory(Store& store, const wasm::Module& module, const wasm::Import& import) {
    if (import.kind != wasm::ExternKind::memory || !module.memories[import.index].limits.shared) return std::nullopt;
    std::shared_ptr<Memory>& memory = memories_[{import.module, import.name}];
    if (!memory) {
        auto made = store.new_memory(module.memories[import.index]);
        if (!made) return std::nullopt;
        memory = std::move(*made);
    }
    return Extern(memory);
}

std::int32_t Wasi::spawn_thread(CallContext& context, std::uint32_t argument) {
    Instance* const caller = instance_of(context);
    return caller != nullptr ? host_data<Wasi>(context).threads_->spawn(*caller, argument) : -1;
}

std::optional<Extern> Wasi::resolve(Store& store, const wasm::Module& module, const wasm::Import& wanted) {
    if (wanted.kind == wasm::ExternKind::func && wanted.module == kThreadsModule && wanted.name == "thread-spawn") {
        const auto function = store.new_function(host_function<&Wasi::spawn_thread>(), this);
        return function ? std::optional<Extern>(*function) : std::nullopt;
    }
    const bool preview0 = wanted.module == kPreview0Module;
    if (wanted.kind != wasm::ExternKind::func || (!preview0 && wanted.module != kPreview1Module)) return std::nullopt;
    const wasm::FuncType& type = module.func_type(wanted.index);
    const auto [signature, fits] = signature_of(type);
    const Import* import = fits ? find_import(wanted.name, signature) : nullptr;
    if (import == nullptr || !results_fit(*import, type) || (preview0 && !import->preview0)) return std::nullopt;
    auto binding = std::make_unique<Binding>(Binding{*this, *import, preview0 ? AbiVersion::preview0 : AbiVersion::preview1});
    const auto function = store.new_function(type, &Wasi::dispatch, binding.get());
    if (!function) return std::nullopt;
    bindings_.push_back(std::move(binding));
    return Extern(*function);
}

TrapCode Wasi::dispatch(CallContext& context, wasm::V128* values) {
    Binding& binding = host_data<Binding>(context);
    Wasi& wasi = binding.wasi;
    Store& store = store_of(context);
    const Memory* memory = memory_of(context);
    Call call{.context = *wasi.context_,
              .reactor = wasi.scheduler_->reactor(),
              .memory = memory != nullptr ? GuestMemory(memory->bytes()) : GuestMemory(),
              .interrupt = &store.interrupt_flag(),
              .abi = binding.abi};

    CallStats* const stats = wasi.context_->config().call_stats;
    const std::uint64_t begun = stats != nullptr ? monotonic_now() : 0;
    Status status = Errno::success;
    if (wasi.trace_ && wasi.trace_->shows(binding.import)) [[unlikely]] {
        TracedCall traced(*wasi.trace_, binding.import, call, values);
        call.reactor.observe(&traced);
        status = binding.import.invoke(call, values);
        call.reactor.observe(nullptr);
        traced.ends(status);
    } else {
        status = binding.import.invoke(call, values);
    }
    ++wasi.calls_;
    if (stats != nullptr) [[unlikely]]
        stats->count(binding.import, status, monotonic_now() - begun);

    if (status.trap() == TrapCode::none) {
        if (binding.import.returns_errno) values[0] = {static_cast<std::uint64_t>(status.error()), 0};
        return TrapCode::none;
    }
    if (status.trap() == TrapCode::host_exit) {
        wasi.threads_->end(TrapCode::host_exit, &store);
        return store.set_exit(wasi.exit_code().value_or(0));
    }
    const TrapCode reason = store.interrupted();
    return reason != TrapCode::none ? reason : status.trap();
}

Func initializer(Instance& instance) { return instance.find_function("_start") ? Func() : instance.find_function("_initialize"); }

}  // namespace pollux::wasi
