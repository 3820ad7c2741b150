// Walks the guest frames of a stack by frame pointers, for backtraces, signal handlers and the search for exception handlers.
//
//   exit frame or faulting pc ─► frames ─► enter stub ─► outer exit frame ─► frames ─► enter stub ─► …     (StoreContext::entry,
//   EntryRecord)
//
// Every frame is handed to a visitor, which says whether to go on. Takes no lock and allocates nothing; reads nothing but the stack.
#pragma once

#include <cstdint>

#include "jit/abi/layout.h"
#include "jit/base/mapping.h"
#include "jit/runtime/code_map.h"
#include "jit/runtime/no_sanitize.h"

namespace pollux {

/// A function of the guest on the stack.
struct GuestFrame {
    std::uint64_t pc = 0;  ///< a return address, or where the walk began
    std::uint64_t frame_pointer = 0;  ///< of this frame, where it is complete
    const CodeRegion& region;  ///< that holds pc: a module's code
};

/// A place in guest code to begin at.
struct WalkStart {
    std::uint64_t pc = 0;
    std::uint64_t frame_pointer = 0;
    std::uint64_t return_slot = 0;  ///< frameless code: where its return address is, or 0:
    std::uint64_t link_register = 0;  ///< … it is this
};

class StackWalker {
public:
    explicit StackWalker(const Mapping& stack) noexcept : low_(stack.address()), high_(stack.address() + stack.size()) {}

    /// The frames of one activation, innermost first, until `visit` (of const GuestFrame&) returns false.
    template <class Visit>
    POLLUX_NO_SANITIZE void walk(const WalkStart& start, Visit&& visit) noexcept {
        if (!is_guest(start.pc) || !visit(GuestFrame{start.pc, start.frame_pointer, region_})) return;
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
        while (is_guest(pc) && visit(GuestFrame{pc, frame, region_}) && read_frame(frame, pc)) {
        }
    }

    /// The frames of the activation that left guest code by this exit frame.
    template <class Visit>
    POLLUX_NO_SANITIZE void walk_exit_frame(const void* exit_frame, Visit&& visit) noexcept {
        const auto at = reinterpret_cast<std::uint64_t>(exit_frame);
        if (!on_stack(at, sizeof(FrameLinks))) return;
        const auto* links = static_cast<const FrameLinks*>(exit_frame);
        const std::uint64_t above = at + sizeof(FrameLinks);
#if defined(__x86_64__)
        walk({links->return_address, links->caller_frame_pointer, above, 0}, visit);
#else
        // Only the preempt stub's exit frame can be that of a frameless pc: it keeps the link register behind it.
        const std::uint64_t link_register = on_stack(above, sizeof(std::uint64_t)) ? *reinterpret_cast<const std::uint64_t*>(above) : 0;
        walk({links->return_address, links->caller_frame_pointer, 0, link_register}, visit);
#endif
    }

    /// The activations around one that has been walked. `visit` should return true throughout.
    template <class Visit>
    POLLUX_NO_SANITIZE void walk_outer(const EntryRecord* record, Visit&& visit) noexcept {
        for (; record != nullptr && record->outer_exit_frame != nullptr; record = record->previous)
            walk_exit_frame(record->outer_exit_frame, visit);
    }

private:
    /// What a frame pointer points to.
    struct FrameLinks {
        std::uint64_t caller_frame_pointer;
        std::uint64_t return_address;
    };

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
    CodeRegion region_;
};

}  // namespace pollux
