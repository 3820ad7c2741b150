// `pollux objdump`: a module's functions as WebAssembly and machine code side by side.
#pragma once

#include <span>

namespace pollux::cli {

/// The words after `objdump`. Returns the exit status.
int objdump_command(std::span<const char* const> words);

}  // namespace pollux::cli
