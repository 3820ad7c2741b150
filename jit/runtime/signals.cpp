// Signal handlers of the process: faults of guest code become traps, lost pages of mapped modules become errors, interrupt signals lead
// guest code to the preempt stub. Everything here is async-signal-safe.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <mutex>

#include "jit/base/mapping.h"
#include "jit/base/syscall.h"
#include "jit/runtime/code_map.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/machine_context.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/sanitizer_fiber.h"
#include "jit/runtime/stack_walk.h"
#include "jit/runtime/store.h"
#include "jit/runtime/trap.h"

namespace pollux {
namespace {

constexpr std::array kFaultSignals = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
constexpr std::size_t kAlternateStackBytes = 64 * 1024;
/// The preempt stub saves all registers below the guest's stack pointer and calls C++: what must be left for it.
constexpr std::uint64_t kPreemptStackBytes = kHostStackBytes / 2;

std::array<struct sigaction, 65> previous_actions;
int interrupt_signal_number = 0;

/// The alternate stack and the retry timer of a thread.
struct ThreadSignals {
    Mapping stack;
    int timer = -1;           ///< kernel id of the timer that repeats an interrupt signal, or -1
    long retry_ns = 0;
    bool prepared = false;

    ~ThreadSignals() {
        if (timer >= 0) static_cast<void>(::syscall(SYS_timer_delete, timer));
        if (!stack) return;
        stack_t off{};
        off.ss_flags = SS_DISABLE;
        static_cast<void>(::sigaltstack(&off, nullptr));
    }
};

constinit thread_local ThreadState state;
thread_local ThreadSignals thread_signals;

/// Hands a signal on to the handler that was installed before ours.
void call_previous(int signal, siginfo_t* info, void* context) noexcept {
    const struct sigaction& previous = previous_actions[static_cast<std::size_t>(signal)];
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
        return;
    }
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
        return;
    }
    const bool sent = info->si_code <= 0;
    if (sent && previous.sa_handler == SIG_IGN) return;
    // The faulting instruction runs again, this time with the system's own action.
    struct sigaction system_action{};
    system_action.sa_handler = SIG_DFL;
    static_cast<void>(::sigaction(signal, &system_action, nullptr));
    if (sent) static_cast<void>(::raise(signal));
}

