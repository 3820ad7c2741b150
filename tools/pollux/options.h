// The options of `pollux run`, as a plain structure, and their parser.
//
// In: the words of a command line. Out: RunOptions, or an Error of kind usage that names the word that is wrong.
// The parser stops at the first word that is not an option: that is the module, and all that follows belongs to the program.
// (CLI11 was measured: 160 µs of start-up for its streams and strings, a quarter of an empty process, and it does not stop there.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/base/error.h"
#include "jit/runtime/engine.h"
#include "jit/wasm/features.h"

namespace pollux::cli {

struct Directory {
    std::string host;
    std::string guest;
    bool read_only = false;
};

/// block, nonblock, inherit: the process's own; for the program it starts out blocking, non-blocking, or as the host's descriptor is.
enum class StandardInput : std::uint8_t { block, nonblock, inherit, null, file };
/// keep: as it is; cooked: lines, with echo; cbreak: each byte at once, without echo; raw: likewise, and ^C and ^Z are bytes, too.
enum class TerminalMode : std::uint8_t { keep, cooked, cbreak, raw };

struct RunOptions {
    std::string file;                    ///< the module; "-" is standard input
    std::vector<std::string> arguments;  ///< the program's, after argv[0]

    std::vector<Directory> directories;
    std::vector<std::pair<std::string, std::string>> environment;
    bool inherit_environment = false;
    std::optional<std::string> argv0;
    std::optional<std::string> invoke;
    std::vector<std::pair<std::string, std::string>> preloads;  ///< import module name, file

    std::vector<std::string> listen;     ///< addresses
    std::vector<std::string> connect;    ///< addresses
    std::vector<std::string> allow_net;  ///< rules
    std::vector<std::string> allow_dns;  ///< host names

    StandardInput standard_input = StandardInput::block;
    std::string standard_input_file;
    TerminalMode terminal = TerminalMode::keep;
    bool exit_on_broken_pipe = false;

    std::optional<std::uint64_t> timeout;          ///< nanoseconds
    std::optional<std::uint64_t> fuel;
    std::optional<std::uint64_t> max_wasm_stack;   ///< bytes
    std::optional<std::uint64_t> max_memory_size;  ///< bytes, of all memories together
    std::optional<std::uint64_t> max_table_elements;
    std::optional<std::uint64_t> max_gc_heap_size;  ///< bytes
    bool gc_stress = false;

    wasm::FeatureSet features = wasm::FeatureSet::defaults();
    bool relaxed_simd_deterministic = false;
    bool precompiled = false;                      ///< the file is native code, from `pollux compile`
    CompileMode compile_mode = CompileMode::automatic;
    std::uint32_t compile_threads = 0;             ///< 0: one per processor
    bool explicit_bounds = false;
    std::optional<std::uint64_t> memory_reservation;  ///< bytes
    std::uint32_t max_backtrace = 20;              ///< frames printed

    bool timings = false;                ///< print when the module arrived and was compiled, and what it took to run
    bool perf_map = false;
    std::uint8_t trace = 0;  ///< groups of calls (wasi/trace.h)
    bool hostcall_stats = false;         ///< print at the end what WASI calls were made
    bool help = false;
};

/// An option of another command that takes the options of `run`, too.
struct CommandOption {
    std::string_view name;   ///< with its dashes
    std::string_view value;  ///< what the value is called in the help
    std::string_view help;
    std::function<bool(std::string_view value)> apply;  ///< false: the value is wrong
};

/// Parses the words after `run`. With RunOptions::help set, the rest is not looked at. `command` and `more`: for a command that has further
/// options, which go before those of `run` with the same name.
[[nodiscard]] Result<RunOptions> parse_run_options(std::span<const char* const> words, std::string_view command = "run",
                                                   std::span<const CommandOption> more = {});
/// For commands that of these options take -W alone: if words[at] is that one, applies it and moves `at` to its last word. False: it is
/// not.
[[nodiscard]] Result<bool> parse_wasm_option(std::span<const char* const> words, std::size_t& at, RunOptions& options);
/// Its lines in a help text: the keys that are not limits of a running program, and the features.
[[nodiscard]] std::string wasm_option_help();
/// Their lines in a help text.
[[nodiscard]] std::string option_lines(std::span<const CommandOption> options);

/// `90`, `1.5s`, `200ms`, `10us`, `5m`, `1h` → nanoseconds; a plain number is seconds.
[[nodiscard]] std::optional<std::uint64_t> parse_duration(std::string_view text);
/// `65536`, `64k`, `64KiB`, `1M`, `4GiB` → bytes; all units are powers of 1024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// A decimal number that fits.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

/// The text of `pollux run --help`, with every option and key.
[[nodiscard]] std::string run_help();

}  // namespace pollux::cli
