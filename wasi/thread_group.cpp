#include "wasi/thread_group.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/base/syscall.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/linker.h"
#include "jit/runtime/store.h"
#include "jit/runtime/trap.h"
#include "wasi/wasi.h"

namespace pollux::wasi {
namespace {

constexpr std::string_view kStartFunction = "wasi_thread_start";
/// The proposal's numbers have 29 bits.
constexpr std::uint32_t kMaxNumber = 0x1fff'ffff;
constexpr std::int32_t kFailed = -1;

/// Groups with threads that still run when the process ends: they must not run on while it is taken apart.
std::mutex live_mutex;
std::vector<std::weak_ptr<ThreadGroup>> live;

void end_live_groups() {
    std::vector<std::weak_ptr<ThreadGroup>> groups;
    {
        const std::scoped_lock lock(live_mutex);
        groups.swap(live);
    }
    for (const auto& weak : groups) {
        if (const auto group = weak.lock()) group->end_others_and_wait();
    }
}

bool is_shared(const wasm::MemoryType& memory) { return memory.limits.shared; }

bool defines_shared_memory(const wasm::Module& module) {
    return std::any_of(module.memories.begin() + module.imported_memories, module.memories.end(), &is_shared);
}

/// A new thread's instance of a library: a reactor is initialised, unless its state lies in memory that the first thread's instance has
/// initialised.
std::expected<Instance*, InstantiationError> instantiate_library(Linker& linker, const std::shared_ptr<const CompiledModule>& library) {
    auto instance = linker.instantiate(library);
    if (!instance || std::ranges::any_of(library->module().memories, &is_shared)) return instance;
    const Func initialize = initializer(**instance);
    if (!initialize) return instance;
    if (CallResult called = initialize.call({}, {}); !called) return std::unexpected(InstantiationError{{}, std::move(called.error())});
    return instance;
}

void end_with_process(const std::shared_ptr<ThreadGroup>& group) {
    static const bool registered = std::atexit(&end_live_groups) == 0;
    static_cast<void>(registered);
    const std::scoped_lock lock(live_mutex);
    std::erase_if(live, [](const auto& weak) { return weak.expired(); });
    live.push_back(group);
}

}  // namespace

/// What a new thread is given.
struct ThreadGroup::Start {
    std::shared_ptr<ThreadGroup> group;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<const CompiledModule> module;
    std::map<std::pair<std::string_view, std::string_view>, std::shared_ptr<Memory>> memories;  ///< the imported ones
    Libraries libraries;  ///< what the module may import from
    StoreOptions options;
    std::uint32_t number = 0;
    std::uint32_t argument = 0;
    std::promise<bool> begun;  ///< whether it has all that a thread needs: a scheduler, a store, a stack
};

ThreadGroup::~ThreadGroup() = default;

std::int32_t ThreadGroup::spawn(Instance& caller, std::uint32_t argument) {
    const wasm::Module& module = caller.module();
    const wasm::Export* start_function = module.find_export(kStartFunction);
    if (start_function == nullptr || start_function->kind != wasm::ExternKind::func) return kFailed;
    auto start = std::make_unique<Start>();
    for (const wasm::Import& import : module.imports) {
        if (import.kind == wasm::ExternKind::func) continue;  // those that a thread cannot have are named when it is instantiated
        if (import.kind == wasm::ExternKind::memory && is_shared(module.memories[import.index])) {
            start->memories.emplace(std::pair(std::string_view(import.module), std::string_view(import.name)),
                                    caller.shared_memory(import.index));
        } else if (std::ranges::none_of(libraries_, [&](const auto& library) { return library.first == import.module; })) {
            return kFailed;
        }
    }
    start->group = shared_from_this();
    start->engine = caller.store().shared_engine();
    start->module = caller.shared_compiled();
    for (const auto& library : libraries_) {
        if (library.second == start->module) break;
        if (!defines_shared_memory(library.second->module())) start->libraries.push_back(library);
    }
    start->options = caller.store().options();
    start->argument = argument;
    bool is_first_thread = false;
    {
        const std::scoped_lock lock(mutex_);
        if (alive_ >= kMaxThreads || next_number_ > kMaxNumber || end_code_ != TrapCode::none) return kFailed;
        start->number = next_number_++;
        is_first_thread = alive_++ == 0;
    }
    if (is_first_thread) end_with_process(start->group);
    const auto number = static_cast<std::int32_t>(start->number);
    std::future<bool> begun = start->begun.get_future();
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, &ThreadGroup::run, start.get()) != 0) {
        const std::scoped_lock lock(mutex_);
        --alive_;
        return kFailed;
    }
    static_cast<void>(start.release());
    static_cast<void>(::pthread_detach(thread));
    return begun.get() ? number : kFailed;
}

