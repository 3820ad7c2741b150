#include "jit/runtime/fiber.h"

#include <utility>

#include "jit/base/tuning.h"
#include "jit/runtime/engine.h"
#include "jit/runtime/sanitizer_fiber.h"
#include "jit/runtime/store.h"
#include "jit/runtime/trap.h"

namespace pollux {

namespace {
/// Of a stack that goes back to the pool: what stays in memory, from the top.
constexpr std::size_t kKeptBytes = 64 * 1024;
}  // namespace

StackPool::StackPool(std::size_t guest_bytes) noexcept : bytes_(page_bytes() + kHostStackBytes + round_to_pages(guest_bytes)) {}

Result<Mapping> StackPool::take() {
    {
        const std::scoped_lock lock(mutex_);
        if (!free_.empty()) {
            Mapping stack = std::move(free_.back());
            free_.pop_back();
            return stack;
        }
    }
    auto stack = Mapping::reserve(bytes_, "a fiber's stack");
    if (!stack) return stack;
    if (auto done = stack->protect(guard_bytes(), bytes_ - guard_bytes(), PROT_READ | PROT_WRITE, "a fiber's stack"); !done) {
        return std::unexpected(std::move(done.error()));
    }
    return stack;
}

void StackPool::give_back(Mapping stack) noexcept {
    sanitizer::unpoison(stack.data() + guard_bytes(), stack.size() - guard_bytes());
    {
        const std::scoped_lock lock(mutex_);
        if (free_.size() < tuning.hot_stacks) {
            free_.push_back(std::move(stack));
            return;
        }
        if (free_.size() >= tuning.pooled_stacks) return;
    }
    stack.discard(guard_bytes(), stack.size() - guard_bytes() - kKeptBytes);
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(stack));
}

Fiber::Fiber(Store& store, Body body, Mapping stack) noexcept : store_(store), body_(std::move(body)), stack_(std::move(stack)) {
    stack_limit_ = stack_.address() + store.engine().stack_pool().guard_bytes() + kHostStackBytes;
    stack_pointer_ = store.engine().backend().prepare_stack(stack_.data() + stack_.size(), &Fiber::main, this);
    sanitizer_fiber_ = sanitizer::create_fiber();
    store.fibers().insert(this);
}

Result<std::unique_ptr<Fiber>> Fiber::create(Store& store, Body body) {
    if (auto ready = prepare_thread(); !ready) return std::unexpected(std::move(ready.error()));
    auto stack = store.engine().stack_pool().take();
    if (!stack) return std::unexpected(std::move(stack.error()));
    return std::unique_ptr<Fiber>(new Fiber(store, std::move(body), std::move(*stack)));
}

Fiber::~Fiber() {
    store_.fibers().erase(this);
    sanitizer::destroy_fiber(sanitizer_fiber_);
    store_.engine().stack_pool().give_back(std::move(stack_));
}

Fiber* Fiber::current() noexcept { return thread_state().fiber; }

void Fiber::resume() noexcept {
    ThreadState& thread = thread_state();
    resumer_ = std::exchange(thread.fiber, this);
    resumer_store_ = std::exchange(thread.store, &store_);
    EntryRecord* const outer_entry = std::exchange(store_.entry, entry_);
    void* const outer_exit_frame = std::exchange(store_.exit_frame, exit_frame_);
    const std::uint64_t outer_limit = store_.stack_limit();
    AllocationWindows* const outer_windows = store_.windows();
    store_.set_stack(stack_limit_, &windows_);
    store_.set_running(true);
    started_ = true;

    resumer_sanitizer_fiber_ = sanitizer::current_fiber();
    sanitizer::start_switch(&resumer_fake_stack_, stack_.data(), stack_.size(), sanitizer_fiber_);
    store_.engine().stubs().switch_stack(&resumer_stack_pointer(), stack_pointer_);
    sanitizer::finish_switch(resumer_fake_stack_, nullptr, nullptr);

    entry_ = std::exchange(store_.entry, outer_entry);
    exit_frame_ = std::exchange(store_.exit_frame, outer_exit_frame);
    if (resumer_store_ != &store_) {
        store_.set_running(false);
        if (resumer_store_ != nullptr) resumer_store_->set_running(true);
    } else {
        store_.set_stack(outer_limit, outer_windows);
    }
    thread.fiber = resumer_;
    thread.store = resumer_store_;
}

void Fiber::leave(bool for_ever) noexcept {
    sanitizer::start_switch(for_ever ? nullptr : &fake_stack_, resumer_stack_bottom_, resumer_stack_bytes_, resumer_sanitizer_fiber_);
    store_.engine().stubs().switch_stack(&stack_pointer_, resumer_stack_pointer());
    sanitizer::finish_switch(fake_stack_, &resumer_stack_bottom_, &resumer_stack_bytes_);
}

void Fiber::suspend() noexcept { current()->leave(false); }

void Fiber::main(void* self) noexcept {
    auto& fiber = *static_cast<Fiber*>(self);
    sanitizer::finish_switch(nullptr, &fiber.resumer_stack_bottom_, &fiber.resumer_stack_bytes_);
    fiber.body_();
    fiber.body_ = nullptr;
    fiber.done_ = true;
    fiber.leave(true);
}

}  // namespace pollux
