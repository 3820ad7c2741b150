#include "tools/pollux/serve_options.h"

#include <array>
#include <string_view>

namespace pollux::cli {
namespace {

/// Of calls in machine code; a guest's C stack is in its memory.
constexpr std::uint64_t kDefaultStack = 256 * 1024;

std::vector<CommandOption> own_options(ServeOptions& options) {
    return {
        {"--listen", "ADDRESS", "serve connections to host:port, :port or unix:PATH; may be given several times",
         [&options](std::string_view value) { return options.listen.emplace_back(value), !value.empty(); }},
        {"--max-guests", "N", "at most so many at a time; further connections wait. Default: as many as the system has room for",
         [&options](std::string_view value) {
             options.max_guests = parse_number(value);
             return options.max_guests.value_or(0) > 0;
         }},
        {"--idle-timeout", "TIME", "end a guest when no byte has passed its connection for so long",
         [&options](std::string_view value) {
             options.idle_timeout = parse_duration(value);
             return options.idle_timeout.value_or(0) > 0;
         }},
        {"--timeout", "TIME", "end each guest so long after its connection was accepted",
         [&options](std::string_view value) {
             options.guest.timeout = parse_duration(value);
             return options.guest.timeout.has_value();
         }},
        {"--max-memory", "SIZE", "memory of a guest; memory.grow beyond this fails",
         [&options](std::string_view value) {
             options.guest.max_memory_size = parse_size(value);
             return options.guest.max_memory_size.has_value();
         }},
        {"--grace", "TIME", "after SIGTERM or SIGINT, let guests run on for so long; default: 10s",
         [&options](std::string_view value) {
             const auto grace = parse_duration(value);
             options.grace = grace.value_or(0);
             return grace.has_value();
         }},
    };
}

std::unexpected<Error> usage(std::string message) { return fail(ErrorKind::usage, std::move(message)); }

}  // namespace

Result<ServeOptions> parse_serve_options(std::span<const char* const> words) {
    ServeOptions options;
    auto run = parse_run_options(words, "serve", own_options(options));
    if (!run) return std::unexpected(std::move(run.error()));
    // Both know these two: the one that was given.
    if (!run->timeout) run->timeout = options.guest.timeout;
    if (!run->max_memory_size) run->max_memory_size = options.guest.max_memory_size;
    options.guest = *std::move(run);
    if (options.guest.help) return options;

    const auto refuse = [](std::string_view option, std::string_view why) {
        return usage("serve: " + std::string(option) + " is not possible here: " + std::string(why));
    };
    if (options.listen.empty()) return usage("serve: no address to listen at; give --listen=ADDRESS");
    if (options.guest.invoke) return refuse("--invoke", "a guest is a program with _start");
    if (!options.guest.preloads.empty()) return refuse("--preload", "a guest is one module");
    if (options.guest.terminal != TerminalMode::keep) return refuse("--tty", "a guest has no terminal");
    if (options.guest.standard_input == StandardInput::inherit) return refuse("--stdin=inherit", "a guest's input is its connection");
    if (!options.guest.max_wasm_stack) options.guest.max_wasm_stack = kDefaultStack;
    // Compiled once, for all guests.
    if (options.guest.compile_mode == CompileMode::automatic) options.guest.compile_mode = CompileMode::eager;
    return options;
}

std::string serve_help() {
    ServeOptions unused;
    return "usage: pollux serve --listen=ADDRESS [OPTIONS] FILE [ARGS...]\n"
           "\n"
           "Serves each connection with a fresh instance of the program, whose standard input and output are the connection, as inetd\n"
           "does. All guests run on one thread, and take turns: one that computes without end is interrupted by a timer. The program is\n"
           "compiled once. A guest's standard error is ours. What ends a guest other than its own exit is reported with the address of\n"
           "its peer, and harms no other guest.\n"
           "\n"
           "options:\n" +
           option_lines(own_options(unused)) +
           "\n"
           "and for each guest, as in pollux run --help: --dir, --dir-ro, --env, --argv0, --connect, --allow-net, --allow-dns, --fuel,\n"
           "--stdin=block|nonblock|null|FILE, --on-broken-pipe, --trace, --hostcall-stats (of all together, at the end), -W, -S, -O, -C,\n"
           "-D. Here max-wasm-stack of -W is 256KiB by default.\n"
           "\n"
           "SIGTERM and SIGINT: no connection is accepted any more, the guests have the time of --grace to end, the rest is ended; exit\n"
           "status 0. A second signal ends everything at once.\n"
           "\n"
           "At a limit (--max-guests, descriptors, memory mappings) new connections wait until a guest ends; a message names the limit.\n"
           "Descriptors: the hard limit is used (ulimit -Hn). Mappings: a guest needs 4 (sysctl vm.max_map_count).\n"
           "\n"
           "examples:\n"
           "  pollux serve --listen=:7000 cat.wasm\n"
           "  pollux serve --listen=unix:/run/app.sock --max-guests=100 --idle-timeout=5m --max-memory=64M app.wasm --verbose\n";
}

}  // namespace pollux::cli
