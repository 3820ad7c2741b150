// Threads of ours take no signals: those are for the threads that run guests and for the program's own.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace pollux::wasi {

/// All signals are blocked while it lives; a thread started meanwhile keeps them blocked.
class BlockedSignals {
public:
    BlockedSignals() noexcept {
        sigset_t all;
        static_cast<void>(::sigfillset(&all));
        blocked_ = ::pthread_sigmask(SIG_SETMASK, &all, &before_) == 0;
    }
    ~BlockedSignals() {
        if (blocked_) static_cast<void>(::pthread_sigmask(SIG_SETMASK, &before_, nullptr));
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

private:
    sigset_t before_{};
    bool blocked_ = false;
};

}  // namespace pollux::wasi