void* ThreadGroup::run(void* start) {
    std::unique_ptr<Start> owned(static_cast<Start*>(start));
    const std::shared_ptr<ThreadGroup> group = owned->group;
    group->run_thread(*owned);
    owned.reset();  // before others hear that the thread has ended: they may take down the engine, or the process
    const std::scoped_lock lock(group->mutex_);
    --group->alive_;
    group->ended_.notify_all();
    return nullptr;
}

void ThreadGroup::run_thread(Start& start) {
    const auto failed = [&](const std::string& why) {
        report(start.number, why);
        end(TrapCode::host_error, nullptr);
    };
    // What this thread ends by ends all, unless it was told to end.
    const auto trapped = [&](const Trap& trap, const Store& store) {
        const std::scoped_lock lock(mutex_);
        if (end_code_ != TrapCode::none) return;
        if (trap.code != TrapCode::host_exit) thread_trap_ = {start.number, trap};
        end_code_ = trap.code;
        interrupt_all(&store);
    };
    auto scheduler = FiberScheduler::create();
    if (!scheduler) return start.begun.set_value(false);
    auto created = Store::create(start.engine, start.options);
    if (!created) return start.begun.set_value(false);
    Store& store = **created;
    Wasi wasi(context_, *scheduler, shared_from_this());
    store.set_scheduler(scheduler->get());
    {
        const std::scoped_lock lock(mutex_);
        stores_.insert(&store);
        if (end_code_ != TrapCode::none) store.interrupt(end_code_);
    }
    const auto ran = store.run_on_fiber([&] {
        start.begun.set_value(true);
        const auto not_instantiated = [&](const InstantiationError& error) {
            if (error.trap) return trapped(*error.trap, store);
            failed(error.error.message + (error.error.kind == ErrorKind::link ? ", which may exist in the first thread only" : ""));
        };
        Linker linker(store);
        linker.set_resolver([&](Store& of, const wasm::Module& module, const wasm::Import& import) -> std::optional<Extern> {
            if (import.kind != wasm::ExternKind::memory) return wasi.resolve(of, module, import);
            const auto memory = start.memories.find({import.module, import.name});
            return memory != start.memories.end() ? std::optional<Extern>(memory->second) : std::nullopt;
        });
        for (const auto& [name, library] : start.libraries) {
            const auto instance = instantiate_library(linker, library);
            if (instance) {
                linker.define_instance(name, **instance);
            } else if (instance.error().trap || instance.error().error.kind != ErrorKind::link) {
                return not_instantiated(instance.error());
            }  // else what it lacks exists in the first thread only; it is missed below if the module imports from it
        }
        const auto instance = linker.instantiate(start.module);
        if (!instance) return not_instantiated(instance.error());
        const Func function = (*instance)->find_function(kStartFunction);
        const std::array arguments = {Value::i32(static_cast<std::int32_t>(start.number)),
                                      Value::i32(static_cast<std::int32_t>(start.argument))};
        const CallResult result = function.call(arguments, {});
        if (!result) trapped(result.error(), store);
    });
    if (!ran) start.begun.set_value(false);
    const std::scoped_lock lock(mutex_);
    stores_.erase(&store);
}

void ThreadGroup::set_first(Store* store) noexcept {
    const std::scoped_lock lock(mutex_);
    first_ = store;
}

void ThreadGroup::end(TrapCode code, const Store* except) noexcept {
    const std::scoped_lock lock(mutex_);
    if (end_code_ != TrapCode::none) return;
    end_code_ = code;
    interrupt_all(except);
}

void ThreadGroup::interrupt_all(const Store* except) noexcept {
    for (Store* store : stores_) {
        if (store != except) store->interrupt(end_code_);
    }
    // Without threads, the first store is nobody's business but its own; it may not even exist any more.
    if (first_ != nullptr && first_ != except && alive_ > 0) first_->interrupt(end_code_);
}

void ThreadGroup::end_others_and_wait() noexcept {
    std::unique_lock lock(mutex_);
    if (alive_ == 0) return;
    first_ = nullptr;
    if (end_code_ == TrapCode::none) {
        end_code_ = TrapCode::host_exit;
        interrupt_all(nullptr);
    }
    ended_.wait(lock, [this] { return alive_ == 0; });
}

std::optional<ThreadTrap> ThreadGroup::thread_trap() const {
    const std::scoped_lock lock(mutex_);
    return thread_trap_;
}

void ThreadGroup::report(std::uint32_t number, const std::string& what) const noexcept {
    if (context_->config().notice_fd < 0) return;
    const std::string line = "pollux: thread " + std::to_string(number) + ": " + what + "\n";
    sys::write_message(context_->config().notice_fd, line);
}

}  // namespace pollux::wasi
