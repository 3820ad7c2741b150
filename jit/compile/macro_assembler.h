// The MacroAssembler: the seam between the single-pass compiler and an ISA.
//
// backends/<isa>/masm.h defines one class with exactly these members (MasmModel below lists and documents them; nothing
// derives from it). The compiler is a template over it. Whole WebAssembly operations in three-operand form: the ISA picks
// instructions, legalises immediates and offsets, and uses only its own scratch registers for that.
//
// Rules for every operation:
//  - `d` may be the same register as any input. Inputs other than `d` keep their values. Nothing else is clobbered but the
//    masm's scratch registers (which the compiler never allocates) and flags.
//  - w32 results are zero-extended to 64 bits; w32 inputs are zero-extended already. An f32 lives in the low lane; upper lanes are
//  unspecified.
//  - `Operand` may be a register of the class the operation wants, an immediate (GP only), or a frame slot.
//  - Nothing is written beyond the buffer: what does not fit sets overflowed(). So that the pass ends soon then, has_space() is asked
//    before each wasm instruction that may emit more than a few instructions; kMaxInstructionBytes bounds what one method call emits,
//    jump_table and the out-of-line stubs excepted.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>

#include "jit/abi/helper.h"
#include "jit/compile/backend.h"
#include "jit/compile/registers.h"
#include "jit/wasm/opcodes.h"
#include "jit/wasm/types.h"

namespace pollux {

using wasm::Kind;

enum class Width : std::uint8_t { w32, w64 };

enum class AluOp : std::uint8_t { add, sub, and_, or_, xor_ };
enum class ShiftOp : std::uint8_t { shl, shr_s, shr_u, rotl, rotr };
enum class DivOp : std::uint8_t { div_s, div_u, rem_s, rem_u };
enum class BitOp : std::uint8_t { clz, ctz, popcnt };
enum class ExtendOp : std::uint8_t { s8_32, s16_32, s8_64, s16_64, s32_64, u32_64 };  ///< u32_64 also is i32.wrap_i64
enum class IntCond : std::uint8_t { eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u };
enum class FloatCond : std::uint8_t { eq, ne, lt, gt, le, ge };  ///< as wasm: false when unordered, but `ne` true
enum class FpBinOp : std::uint8_t { add, sub, mul, div, min, max, copysign };
enum class FpUnOp : std::uint8_t { abs, neg, sqrt, ceil, floor, trunc, nearest };

/// Scalar memory accesses; zero-extending loads fill 64 bits whatever the type.
enum class LoadOp : std::uint8_t { u8, u16, u32, s8_32, s16_32, s8_64, s16_64, s32_64, u64, f32, f64, v128 };
enum class StoreOp : std::uint8_t { b8, b16, b32, b64, f32, f64, v128 };

[[nodiscard]] constexpr std::uint32_t load_bytes(LoadOp op) noexcept {
    constexpr std::array<std::uint8_t, 12> kBytes = {1, 2, 4, 1, 2, 1, 2, 4, 8, 4, 8, 16};
    return kBytes[static_cast<std::size_t>(op)];
}
[[nodiscard]] constexpr std::uint32_t store_bytes(StoreOp op) noexcept {
    constexpr std::array<std::uint8_t, 7> kBytes = {1, 2, 4, 8, 4, 8, 16};
    return kBytes[static_cast<std::size_t>(op)];
}

/// Atomic read-modify-writes, in the order of their opcodes.
enum class AtomicOp : std::uint8_t { add, sub, and_, or_, xor_, exchange };

namespace detail {

inline constexpr std::array kNegated = {IntCond::ne,   IntCond::eq,   IntCond::ge_s, IntCond::ge_u, IntCond::le_s,
                                        IntCond::le_u, IntCond::gt_s, IntCond::gt_u, IntCond::lt_s, IntCond::lt_u};
inline constexpr std::array kSwapped = {IntCond::eq,   IntCond::ne,   IntCond::gt_s, IntCond::gt_u, IntCond::lt_s,
                                        IntCond::lt_u, IntCond::ge_s, IntCond::ge_u, IntCond::le_s, IntCond::le_u};

}  // namespace detail

[[nodiscard]] constexpr IntCond negate(IntCond cond) noexcept { return detail::kNegated[static_cast<std::size_t>(cond)]; }
/// The condition for exchanged operands.
[[nodiscard]] constexpr IntCond swap_operands(IntCond cond) noexcept { return detail::kSwapped[static_cast<std::size_t>(cond)]; }

/// A position in the code of one function. 8 bytes; `link` heads the chain of uses not yet bound (kept in the uses' own fields).
struct Label {
    std::int32_t position = -1;
    std::int32_t link = -1;
    [[nodiscard]] constexpr bool bound() const noexcept { return position >= 0; }
};

/// base + index + offset. `index`, if any, is a full 64-bit register. Offsets are at most 2^31-1.
struct Address {
    Reg base;
    Reg index = kNoReg;
    std::int32_t offset = 0;
};

/// Right-hand operand.
struct Operand {
    enum class Type : std::uint8_t { reg, immediate, slot };
    Type type = Type::reg;
    Reg reg = kNoReg;
    std::int32_t slot = 0;        ///< offset from the frame pointer
    std::int64_t immediate = 0;   ///< w32: its low 32 bits count

