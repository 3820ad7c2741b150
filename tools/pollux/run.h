// `pollux run`: compiles a module, gives it what the command line grants, and runs it to its end.
#pragma once

#include <span>

namespace pollux::cli {

/// The words after `run`. Returns the exit status.
int run_command(std::span<const char* const> words);

}  // namespace pollux::cli
