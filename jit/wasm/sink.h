// The Sink: what function_pass.h calls for each instruction that it has decoded and validated.
//
// function_pass is a template over a Sink, so that validation and code generation are one forward pass without knowing
// each other. ValidateSink (below) does nothing: with it the pass is a validator and every call disappears.
//
// Contract:
//  - A method is called after the instruction's immediates were read and its types checked, and only in reachable code.
//  - Control frames entered in unreachable code never reach the sink, nor does anything inside them. So depths that the
//    sink is given count only frames that it has seen (all frames around reachable code are such).
//  - `else_` and `end` of a frame that the sink has seen are always called; they say whether the code before was reachable.
//  - A sink may end the pass: it moves `next` to `end` and has `bool stopped() const` that then is true; the pass succeeds.
//  - A sink may have short cuts, which are called in place of load, store, and local_get with an i32.load behind it:
//        template <Opcode> void usual_load(std::uint32_t offset);     // where memory 0 is meant, a 32-bit one, and
//        template <Opcode> void usual_store(std::uint32_t offset);    // another byte of the body follows
//        void load_at_local(std::uint32_t local, std::uint32_t offset);
//    of an i32.const with an i32.store or with an addition, a subtraction or a bitwise instruction behind it,
//        void store_constant(std::uint32_t offset, std::int32_t value);
//        void alu_constant(Opcode, std::int32_t value);
//    and of some with a local.set or local.tee of their result behind them; they say whether they did that, too:
//        template <Opcode> bool load_to_local(std::uint32_t offset, std::uint32_t local, bool tee);
//        bool load_at_local_to_local(std::uint32_t from, std::uint32_t offset, std::uint32_t local, bool tee);
//        bool alu_constant_to_local(Opcode, std::int32_t value, std::uint32_t local, bool tee);
//  - Opcode arguments are template arguments: dispatch costs nothing.
//  - Operand types need no looking up: the sink keeps its own abstract stack, of Kinds.
#pragma once

#include <cstdint>
#include <span>

#include "jit/wasm/opcodes.h"
#include "jit/wasm/types.h"

namespace pollux::wasm {

/// Where the pass is; read by the sink, which writes it only to end the pass. `next` points at the opcode after the current instruction and
/// its immediates (a body ends in `end`, so it is always readable); a sink may peek at it, never beyond an opcode byte and a one-byte LEB.
struct PassPosition {
    const std::uint8_t* next = nullptr;
    const std::uint8_t* end = nullptr;  ///< one past the last byte of the body
    const std::uint8_t* opcode = nullptr;  ///< the current instruction
    std::uintptr_t origin = 0;  ///< where the module's first byte is, or would be
    /// Of the current opcode in the module: what traps and backtraces report.
    [[nodiscard]] std::uint32_t offset() const noexcept {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(opcode) - origin);
    }
};

// clang-format off
/// Documents the sink's methods and is the sink that ignores everything.
struct ValidateSink {
    // --- framing ---------------------------------------------------------------------------------------------------
    /// Once, after the local declarations: `locals` are the parameters followed by the declared locals.
    void begin(const FuncType& /*type*/, std::span<const ValType> /*locals*/, PassPosition& /*position*/) {}
    /// Once, after the final `end` (which is also reported by `end`). The function's implicit frame has depth max.
    void finish() {}

    // --- constants, numeric, SIMD ----------------------------------------------------------------------------------
    void i32_const(std::int32_t) {}
    void i64_const(std::int64_t) {}
    void f32_const(std::uint32_t /*bits*/) {}
    void f64_const(std::uint64_t /*bits*/) {}
    void v128_const(V128) {}
    /// Every instruction that has no immediates and just pops and pushes numbers by its signature in opcodes.def:
    /// arithmetic, comparisons, conversions, all such SIMD, relaxed SIMD, wide arithmetic.
    template <Opcode> void numeric() {}
    /// extract_lane, replace_lane
    template <Opcode> void simd_lane(std::uint8_t /*lane*/) {}
    void i8x16_shuffle(V128 /*lanes*/) {}

    // --- memory ----------------------------------------------------------------------------------------------------
    template <Opcode> void load(const MemArg&) {}    ///< also v128 loads: extending, splat, zero
    template <Opcode> void store(const MemArg&) {}
    template <Opcode> void load_lane(const MemArg&, std::uint8_t /*lane*/) {}
    template <Opcode> void store_lane(const MemArg&, std::uint8_t /*lane*/) {}
    template <Opcode> void atomic(const MemArg&) {}  ///< load, store, rmw, cmpxchg, wait, notify by opcode
    void atomic_fence() {}
    void memory_size(std::uint32_t /*memory*/) {}
    void memory_grow(std::uint32_t /*memory*/) {}
    void memory_init(std::uint32_t /*segment*/, std::uint32_t /*memory*/) {}
    void data_drop(std::uint32_t /*segment*/) {}
    void memory_copy(std::uint32_t /*to*/, std::uint32_t /*from*/) {}
    void memory_fill(std::uint32_t /*memory*/) {}

