// Where the guest calling convention puts parameters and results; shared by the compiler, the stubs and the runtime.
//
// Parameters: each class (GP, FP) fills its argument registers in order, the rest goes to the stack area in order, 8 bytes each
// (16, aligned, for v128). The area's size is a multiple of 16; the callee pops it. Argument registers are the first register homes,
// so a parameter arrives where it lives.
// Results: the first of each class in that class's result register; all others in memory at the address passed in the result-pointer
// register, 16 bytes each, counted over those others in order.
// Preserved by a call: the context, the memory base, the frame pointer, the stack pointer (less the popped area). Nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "jit/wasm/types.h"

namespace pollux {

struct Location {
    enum class Where : std::uint8_t { gp, fp, memory };
    Where where = Where::gp;
    std::uint32_t index = 0;  ///< gp, fp: number of the argument register; memory: byte offset in the area
};

/// Assigns parameters one after another.
class ParameterAssigner {
public:
    constexpr ParameterAssigner(std::uint32_t gp_registers, std::uint32_t fp_registers) noexcept
        : gp_registers_(gp_registers), fp_registers_(fp_registers) {}

    constexpr Location next(wasm::Kind kind) noexcept {
        if (wasm::is_fp(kind)) {
            if (fp_ < fp_registers_) return {Location::Where::fp, fp_++};
        } else if (gp_ < gp_registers_) {
            return {Location::Where::gp, gp_++};
        }
        const Location here{Location::Where::memory, wasm::align_slot(stack_, kind)};
        stack_ = here.index + wasm::slot_bytes(kind);
        return here;
    }

    /// Size of the stack area so far: a multiple of 16.
    [[nodiscard]] constexpr std::uint32_t stack_bytes() const noexcept { return (stack_ + 15) & ~std::uint32_t{15}; }

private:
    std::uint32_t gp_registers_, fp_registers_;
    std::uint32_t gp_ = 0, fp_ = 0, stack_ = 0;
};

/// Assigns results one after another; `index` of a memory result is its byte offset from the result pointer.
class ResultAssigner {
public:
    constexpr Location next(wasm::Kind kind) noexcept {
        bool& used = wasm::is_fp(kind) ? fp_used_ : gp_used_;
        if (!used) {
            used = true;
            return {wasm::is_fp(kind) ? Location::Where::fp : Location::Where::gp, 0};
        }
        const Location here{Location::Where::memory, memory_};
        memory_ += 16;
        return here;
    }

    [[nodiscard]] constexpr std::uint32_t memory_bytes() const noexcept { return memory_; }

private:
    bool gp_used_ = false, fp_used_ = false;
    std::uint32_t memory_ = 0;
};

/// Bytes of memory results of a function type.
[[nodiscard]] constexpr std::uint32_t memory_result_bytes(std::span<const wasm::ValType> results) noexcept {
    ResultAssigner assigner;
    for (const wasm::ValType& type : results) assigner.next(type.kind());
    return assigner.memory_bytes();
}

}  // namespace pollux
