// The terminal's mode while a program runs, and its way back: at the end, on signals, while stopped. And its size.
#pragma once

#include <cstdint>
#include <optional>

#include "tools/pollux/options.h"

namespace pollux::cli {

/// Sets the mode of the terminal on standard input. One at a time; without a terminal, or with TerminalMode::keep, it does nothing.
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT put the terminal back and are raised again; SIGTSTP does too, and SIGCONT sets the mode anew.
class TerminalGuard {
public:
    explicit TerminalGuard(TerminalMode mode);
    TerminalGuard(const TerminalGuard&) = delete;
    TerminalGuard& operator=(const TerminalGuard&) = delete;
    ~TerminalGuard();
};

struct TerminalSize {
    std::uint16_t columns = 0;
    std::uint16_t lines = 0;
};

/// Of the terminal on standard input; nothing if there is none, or it does not know.
[[nodiscard]] std::optional<TerminalSize> terminal_size();

}  // namespace pollux::cli
