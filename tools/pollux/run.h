// `pollux run`: compiles a module, gives it what the command line grants, and runs it to its end.
#pragma once

#include <span>
#include <string>

#include "jit/runtime/engine.h"
#include "jit/runtime/store.h"
#include "tools/pollux/options.h"
#include "wasi/config.h"

namespace pollux::cli {

/// The words after `run`. Returns the exit status.
int run_command(std::span<const char* const> words);

/// What the options mean for the parts that a program is run with.
[[nodiscard]] EngineOptions engine_options(const RunOptions& options);
[[nodiscard]] StoreOptions store_options(const RunOptions& options);
[[nodiscard]] wasi::Config wasi_config(const RunOptions& options);
/// ": exceptions" and the like, for a trap at a function that was not compiled.
[[nodiscard]] std::string not_compiled_feature(const Trap& trap);

}  // namespace pollux::cli
