#include "jit/runtime/module_builder.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>

#include "jit/base/syscall.h"
#include "jit/base/tuning.h"
#include "jit/base/unique_fd.h"
#include "jit/runtime/function_emitter.h"
#include "jit/wasm/decoder.h"
#include "jit/wasm/validate.h"

namespace pollux {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

std::uint64_t now_ns() noexcept {
    timespec time{};
    static_cast<void>(::clock_gettime(CLOCK_MONOTONIC, &time));
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// Functions that follow each other in the code section.
struct Batch {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    const std::uint8_t* module_bytes = nullptr;  ///< byte 0 of the module
};

}  // namespace

struct ModuleBuilder::State final : wasm::ModuleConsumer {
    /// What a thread that compiles or validates needs of its own.
    struct Worker {
        State* state = nullptr;
        pthread_t thread{};
        std::unique_ptr<FunctionEmitter> emitter;
        wasm::FunctionPassState validation;
        ScratchVector<CallTarget> calls;     ///< of a function, to others that are compiled
        std::vector<CallTarget> open_calls;  ///< to functions that were not: `target` is the function's index
        std::uint32_t functions = 0;
    };

    std::shared_ptr<Engine> engine;
    std::shared_ptr<CompiledModule> result;
    std::uint64_t start_ns = now_ns();
    std::size_t known_bytes = 0;        ///< the module's size, if it is all there
    bool lazy = false;
    std::unique_ptr<wasm::Decoder> decoder;
    const wasm::Module* module = nullptr;
    Batch batch;                        ///< being filled
    std::size_t batch_bytes = 0;
    std::size_t queued_bytes = 0;
    Worker own;                         ///< the feeding thread's
    std::vector<std::unique_ptr<Worker>> workers;

    std::mutex mutex;                   ///< of all below
    std::condition_variable changed;
    std::deque<Batch> queue;
    bool closed = false;
    std::optional<Error> error;         ///< of the lowest function that failed so far:
    std::atomic<std::uint32_t> failed_function{~std::uint32_t{0}};
    std::atomic<std::uint64_t> first_function_ns{0};
    std::atomic<std::uint64_t> last_function_ns{0};

    explicit State(std::shared_ptr<Engine> shared_engine) : engine(std::move(shared_engine)) {
        result = std::shared_ptr<CompiledModule>(new CompiledModule(engine));
        own.state = this;
    }
    ~State() override { join(true); }

    [[nodiscard]] std::uint64_t elapsed() const noexcept { return std::max<std::uint64_t>(now_ns() - start_ns, 1); }

    // --- the decoder's side ------------------------------------------------------------------------------------------

    Result<> on_header_complete(const std::shared_ptr<const wasm::Module>& decoded) override {
        module = decoded.get();
        result->module_ = decoded;
        const CompileMode mode = engine->options().mode;
        lazy = mode == CompileMode::lazy || (mode == CompileMode::automatic && known_bytes >= tuning.lazy_from_bytes);
        return result->prepare(known_bytes, lazy);
    }

    Result<> on_function(std::uint32_t function, std::span<const std::uint8_t> body) override {
        if (engine->threads() == 1) return run_at_once(function, body);
        if (batch.first == batch.end) batch = {function, function, body.data() - module->functions[function].body_offset};
        batch.end = function + 1;
        batch_bytes += body.size();
        if (batch_bytes >= tuning.compile_batch_bytes) return hand_over();
        return {};
    }

    Result<> on_end() override {
        if (batch.first != batch.end) return hand_over();
        return {};
    }

    /// Without other threads, the work is done right here, while the cache has the body's bytes.
    Result<> run_at_once(std::uint32_t function, std::span<const std::uint8_t> body) {
        if (!run(own, function, body)) return std::unexpected(*error);
        if (function + 1 == module->functions.size()) last_function_ns.store(elapsed(), std::memory_order_relaxed);
        return {};
    }

    /// Queues the batch; starts a thread if there is work for one more.
    Result<> hand_over() {
        const Batch full = std::exchange(batch, {});
        queued_bytes += std::exchange(batch_bytes, 0);
        const std::size_t most_threads = engine->threads();
        const bool stream = known_bytes == 0;
        {
            const std::scoped_lock lock(mutex);
            if (error) return std::unexpected(*error);
            queue.push_back(full);
        }
        // The feeding thread helps once all is decoded, so a module that is all there needs a thread less.
        const std::size_t useful = stream ? most_threads : std::min(most_threads, known_bytes / tuning.bytes_per_thread + 1);
        if (workers.size() + 1 < useful && queued_bytes >= workers.size() * tuning.bytes_per_thread) start_worker();
        changed.notify_one();
        return {};
    }

    void start_worker() {
        auto worker = std::make_unique<Worker>();
        worker->state = this;
        const auto main = [](void* argument) -> void* {
            auto& self = *static_cast<Worker*>(argument);
            self.state->work(self, true);
            return nullptr;
        };
        // A thread that cannot be had is no error: there is always the feeding one.
        if (::pthread_create(&worker->thread, nullptr, main, worker.get()) == 0) workers.push_back(std::move(worker));
    }

