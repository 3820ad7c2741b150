// The options of `pollux serve`: its own, and those of `pollux run` for each guest.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "jit/base/error.h"
#include "tools/pollux/options.h"

namespace pollux::cli {

struct ServeOptions {
    RunOptions guest;                           ///< what each guest is given, and its own limits
    std::vector<std::string> listen;            ///< addresses
    std::optional<std::uint64_t> max_guests;    ///< at a time; nothing: as many as the system has room for
    std::optional<std::uint64_t> idle_timeout;  ///< nanoseconds without a byte on a guest's connection
    std::uint64_t grace = 10'000'000'000;       ///< nanoseconds that guests have to end by themselves after SIGTERM or SIGINT
};

/// Parses the words after `serve`. With ServeOptions::guest.help set, the rest is not looked at.
[[nodiscard]] Result<ServeOptions> parse_serve_options(std::span<const char* const> words);

/// The text of `pollux serve --help`.
[[nodiscard]] std::string serve_help();

}  // namespace pollux::cli
