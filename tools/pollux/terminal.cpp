#include "tools/pollux/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace pollux::cli {
namespace {

// What the signal handlers need. Written before they are installed.
termios saved_mode;
termios program_mode;
std::atomic<bool> changed{false};

void restore() {
    if (changed.load(std::memory_order_acquire)) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
}

/// Ends the process by the signal, as if it had never been caught.
void end_by_signal(int number) {
    restore();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void stop_by_signal(int) {
    restore();
    std::raise(SIGSTOP);
    // Here the process was continued.
    ::tcsetattr(STDIN_FILENO, TCSANOW, &program_mode);
}

void set_handler(int number, void (*handler)(int)) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)
        return;  // nohup and shells' background jobs ignore some
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(number, &action, nullptr);
}

}  // namespace

TerminalGuard::TerminalGuard(TerminalMode mode) {
    if (mode == TerminalMode::keep || ::tcgetattr(STDIN_FILENO, &saved_mode) != 0) return;
    program_mode = saved_mode;
    if (mode == TerminalMode::raw) {
        ::cfmakeraw(&program_mode);
    } else {
        program_mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        program_mode.c_cc[VMIN] = 1;
        program_mode.c_cc[VTIME] = 0;
    }
    changed.store(true, std::memory_order_release);
    for (const int number : std::array{SIGINT, SIGTERM, SIGHUP, SIGQUIT}) set_handler(number, end_by_signal);
    set_handler(SIGTSTP, stop_by_signal);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &program_mode);
}

TerminalGuard::~TerminalGuard() {
    restore();
    changed.store(false, std::memory_order_release);
}

}  // namespace pollux::cli
