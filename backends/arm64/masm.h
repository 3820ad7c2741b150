// The MacroAssembler of AArch64: whole WebAssembly operations in, instruction words out, straight into the code buffer.
//
// Hot forms are words from stencils.h; SIMD and other rare forms go through asmjit's assembler, which writes to the same position.
// Immediates and offsets that an instruction cannot hold go through x16; x17 is a second scratch, v30 and v31 those for vectors, and
// x30 a third one inside a frame. No instruction leaves sp above live data, so a signal handler may use the stack below it at any pc.
// Uses of an unbound label chain through their own offset fields.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <asmjit/arm/a64assembler.h>
#include <asmjit/core.h>

#include "backends/arm64/abi.h"
#include "backends/arm64/cpu_features.h"
#include "backends/arm64/registers.h"
#include "backends/arm64/stencils.h"
#include "jit/compile/macro_assembler.h"

namespace pollux::arm64 {

class Masm {
public:
    static constexpr Reg kContext = arm64::kContext;
    static constexpr Reg kMemoryBase = arm64::kMemoryBase;
    static constexpr Reg kFramePointer = arm64::kFramePointer;
    static constexpr Reg kStackPointer = arm64::kStackPointer;
    static constexpr RegSet kTemporaries = arm64::kTemporaries;
    static constexpr auto kHomesGp = arm64::kHomesGp;
    static constexpr auto kHomesFp = arm64::kHomesFp;
    static constexpr Reg kResultGp = arm64::kResultGp, kResultFp = arm64::kResultFp;
    static constexpr Reg kResultPointer = arm64::kResultPointer;
    static constexpr Reg kCallTarget = arm64::kCallTarget;
    static constexpr auto kHelperArguments = arm64::kHelperArguments;
    static constexpr Reg kScratchGp = arm64::kScratchGp, kScratchFp = arm64::kScratchFp;
    static constexpr Reg kDivLow = kNoReg, kDivHigh = kNoReg;
    static constexpr Reg kExchangeRegister = kNoReg;
    static constexpr bool kFusesLoads = false;
    static constexpr std::size_t kMaxInstructionBytes = 256;
    static constexpr std::int32_t kStackArguments = kIncomingStackArea;

    explicit Masm(const CpuFeatures& features = host_features());
    Masm(const Masm&) = delete;
    Masm& operator=(const Masm&) = delete;

    [[nodiscard]] Reg shift_count_register(ShiftOp) const { return kNoReg; }

    // --- one function ------------------------------------------------------------------------------------------------------
    void begin(const CompileEnvironment& environment, CodeBuffer buffer, std::size_t body_bytes, FunctionOutput& output);
    /// Code that is no function (stubs, tests): no output, no environment.
    void begin(CodeBuffer buffer);
    void finish(std::uint32_t frame_bytes);
    [[nodiscard]] bool has_space(std::size_t bytes) const {
        const std::size_t behind = pending_traps_.size() * kTrapStubBytes + (literals_.size() + 1) * sizeof(Literal::bits);
        return bytes + behind + position() <= limit_;
    }
    [[nodiscard]] bool overflowed() const { return overflowed_ || errors_.full || errors_.not_encodable; }
    /// An instruction was asked for that cannot be encoded: a bug, reported as overflowed() so that no wrong code runs.
    [[nodiscard]] bool encoding_failed() const { return errors_.not_encodable; }
    [[nodiscard]] std::uint32_t position() const { return static_cast<std::uint32_t>(asm_._bufferPtr - asm_._bufferData); }
    void set_wasm_offset(std::uint32_t offset) { wasm_offset_ = offset; }
    void prologue();
    void epilogue(std::uint32_t stack_area);
    void restore_stack_pointer();

    // --- moves and constants -----------------------------------------------------------------------------------------------
    void mov(Kind, Reg d, Reg s);
    void mov_imm(Width, Reg d, std::uint64_t value);
    void fp_const(Width, Reg d, std::uint64_t bits);
    void v128_const(Reg d, wasm::V128 value);
    void load_slot(Kind, Reg d, std::int32_t slot);
    void store_slot(Kind, std::int32_t slot, Reg s);
    void store_slot_imm(std::int32_t slot, std::int64_t value);
    void load(LoadOp, Reg d, Address);
    void store(StoreOp, Address, Reg s);
    void null_trap_site() { site(Site::Kind::trap, TrapCode::null_reference); }
    void lea_slot(Reg d, std::int32_t slot);
    void gp_to_fp(Width, Reg d, Reg s);
    void fp_to_gp(Width, Reg d, Reg s);