    constexpr Operand(Reg r) noexcept : reg(r) {}  // NOLINT(google-explicit-constructor)
    [[nodiscard]] static constexpr Operand imm(std::int64_t value) noexcept {
        Operand o(kNoReg);
        o.type = Type::immediate;
        o.immediate = value;
        return o;
    }
    [[nodiscard]] static constexpr Operand at(std::int32_t slot) noexcept {
        Operand o(kNoReg);
        o.type = Type::slot;
        o.slot = slot;
        return o;
    }
    [[nodiscard]] constexpr bool is_reg() const noexcept { return type == Type::reg; }
    [[nodiscard]] constexpr bool is_immediate() const noexcept { return type == Type::immediate; }
};

/// The members of a MacroAssembler, documented. Not a base class: a list to implement.
class MasmModel {
public:
    // --- registers -----------------------------------------------------------------------------------------------------
    static constexpr Reg kContext{};         ///< InstanceHeader (or HostFunction) of the running code
    static constexpr Reg kMemoryBase{};      ///< InstanceHeader::memory0_base
    static constexpr Reg kFramePointer{};
    static constexpr Reg kStackPointer{};
    static constexpr RegSet kTemporaries{};  ///< allocatable, of both classes: at least 4 GP and 6 FP
    static constexpr std::array<Reg, 0> kHomesGp{}, kHomesFp{};  ///< register homes and argument registers, in order
    static constexpr Reg kResultGp{}, kResultFp{};               ///< in kTemporaries; also what C functions return
    static constexpr Reg kResultPointer{};   ///< hidden argument; in kTemporaries, not kResultGp or kCallTarget
    static constexpr Reg kCallTarget{};  ///< where an indirect callee's FuncRef or code is kept while arguments are moved; in kTemporaries
    static constexpr std::array<Reg, 5> kHelperArguments{};  ///< C argument registers 1…5 (0 is the instance, set by call_helper)
    static constexpr Reg kScratchGp{},
        kScratchFp{};  ///< not allocatable. Free for the compiler around mov, load_slot, store_slot, load, store of whole values,
                       ///< which do not use them (they have others for legalising); everything else may clobber them.
    /// Division wants dividend (and quotient) in kDivLow and clobbers kDivHigh, where the remainder appears; kNoReg: any registers.
    static constexpr Reg kDivLow{}, kDivHigh{};
    /// Atomic compare-exchange wants the expected value, and atomic and, or, xor their result, in this one; kNoReg: in any.
    static constexpr Reg kExchangeRegister{};
    /// Whether alu_load and fp_binary_load are there.
    static constexpr bool kFusesLoads = false;
    static constexpr std::size_t kMaxInstructionBytes = 256;
    static constexpr std::int32_t kStackArguments = 16;  ///< offset from the frame pointer of the incoming stack area

    /// Register that a variable shift count must be in, or kNoReg. `d` and `a` must not be it then.
    [[nodiscard]] Reg shift_count_register(ShiftOp) const;

    // --- one function --------------------------------------------------------------------------------------------------
    /// Starts a function of `body_bytes` bytes of wasm at the buffer's start. Sites and relocations go to `output`.
    void begin(const CompileEnvironment& environment, CodeBuffer buffer, std::size_t body_bytes, FunctionOutput& output);
    /// Emits the out-of-line stubs, patches the frame size (bytes below the frame pointer; the masm rounds up to 16), sets
    /// output.code_bytes.
    void finish(std::uint32_t frame_bytes);
    [[nodiscard]] bool has_space(std::size_t bytes) const;
    [[nodiscard]] bool overflowed() const;
    [[nodiscard]] std::uint32_t position() const;  ///< code bytes so far
    void set_wasm_offset(std::uint32_t offset);  ///< what Sites recorded from now on carry

    /// Saves {fp, return address}, makes fp, reserves the (patched) frame, traps stack_overflow if sp < stack limit.
    void prologue();
    /// Restores sp, fp; pops `stack_area` bytes of incoming stack arguments; returns. Records frameless/framed sites.
    void epilogue(std::uint32_t stack_area);
    /// Where an exception lands: the stack pointer from the frame pointer. May clobber scratch.
    void restore_stack_pointer();

