// The register map of AArch64.
//
//   x0–x7    temporaries (x0 result, x1 result pointer, x2 call target)   v0–v7    temporaries (v0 result)
//   x8–x15, x19–x26   homes, in this order the argument registers        v8–v29   homes and argument registers
//   x16, x17 scratch of the masm and of veneers                          v30, v31 scratch of the masm
//   x18      the platform's, never touched
//   x27      base of memory 0                                            x28      context (InstanceHeader or HostFunction)
//   x29, x30 frame pointer, link register: a scratch inside a frame       sp       16-byte aligned at every instruction
#pragma once

#include <array>

#include "jit/compile/registers.h"

namespace pollux::arm64 {

inline constexpr Reg kContext = gp(28);
inline constexpr Reg kMemoryBase = gp(27);
inline constexpr Reg kFramePointer = gp(29);
inline constexpr Reg kLinkRegister = gp(30);
inline constexpr Reg kStackPointer = gp(31);

inline constexpr RegSet kTemporaries = RegSet(0x0000'00ff'0000'00ff);
inline constexpr std::array<Reg, 16> kHomesGp = {gp(8),  gp(9),  gp(10), gp(11), gp(12), gp(13), gp(14), gp(15),
                                                 gp(19), gp(20), gp(21), gp(22), gp(23), gp(24), gp(25), gp(26)};
inline constexpr std::array<Reg, 22> kHomesFp = {fp(8),  fp(9),  fp(10), fp(11), fp(12), fp(13), fp(14), fp(15), fp(16), fp(17), fp(18),
                                                 fp(19), fp(20), fp(21), fp(22), fp(23), fp(24), fp(25), fp(26), fp(27), fp(28), fp(29)};

inline constexpr Reg kResultGp = gp(0);
inline constexpr Reg kResultFp = fp(0);
inline constexpr Reg kResultPointer = gp(1);
inline constexpr Reg kCallTarget = gp(2);
inline constexpr std::array<Reg, 5> kHelperArguments = {gp(1), gp(2), gp(3), gp(4), gp(5)};
inline constexpr Reg kScratchGp = gp(17);
inline constexpr Reg kScratchFp = fp(31);

/// Numbers as instruction words have them; 31 is the zero register or the stack pointer, as the instruction says.
inline constexpr unsigned kX16 = 16, kX17 = 17, kX27 = 27, kX28 = 28, kFp = 29, kLr = 30, kSp = 31, kZr = 31;
inline constexpr unsigned kV30 = 30, kV31 = 31;

}  // namespace pollux::arm64
