// `pollux compile`: a module's machine code in a file, for this ISA or another. See jit/runtime/precompiled.h.
#pragma once

#include <span>

namespace pollux::cli {

/// Runs the command with the words after `compile`. Returns the exit status.
int compile_command(std::span<const char* const> words);

}  // namespace pollux::cli