    // --- integers ----------------------------------------------------------------------------------------------------------
    void alu(AluOp, Width, Reg d, Reg a, Operand b);
    void alu_immediate(AluOp op, Width width, Reg d, Reg a, std::int32_t value) { alu(op, width, d, a, Operand::imm(value)); }
    void mul(Width, Reg d, Reg a, Operand b);
    void shift(ShiftOp, Width, Reg d, Reg a, Operand count);
    void div(DivOp, Width, Reg d, Reg a, Reg b, bool check_zero, bool check_overflow);
    void add_wide(bool subtract, Reg low, Reg high, Reg b_low, Reg b_high);
    void mul_wide(bool is_signed, Reg low, Reg high, Reg a, Reg b);
    void bit_count(BitOp, Width, Reg d, Reg a);
    void extend(ExtendOp, Reg d, Reg a);
    void add_shifted(Width, Reg d, Reg a, Reg b, std::uint8_t shift);
    void compare_set(IntCond, Width, Reg d, Reg a, Operand b);
    void compare_branch(IntCond, Width, Reg a, Operand b, Label&);
    void compare_trap(IntCond, Width, Reg a, Operand b, TrapCode);
    void compare_select(IntCond, Width, Reg a, Operand b, Kind, Reg d, Reg t, Reg f);

    // --- floats ------------------------------------------------------------------------------------------------------------
    void fp_binary(FpBinOp, Width, Reg d, Reg a, Operand b);
    void fp_unary(FpUnOp, Width, Reg d, Reg a);
    void fp_compare_set(FloatCond, Width, Reg d, Reg a, Reg b);
    void fp_compare_branch(FloatCond, Width, bool when, Reg a, Reg b, Label&);
    void convert(wasm::Opcode, Reg d, Reg a);

    // --- control -----------------------------------------------------------------------------------------------------------
    void bind(Label&);
    void align_loop(std::uint32_t /*wasm_bytes*/) {}
    void jump(Label&);
    void jump_table(Reg index, std::span<Label* const> labels);
    void trap(TrapCode);

    // --- calls -------------------------------------------------------------------------------------------------------------
    void reserve_stack_arguments(std::uint32_t bytes);
    void call_function(std::uint32_t function);
    void call_code(Reg code);
    void call_helper(Helper);
    void trap_on_status(Reg status);
    void tail_frame(std::uint32_t own_area, std::uint32_t callee_area);
    void jump_function(std::uint32_t function);
    void jump_code(Reg code);
    void consume_fuel(std::uint32_t amount);

    // --- guest memory ------------------------------------------------------------------------------------------------------
    void guest_load(LoadOp, Reg d, const Address&);
    void guest_store(StoreOp, const Address&, Operand s);
    void usual_load(LoadOp op, Reg d, Reg index, std::int32_t offset) { guest_load(op, d, {kMemoryBase, index, offset}); }
    void usual_store_immediate(StoreOp op, Reg index, std::int32_t offset, std::int32_t value) {
        guest_store(op, {kMemoryBase, index, offset},
                    Operand::imm(op == StoreOp::b64 ? value : std::int64_t{static_cast<std::uint32_t>(value)}));
    }
    void usual_store(StoreOp op, Reg index, std::int32_t offset, Reg s) { guest_store(op, {kMemoryBase, index, offset}, s); }
    void check_bounds(Width, Reg index, std::uint64_t end, std::int32_t cell_offset);

    // --- atomics -----------------------------------------------------------------------------------------------------------
    void check_alignment(Reg index, std::uint32_t offset, std::uint32_t bytes);
    void atomic_load(LoadOp, Reg d, Address);
    void atomic_store(StoreOp, Address, Reg s);
    void atomic_update(AtomicOp, StoreOp, Reg d, Address, Reg value);
    void atomic_compare_exchange(StoreOp, Reg d, Address, Reg expected, Reg replacement);
    void atomic_fence();

    // --- SIMD --------------------------------------------------------------------------------------------------------------
    void simd_unary(wasm::Opcode, Reg d, Reg a);
    void simd_binary(wasm::Opcode, Reg d, Reg a, Reg b);
    void simd_ternary(wasm::Opcode, Reg d, Reg a, Reg b, Reg c);
    void simd_shift(wasm::Opcode, Reg d, Reg a, Operand count);
    void simd_splat(wasm::Opcode, Reg d, Reg a);
    void simd_extract_lane(wasm::Opcode, Reg d, Reg a, std::uint8_t lane);
    void simd_replace_lane(wasm::Opcode, Reg d, Reg a, Reg value, std::uint8_t lane);
    void simd_test(wasm::Opcode, Reg d, Reg a);
    void simd_shuffle(Reg d, Reg a, Reg b, wasm::V128 lanes);
    void simd_load(wasm::Opcode, Reg d, Address);
    void simd_load_lane(wasm::Opcode, Reg d, Reg a, Address, std::uint8_t lane);
    void simd_store_lane(wasm::Opcode, Reg a, Address, std::uint8_t lane);

