#include "wasi/blocking_pool.h"

#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "wasi/signal_mask.h"

namespace pollux::wasi {
namespace {

/// More calls than this at a time are a guest that opens FIFOs without a peer in a loop.
constexpr std::size_t kMaxThreads = 64;

struct Pool {
    std::mutex mutex;
    std::condition_variable work;
    std::deque<std::shared_ptr<BlockingCallBase>> queue;
    std::size_t threads = 0;
    std::size_t idle = 0;
};

/// Never destroyed: its threads may be inside a system call when the process ends.
Pool& pool() noexcept {
    static Pool* const instance = new Pool;
    return *instance;
}

void serve() noexcept {
    Pool& shared = pool();
    for (;;) {
        std::shared_ptr<BlockingCallBase> call;
        {
            std::unique_lock lock(shared.mutex);
            ++shared.idle;
            shared.work.wait(lock, [&] { return !shared.queue.empty(); });
            --shared.idle;
            call = std::move(shared.queue.front());
            shared.queue.pop_front();
        }
        call->run();
        call->completed.store(1, std::memory_order_release);
        const std::uint64_t one = 1;
        static_cast<void>(!::write(call->queue->event_fd.get(), &one, sizeof(one)));
    }
}

/// A detached thread that takes no signals.
bool start_thread() noexcept {
    const BlockedSignals blocked;
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return false;
    static_cast<void>(::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    pthread_t thread;
    const bool started = ::pthread_create(&thread, &attributes, [](void*) -> void* { return serve(), nullptr; }, nullptr) == 0;
    static_cast<void>(::pthread_attr_destroy(&attributes));
    return started;
}

}  // namespace

bool submit_blocking(std::shared_ptr<BlockingCallBase> call) noexcept {
    Pool& shared = pool();
    const std::scoped_lock lock(shared.mutex);
    if (shared.queue.size() >= shared.idle) {
        if (shared.threads >= kMaxThreads || !start_thread()) return false;
        ++shared.threads;
    }
    shared.queue.push_back(std::move(call));
    shared.work.notify_one();
    return true;
}

}  // namespace pollux::wasi