    // --- the compiling side ---------------------------------------------------------------------------------------------

    /// Takes batches until there are none; `wait`: until the queue is closed.
    void work(Worker& worker, bool wait) {
        for (;;) {
            Batch next;
            {
                std::unique_lock lock(mutex);
                while (queue.empty() && wait && !closed) changed.wait(lock);
                if (queue.empty()) return;
                next = queue.front();
                queue.pop_front();
            }
            run(worker, next);
        }
    }

    void run(Worker& worker, const Batch& work) {
        for (std::uint32_t function = work.first; function < work.end; ++function) {
            // All functions before the first that failed are looked at, so that the error does not depend on timing.
            if (function > failed_function.load(std::memory_order_relaxed)) return;
            const wasm::Function& entry = module->functions[function];
            if (!run(worker, function, {work.module_bytes + entry.body_offset, entry.body_size})) return;
        }
        last_function_ns.store(elapsed(), std::memory_order_relaxed);
    }

    /// Compiles or validates a function; false if it failed.
    bool run(Worker& worker, std::uint32_t function, std::span<const std::uint8_t> body) {
        Result<> done = lazy ? wasm::validate_function(*module, engine->options().features, worker.validation, function, body)
                             : compile(worker, function, body);
        ++worker.functions;
        std::uint64_t never = 0;
        if (first_function_ns.load(std::memory_order_relaxed) == 0) first_function_ns.compare_exchange_strong(never, elapsed());
        if (done) return true;
        const std::scoped_lock lock(mutex);
        if (function < failed_function.load(std::memory_order_relaxed)) {
            failed_function.store(function, std::memory_order_relaxed);
            error = std::move(done.error());
        }
        return false;
    }

    Result<> compile(Worker& worker, std::uint32_t function, std::span<const std::uint8_t> body) {
        CompiledModule& out = *result;
        if (!worker.emitter) worker.emitter = std::make_unique<FunctionEmitter>(engine->backend(), out.code_memory_, out.code_map_);
        auto code = worker.emitter->emit(out.environment_, function, body);
        if (!code) return std::unexpected(std::move(code.error()));
        const auto offset = static_cast<std::uint32_t>(code->execute - out.code_memory_.begin());
        out.code_offsets_[function - module->imported_functions].store(offset, std::memory_order_relaxed);
        if (out.environment_.calls == CallMode::table)
            out.table_entry(function).store(reinterpret_cast<const void*>(code->execute), std::memory_order_release);
        FunctionOutput& output = worker.emitter->output();
        worker.calls.clear();
        for (const Relocation& relocation : output.relocations) {
            const std::uint32_t callee = code_offset(relocation.function);
            if (callee == 0) {
                worker.open_calls.push_back({offset + relocation.offset, relocation.function});
            } else {
                worker.calls.push_back({offset + relocation.offset, callee});
            }
        }
        relocate(worker.calls);
        if (!output.not_compiled.empty()) out.add_not_compiled(function, std::move(output.not_compiled));
        return {};
    }

    /// Of a function's code in the region; 0 if it is not compiled yet.
    [[nodiscard]] std::uint32_t code_offset(std::uint32_t function) const noexcept {
        return result->code_offsets_[function - module->imported_functions].load(std::memory_order_relaxed);
    }

    void relocate(std::span<const CallTarget> calls) const {
        const CodeMemory& memory = result->code_memory_;
        engine->backend().relocate(memory.writable(memory.begin()), calls);
    }

    void finish_code(Worker& worker) const {
        if (worker.emitter) worker.emitter->finish();
        for (CallTarget& call : worker.open_calls) call.target = code_offset(call.target);
        relocate(worker.open_calls);
    }

    void join(bool drop_queue) {
        {
            const std::scoped_lock lock(mutex);
            closed = true;
            if (drop_queue) queue.clear();
        }
        changed.notify_all();
        for (const auto& worker : workers) {
            if (worker->thread != pthread_t{}) static_cast<void>(::pthread_join(worker->thread, nullptr));
            worker->thread = {};
        }
    }

    // --- the end ----------------------------------------------------------------------------------------------------------

    Result<std::shared_ptr<CompiledModule>> finish(Result<> decoded) {
        CompiledModule& out = *result;
        out.times_.last_byte = elapsed();
        work(own, false);
        if (batch.first != batch.end) run(own, std::exchange(batch, {}));  // decoding failed before the batch was full
        join(false);
        // A body's error comes before any error of what follows the code section.
        if (error) return std::unexpected(std::move(*error));
        if (!decoded) return std::unexpected(std::move(decoded.error()));
        if (out.file_changed()) return fail(ErrorKind::io, "the module's file was cut off while it was read");
        if (!lazy) {
            finish_code(own);
            for (const auto& worker : workers) finish_code(*worker);
            if (auto sealed = out.code_memory_.seal(engine->runs_here()); !sealed) return std::unexpected(std::move(sealed.error()));
            CodeMemory::publish(engine->backend(), out.code_memory_.begin(), out.code_memory_.used());
        }
        BuildTimes& times = out.times_;
        times.first_function = first_function_ns.load();
        times.last_function = last_function_ns.load();
        times.functions = own.functions;
        times.threads = own.functions != 0 ? 1 : 0;
        for (const auto& worker : workers) {
            times.functions += worker->functions;
            times.threads += worker->functions != 0 ? 1U : 0U;
        }
        times.not_compiled = static_cast<std::uint32_t>(out.not_compiled_.size());
        times.wasm_bytes = module->bytes.size();
        times.code_bytes = out.code_memory_.used();
        times.map_bytes = out.code_map_.memory_bytes();
        times.published = elapsed();
        return std::move(result);
    }

