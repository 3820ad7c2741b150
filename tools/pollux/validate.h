// `pollux validate`: says whether modules are valid, and what in them cannot be compiled.
#pragma once

#include <span>

namespace pollux::cli {

/// The words after `validate`. Returns the exit status: 0 if all modules are valid.
int validate_command(std::span<const char* const> words);

}  // namespace pollux::cli
