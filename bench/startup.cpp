// The way to a program's first instruction: parts of it in this process, and whole processes beside the smallest possible one.
//
//   startup/engine             stubs emitted, signal handlers there already
//   startup/nop_in_process     engine, compilation, instance, run to proc_exit, all freed
//   startup/process/true       a process that does nothing (/bin/true): what the system takes for itself
//   startup/process/version    pollux, without running anything
//   startup/process/nop        pollux with a program that exits at once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/run_guest.h"
#include "wasi/wasi.h"

namespace pollux::bench {
namespace {

/// A program whose _start calls proc_exit(0).
Bytes nop_program() {
    GuestModule guest;
    const auto exit = guest.import_function(wasi::kPreview1Module, "proc_exit", guest.type({kI32}, {}));
    guest.memory(1);
    guest.export_memory();
    guest.export_function("_start", guest.function(guest.type({}, {}), {}, {kI32Const, 0, kCall, exit}));
    return guest.bytes();
}

void engine(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(need(Engine::create({.threads = 1})));
}

void nop_in_process(benchmark::State& state) {
    const Bytes bytes = nop_program();
    for (auto _ : state) {
        auto own_engine = need(Engine::create({.threads = 1}));
        auto module = need(ModuleBuilder::from_bytes(own_engine, bytes));
        const auto wasi = need(wasi::Wasi::create(wasi_config()));
        auto store = need(Store::create(own_engine));
        Linker linker(*store);
        wasi->define_imports(linker, *store);
        Instance& instance = *need(linker.instantiate(module));
        const auto ran = instance.find_function("_start").call();
        if (ran || ran.error().code != TrapCode::host_exit) {
            state.SkipWithError("the program did not exit");
            break;
        }
    }
}

/// Starts a program, its output thrown away, and waits for its end.
void process(benchmark::State& state, std::vector<std::string> words) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (auto _ : state) {
        pid_t child = 0;
        int status = -1;
        if (posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0 || waitpid(child, &status, 0) != child ||
            status != 0) {
            state.SkipWithError((words[0] + " did not run").c_str());
            break;
        }
    }
    posix_spawn_file_actions_destroy(&actions);
}

/// A file with a program, removed at the end.
class TemporaryFile {
public:
    explicit TemporaryFile(const Bytes& bytes) {
        const int fd = mkstemps(path_.data(), 5);
        if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
            throw std::runtime_error("cannot write " + path_);
        close(fd);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { unlink(path_.c_str()); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/pollux-bench-XXXXXX.wasm";
};

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    using namespace pollux::bench;
    using State = benchmark::State;
    const TemporaryFile nop(nop_program());
    const std::string pollux = POLLUX_BENCH_PROGRAM;
    add("startup/engine", engine)->Unit(benchmark::kMicrosecond);
    add("startup/nop_in_process", nop_in_process)->Unit(benchmark::kMicrosecond);
    const auto add_process = [](const std::string& name, const std::vector<std::string>& words) {
        add("startup/process/" + name, [words](State& state) { process(state, words); })->UseRealTime()->Unit(benchmark::kMicrosecond);
    };
    add_process("true", {"/bin/true"});
    add_process("version", {pollux, "--version"});
    add_process("nop", {pollux, "run", nop.path()});
    return run_all(argc, argv);
}