    /// A module that is all there, at `bytes`, which `result` keeps alive.
    Result<std::shared_ptr<CompiledModule>> build_whole(std::span<const std::uint8_t> bytes) {
        known_bytes = std::max<std::size_t>(bytes.size(), 1);
        result->times_.first_byte = elapsed();
        auto decoded = wasm::Decoder::decode_whole(bytes, engine->options().features, *this);
        return finish(decoded ? Result<>{} : std::unexpected(std::move(decoded.error())));
    }
};

ModuleBuilder::ModuleBuilder(std::shared_ptr<Engine> engine) : state_(std::make_unique<State>(std::move(engine))) {
    state_->decoder = std::make_unique<wasm::Decoder>(state_->engine->options().features, *state_);
}

ModuleBuilder::~ModuleBuilder() = default;

Result<> ModuleBuilder::feed(std::span<const std::uint8_t> chunk) {
    if (state_->result->times_.first_byte == 0) state_->result->times_.first_byte = state_->elapsed();
    return state_->decoder->feed(chunk);
}

Result<std::shared_ptr<CompiledModule>> ModuleBuilder::finish() {
    Result<> decoded = state_->decoder->finish();
    return state_->finish(std::move(decoded));
}

Result<std::shared_ptr<CompiledModule>> ModuleBuilder::from_bytes(const std::shared_ptr<Engine>& engine,
                                                                  std::span<const std::uint8_t> bytes) {
    return from_bytes(engine, std::vector(bytes.begin(), bytes.end()));
}

Result<std::shared_ptr<CompiledModule>> ModuleBuilder::from_bytes(const std::shared_ptr<Engine>& engine,
                                                                  std::vector<std::uint8_t>&& bytes) {
    State state(engine);
    state.result->owned_bytes_ = std::move(bytes);
    return state.build_whole(state.result->owned_bytes_);
}

Result<std::shared_ptr<CompiledModule>> ModuleBuilder::from_file(const std::shared_ptr<Engine>& engine, const std::string& path) {
    const UniqueFd fd(sys::call_again<sys::Call::open>([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
    if (!fd) return fail(ErrorKind::io, "cannot open " + path + ": " + sys::error_text(errno));
    return from_descriptor(engine, fd.get(), path);
}

Result<std::shared_ptr<CompiledModule>> ModuleBuilder::from_descriptor(const std::shared_ptr<Engine>& engine, int fd,
                                                                       const std::string& name) {
    const auto add_name = [&](Result<std::shared_ptr<CompiledModule>> built) -> Result<std::shared_ptr<CompiledModule>> {
        if (built) (*built)->file_name_ = name.substr(name.rfind('/') + 1);
        return built;
    };
    struct stat status{};
    if (sys::call<sys::Call::fstat>([&] { return ::fstat(fd, &status); }) != 0)
        return fail(ErrorKind::io, "cannot read " + name + ": " + sys::error_text(errno));
    if (S_ISDIR(status.st_mode)) return fail(ErrorKind::io, "cannot read " + name + ": it is a directory");
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
        const auto size = static_cast<std::size_t>(status.st_size);
        if (auto file = Mapping::file(fd, size, PROT_READ, MAP_PRIVATE, "the module's file")) {
            State state(engine);
            CompiledModule& out = *state.result;
            out.file_ = std::move(*file);
            out.file_region_.register_region(
                {out.file_.address(), out.file_.address() + out.file_.size(), nullptr, nullptr, &out.file_changed_, 0});
            return add_name(state.build_whole({out.file_.data(), size}));
        }
    }
    ModuleBuilder builder(engine);
    const auto buffer = std::make_unique<std::uint8_t[]>(kReadBytes);
    for (;;) {
        const ssize_t got = sys::call_again<sys::Call::read>(
            [&] { return ::read(fd, buffer.get(), std::min(kReadBytes, sys::transfer_limit(sys::Call::read, fd))); });
        if (got < 0) return fail(ErrorKind::io, "cannot read " + name + ": " + sys::error_text(errno));
        if (got == 0) break;
        if (auto fed = builder.feed({buffer.get(), static_cast<std::size_t>(got)}); !fed) break;  // finish() tells the first error
    }
    return add_name(builder.finish());
}

}  // namespace pollux