    // --- variables, parametric ---------------------------------------------------------------------------------------
    void local_get(std::uint32_t) {}
    void local_set(std::uint32_t) {}
    void local_tee(std::uint32_t) {}
    void global_get(std::uint32_t) {}
    void global_set(std::uint32_t) {}
    void drop() {}
    void select(Kind) {}  ///< both forms

    // --- control -----------------------------------------------------------------------------------------------------
    void block(const BlockType&) {}
    void loop(const BlockType&) {}
    void if_(const BlockType&) {}  ///< pops the condition
    void else_(bool /*then_reachable*/) {}
    void end(bool /*reachable*/) {}  ///< of block, loop, if with or without else, and of the function
    void br(std::uint32_t /*depth*/) {}
    void br_if(std::uint32_t /*depth*/) {}
    void br_table(std::span<const std::uint32_t> /*depths*/, std::uint32_t /*default_depth*/) {}
    void return_() {}
    void unreachable() {}
    void nop() {}
    /// A branch hint for the next `if` or `br_if` (custom section metadata.code.branch_hint): likely taken or not.
    void branch_hint(bool /*likely*/) {}

    // --- calls -------------------------------------------------------------------------------------------------------
    void call(std::uint32_t /*function*/, const FuncType&) {}
    void call_indirect(TypeId, std::uint32_t /*table*/) {}
    void call_ref(TypeId) {}
    void return_call(std::uint32_t /*function*/, const FuncType&) {}
    void return_call_indirect(TypeId, std::uint32_t /*table*/) {}
    void return_call_ref(TypeId) {}

    // --- references and tables ---------------------------------------------------------------------------------------
    void ref_null(ValType) {}
    void ref_func(std::uint32_t /*function*/) {}
    void ref_is_null() {}
    void ref_as_non_null() {}
    void ref_eq() {}
    void br_on_null(std::uint32_t /*depth*/) {}
    void br_on_non_null(std::uint32_t /*depth*/) {}
    void table_get(std::uint32_t) {}
    void table_set(std::uint32_t) {}
    void table_size(std::uint32_t) {}
    void table_grow(std::uint32_t) {}
    void table_fill(std::uint32_t) {}
    void table_copy(std::uint32_t /*to*/, std::uint32_t /*from*/) {}
    void table_init(std::uint32_t /*segment*/, std::uint32_t /*table*/) {}
    void elem_drop(std::uint32_t) {}

    // --- exceptions --------------------------------------------------------------------------------------------------
    struct Catch {
        enum class Clause : std::uint8_t { catch_, catch_ref, catch_all, catch_all_ref };
        Clause clause;
        std::uint32_t tag;    ///< catch, catch_ref
        std::uint32_t depth;  ///< as seen from outside the try_table
    };
    void try_table(const BlockType&, std::span<const Catch>) {}
    void throw_(std::uint32_t /*tag*/) {}
    void throw_ref() {}
    void try_(const BlockType&) {}              ///< legacy
    void catch_(std::uint32_t /*tag*/, bool /*reachable*/) {}   ///< legacy; ends the part before, as else_ does
    void catch_all(bool /*reachable*/) {}       ///< legacy
    void delegate(std::uint32_t /*depth*/, bool /*reachable*/) {}  ///< legacy; ends the frame; depth is seen from outside it
    void rethrow(std::uint32_t /*depth*/) {}    ///< legacy

    // --- GC ------------------------------------------------------------------------------------------------------------
    /// struct.*, array.*, ref.i31, i31.get_*, any.convert_extern, extern.convert_any. `type` is the canonical id of the
    /// first type immediate (kNoType if none); `operand` the other immediate: field, length, segment or kNoIndex;
    /// `source` the second type of array.copy.
    template <Opcode> void gc(TypeId /*type*/, std::uint32_t /*operand*/, TypeId /*source*/) {}
    /// `source` is the operand's type.
    template <Opcode> void ref_test_or_cast(ValType /*source*/, ValType /*target*/) {}  ///< ref.test, ref.cast and their nullable forms
    template <Opcode> void br_on_cast(std::uint32_t /*depth*/, ValType /*source*/, ValType /*target*/) {}
};
// clang-format on

}  // namespace pollux::wasm
