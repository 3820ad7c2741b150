// A small pool of threads for system calls that Linux cannot make non-blocking: opening a FIFO, name resolution, fsync.
//
// A call owns what it needs, and is shared between the pool and the task that waits for it: a task that is interrupted drops it, and the
// thread ends it alone. Completion is a flag and a write to the waiting reactor's eventfd. Threads are started when needed, take no
// signals, and are left behind at exit.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "jit/base/unique_fd.h"

namespace pollux::wasi {

/// Where completions are announced; outlives its reactor as long as a call is under way.
struct CompletionQueue {
    explicit CompletionQueue(UniqueFd event) noexcept : event_fd(std::move(event)) {}
    UniqueFd event_fd;  ///< duplicate of the reactor's eventfd
};

class BlockingCallBase {
public:
    virtual ~BlockingCallBase() = default;
    virtual void run() noexcept = 0;

    std::shared_ptr<CompletionQueue> queue;
    std::atomic<std::uint32_t> completed{0};
};

template <class F>
class BlockingCall final : public BlockingCallBase {
public:
    explicit BlockingCall(F call) : function(std::move(call)) {}
    void run() noexcept override { result.emplace(function()); }

    F function;
    std::optional<std::invoke_result_t<F&>> result;
};

/// Hands the call to a thread. False if there is none and none can be started: the pool is at its limit with calls that do not end.
[[nodiscard]] bool submit_blocking(std::shared_ptr<BlockingCallBase> call) noexcept;

}  // namespace pollux::wasi
