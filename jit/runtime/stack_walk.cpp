#include "jit/runtime/stack_walk.h"

#include "jit/runtime/fiber.h"
#include "jit/runtime/stack_walker.h"
#include "jit/runtime/store.h"

namespace pollux {
namespace {

/// A visitor that keeps the pcs of all frames.
auto pushing(RawBacktrace& raw) noexcept {
    return [&raw](const GuestFrame& frame) {
        raw.push(frame.pc);
        return true;
    };
}

}  // namespace

void walk_from_fault(Store& store, const MachineContext& context, RawBacktrace& raw) noexcept {
    raw.clear();
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr) return;
    raw.exact = true;
    StackWalker walker(fiber->stack());
    walker.walk({context.pc(), context.frame_pointer(), context.frameless_return_slot(), context.link_register()}, pushing(raw));
    walker.walk_outer(store.entry, pushing(raw));
}

void collect_backtrace(Store& store) noexcept {
    RawBacktrace& raw = store.raw_backtrace();
    raw.clear();
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr || store.exit_frame == nullptr) return;
    StackWalker walker(fiber->stack());
    walker.walk_exit_frame(store.exit_frame, pushing(raw));
    walker.walk_outer(store.entry, pushing(raw));
}

}  // namespace pollux
