// `pollux serve`: a guest for each connection, all in one reactor on one thread.
#pragma once

#include <span>

namespace pollux::cli {

/// The words after `serve`. Returns the exit status.
int serve_command(std::span<const char* const> words);

}  // namespace pollux::cli
