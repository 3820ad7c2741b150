// Which x86-64 register plays which part in generated code.
//
//   rax rcx rdx rdi          temporaries; rax result and call target, rdi result pointer, rax/rdx division, rcx shift counts
//   rsi r8 r9 r10 rbx r12 r13   homes of locals and arguments, in order
//   r11                      scratch of the masm
//   r14 r15 rbp rsp          memory base, context, frame pointer, stack pointer
//   xmm0-5 / xmm6-13         temporaries / homes;  xmm14, xmm15: scratch of the masm
#pragma once

#include <array>

#include "jit/compile/registers.h"

namespace pollux::x64 {

inline constexpr Reg kRax = gp(0), kRcx = gp(1), kRdx = gp(2), kRbx = gp(3), kRsp = gp(4), kRbp = gp(5), kRsi = gp(6), kRdi = gp(7);
inline constexpr Reg kR8 = gp(8), kR9 = gp(9), kR10 = gp(10), kR11 = gp(11), kR12 = gp(12), kR13 = gp(13), kR14 = gp(14), kR15 = gp(15);

inline constexpr Reg kContextReg = kR15;
inline constexpr Reg kMemoryBaseReg = kR14;
inline constexpr Reg kScratchGpReg = kR11;
inline constexpr Reg kScratchFpReg = fp(15);
inline constexpr Reg kSecondScratchFpReg = fp(14);  ///< only inside one masm operation

inline constexpr std::array kArgumentsGp = {kRsi, kR8, kR9, kR10, kRbx, kR12, kR13};
inline constexpr std::array kArgumentsFp = {fp(6), fp(7), fp(8), fp(9), fp(10), fp(11), fp(12), fp(13)};

}  // namespace pollux::x64
