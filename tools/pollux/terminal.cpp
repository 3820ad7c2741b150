#include "tools/pollux/terminal.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/sanitizer_fiber.h"

namespace pollux::cli {
namespace {

// The handlers come before TSan's, which would wait until a guest that computes calls something; so they call nothing that it replaces.

// What the signal handlers need. Written before they are installed.
termios saved_mode;
termios program_mode;
std::atomic<bool> changed{false};

/// Changes the terminal's mode, but not from the background: there it is another program's, and trying would stop the process.
POLLUX_NO_SANITIZE void set_mode(const termios& mode) {
    if (!__atomic_load_n(reinterpret_cast<const bool*>(&changed), __ATOMIC_ACQUIRE)) return;
    const pid_t foreground = ::tcgetpgrp(STDIN_FILENO);  // -1: not our controlling terminal, which may be changed at any time
    if (foreground != -1 && foreground != ::getpgrp()) return;
    while (::tcsetattr(STDIN_FILENO, TCSANOW, &mode) != 0 && errno == EINTR) continue;
}

POLLUX_NO_SANITIZE void set_action(int number, void (*action)(int)) {
    struct sigaction wanted{};
    wanted.sa_handler = action;
    wanted.sa_flags = SA_RESTART | SA_ONSTACK;
    sanitizer::set_action(number, &wanted, nullptr);
}

/// Has the signal's own effect, from inside of its handler.
POLLUX_NO_SANITIZE void raise_uncaught(int number) {
    set_action(number, SIG_DFL);
    ::syscall(SYS_tgkill, ::syscall(SYS_getpid), ::syscall(SYS_gettid), number);
    const std::uint64_t it = std::uint64_t{1} << (number - 1);
    ::syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &it, nullptr, sizeof(it));  // here it is delivered
}

/// Ends the process by the signal, as if it had never been caught.
POLLUX_NO_SANITIZE void end_by_signal(int number) {
    set_mode(saved_mode);
    raise_uncaught(number);
}

/// Stops the process; the handler of SIGCONT has run when it comes back.
POLLUX_NO_SANITIZE void stop_by_signal(int number) {
    const int saved_errno = errno;
    set_mode(saved_mode);
    raise_uncaught(number);
    set_mode(program_mode);  // in an orphaned process group the signal stops nobody
    set_action(number, stop_by_signal);
    errno = saved_errno;
}

POLLUX_NO_SANITIZE void continue_by_signal(int) {
    const int saved_errno = errno;
    set_mode(program_mode);
    errno = saved_errno;
}

/// Unless the signal is ignored: nohup and shells' background jobs ignore some.
void handle(int number, void (*handler)(int)) {
    struct sigaction present{};
    if (::sigaction(number, nullptr, &present) == 0 && present.sa_handler != SIG_IGN) set_action(number, handler);
}

}  // namespace

TerminalGuard::TerminalGuard(TerminalMode mode) {
    if (mode == TerminalMode::keep || ::tcgetattr(STDIN_FILENO, &saved_mode) != 0) return;
    program_mode = saved_mode;
    switch (mode) {
        case TerminalMode::keep: break;
        case TerminalMode::cooked:
            program_mode.c_iflag |= BRKINT | ICRNL;
            program_mode.c_oflag |= OPOST | ONLCR;
            program_mode.c_lflag |= ICANON | ECHO | ISIG | IEXTEN;
            break;
        case TerminalMode::cbreak:
            program_mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            program_mode.c_cc[VMIN] = 1;
            program_mode.c_cc[VTIME] = 0;
            break;
        case TerminalMode::raw: ::cfmakeraw(&program_mode); break;
    }
    changed.store(true, std::memory_order_release);
    for (const int number : std::array{SIGINT, SIGTERM, SIGHUP, SIGQUIT}) handle(number, end_by_signal);
    handle(SIGTSTP, stop_by_signal);
    handle(SIGCONT, continue_by_signal);
    set_mode(program_mode);
}

TerminalGuard::~TerminalGuard() {
    set_mode(saved_mode);
    changed.store(false, std::memory_order_release);
}

std::optional<TerminalSize> terminal_size() {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return std::nullopt;
    return TerminalSize{size.ws_col, size.ws_row};
}

}  // namespace pollux::cli
