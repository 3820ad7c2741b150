// What the stubs, the masm and the signal handler of AArch64 agree on: frames, thunks, the markers of trapping instructions.
//
//   guest frame                                      host stub, helper stub, lazy stub
//     x29+16 …  incoming stack area                    x29     {caller's x29, return pc} = StoreContext::exit_frame
//     x29       {caller's x29, return pc}
//     x29-8     this function's instance, stored before x28 changes for a call of an import
//     below     slots
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux::arm64 {

/// Where guest code keeps its instance, from its frame pointer; null in the frame of the entry stub.
inline constexpr std::int32_t kCallerInstanceSlot = -8;
/// Offset from the frame pointer of the incoming stack area.
inline constexpr std::int32_t kIncomingStackArea = 16;

/// Immediate of the `udf` with which the preempt stub asks the signal handler to continue at the interrupted pc.
inline constexpr std::uint32_t kPreemptResumeMarker = 0xffff;

/// A lazy thunk: `movz w16, #low half of the function index; b entry`, with one entry of the lazy stub for each high half.
inline constexpr std::size_t kThunkBytes = 8;
inline constexpr std::uint32_t kLazyEntries = 64;

}  // namespace pollux::arm64
