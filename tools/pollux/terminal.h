// The terminal's mode while a program runs, and its way back: at the end, on signals, while stopped.
#pragma once

#include "jit/base/error.h"
#include "tools/pollux/options.h"

namespace pollux::cli {

/// Sets the mode of the terminal on standard input. One at a time; without a terminal, or with TerminalMode::keep, it does nothing.
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT put the terminal back and are raised again; SIGTSTP does too, and the mode is set anew afterwards.
class TerminalGuard {
public:
    explicit TerminalGuard(TerminalMode mode);
    TerminalGuard(const TerminalGuard&) = delete;
    TerminalGuard& operator=(const TerminalGuard&) = delete;
    ~TerminalGuard();
};

}  // namespace pollux::cli
