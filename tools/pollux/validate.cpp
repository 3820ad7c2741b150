#include "tools/pollux/validate.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "jit/runtime/runtime.h"
#include "tools/pollux/load.h"
#include "tools/pollux/options.h"
#include "tools/pollux/report.h"

namespace pollux::cli {
namespace {

constexpr const char* kHelp =
    "usage: pollux validate [--quiet] [-W FEATURE=y|n...] FILE...\n"
    "\n"
    "Decodes, validates and compiles modules without running anything. For each it prints whether it is valid, or where and why it is\n"
    "not, and which functions use a feature that is not compiled. FILE may be -, standard input.\n"
    "Exit status: 0 if all are valid, 1 if not, 2 for a wrong command line.\n"
    "\n";

bool validate(const std::shared_ptr<Engine>& engine, const std::string& file, bool quiet) {
    const auto module = load_module(engine, file);
    if (!module) {
        report(module.error(), file);
        return false;
    }
    warn_not_compiled(**module);
    if (!quiet) {
        const BuildTimes& times = (*module)->times();
        std::printf("%s: valid, %u functions, %llu bytes\n", file.c_str(), times.functions,
                    static_cast<unsigned long long>(times.wasm_bytes));
    }
    return true;
}

}  // namespace

int validate_command(std::span<const char* const> words) {
    bool quiet = false;
    std::vector<std::string> files;
    RunOptions options;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (word == "--help" || word == "-h") {
            std::fputs((kHelp + wasm_option_help()).c_str(), stdout);
            return 0;
        }
        const auto is_wasm_option = parse_wasm_option(words, i, options);
        if (!is_wasm_option) return report({ErrorKind::usage, "validate: " + is_wasm_option.error().message});
        if (*is_wasm_option) continue;
        if (word == "--quiet")
            quiet = true;
        else if (word.size() > 1 && word.starts_with('-'))
            return report({ErrorKind::usage, "validate: unknown option '" + std::string(word) + "'"});
        else
            files.emplace_back(word);
    }
    if (files.empty()) return report({ErrorKind::usage, "validate: no module given; usage: pollux validate [--quiet] FILE..."});
    const auto engine = Engine::create({.features = options.features});
    if (!engine) return report(engine.error());
    bool all_valid = true;
    for (const std::string& file : files) all_valid &= validate(*engine, file, quiet);
    return all_valid ? 0 : kExitFailure;
}

}  // namespace pollux::cli
