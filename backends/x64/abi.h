// Frames and structures as x86-64 code addresses them: offsets of what jit/abi/layout.h lays out, and the frame.
//
//   rbp + 16 …   stack arguments        (popped by the callee)
//   rbp +  8     return address
//   rbp          caller's rbp
//   rbp -  8     first frame slot: the compiler keeps the instance here in functions that call imports
//   …            slots
//   rsp          multiple of 16
#pragma once

#include <cstddef>
#include <cstdint>

#include "jit/abi/layout.h"

namespace pollux::x64 {

// Offsets from the context register and from what it points to. StoreContext and MemoryCell hold atomics, so the
// offsets of later members are computed by hand and checked against their sizes.
inline constexpr std::int32_t kStoreOffset = 0;
inline constexpr std::int32_t kStackLimitOffset = offsetof(InstanceHeader, stack_limit);
inline constexpr std::int32_t kMemoryBaseOffset = offsetof(InstanceHeader, memory0_base);
inline constexpr std::int32_t kHelpersOffset = offsetof(InstanceHeader, helpers);
inline constexpr std::int32_t kEntryOffset = offsetof(StoreContext, entry);
inline constexpr std::int32_t kExitFrameOffset = offsetof(StoreContext, exit_frame);
inline constexpr std::int32_t kInterruptOffset = offsetof(StoreContext, interrupt_pending);
inline constexpr std::int32_t kFuelOffset = offsetof(StoreContext, fuel);
inline constexpr std::int32_t kLandingFrameOffset = offsetof(StoreContext, landing_frame);
inline constexpr std::int32_t kMemoryLengthOffset = offsetof(MemoryCell, length);
inline constexpr std::int32_t kHostBodyOffset = offsetof(HostFunction, body);

inline constexpr std::int32_t kCallerInstanceSlot = -8;  ///< from the frame pointer of a function that calls imports
inline constexpr std::int32_t kStackArgumentsOffset = 16;

/// Frames are below this, so that lowering the stack pointer can never wrap around: stacks are mapped far above it.
inline constexpr std::uint32_t kMaxFrameBytes = std::uint32_t{1} << 30;

}  // namespace pollux::x64