/// A page of a mapped module's file is gone: zeros take its place, and the module is marked. Whoever reads it goes on, and finds the mark.
bool replace_lost_page(const siginfo_t* info) noexcept {
    const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
    CodeRegion region;
    if (!find_code_region(address, region) || region.file_changed == nullptr) return false;
    region.file_changed->store(true, std::memory_order_release);
    const std::uint64_t page = address & ~static_cast<std::uint64_t>(page_bytes() - 1);
    return ::mmap(reinterpret_cast<void*>(page), page_bytes(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool trap_guest(MachineContext& context) noexcept {
    Store* store = state.store;
    if (store == nullptr || store->entry == nullptr) return false;
    CodeRegion region;
    if (!find_code_region(context.pc(), region)) return false;
#if defined(__aarch64__)
    if (context.pc() == reinterpret_cast<std::uint64_t>(store->engine().stubs().preempt_resume)) {
        context.resume_preempted();
        return true;
    }
#endif
    PcInfo info;
    if (!region.find(context.pc(), info) || info.trap == TrapCode::none) return false;
    TrapCode code = info.trap;
    if (code == TrapCode::status) {
        const std::uint32_t status = context.result();
        code = status != 0 && status < static_cast<std::uint32_t>(TrapCode::status) ? static_cast<TrapCode>(status) : TrapCode::host_error;
    }
    walk_from_fault(*store, context, store->raw_backtrace());
    EntryRecord* record = store->entry;
    context.call(reinterpret_cast<std::uint64_t>(store->engine().stubs().trap_exit), reinterpret_cast<std::uint64_t>(record->stack_pointer),
                 reinterpret_cast<std::uint64_t>(record), static_cast<std::uint64_t>(code));
    return true;
}

void on_fault(int signal, siginfo_t* info, void* signal_context) {
    const int saved_errno = errno;
    MachineContext context(signal_context);
    const bool fault = info->si_code > 0;  // by the processor, not by kill()
    const bool ours = fault && (trap_guest(context) || (signal == SIGBUS && replace_lost_page(info)));
    if (!ours) call_previous(signal, info, signal_context);
    errno = saved_errno;
}

/// Sends the interrupt signal to this thread again a little later.
void retry_later() noexcept {
    if (thread_signals.timer < 0) {
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = interrupt_signal_number;
        event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
        int timer = -1;
        if (::syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0) return;
        thread_signals.timer = timer;
    }
    thread_signals.retry_ns = std::clamp<long>(thread_signals.retry_ns * 2, 1'000'000, 100'000'000);
    itimerspec when{};
    when.it_value.tv_nsec = thread_signals.retry_ns;
    static_cast<void>(::syscall(SYS_timer_settime, thread_signals.timer, 0, &when, nullptr));
}

void on_interrupt(int signal, siginfo_t* info, void* signal_context) {
    const int saved_errno = errno;
    Store* store = state.store;
    if (store != nullptr && store->interrupt_pending.load(std::memory_order_acquire) != 0) {
        MachineContext context(signal_context);
        CodeRegion region;
        const std::uint64_t lowest = store->stack_limit() - kHostStackBytes + kPreemptStackBytes;
        if (store->entry != nullptr && find_code_region(context.pc(), region) && region.map != nullptr &&
            context.stack_pointer() >= lowest) {
            thread_signals.retry_ns = 0;
            context.enter_preempt_stub(reinterpret_cast<std::uint64_t>(store->engine().stubs().preempt));
        } else {
            // Host code sees the flag before it returns to the guest; but in the last instructions of a stub, or the first, it is too late
            // for that.
            retry_later();
        }
    } else {
        const struct sigaction& previous = previous_actions[static_cast<std::size_t>(signal)];
        if ((previous.sa_flags & SA_SIGINFO) != 0 || (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)) {
            call_previous(signal, info, signal_context);
        }
    }
    errno = saved_errno;
}

#if defined(POLLUX_TSAN)
struct sigaction tsan_action;

/// TSan puts signals off until the thread next calls something of TSan's: what computes in guest code never does, so it gets its signal
/// at once. Everywhere else TSan itself may be at work, and nothing that it instruments may run.
POLLUX_NO_SANITIZE void on_interrupt_before_tsan(int signal, siginfo_t* info, void* context) {
    CodeRegion region;
    if (find_code_region(MachineContext(context).pc(), region)) {
        on_interrupt(signal, info, context);
    } else {
        tsan_action.sa_sigaction(signal, info, context);
    }
}

void come_before_tsan(int signal) {
    sanitizer::set_action(signal, nullptr, &tsan_action);
    struct sigaction action = tsan_action;
    action.sa_sigaction = on_interrupt_before_tsan;
    sanitizer::set_action(signal, &action, nullptr);
}
#endif

Result<> install(int signal, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    static_cast<void>(::sigemptyset(&action.sa_mask));
    if (handler == on_fault) static_cast<void>(::sigaddset(&action.sa_mask, interrupt_signal_number));
    if (::sigaction(signal, &action, &previous_actions[static_cast<std::size_t>(signal)]) != 0) {
        return fail(ErrorKind::resource, "cannot install a handler for signal " + std::to_string(signal) + ": " + sys::error_text(errno));
    }
    return {};
}

}  // namespace

ThreadState& thread_state() noexcept { return state; }

int interrupt_signal() noexcept { return interrupt_signal_number; }

Result<> prepare_signals(int wanted_interrupt_signal) {
    static std::mutex mutex;
    static bool installed = false;
    const std::scoped_lock lock(mutex);
    if (installed) return {};
    if (wanted_interrupt_signal < 1 || wanted_interrupt_signal > SIGRTMAX) {
        return fail(ErrorKind::usage, "the interrupt signal must be between 1 and " + std::to_string(SIGRTMAX));
    }
    interrupt_signal_number = wanted_interrupt_signal;
    static_cast<void>(page_bytes());  // its first call is not for signal handlers
    for (const int signal : kFaultSignals) {
        if (auto done = install(signal, on_fault); !done) return done;
    }
    if (auto done = install(interrupt_signal_number, on_interrupt); !done) return done;
#if defined(POLLUX_TSAN)
    come_before_tsan(interrupt_signal_number);
#endif
    installed = true;
    return {};
}

Result<> prepare_thread() noexcept {
    if (thread_signals.prepared) return {};
    stack_t present{};
    static_cast<void>(::sigaltstack(nullptr, &present));
    if ((present.ss_flags & SS_DISABLE) != 0 || present.ss_size < kAlternateStackBytes / 2) {
        auto stack = Mapping::anonymous(kAlternateStackBytes, "a signal stack");
        if (!stack) return std::unexpected(std::move(stack.error()));
        stack_t ours{};
        ours.ss_sp = stack->data();
        ours.ss_size = stack->size();
        if (::sigaltstack(&ours, nullptr) != 0) return fail(ErrorKind::resource, "cannot set a signal stack: " + sys::error_text(errno));
        thread_signals.stack = std::move(*stack);
    }
    thread_signals.prepared = true;
    return {};
}

}  // namespace pollux
