// Abstract values, register homes and control frames: what the single-pass compiler knows at a point of the code.
//
// The frame of a function, downwards from the frame pointer:
//
//   fp + 16 + n   incoming stack arguments (locals without a home live right there)
//   fp + 8        return address
//   fp            caller's frame pointer
//   fp - 8        own instance, written before calls that change the context register
//   fp - 16       result pointer, if the function has results in memory
//   fp - 16 - n   locals: each has a slot, also those with a register home (written when the home must be given up)
//   below         operand stack: each value has its own slot, by its place in the stack; written when it must leave its register
//
// So a slot belongs to one value, spilling never moves anything, and values agree on their slots at merges.
#pragma once

#include <cstdint>

#include "jit/compile/macro_assembler.h"
#include "jit/compile/registers.h"
#include "jit/wasm/types.h"

namespace pollux {

inline constexpr std::int32_t kInstanceSlot = -8;
inline constexpr std::int32_t kResultPointerSlot = -16;
inline constexpr std::uint32_t kFixedFrameBytes = 16;

/// A value on the abstract operand stack: where it is, or what it will be when somebody needs it.
struct AbstractValue {
    enum class Type : std::uint8_t {
        constant,  ///< `bits`; never v128
        local,     ///< deferred read of local `bits`
        reg,       ///< in temporary `reg`, which it owns
        spilled,   ///< in its own slot
    };
    Type type = Type::constant;
    Kind kind = Kind::i32;
    Reg reg = kNoReg;         ///< local: its home
    std::uint32_t depth = 0;  ///< bytes of operand slots up to and including its own
    std::uint64_t bits = 0;

    [[nodiscard]] bool is_constant() const noexcept { return type == Type::constant; }
    [[nodiscard]] bool is_local(std::uint32_t local) const noexcept { return type == Type::local && bits == local; }
};

struct alignas(16) Local {
    Kind kind = Kind::i32;
    Reg home = kNoReg;               ///< never changes
    std::int32_t slot = 0;           ///< offset from the frame pointer
    std::uint32_t deferred = 0;      ///< values on the operand stack that are deferred reads of it
};

/// What the homes hold. State at merges is this, whatever the number of locals.
struct HomeState {
    RegSet valid;  ///< the home holds the local's value
    RegSet dirty;  ///< … and its slot does not; a subset of valid
    friend bool operator==(const HomeState&, const HomeState&) = default;
};

struct ControlFrame {
    enum class Type : std::uint8_t { function, block, loop, if_, else_, try_table, try_, catch_ };

    /// Member by member: all at once it would be cleared by `rep stos`, which is dear for so few bytes.
    ControlFrame(Type of, const wasm::BlockType& with, std::uint32_t operands, std::uint32_t bytes) noexcept
        : type(of), block(with), height(operands), depth(bytes) {}

    Type type;
    bool targeted = false;           ///< something branches to `label`; then label_state is set
    wasm::BlockType block;
    std::uint32_t height;            ///< operand stack below the parameters
    std::uint32_t depth;             ///< bytes of operand slots at that height
    Label label;                     ///< end; loop: header
    Label else_label;
    HomeState label_state;
    HomeState else_state;
    std::uint32_t region = 0;        ///< try_table, try_: number of its exception handlers
    std::uint32_t region_begin = 0;  ///< code offset
    std::uint32_t region_end = 0;    ///< catch_: where the body ended
    std::uint32_t first_catch = 0;   ///< try_table: its clauses in catches_
    std::uint32_t out_of_line = 0;   ///< branches to its end that are out of line: 1 + the last one's index; 0: none
};

/// A comparison whose consumer is the next instruction, or a plain i32 tested against zero.
struct Condition {
    bool is_float = false;
    bool when = true;                ///< float: the wanted outcome
    Width width = Width::w32;
    IntCond integer = IntCond::ne;
    FloatCond floating = FloatCond::eq;
    AbstractValue a;
    AbstractValue b;
};

}  // namespace pollux
