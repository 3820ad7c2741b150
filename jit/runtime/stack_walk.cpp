#include "jit/runtime/stack_walk.h"

#include "jit/runtime/code_map.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/store.h"

namespace pollux {
namespace {

/// What a frame pointer points to.
struct FrameLinks {
    std::uint64_t caller_frame_pointer;
    std::uint64_t return_address;
};

/// A place in guest code to begin at.
struct Start {
    std::uint64_t pc = 0;
    std::uint64_t frame_pointer = 0;
    std::uint64_t return_slot = 0;    ///< frameless code: where its return address is, or 0:
    std::uint64_t link_register = 0;  ///< … it is this
};

class Walker {
public:
    Walker(const Mapping& stack, RawBacktrace& raw) noexcept : low_(stack.address()), high_(stack.address() + stack.size()), raw_(raw) {}

    /// The frames of one activation.
    POLLUX_NO_SANITIZE void walk(const Start& start) noexcept {
        if (!is_guest(start.pc)) return;
        raw_.push(start.pc);
        std::uint64_t frame = start.frame_pointer;
        std::uint64_t pc = 0;
        PcInfo info;
        // What the map does not know is a thunk, which has no frame.
        const bool frameless = !region_.find(start.pc, info) || info.frameless;
        std::uint64_t return_slot = start.return_slot;
        bool has_frame = !frameless;
        if (has_frame && makes_frame(start.pc)) {  // the caller's frame pointer is pushed, but still in its register
            has_frame = false;
            return_slot += sizeof(std::uint64_t);
        }
        if (has_frame) {
            if (!read_frame(frame, pc)) return;
        } else if (return_slot != 0) {
            if (!on_stack(return_slot, sizeof(std::uint64_t))) return;
            pc = *reinterpret_cast<const std::uint64_t*>(return_slot);
        } else {
            pc = start.link_register;
        }
        while (is_guest(pc)) {
            raw_.push(pc);
            if (!read_frame(frame, pc)) return;
        }
    }

    POLLUX_NO_SANITIZE void walk_exit_frame(const void* exit_frame) noexcept {
        const auto at = reinterpret_cast<std::uint64_t>(exit_frame);
        if (!on_stack(at, sizeof(FrameLinks))) return;
        const auto* links = static_cast<const FrameLinks*>(exit_frame);
        const std::uint64_t above = at + sizeof(FrameLinks);
#if defined(__x86_64__)
        walk({links->return_address, links->caller_frame_pointer, above, 0});
#else
        // Only the preempt stub's exit frame can be that of a frameless pc: it keeps the link register behind it.
        const std::uint64_t link_register = on_stack(above, sizeof(std::uint64_t)) ? *reinterpret_cast<const std::uint64_t*>(above) : 0;
        walk({links->return_address, links->caller_frame_pointer, 0, link_register});
#endif
    }

    /// The activations around one that has been walked.
    POLLUX_NO_SANITIZE void walk_outer(const EntryRecord* record) noexcept {
        for (; record != nullptr && record->outer_exit_frame != nullptr; record = record->previous)
            walk_exit_frame(record->outer_exit_frame);
    }

private:
    [[nodiscard]] bool on_stack(std::uint64_t at, std::uint64_t bytes) const noexcept {
        return at >= low_ && at <= high_ - bytes && at % 8 == 0;
    }

    /// Whether the instruction at `pc` is the one that makes the frame pointer, on x86-64 (`mov rbp, rsp`).
    [[nodiscard]] static bool makes_frame(std::uint64_t pc) noexcept {
#if defined(__x86_64__)
        const auto* code = reinterpret_cast<const std::uint8_t*>(pc);
        return code[0] == 0x48 && ((code[1] == 0x89 && code[2] == 0xe5) || (code[1] == 0x8b && code[2] == 0xec));
#else
        static_cast<void>(pc);
        return false;
#endif
    }

    /// Moves to the caller: frames lie ever higher on the stack.
    POLLUX_NO_SANITIZE bool read_frame(std::uint64_t& frame, std::uint64_t& pc) const noexcept {
        if (!on_stack(frame, sizeof(FrameLinks))) return false;
        const auto* links = reinterpret_cast<const FrameLinks*>(frame);
        pc = links->return_address;
        if (links->caller_frame_pointer <= frame && links->caller_frame_pointer != 0) return false;
        frame = links->caller_frame_pointer;
        return true;
    }

    [[nodiscard]] bool is_guest(std::uint64_t pc) noexcept {
        if (pc - region_.begin >= region_.end - region_.begin && !find_code_region(pc, region_)) {
            region_ = {};
            return false;
        }
        return region_.map != nullptr;
    }

    std::uint64_t low_, high_;
    RawBacktrace& raw_;
    CodeRegion region_;
};

}  // namespace

void walk_from_fault(Store& store, const MachineContext& context, RawBacktrace& raw) noexcept {
    raw.clear();
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr) return;
    raw.exact = true;
    Walker walker(fiber->stack(), raw);
    walker.walk({context.pc(), context.frame_pointer(), context.frameless_return_slot(), context.link_register()});
    walker.walk_outer(store.entry);
}

void collect_backtrace(Store& store) noexcept {
    RawBacktrace& raw = store.raw_backtrace();
    raw.clear();
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr || store.exit_frame == nullptr) return;
    Walker walker(fiber->stack(), raw);
    walker.walk_exit_frame(store.exit_frame);
    walker.walk_outer(store.entry);
}

}  // namespace pollux
