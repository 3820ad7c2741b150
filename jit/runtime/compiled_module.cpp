#include "jit/runtime/compiled_module.h"

#include <algorithm>

#include "jit/base/tuning.h"
#include "jit/runtime/demangle.h"
#include "jit/runtime/function_emitter.h"

namespace pollux {
namespace {

constexpr std::size_t kMaxCodeBytes = std::size_t{3} << 29;        // 1.5 GiB: the rest of ±2 GiB is for the table
constexpr std::size_t kMaxBranchBytes = std::size_t{120} << 20;    // what `bl` of AArch64 reaches
constexpr std::size_t kReservedPerByte = 32;  // bytes of code for a byte of wasm: far more than seen, address space only
constexpr std::size_t kExpectedPerByte = 8;
constexpr std::size_t kLazyStubBytes = 32 * 1024;

}  // namespace

/// What lazy compilation works with, one thread at a time.
struct CompiledModule::LazyState {
    LazyState(const Backend& backend, CodeMemory& memory, CodeMap& map) : emitter(backend, memory, map) {}

    std::mutex mutex;
    FunctionEmitter emitter;
    Stubs stubs;  ///< near the thunks; only `lazy` of them is used
    std::uint64_t thunks = 0;  ///< of the first own function
    std::uint64_t thunks_end = 0;
};

CompiledModule::CompiledModule(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}

CompiledModule::~CompiledModule() = default;

Result<> CompiledModule::prepare(std::size_t known_bytes, bool lazy) {
    const std::size_t wasm_bytes = known_bytes != 0 ? known_bytes : tuning.stream_expected_bytes;
    const std::size_t functions = module_->functions.size() - module_->imported_functions;
    layout_ = InstanceLayout(*module_);
    environment_.module = module_.get();
    environment_.layout = &layout_;
    environment_.bounds = engine_->bounds();
    environment_.fuel = engine_->options().fuel;
    environment_.portable = engine_->options().portable;
    environment_.features = engine_->options().features;
    environment_.relaxed_simd_deterministic = engine_->options().relaxed_simd_deterministic;
    code_offsets_ = std::make_unique<std::atomic<std::uint32_t>[]>(functions);
    const std::size_t wanted = std::min(kMaxCodeBytes, wasm_bytes * kReservedPerByte + (std::size_t{1} << 20));
    if (lazy) return prepare_lazy(wanted);

    const bool short_branches = engine_->backend().name() == "aarch64";
    environment_.calls = short_branches && wasm_bytes * kExpectedPerByte > kMaxBranchBytes ? CallMode::table : CallMode::direct;
    const bool table = environment_.calls == CallMode::table;
    const std::size_t code_bytes = short_branches && !table ? std::min(wanted, kMaxBranchBytes) : wanted;
    auto reserved = code_memory_.reserve(CodeSharing::sealed, code_bytes, std::min(code_bytes, known_bytes * kExpectedPerByte),
                                         table ? module_->functions.size() * sizeof(void*) : 0, known_bytes >= tuning.huge_page_threshold,
                                         &engine_->code_pages());
    if (!reserved) return reserved;
    if (table) environment_.function_table = reinterpret_cast<std::uint64_t>(code_memory_.data());
    region_.register_region({code_memory_.begin(), code_memory_.end(), &code_map_, this, nullptr, code_memory_.begin()});
    return {};
}

Result<> CompiledModule::prepare_lazy(std::size_t code_bytes) {
    const Backend& backend = engine_->backend();
    const auto functions = static_cast<std::uint32_t>(module_->functions.size() - module_->imported_functions);
    const std::size_t thunk_bytes = functions * backend.thunk_bytes();
    environment_.calls = CallMode::table;
    if (auto done = code_memory_.reserve(CodeSharing::patchable, code_bytes + kLazyStubBytes + thunk_bytes,
                                         kLazyStubBytes + 2 * thunk_bytes + (std::size_t{1} << 20),
                                         module_->functions.size() * sizeof(void*), false);
        !done) {
        return done;
    }
    environment_.function_table = reinterpret_cast<std::uint64_t>(code_memory_.data());
    lazy_ = std::make_unique<LazyState>(backend, code_memory_, code_map_);
    auto buffer = code_memory_.take(kLazyStubBytes + thunk_bytes);
    if (!buffer) return std::unexpected(std::move(buffer.error()));
    const CodeBuffer thunks{buffer->write + kLazyStubBytes, buffer->capacity - kLazyStubBytes, buffer->execute + kLazyStubBytes};
    if (auto used = backend.emit_stubs({buffer->write, kLazyStubBytes, buffer->execute}, Engine::stub_targets(), lazy_->stubs); !used) {
        return std::unexpected(std::move(used.error()));
    }
    if (auto done = backend.emit_lazy_thunks(thunks, module_->imported_functions, functions, lazy_->stubs); !done) return done;
    CodeMemory::publish(backend, buffer->execute, kLazyStubBytes + thunk_bytes);
    lazy_->thunks = thunks.execute;
    lazy_->thunks_end = thunks.execute + thunk_bytes;
    for (std::uint32_t i = 0; i < functions; ++i) {
        table_entry(module_->imported_functions + i)
            .store(reinterpret_cast<const void*>(thunks.execute + i * backend.thunk_bytes()), std::memory_order_relaxed);
    }
    stub_region_.register_region({code_memory_.begin(), thunks.execute});
    region_.register_region({thunks.execute, code_memory_.end(), &code_map_, this, nullptr, code_memory_.begin()});
    return {};
}

bool CompiledModule::is_thunk(const void* code) const noexcept {
    const auto at = reinterpret_cast<std::uint64_t>(code);
    return lazy_ != nullptr && at >= lazy_->thunks && at < lazy_->thunks_end;
}

const void* CompiledModule::code(std::uint32_t function) const noexcept {
    if (environment_.calls == CallMode::table) return table_entry(function).load(std::memory_order_acquire);
    return reinterpret_cast<const void*>(code_memory_.begin() +
                                         code_offsets_[function - module_->imported_functions].load(std::memory_order_relaxed));
}

std::span<const std::uint8_t> CompiledModule::machine_code(std::uint32_t function) const noexcept {
    if (function < module_->imported_functions) return {};
    const void* at = code(function);
    PcInfo info;
    if (at == nullptr || is_thunk(at) ||
        !code_map_.find(static_cast<std::uint32_t>(reinterpret_cast<std::uint64_t>(at) - code_memory_.begin()), info))
        return {};
    return {static_cast<const std::uint8_t*>(at), info.function_bytes};
}

const void* CompiledModule::compile_lazily(std::uint32_t function, TrapCode& trap) const {
    const std::scoped_lock lock(lazy_->mutex);
    std::atomic<const void*>& entry = table_entry(function);
    if (const void* code = entry.load(std::memory_order_acquire); !is_thunk(code))
        return code;  // another thread's work, or an old reference
    auto code = lazy_->emitter.emit(environment_, function, module_->body(function));
    if (!code || file_changed()) {
        trap = !file_changed() && code.error().kind == ErrorKind::resource ? TrapCode::out_of_memory : TrapCode::file_changed;
        return nullptr;
    }
    if (FunctionOutput& output = lazy_->emitter.output(); !output.not_compiled.empty())
        add_not_compiled(function, std::move(output.not_compiled));
    CodeMemory::publish(engine_->backend(), code->execute, code->capacity);
    const auto* address = reinterpret_cast<const void*>(code->execute);
    entry.store(address, std::memory_order_release);
    return address;
}

void CompiledModule::add_not_compiled(std::uint32_t function, std::string feature) const {
    const std::scoped_lock lock(not_compiled_mutex_);
    not_compiled_.emplace_back(function, std::move(feature));
}

std::string CompiledModule::not_compiled(std::uint32_t function) const {
    const std::scoped_lock lock(not_compiled_mutex_);
    const auto at = std::ranges::find(not_compiled_, function, &std::pair<std::uint32_t, std::string>::first);
    return at != not_compiled_.end() ? at->second : std::string();
}

const wasm::NameSection& CompiledModule::names() const {
    std::call_once(names_once_, [this] { names_.emplace(*module_); });
    return *names_;
}

std::string CompiledModule::function_name(std::uint32_t function) const {
    if (const std::string_view name = names().function(function); !name.empty()) return demangle(name);
    for (const wasm::Export& item : module_->exports) {
        if (item.kind == wasm::ExternKind::func && item.index == function) return item.name;
    }
    if (function >= module_->imported_functions) return {};
    for (const wasm::Import& import : module_->imports) {
        if (import.kind == wasm::ExternKind::func && import.index == function) return import.module + "." + import.name;
    }
    return {};
}

std::string CompiledModule::name() const {
    if (const std::string_view name = names().module_name(); !name.empty()) return std::string(name);
    return file_name_;
}

}  // namespace pollux