    // --- moves and constants -------------------------------------------------------------------------------------------
    void mov(Kind, Reg d, Reg s);  ///< same class
    void mov_imm(Width, Reg d, std::uint64_t value);
    void fp_const(Width, Reg d, std::uint64_t bits);
    void v128_const(Reg d, wasm::V128 value);
    void load_slot(Kind, Reg d, std::int32_t slot);  ///< fp-relative
    void store_slot(Kind, std::int32_t slot, Reg s);
    void store_slot_imm(std::int32_t slot, std::int64_t value);  ///< all 64 bits
    void load(LoadOp, Reg d, Address);  ///< host memory: no trap site
    void store(StoreOp, Address, Reg s);
    /// The load or store that is emitted next, of an offset up to 2048 without index, traps null_reference if its base is 0.
    void null_trap_site();
    void lea_slot(Reg d, std::int32_t slot);
    void gp_to_fp(Width, Reg d, Reg s);  ///< reinterpret
    void fp_to_gp(Width, Reg d, Reg s);

    // --- integers ------------------------------------------------------------------------------------------------------
    void alu(AluOp, Width, Reg d, Reg a, Operand b);
    void alu_immediate(AluOp, Width, Reg d, Reg a, std::int32_t value);  ///< the same, the value sign-extended
    void mul(Width, Reg d, Reg a, Operand b);
    void shift(ShiftOp, Width, Reg d, Reg a, Operand count);  ///< count modulo width; see shift_count_register; no slots
    /// Traps on zero (unless !check_zero) and, for div_s, on overflow (unless !check_overflow; rem_s by -1 gives 0). With fixed registers:
    /// a is kDivLow, d is kDivLow (div) or kDivHigh (rem), b neither.
    void div(DivOp, Width, Reg d, Reg a, Reg b, bool check_zero, bool check_overflow);
    /// low, high ± b, 128 bits each; low and high are neither of the others.
    void add_wide(bool subtract, Reg low, Reg high, Reg b_low, Reg b_high);
    /// low, high = a * b, all 128 bits; low and high are different, and not a or b. With fixed registers: a and low are kDivLow, high is
    /// kDivHigh, b neither.
    void mul_wide(bool is_signed, Reg low, Reg high, Reg a, Reg b);
    void bit_count(BitOp, Width, Reg d, Reg a);
    void extend(ExtendOp, Reg d, Reg a);
    void add_shifted(Width, Reg d, Reg a, Reg b, std::uint8_t shift);  ///< d = a + (b << shift), shift 0…3
    void compare_set(IntCond, Width, Reg d, Reg a, Operand b);  ///< 0 or 1
    void compare_branch(IntCond, Width, Reg a, Operand b, Label&);
    void compare_trap(IntCond, Width, Reg a, Operand b, TrapCode);
    /// d = cond(a, b) ? t : f, of `kind`; t, f, d in kind's class.
    void compare_select(IntCond, Width, Reg a, Operand b, Kind, Reg d, Reg t, Reg f);

    // --- floats --------------------------------------------------------------------------------------------------------
    void fp_binary(FpBinOp, Width, Reg d, Reg a, Operand b);  ///< b: register or slot
    void fp_unary(FpUnOp, Width, Reg d, Reg a);
    void fp_compare_set(FloatCond, Width, Reg d, Reg a, Reg b);
    void fp_compare_branch(FloatCond, Width, bool when, Reg a, Reg b, Label&);  ///< branches if cond(a, b) == when
    /// Every conversion between number types, by opcode (i32.trunc_f32_s … f64.promote_f32, the saturating ones too); traps where wasm
    /// does.
    void convert(wasm::Opcode, Reg d, Reg a);

    // --- control -------------------------------------------------------------------------------------------------------
    void bind(Label&);
    /// Before the header of a loop that calls nothing, and has so many bytes of wasm. May emit nothing.
    void align_loop(std::uint32_t wasm_bytes);
    void jump(Label&);
    /// Jumps to labels[index], the last one for index >= size-1. Clobbers index. Labels may be unbound.
    void jump_table(Reg index, std::span<Label* const> labels);
    void trap(TrapCode);  ///< here and now

    // --- calls: each records a call Site -------------------------------------------------------------------------------
    void reserve_stack_arguments(std::uint32_t bytes);  ///< lowers sp by a multiple of 16; arguments go to {kStackPointer, offset}
    void call_function(std::uint32_t function);  ///< of this module; by environment.calls
    void call_code(Reg code);
    void call_helper(Helper);  ///< puts the context in C argument 0; other arguments are in place; clobbers all but context, memory base
    void trap_on_status(Reg status);  ///< traps with that code if it is not 0
    /// Before a tail jump: pops the frame, moving `callee_area` bytes of stack arguments from sp up to where the callee expects them, given
    /// that this function was called with `own_area`. Argument registers, kResultPointer and kCallTarget keep their values; all else may be
    /// clobbered.
    void tail_frame(std::uint32_t own_area, std::uint32_t callee_area);
    void jump_function(std::uint32_t function);  ///< tail jump
    void jump_code(Reg code);
    void consume_fuel(std::uint32_t amount);  ///< traps fuel_exhausted when it becomes negative

