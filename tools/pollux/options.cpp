#include "tools/pollux/options.h"

#include <array>
#include <charconv>
#include <cmath>

#include "wasi/trace.h"

namespace pollux::cli {
namespace {

using Apply = bool (*)(RunOptions&, std::string_view value);

/// One option or one key of a group. `apply` returns false when the value is not one that `value` describes.
struct Option {
    std::string_view name;   ///< with its dashes; of a key: without
    std::string_view value;  ///< what the value is called in the help; empty: it takes none; [in brackets]: it may be left out
    std::string_view help;
    Apply apply;

    [[nodiscard]] bool value_is_optional() const noexcept { return value.starts_with('['); }
};

struct Group {
    std::string_view name;
    std::string_view title;
    std::span<const Option> keys;
};

template <class T>
bool store(std::optional<T>& target, std::optional<T> value) {
    target = value;
    return value.has_value();
}

std::optional<bool> parse_bool(std::string_view text) {
    if (text.empty() || text == "y" || text == "yes" || text == "true") return true;
    if (text == "n" || text == "no" || text == "false") return false;
    return std::nullopt;
}

bool set_flag(bool& target, std::string_view text, bool meaning_of_yes = true) {
    const auto value = parse_bool(text);
    if (value) target = *value == meaning_of_yes;
    return value.has_value();
}

/// Splits "A<separator>B"; without the separator B is absent.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view text, std::string_view separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return {text, std::nullopt};
    return {text.substr(0, at), text.substr(at + separator.size())};
}

bool add_directory(RunOptions& options, std::string_view text, bool read_only) {
    const auto [host, guest] = split(text, "::");
    if (host.empty() || (guest && guest->empty())) return false;
    options.directories.push_back({std::string(host), std::string(guest.value_or(host)), read_only});
    return true;
}

bool add_environment(RunOptions& options, std::string_view text) {
    const auto [name, value] = split(text, "=");
    if (name.empty()) return false;
    if (value) {
        options.environment.emplace_back(name, *value);
    } else if (const char* inherited = std::getenv(std::string(name).c_str())) {
        options.environment.emplace_back(name, inherited);
    }
    return true;
}

bool append(std::vector<std::string>& list, std::string_view text) {
    list.emplace_back(text);
    return !text.empty();
}

bool add_preload(RunOptions& options, std::string_view text) {
    const auto [name, file] = split(text, "=");
    if (!file || file->empty()) return false;
    options.preloads.emplace_back(name, *file);
    return true;
}

bool set_standard_input(RunOptions& options, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, StandardInput>, 4> kKinds = {{{"block", StandardInput::block},
                                                                                          {"nonblock", StandardInput::nonblock},
                                                                                          {"inherit", StandardInput::inherit},
                                                                                          {"null", StandardInput::null}}};
    for (const auto& [name, kind] : kKinds) {
        if (text != name) continue;
        options.standard_input = kind;
        return true;
    }
    options.standard_input = StandardInput::file;
    options.standard_input_file = text.starts_with("file:") ? text.substr(5) : text;
    return !options.standard_input_file.empty();
}

bool set_terminal(RunOptions& options, std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, TerminalMode>, 4> kModes = {
        {{"keep", TerminalMode::keep}, {"cooked", TerminalMode::cooked}, {"cbreak", TerminalMode::cbreak}, {"raw", TerminalMode::raw}}};
    for (const auto& [name, mode] : kModes) {
        if (text != name) continue;
        options.terminal = mode;
        return true;
    }
    return false;
}

bool set_compile_choice(RunOptions& options, std::string_view text) {
    if (text == "auto")
        options.compile_mode = CompileMode::automatic;
    else if (text == "eager")
        options.compile_mode = CompileMode::eager;
    else if (text == "lazy")
        options.compile_mode = CompileMode::lazy;
    else
        return false;
    return true;
}

// clang-format off
constexpr std::array kOptions = {
    Option{"--dir", "HOST[::GUEST]", "let the program use this directory, under the name GUEST",
        [](RunOptions& o, std::string_view v) { return add_directory(o, v, false); }},
    Option{"--dir-ro", "HOST[::GUEST]", "the same, for reading only",
        [](RunOptions& o, std::string_view v) { return add_directory(o, v, true); }},
    Option{"--env", "NAME[=VALUE]", "set an environment variable; without a value, pass on ours",
        add_environment},
    Option{"--argv0", "NAME", "what the program sees as its own name; default: FILE",
        [](RunOptions& o, std::string_view v) { o.argv0 = v; return true; }},
    Option{"--invoke", "FUNCTION", "call this export with ARGS as its typed arguments, print its results",
        [](RunOptions& o, std::string_view v) { o.invoke = v; return true; }},
    Option{"--preload", "NAME=FILE", "instantiate FILE first; its exports satisfy imports from module NAME",
        add_preload},
    Option{"--precompiled", "", "FILE is native code, made by pollux compile, and is run as it is: only for files that you trust",
        [](RunOptions& o, std::string_view) { o.precompiled = true; return true; }},
    Option{"--timeout", "TIME", "end the program after 1.5s, 200ms, 5m, …, with status 124 and a backtrace",
        [](RunOptions& o, std::string_view v) { return store(o.timeout, parse_duration(v)); }},
    Option{"--fuel", "N", "end it after about N steps (calls and loop iterations), with status 124",
        [](RunOptions& o, std::string_view v) { return store(o.fuel, parse_number(v)); }},
    Option{"--listen", "ADDRESS", "give the program a socket that listens at host:port, :port or unix:PATH",
        [](RunOptions& o, std::string_view v) { return append(o.listen, v); }},
    Option{"--connect", "ADDRESS", "give the program a socket that is connected to it",
        [](RunOptions& o, std::string_view v) { return append(o.connect, v); }},
    Option{"--allow-net", "RULE", "let the program's own sockets reach host:port, host, 10.0.0.0/8:80, *:443, *",
        [](RunOptions& o, std::string_view v) { return append(o.allow_net, v); }},
    Option{"--allow-dns", "NAME", "let it look up a host name, *.example.org, or *",
        [](RunOptions& o, std::string_view v) { return append(o.allow_dns, v); }},
    Option{"--stdin", "KIND", "block (default), nonblock, inherit (our O_NONBLOCK), null, or a FILE to read",
        set_standard_input},
    Option{"--tty", "keep|cooked|cbreak|raw", "mode of the terminal while the program runs; it is put back at the end",
        set_terminal},
    Option{"--on-broken-pipe", "exit|error", "when nobody reads the output: end with status 141, or give EPIPE (default)",
        [](RunOptions& o, std::string_view v) { o.exit_on_broken_pipe = v == "exit"; return v == "exit" || v == "error"; }},
    Option{"--trace", "[poll,fd,path,sock,clock]",
        "print WASI calls (all, or those whose names begin so) as strace -T does, and when they park and wake",
        [](RunOptions& o, std::string_view v) {
            const auto groups = wasi::parse_call_groups(v);
            o.trace = groups.value_or(0);
            return groups.has_value();
        }},
    Option{"--hostcall-stats", "", "print a table of the WASI calls at the end: how many, errors, time",
        [](RunOptions& o, std::string_view) { o.hostcall_stats = true; return true; }},
    Option{"--profile", "perfmap", "write /tmp/perf-PID.map, so that perf shows guest functions by name",
        [](RunOptions& o, std::string_view v) { o.perf_map = v == "perfmap"; return v == "perfmap"; }},
    Option{"--help", "", "this text",
        [](RunOptions& o, std::string_view) { o.help = true; return true; }},
};

constexpr std::array kLimitKeys = {
    Option{"timeout", "TIME", "as --timeout", [](RunOptions& o, std::string_view v) { return store(o.timeout, parse_duration(v)); }},
    Option{"fuel", "N", "as --fuel", [](RunOptions& o, std::string_view v) { return store(o.fuel, parse_number(v)); }},
    Option{"max-wasm-stack", "SIZE", "stack of the program's calls", [](RunOptions& o, std::string_view v) { return store(o.max_wasm_stack, parse_size(v)); }},
    Option{"max-memory-size", "SIZE", "memory.grow beyond this fails", [](RunOptions& o, std::string_view v) { return store(o.max_memory_size, parse_size(v)); }},
    Option{"max-table-elements", "N", "table.grow beyond this fails", [](RunOptions& o, std::string_view v) { return store(o.max_table_elements, parse_number(v)); }},
    Option{"max-gc-heap-size", "SIZE", "objects beyond this are a trap (default: 4GiB)", [](RunOptions& o, std::string_view v) { return store(o.max_gc_heap_size, parse_size(v)); }},
    Option{"gc-stress", "y|n", "collect garbage before every allocation", [](RunOptions& o, std::string_view v) { return set_flag(o.gc_stress, v); }},
};

constexpr std::array kFeatureKeys = {
    Option{"all-proposals", "y|n", "all features, or WebAssembly 1.0 alone; what stands behind it changes that",
        [](RunOptions& o, std::string_view v) {
            const auto on = parse_bool(v);
            if (on) o.features = *on ? wasm::FeatureSet::all() : wasm::FeatureSet::mvp();
            return on.has_value();
        }},
    Option{"relaxed-simd-deterministic", "y|n", "relaxed SIMD gives the same results on all machines",
        [](RunOptions& o, std::string_view v) { return set_flag(o.relaxed_simd_deterministic, v); }},
};

constexpr std::array kSystemKeys = {
    Option{"inherit-env", "y|n", "pass on the whole environment", [](RunOptions& o, std::string_view v) { return set_flag(o.inherit_environment, v); }},
};

constexpr std::array kOptimizeKeys = {
    Option{"signals-based-traps", "y|n", "n: check bounds in code, with no guard pages",
        [](RunOptions& o, std::string_view v) { return set_flag(o.explicit_bounds, v, false); }},
    Option{"memory-reservation", "SIZE", "address space for a memory, with no guard pages; it cannot grow beyond",
        [](RunOptions& o, std::string_view v) { return store(o.memory_reservation, parse_size(v)); }},
};

constexpr std::array kCompileKeys = {
    Option{"mode", "auto|eager|lazy", "eager: everything first; lazy: each function at its first call; auto: lazy,"
        " but eager for small modules and while a module arrives from a pipe", set_compile_choice},
    Option{"parallel-compilation", "y|n", "n: compile on one thread",
        [](RunOptions& o, std::string_view v) {
            const auto on = parse_bool(v);
            if (on) o.compile_threads = *on ? 0 : 1;
            return on.has_value();
        }},
};

constexpr std::array kDebugKeys = {
    Option{"max-backtrace", "N", "frames that a backtrace shows at most",
        [](RunOptions& o, std::string_view v) {
            const auto frames = parse_number(v);
            if (!frames || *frames > 1'000'000) return false;
            o.max_backtrace = static_cast<std::uint32_t>(*frames);
            return true;
        }},
    Option{"timings", "y|n", "print when the module arrived and when it was compiled; at the end, what instantiation and the program took",
        [](RunOptions& o, std::string_view v) { return set_flag(o.timings, v); }},
};

constexpr std::string_view kWasmGroup = "-W";

constexpr std::array kGroups = {
    Group{kWasmGroup, "WebAssembly: limits and features", kLimitKeys},
    Group{"-S", "system interface", kSystemKeys},
    Group{"-O", "generated code", kOptimizeKeys},
    Group{"-C", "compilation", kCompileKeys},
    Group{"-D", "debugging", kDebugKeys},
};
// clang-format on

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string with_value(const Option& option, char separator) {
    std::string text(option.name);
    if (option.value_is_optional()) {
        text += "[" + (separator + std::string(option.value.substr(1)));
    } else if (!option.value.empty()) {
        text += separator + std::string(option.value);
    }
    return text;
}

std::unexpected<Error> usage(std::string message) { return fail(ErrorKind::usage, std::move(message)); }

/// -W NAME=y|n of a feature.
Result<> apply_feature(wasm::Feature feature, std::string_view name, std::string_view value, RunOptions& options) {
    const auto on = parse_bool(value);
    if (!on) return usage("-W " + std::string(name) + ": " + quoted(value) + " is not y or n");
    if (*on && !wasm::FeatureSet::all().has(feature)) return usage("-W " + std::string(name) + ": this feature is not supported");
    options.features.set(feature, *on);
    return {};
}

/// One `key[=value]` of a group. The names of features are keys of -W, too.
Result<> apply_key(const Group& group, std::string_view text, RunOptions& options) {
    const auto [key, value] = split(text, "=");
    const bool is_wasm = group.name == kWasmGroup;
    for (const std::span<const Option> keys : {group.keys, is_wasm ? std::span<const Option>(kFeatureKeys) : std::span<const Option>()}) {
        for (const Option& option : keys) {
            if (option.name != key) continue;
            if (option.apply(options, value.value_or(""))) return {};
            return usage(std::string(group.name) + " " + std::string(key) + ": " + quoted(value.value_or("")) + " is not " +
                         std::string(option.value));
        }
    }
    if (is_wasm) {
        if (const auto feature = wasm::feature_from_name(key)) return apply_feature(*feature, key, value.value_or(""), options);
    }
    std::string known;
    for (const Option& option : group.keys) known += (known.empty() ? "" : ", ") + std::string(option.name);
    return usage(std::string(group.name) + ": unknown key " + quoted(key) + "; known: " + known +
                 (is_wasm ? " and the names of features, see --help" : ""));
}

Result<> apply_group(const Group& group, std::string_view list, RunOptions& options) {
    while (!list.empty()) {
        const auto [item, rest] = split(list, ",");
        if (auto applied = apply_key(group, item, options); !applied) return applied;
        list = rest.value_or("");
    }
    return {};
}

/// A help line: two spaces, the option in a column, its description.
void describe(std::string& text, const std::string& left, std::string_view right) {
    constexpr std::size_t kColumn = 32;
    std::string line = "  " + left;
    if (line.size() + 2 > kColumn) {
        text += line + "\n";
        line.clear();
    }
    line.resize(kColumn, ' ');
    text += line + std::string(right) + "\n";
}

struct Unit {
    std::string_view name;
    double factor;
};

/// A non-negative number with a unit from the table; nothing when it does not fit into 63 bits.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || std::signbit(number)) return std::nullopt;
    const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : units) {
        if (unit.name != suffix) continue;
        const double value = number * unit.factor;
        if (!(value < 9.2e18)) return std::nullopt;
        return static_cast<std::uint64_t>(value);
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_duration(std::string_view text) {
    static constexpr std::array kUnits = {Unit{"", 1e9},   Unit{"s", 1e9},  Unit{"ms", 1e6},  Unit{"us", 1e3},
                                          Unit{"ns", 1.0}, Unit{"m", 60e9}, Unit{"h", 3600e9}};
    return parse_with_unit(text, kUnits);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    constexpr double kKi = 1024.0;
    static constexpr std::array kUnits = {
        Unit{"", 1.0},
        Unit{"k", kKi},
        Unit{"K", kKi},
        Unit{"KiB", kKi},
        Unit{"M", kKi * kKi},
        Unit{"MiB", kKi * kKi},
        Unit{"G", kKi * kKi * kKi},
        Unit{"GiB", kKi * kKi * kKi},
        Unit{"T", kKi * kKi * kKi * kKi},
    };
    return parse_with_unit(text, kUnits);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Result<RunOptions> parse_run_options(std::span<const char* const> words, std::string_view command, std::span<const CommandOption> more) {
    const std::string see_help = "; see pollux " + std::string(command) + " --help";
    RunOptions options;
    std::size_t at = 0;
    // The value of an option: what stands in its word after the name, else the next word.
    const auto value_of = [&](std::string_view name, std::optional<std::string_view> attached) -> Result<std::string_view> {
        if (attached) return *attached;
        if (at == words.size()) return usage(std::string(name) + " needs a value" + see_help);
        return std::string_view(words[at++]);
    };
    while (at < words.size()) {
        const std::string_view word = words[at];
        if (word == "-" || !word.starts_with('-')) break;
        ++at;
        if (word == "--") break;
        const auto apply_word = [&]() -> Result<> {
            for (const Group& group : kGroups) {
                if (!word.starts_with(group.name)) continue;
                const auto list = value_of(group.name, word.size() > 2 ? std::optional(word.substr(2)) : std::nullopt);
                if (!list) return std::unexpected(list.error());
                return apply_group(group, *list, options);
            }
            const auto [name, attached] = split(word == "-h" ? "--help" : word, "=");
            for (const CommandOption& option : more) {
                if (option.name != name) continue;
                const auto value = value_of(name, attached);
                if (!value) return std::unexpected(value.error());
                if (option.apply(*value)) return {};
                return usage(std::string(name) + ": " + quoted(*value) + " is not " + std::string(option.value));
            }
            for (const Option& option : kOptions) {
                if (option.name != name) continue;
                std::string_view value;
                if (option.value.empty()) {
                    if (attached) return usage(std::string(name) + " takes no value");
                } else if (option.value_is_optional()) {
                    value = attached.value_or("");
                } else {
                    const auto found = value_of(name, attached);
                    if (!found) return std::unexpected(found.error());
                    value = *found;
                }
                if (option.apply(options, value)) return {};
                return usage(std::string(name) + ": " + quoted(value) + " is not " +
                             (option.value == "KIND" ? std::string(option.help) : std::string(option.value)));
            }
            return usage("unknown option " + quoted(name) + see_help);
        };
        if (auto applied = apply_word(); !applied) return std::unexpected(applied.error());
        if (options.help) return options;
    }
    if (at == words.size()) return usage("no module given; usage: pollux " + std::string(command) + " [OPTIONS] FILE [ARGS...]");
    options.file = words[at++];
    options.arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    return options;
}

std::string option_lines(std::span<const CommandOption> options) {
    std::string text;
    for (const CommandOption& option : options) describe(text, std::string(option.name) + "=" + std::string(option.value), option.help);
    return text;
}

Result<bool> parse_wasm_option(std::span<const char* const> words, std::size_t& at, RunOptions& options) {
    const std::string_view word = words[at];
    if (!word.starts_with(kWasmGroup)) return false;
    std::string_view list = word.substr(kWasmGroup.size());
    if (list.empty()) {
        if (at + 1 == words.size()) return usage("-W needs a value");
        list = words[++at];
    }
    if (auto applied = apply_group(kGroups.front(), list, options); !applied) return std::unexpected(std::move(applied.error()));
    return true;
}

std::string wasm_option_help() {
    constexpr std::size_t kWidth = 110;
    std::string text = "features, as -W NAME=y|n[,NAME=y|n...]\n";
    for (const Option& key : kFeatureKeys) describe(text, with_value(key, '='), key.help);
    for (const bool on : {true, false}) {
        std::string line = on ? "  on:" : "  off:";
        for (std::uint8_t i = 1; i < static_cast<std::uint8_t>(wasm::Feature::count_); ++i) {
            const wasm::Feature feature{i};
            if (wasm::FeatureSet::defaults().has(feature) != on || !wasm::FeatureSet::all().has(feature)) continue;
            const std::string_view name = wasm::feature_name(feature);
            if (line.size() + 1 + name.size() > kWidth) {
                text += line + "\n";
                line = "     ";
            }
            line += " " + std::string(name);
        }
        text += line + "\n";
    }
    return text;
}

std::string run_help() {
    std::string text =
        "usage: pollux [run] [OPTIONS] FILE [ARGS...]\n"
        "\n"
        "Runs a WebAssembly program: FILE is compiled to machine code and its _start called, with ARGS. A reactor (no _start) is\n"
        "initialised, and with --invoke one of its functions called. FILE may be -, a module that arrives on standard input and is\n"
        "compiled meanwhile. Options stand before FILE; what follows it is the program's. The program sees no file, no variable\n"
        "and no directory that is not named here.\n"
        "\n"
        "options:\n";
    for (const Option& option : kOptions) describe(text, with_value(option, '='), option.help);
    for (const Group& group : kGroups) {
        text += "\n" + std::string(group.name) + " KEY[=VALUE][,KEY[=VALUE]...]: " + std::string(group.title) + "\n";
        for (const Option& key : group.keys) describe(text, with_value(key, '='), key.help);
    }
    text += "\n" + wasm_option_help() +
            "\n"
            "SIZE is 65536, 64KiB, 1M, 4GiB, …\n"
            "\n"
            "exit status:\n"
            "  the program's own, modulo 256; 134 after a trap; 124 when a time or fuel limit ended it; 141 after a broken pipe with\n"
            "  --on-broken-pipe=exit; 1 when the module cannot be loaded or linked; 2 for a wrong command line\n"
            "\n"
            "examples:\n"
            "  pollux app.wasm one two\n"
            "  pollux run --dir=.::/ --env HOME=/ python.wasm -c 'print(1)'\n"
            "  pollux run --invoke add math.wasm 1 2\n"
            "  curl -s https://example.org/app.wasm | pollux run -\n";
    return text;
}

}  // namespace pollux::cli
