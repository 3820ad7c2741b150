// How the command line speaks to the user: errors, warnings and traps go to standard error, one sentence each, with "pollux: " before them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jit/base/error.h"
#include "jit/runtime/trap.h"
#include "wasi/thread_group.h"

namespace pollux::cli {

inline constexpr int kExitFailure = 1;  ///< the module cannot be loaded or linked
inline constexpr int kExitUsage = 2;  ///< wrong command line
inline constexpr int kExitLimit = 124;  ///< a time or fuel limit ended the program
inline constexpr int kExitTrap = 134;  ///< as after SIGABRT
inline constexpr int kExitBrokenPipe = 141;  ///< as after SIGPIPE

void print_message(std::string_view message);

/// Prints the error, after "context: " unless that is empty or named by the message. Returns kExitUsage for errors of kind usage, else
/// kExitFailure.
int report(const Error& error, std::string_view context = {});

/// Prints a headline and the guest's frames, at most `max_frames` of them: the innermost and the outermost.
void print_backtrace(std::string_view headline, const Trap& trap, std::uint32_t max_frames);

/// Prints "pollux: WHOtrap: why" with its backtrace; where a trap of another thread interrupted the first, that one.
void print_trap(const std::string& who, const Trap& trap, const std::optional<wasi::ThreadTrap>& other, std::uint32_t max_frames);

/// "0x1a4"
[[nodiscard]] std::string hex(std::uint64_t value);

}  // namespace pollux::cli
