#include "tools/pollux/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "jit/base/syscall.h"
#include "jit/base/unique_fd.h"
#include "jit/runtime/precompiled.h"
#include "jit/runtime/runtime.h"
#include "tools/pollux/load.h"
#include "tools/pollux/options.h"
#include "tools/pollux/report.h"

namespace pollux::cli {
namespace {

constexpr const char* kHelp =
    "usage: pollux compile [OPTIONS] FILE\n"
    "\n"
    "Compiles all functions of a module and writes them, with the module, to a file that pollux run --precompiled FILE starts without\n"
    "compiling anything. The file is native code: whoever runs it trusts it as any other program. So it is never taken for one that\n"
    "was not asked for as precompiled, and refused if others may write it, if it is damaged, or if it was made by another version of\n"
    "Pollux, for another processor, or for one with more features (POLLUX_DISABLE=avx,bmi2,… compiles without them).\n"
    "The same module gives the same file on every host. FILE may be -, standard input.\n"
    "\n"
    "options:\n"
    "  --target=x86_64|aarch64       processor that it is for; default: this one\n"
    "  -o OUT                        file to write; default: FILE with the extension .pollux\n"
    "  --fuel                        code counts fuel, for run --fuel\n"
    "  -O signals-based-traps=n      code checks bounds itself, for systems without address space for guard pages\n"
    "\n";
constexpr const char* kExamples =
    "\n"
    "examples:\n"
    "  pollux compile app.wasm && pollux run --precompiled app.pollux\n"
    "  pollux compile --target=aarch64 -o app.arm64 app.wasm\n";

struct CompileOptions {
    std::string file;
    std::string out;
    EngineOptions engine;
    bool help = false;
};

std::unexpected<Error> usage(const std::string& message) {
    return fail(ErrorKind::usage, "compile: " + message + "; see pollux compile --help");
}

/// `file` under another extension: what follows the last dot of its name, unless that begins the name.
std::string with_extension(std::string file, std::string_view extension) {
    const std::size_t name = file.rfind('/') + 1;
    const std::size_t dot = file.rfind('.');
    if (dot != std::string::npos && dot > name) file.resize(dot);
    return file.append(extension);
}

Result<CompileOptions> parse(std::span<const char* const> words) {
    CompileOptions options;
    RunOptions wasm;
    for (std::size_t at = 0; at < words.size(); ++at) {
        std::string_view word = words[at];
        const auto is_wasm_option = parse_wasm_option(words, at, wasm);
        if (!is_wasm_option) return usage(is_wasm_option.error().message);
        if (*is_wasm_option) continue;
        // The value of an option that has one: behind its name and a "=", or the next word.
        const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
            if (word == name) return at + 1 < words.size() ? std::optional<std::string_view>(words[++at]) : std::nullopt;
            return word.substr(name.size() + 1);
        };
        const auto is = [&word](std::string_view name) {
            return word == name || (word.starts_with(name) && word.substr(name.size()).starts_with('='));
        };
        if (word == "--help" || word == "-h") {
            options.help = true;
            return options;
        }
        if (word == "--fuel") {
            options.engine.fuel = true;
        } else if (is("--target")) {
            const auto name = value_of("--target");
            options.engine.target = name ? find_backend(*name) : nullptr;
            if (options.engine.target == nullptr) return usage("--target is x86_64 or aarch64");
        } else if (is("-o")) {
            const auto out = value_of("-o");
            if (!out || out->empty()) return usage("-o needs a file");
            options.out = *out;
        } else if (is("-O")) {
            const auto choice = value_of("-O");
            if (choice != "signals-based-traps=n" && choice != "signals-based-traps=y") return usage("-O takes signals-based-traps=y|n");
            options.engine.bounds = choice->ends_with('n') ? BoundsOption::explicit_checks : BoundsOption::guard_pages;
        } else if (word.size() > 1 && word.starts_with('-')) {
            return usage("unknown option '" + std::string(word) + "'");
        } else if (!options.file.empty()) {
            return usage("one module at a time, not '" + options.file + "' and '" + std::string(word) + "'");
        } else {
            options.file = word;
        }
    }
    if (options.file.empty()) return usage("no module given");
    options.engine.features = wasm.features;
    options.engine.relaxed_simd_deterministic = wasm.relaxed_simd_deterministic;
    if (options.out.empty() && options.file == "-") return usage("a module from standard input needs -o OUT");
    if (options.out.empty()) options.out = with_extension(options.file, ".pollux");
    return options;
}

/// Writes the file under another name first, so that whoever runs OUT meanwhile keeps what it has mapped.
Result<> write_file(const CompiledModule& module, const std::string& path) {
    const auto failed = [&path](const char* what) {
        return fail(ErrorKind::io, std::string("cannot ") + what + " " + path + ": " + sys::error_text(errno));
    };
    std::string temporary = path + ".XXXXXX";
    const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) return failed("create");
    Result<> done = PrecompiledFile::write(module, fd.get());
    const mode_t mask = ::umask(0);
    static_cast<void>(::umask(mask));
    if (done && ::fchmod(fd.get(), 0644 & ~mask) != 0) done = failed("set the access to");
    if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = failed("write");
    if (!done) static_cast<void>(::unlink(temporary.c_str()));
    return done;
}

}  // namespace

int compile_command(std::span<const char* const> words) {
    auto options = parse(words);
    if (!options) return report(options.error());
    if (options->help) {
        std::fputs((kHelp + wasm_option_help() + kExamples).c_str(), stdout);
        return 0;
    }
    options->engine.portable = true;
    options->engine.threads = 1;  // the order of functions does not depend on timing
    if (options->engine.bounds == BoundsOption::automatic) options->engine.bounds = BoundsOption::guard_pages;
    const auto engine = Engine::create(options->engine);
    if (!engine) return report(engine.error());
    const auto module = load_module(*engine, options->file);
    if (!module) return report(module.error(), options->file);
    warn_not_compiled(**module);
    if (auto written = write_file(**module, options->out); !written) return report(written.error());
    return 0;
}

}  // namespace pollux::cli