    // --- guest memory: like load and store, with a trap site memory_out_of_bounds ----------------------------------------
    /// The same of most accesses: to memory 0, at base + index + offset, of scalars.
    void usual_load(LoadOp, Reg d, Reg index, std::int32_t offset);
    void usual_store(StoreOp, Reg index, std::int32_t offset, Reg s);
    void usual_store_immediate(StoreOp, Reg index, std::int32_t offset, std::int32_t value);  ///< b8 … b64: sign-extended
    void guest_load(LoadOp, Reg d, const Address&);
    void alu_load(AluOp, Width, Reg d, Reg a, Address b);  ///< d = a op [b]; trap site
    void fp_binary_load(FpBinOp, Width, Reg d, Reg a, Address b);  ///< add, sub, mul, div; trap site
    void guest_store(StoreOp, const Address&,
                     Operand s);  ///< s: register, or immediate (b8 … b64); arm64: nothing is written when it traps
    /// Traps unless index + end <= length, where length is that of the MemoryCell that the pointer at [kContext + cell_offset] points to.
    /// w64: index + end may wrap: traps.
    void check_bounds(Width, Reg index, std::uint64_t end, std::int32_t cell_offset);

    // --- atomic accesses to guest memory: sequentially consistent, at an address that is a multiple of their bytes; a trap site each ---
    /// Traps unaligned_atomic unless index + offset is a multiple of `bytes`, 2 to 8; offset < bytes.
    void check_alignment(Reg index, std::uint32_t offset, std::uint32_t bytes);
    void atomic_load(LoadOp, Reg d, Address);  ///< u8 … u64
    void atomic_store(StoreOp, Address, Reg s);  ///< b8 … b64
    /// d = what was there, zero-extended; d is none of the registers read, or kNoReg: nobody wants it.
    void atomic_update(AtomicOp, StoreOp, Reg d, Address, Reg value);
    /// Compares as many bits as are stored. d as above, but where kExchangeRegister is valid, d and expected both are that.
    void atomic_compare_exchange(StoreOp, Reg d, Address, Reg expected, Reg replacement);
    void atomic_fence();

    // --- SIMD, by opcode -------------------------------------------------------------------------------------------------
    void simd_unary(wasm::Opcode, Reg d, Reg a);  ///< abs, neg, not, popcnt, extend_*, extadd, ceil …, convert, trunc_sat, demote, promote
    void simd_binary(wasm::Opcode, Reg d, Reg a,
                     Reg b);  ///< arithmetic, comparisons, bitwise, narrow, swizzle, extmul, dot, q15mulr, pmin …
    void simd_ternary(wasm::Opcode, Reg d, Reg a, Reg b, Reg c);  ///< bitselect; relaxed madd, nmadd, laneselect, dot_add
    void simd_shift(wasm::Opcode, Reg d, Reg a, Operand count);  ///< shl, shr_s, shr_u; count: GP register or immediate, modulo lane width
    void simd_splat(wasm::Opcode, Reg d, Reg a);
    void simd_extract_lane(wasm::Opcode, Reg d, Reg a, std::uint8_t lane);
    void simd_replace_lane(wasm::Opcode, Reg d, Reg a, Reg value, std::uint8_t lane);
    void simd_test(wasm::Opcode, Reg d, Reg a);  ///< any_true, all_true, bitmask → GP
    void simd_shuffle(Reg d, Reg a, Reg b, wasm::V128 lanes);
    void simd_load(wasm::Opcode, Reg d, Address);  ///< extending, splat, zero; trap site
    void simd_load_lane(wasm::Opcode, Reg d, Reg a, Address, std::uint8_t lane);  ///< trap site
    void simd_store_lane(wasm::Opcode, Reg a, Address, std::uint8_t lane);  ///< trap site
};

/// What the compiler can check of it at compile time.
template <class M>
concept MacroAssembler = requires(M masm, Reg r, Operand o, Label label, Address address) {
    { M::kContext } -> std::convertible_to<Reg>;
    { M::kTemporaries } -> std::convertible_to<RegSet>;
    { M::kHomesGp.size() } -> std::convertible_to<std::size_t>;
    masm.alu(AluOp::add, Width::w32, r, r, o);
    masm.compare_branch(IntCond::eq, Width::w32, r, o, label);
    masm.guest_load(LoadOp::u32, r, address);
    masm.simd_binary(wasm::Opcode{}, r, r, r);
};

}  // namespace pollux