    // --- words: for stubs.cpp, and inside ----------------------------------------------------------------------------------
    /// Appends one instruction; sets overflowed() when the buffer is full.
    void put(Word word) {
        if (asm_._bufferEnd - asm_._bufferPtr < 4) [[unlikely]] {
            overflowed_ = true;
            return;
        }
        store_word(asm_._bufferPtr, word);
        asm_._bufferPtr += 4;
    }
    void put_access(words::Access op, unsigned t, const Address& address);
    void put_constant(Width, unsigned d, std::uint64_t value);
    /// d = n ± value, through x16 if it must be; d and n may be sp.
    void put_add(unsigned d, unsigned n, std::int64_t value);
    /// A b.cond, cbz, cbnz, tbz or tbnz to a label, by whatever reaches it.
    void put_branch(Word word, Label& label);

private:
    /// asmjit's failures: no space, or operands that have no encoding.
    struct ErrorSink final : asmjit::ErrorHandler {
        bool full = false;
        bool not_encodable = false;
        void handleError(asmjit::Error error, const char*, asmjit::BaseEmitter*) override {
            (error == asmjit::kErrorTooLarge ? full : not_encodable) = true;
        }
    };
    /// A check whose trap instruction stands after the function's last instruction.
    struct PendingTrap {
        Label label;
        TrapCode code = TrapCode::none;
        std::uint32_t wasm_offset = 0;
        Reg status = kNoReg;
    };
    /// Bits behind the code, from which functions load floating-point constants.
    struct Literal {
        std::uint64_t bits = 0;
        Label label;
    };
    /// A register and an offset that the instruction can hold.
    struct Place {
        unsigned base = 0;
        std::int32_t offset = 0;
    };
    static constexpr std::size_t kTrapStubBytes = 8;

    static void store_word(std::uint8_t* at, Word word);
    [[nodiscard]] static Word load_word(const std::uint8_t* at);
    void start(CodeBuffer buffer, std::size_t limit);
    void patch(std::uint32_t at, Word word) { store_word(asm_._bufferData + at, word); }
    void link(Word word, Label& label);
    void load_literal(Width width, Reg d, std::uint64_t bits);

    /// x16, about to be written: what it held is forgotten.
    unsigned x16() {
        window_ = kNoWindow;
        return kX16;
    }
    void put_add_registers(unsigned d, unsigned n, unsigned m);
    [[nodiscard]] Place place(const Address& address, unsigned log2, bool last_byte);
    void put_window(std::int32_t offset);
    unsigned register_of(Width, const Operand& operand);
    unsigned fp_register_of(Width, const Operand& operand, unsigned scratch);
    [[nodiscard]] Cond put_compare(IntCond, Width, Reg a, const Operand& b);
    void put_logic(AluOp, Width, unsigned d, unsigned n, std::uint64_t value);
    void trap_when(Word branch, TrapCode code, Reg status = kNoReg);
    void site(Site::Kind kind, TrapCode trap = TrapCode::none) { add_site(position(), kind, trap); }
    void add_site(std::uint32_t at, Site::Kind kind, TrapCode trap);
    void load_callee_address(std::uint32_t function);
    void probe_last_byte(const Place& place, unsigned log2);
    void truncate_checked(bool is_signed, Width to, Width from, Reg d, Reg a);
    [[nodiscard]] unsigned address_in_register(const Address& address);

    CpuFeatures features_;
    ErrorSink errors_;
    asmjit::CodeHolder holder_;
    asmjit::a64::Assembler asm_;

    const CompileEnvironment* environment_ = nullptr;
    FunctionOutput* output_ = nullptr;
    CodeBuffer buffer_;
    std::size_t limit_ = 0;                 ///< bytes that may be used: the buffer, or the reach of short branches
    std::vector<PendingTrap> pending_traps_;
    std::vector<Literal> literals_;
    std::uint32_t wasm_offset_ = 0;
    std::vector<std::uint32_t> stack_restores_;  ///< positions of two patched words each: x16 = fp - frame
    std::uint32_t frame_at_ = 0;            ///< position of the prologue's two patched words; 0 before there are
    bool short_branches_ = false;           ///< b.cond and cbz reach everything within limit_
    bool test_branches_ = false;            ///< tbz does, too
    bool overflowed_ = false;
    bool finished_ = true;                  ///< false: what was begun last did not fit, or was abandoned

    static constexpr std::int32_t kNoWindow = 1;
    std::int32_t window_ = kNoWindow;       ///< x16 holds x29 + window_, a multiple of 4096
};

static_assert(MacroAssembler<Masm>);

}  // namespace pollux::arm64
