// pollux: the command line. Picks the command; each is in a file of its own.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/base/syscall.h"
#include "tools/pollux/compile.h"
#include "tools/pollux/objdump.h"
#include "tools/pollux/report.h"
#include "tools/pollux/run.h"
#include "tools/pollux/serve.h"
#include "tools/pollux/validate.h"
#include "wasi/socket_address.h"
#include "wasi/wasi.h"

namespace pollux::cli {
namespace {

constexpr const char* kHelp =
    "usage: pollux [run] [OPTIONS] FILE [ARGS...]   run a WebAssembly program (run may be left out)\n"
    "       pollux serve --listen=ADDRESS [OPTIONS] FILE   run a program for each connection\n"
    "       pollux validate FILE...                 check modules\n"
    "       pollux compile FILE                     write a module's machine code to a file, for run --precompiled\n"
    "       pollux objdump FILE                     show the machine code of a module's functions\n"
    "       pollux COMMAND --help                   what a command can do, all its options\n"
    "       pollux --version\n"
    "\n"
    "Pollux compiles each function in one pass to machine code and serves WASI preview 1 from one event loop: non-blocking standard\n"
    "input, polling, terminals and sockets work as programs expect of POSIX.\n";

#ifdef POLLUX_OBJDUMP_PROGRAM
/// Becomes the program of that name in this one's folder.
int objdump_program(std::span<const char* const> words) {
    std::array<char, PATH_MAX> self{};
    const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
    std::string program(self.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    program.replace(program.rfind('/') + 1, std::string::npos, POLLUX_OBJDUMP_PROGRAM);
    std::vector<char*> arguments = {const_cast<char*>(POLLUX_OBJDUMP_PROGRAM)};
    for (const char* word : words) arguments.push_back(const_cast<char*>(word));
    arguments.push_back(nullptr);
    ::execv(program.c_str(), arguments.data());
    return report(Error{ErrorKind::io, "cannot start " + program + ": " + sys::error_text(errno)});
}
#else
constexpr auto objdump_program = objdump_command;
#endif

struct Command {
    std::string_view name;
    int (*run)(std::span<const char* const> words);
};

constexpr Command kCommands[] = {
    {"run", run_command},         {"serve", serve_command},     {"validate", validate_command},
    {"compile", compile_command}, {"objdump", objdump_program},
};

int dispatch(std::span<const char* const> words) {
    if (words.empty()) {
        std::fputs(kHelp, stderr);
        return kExitUsage;
    }
    const std::string_view first = words[0];
    if (first == "--help" || first == "-h" || first == "help") {
        std::fputs(kHelp, stdout);
        return 0;
    }
    if (first == "--version" || first == "-V") {
        std::puts("pollux " POLLUX_VERSION);
        return 0;
    }
    for (const Command& command : kCommands) {
        if (command.name == first) return command.run(words.subspan(1));
    }
    return run_command(words);
}

}  // namespace
}  // namespace pollux::cli

int main(int argc, char** argv) {
    pollux::wasi::reserve_standard_streams();
    // Programs learn of a broken pipe as EPIPE.
    std::signal(SIGPIPE, SIG_IGN);
    // A sleep may be longer by 1 ns instead of 50 us. Where the kernel does not know this, sleeps are as they were.
    static_cast<void>(::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL));
#ifdef POLLUX_OBJDUMP_PROGRAM
    pollux::wasi::built_in_name_services_only = true;
#endif
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    return pollux::cli::dispatch(words.subspan(argc > 0 ? 1 : 0));
}
