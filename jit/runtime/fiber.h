// Fibers: stacks on which guests and the host functions that they call run.
//
//   | no access | host: kHostStackBytes | guest: Engine's max_wasm_stack                    | top
//                                       ^ stack limit: prologues of guest code trap below it
//
// A fiber belongs to a store and stays on the store's thread. resume() runs it until it suspends or ends; the store's innermost activation,
// exit frame and stack limit are switched with the stack. Stacks come from a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/base/mapping.h"

namespace pollux {

class Store;

/// What a host function can use of the stack, whatever depth the guest has reached; signal frames included.
inline constexpr std::size_t kHostStackBytes = 128 * 1024;

/// Stacks of one size, kept for reuse. Thread-safe.
class StackPool {
public:
    /// `guest_bytes`: usable by guest code.
    explicit StackPool(std::size_t guest_bytes) noexcept;
    [[nodiscard]] Result<Mapping> take();
    void give_back(Mapping stack) noexcept;
    [[nodiscard]] std::size_t guard_bytes() const noexcept { return page_bytes(); }

private:
    std::size_t bytes_;
    std::mutex mutex_;
    std::vector<Mapping> free_;
};

class Fiber {
public:
    using Body = std::move_only_function<void()>;

    /// A fiber that will run `body` at its first resume(), on the thread that makes it. Error: resource.
    [[nodiscard]] static Result<std::unique_ptr<Fiber>> create(Store& store, Body body);
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;
    /// A fiber that has begun must be done.
    ~Fiber();

    /// The fiber that the calling code runs on; null on a thread's own stack.
    [[nodiscard]] static Fiber* current() noexcept;
    /// Runs the fiber until it suspends or ends. Not from itself; from another fiber too.
    void resume() noexcept;
    /// Leaves the current fiber: its resume() returns. Continues when it is resumed again.
    static void suspend() noexcept;

    [[nodiscard]] bool started() const noexcept { return started_; }
    [[nodiscard]] bool done() const noexcept { return done_; }
    [[nodiscard]] Store& store() const noexcept { return store_; }
    /// Lowest address that guest code may use.
    [[nodiscard]] std::uint64_t stack_limit() const noexcept { return stack_limit_; }
    [[nodiscard]] const Mapping& stack() const noexcept { return stack_; }
    /// Where it was left; not of the running one.
    [[nodiscard]] std::uint64_t stack_pointer() const noexcept { return reinterpret_cast<std::uint64_t>(stack_pointer_); }
    [[nodiscard]] AllocationWindows& windows() noexcept { return windows_; }

    void* scheduler_data = nullptr;  ///< the scheduler's own

private:
    Fiber(Store& store, Body body, Mapping stack) noexcept;
    static void main(void* self) noexcept;
    void leave(bool for_ever) noexcept;
    [[nodiscard]] void*& resumer_stack_pointer() noexcept { return resumer_ != nullptr ? resumer_->stack_pointer_ : thread_stack_pointer_; }

    Store& store_;
    Body body_;
    Mapping stack_;
    std::uint64_t stack_limit_ = 0;
    void* stack_pointer_ = nullptr;  ///< while it does not run
    void* thread_stack_pointer_ = nullptr;  ///< of the thread's own stack, where that has resumed it
    AllocationWindows windows_;
    Fiber* resumer_ = nullptr;  ///< null: the thread's own stack
    Store* resumer_store_ = nullptr;
    EntryRecord* entry_ = nullptr;  ///< of the store, while it does not run
    void* exit_frame_ = nullptr;
    bool started_ = false;
    bool done_ = false;
    void* fake_stack_ = nullptr;  ///< AddressSanitizer's
    void* resumer_fake_stack_ = nullptr;
    const void* resumer_stack_bottom_ = nullptr;
    std::size_t resumer_stack_bytes_ = 0;
    void* sanitizer_fiber_ = nullptr;  ///< ThreadSanitizer's
    void* resumer_sanitizer_fiber_ = nullptr;
};

}  // namespace pollux
