// The MacroAssembler of x86-64: see MasmModel in jit/compile/macro_assembler.h for the contract of every public member.
//
// In: whole WebAssembly operations in three-operand form. Out: code, sites and relocations.
// Two-operand forms, immediates and missing instruction sets are resolved here, with r11, xmm14 and xmm15 as only scratch
// registers. What is rarely run (NaNs in min and max, conversions out of range) goes behind the function's code, then come
// the trap stubs (ud2 each, with its own wasm offset), then the constants that the code reads relative to rip.
//
//   masm.cpp          frame, moves, control, calls         masm_integer.cpp  integers
//   masm_memory.cpp   loads, stores, bounds                masm_float.cpp    floats and conversions
//   masm_atomic.cpp   atomic accesses
//   masm_simd.cpp     vector arithmetic                    masm_lanes.cpp    vector lanes, shuffles, loads
//   masm_hot.h        what is emitted most, inline
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/x64/abi.h"
#include "backends/x64/cpu_features.h"
#include "backends/x64/emitter.h"
#include "backends/x64/registers.h"
#include "backends/x64/stencils.h"
#include "jit/base/tuning.h"
#include "jit/compile/backend.h"
#include "jit/compile/macro_assembler.h"

namespace pollux::x64 {

/// One vector or scalar floating-point operation in its two encodings: d = d op b, and d = a op b.
struct VectorOp {
    std::uint32_t sse = 0;
    std::uint32_t avx = 0;
    bool commutative = false;
};

/// Second source of a vector operation: a register, memory (SSE: scalar or 16-byte aligned), or a constant from the pool.
struct VectorSource {
    enum class Type : std::uint8_t { reg, memory, constant };
    Type type = Type::reg;
    Reg reg = kNoReg;
    x86::Mem memory;
    wasm::V128 constant;

    VectorSource(Reg r) noexcept : reg(r) {}                                            // NOLINT(google-explicit-constructor)
    VectorSource(const x86::Mem& m) noexcept : type(Type::memory), memory(m) {}         // NOLINT(google-explicit-constructor)
    VectorSource(wasm::V128 value) noexcept : type(Type::constant), constant(value) {}  // NOLINT(google-explicit-constructor)
};

class Masm {
public:
    // --- registers -----------------------------------------------------------------------------------------------------
    static constexpr Reg kContext = kContextReg;
    static constexpr Reg kMemoryBase = kMemoryBaseReg;
    static constexpr Reg kFramePointer = kRbp;
    static constexpr Reg kStackPointer = kRsp;
    static constexpr RegSet kTemporaries = RegSet::of(kRax, kRcx, kRdx, kRdi, fp(0), fp(1), fp(2), fp(3), fp(4), fp(5));
    static constexpr std::array kHomesGp = kArgumentsGp;
    static constexpr std::array kHomesFp = kArgumentsFp;
    static constexpr Reg kResultGp = kRax;
    static constexpr Reg kResultFp = fp(0);
    static constexpr Reg kResultPointer = kRdi;
    static constexpr Reg kCallTarget = kRax;
    static constexpr std::array kHelperArguments = {kRsi, kRdx, kRcx, kR8, kR9};
    static constexpr Reg kScratchGp = kScratchGpReg;
    static constexpr Reg kScratchFp = kScratchFpReg;
    static constexpr Reg kDivLow = kRax;
    static constexpr Reg kDivHigh = kRdx;
    static constexpr Reg kExchangeRegister = kRax;
    static constexpr bool kFusesLoads = true;
    static constexpr std::size_t kMaxInstructionBytes = 256;
    static constexpr std::int32_t kStackArguments = kStackArgumentsOffset;

    explicit Masm(const CpuFeatures& features = host_features());

    [[nodiscard]] Reg shift_count_register(ShiftOp op) const noexcept {
        const bool any = features_.bmi2 && op != ShiftOp::rotl && op != ShiftOp::rotr;
        return any ? kNoReg : kRcx;
    }

    // --- one function --------------------------------------------------------------------------------------------------
    void begin(const CompileEnvironment& environment, CodeBuffer buffer, std::size_t body_bytes, FunctionOutput& output);
    void finish(std::uint32_t frame_bytes);
    [[nodiscard]] bool has_space(std::size_t bytes) const noexcept { return emitter_.remaining() >= bytes + kSlack; }
    [[nodiscard]] bool overflowed() const noexcept { return emitter_.overflowed(); }
    [[nodiscard]] std::uint32_t position() const noexcept { return static_cast<std::uint32_t>(emitter_.position()); }
    void set_wasm_offset(std::uint32_t offset) noexcept { wasm_offset_ = offset; }
    void prologue();
    void epilogue(std::uint32_t stack_area);
    void restore_stack_pointer();

    // --- moves and constants -------------------------------------------------------------------------------------------
    void mov(Kind kind, Reg d, Reg s);
    void mov_imm(Width width, Reg d, std::uint64_t value);
    void fp_const(Width width, Reg d, std::uint64_t bits);
    void v128_const(Reg d, wasm::V128 value);
    void load_slot(Kind kind, Reg d, std::int32_t slot);
    void store_slot(Kind kind, std::int32_t slot, Reg s);
    void store_slot_imm(std::int32_t slot, std::int64_t value);
    void load(LoadOp op, Reg d, Address address);
    void store(StoreOp op, Address address, Reg s);
    void null_trap_site() { site(Site::Kind::trap, TrapCode::null_reference); }
    void lea_slot(Reg d, std::int32_t slot);
    void gp_to_fp(Width width, Reg d, Reg s);
    void fp_to_gp(Width width, Reg d, Reg s);

    // --- integers ------------------------------------------------------------------------------------------------------
    void alu(AluOp op, Width width, Reg d, Reg a, Operand b);
    [[gnu::always_inline]] inline void alu_immediate(AluOp op, Width width, Reg d, Reg a, std::int32_t value);
    void mul(Width width, Reg d, Reg a, Operand b);
    void shift(ShiftOp op, Width width, Reg d, Reg a, Operand count);
    void div(DivOp op, Width width, Reg d, Reg a, Reg b, bool check_zero, bool check_overflow);
    void add_wide(bool subtract, Reg low, Reg high, Reg b_low, Reg b_high);
    void mul_wide(bool is_signed, Reg low, Reg high, Reg a, Reg b);
    void bit_count(BitOp op, Width width, Reg d, Reg a);
    void extend(ExtendOp op, Reg d, Reg a);
    void add_shifted(Width width, Reg d, Reg a, Reg b, std::uint8_t shift);
    void compare_set(IntCond condition, Width width, Reg d, Reg a, Operand b);
    [[gnu::always_inline]] inline void compare_branch(IntCond condition, Width width, Reg a, Operand b, Label& label);
    void compare_trap(IntCond condition, Width width, Reg a, Operand b, TrapCode code);
    void compare_select(IntCond condition, Width width, Reg a, Operand b, Kind kind, Reg d, Reg t, Reg f);

    // --- floats --------------------------------------------------------------------------------------------------------
    void fp_binary(FpBinOp op, Width width, Reg d, Reg a, Operand b);
    void fp_unary(FpUnOp op, Width width, Reg d, Reg a);
    void fp_compare_set(FloatCond condition, Width width, Reg d, Reg a, Reg b);
    void fp_compare_branch(FloatCond condition, Width width, bool when, Reg a, Reg b, Label& label);
    void convert(wasm::Opcode op, Reg d, Reg a);

    // --- control -------------------------------------------------------------------------------------------------------
    void bind(Label& label) {
        flags_.position = -1;  // other paths come here with other flags
        emitter_.bind(label);
    }
    void align_loop(std::uint32_t wasm_bytes);
    void jump(Label& label) { emitter_.jump(label); }
    void jump_table(Reg index, std::span<Label* const> labels);
    void trap(TrapCode code);

    // --- calls ---------------------------------------------------------------------------------------------------------
    void reserve_stack_arguments(std::uint32_t bytes);
    void call_function(std::uint32_t function);
    void call_code(Reg code);
    void call_helper(Helper helper);
    void trap_on_status(Reg status);
    void tail_frame(std::uint32_t own_area, std::uint32_t callee_area);
    void jump_function(std::uint32_t function);
    void jump_code(Reg code);
    void consume_fuel(std::uint32_t amount);

    // --- guest memory --------------------------------------------------------------------------------------------------
    void guest_load(LoadOp op, Reg d, const Address& address);
    void alu_load(AluOp op, Width width, Reg d, Reg a, Address b);
    void fp_binary_load(FpBinOp op, Width width, Reg d, Reg a, Address b);
    void guest_store(StoreOp op, const Address& address, Operand s);
    [[gnu::always_inline]] inline void usual_load(LoadOp op, Reg d, Reg index, std::int32_t offset);
    [[gnu::always_inline]] inline void usual_store_immediate(StoreOp op, Reg index, std::int32_t offset, std::int32_t value);
    [[gnu::always_inline]] inline void usual_store(StoreOp op, Reg index, std::int32_t offset, Reg s);
    void check_bounds(Width width, Reg index, std::uint64_t end, std::int32_t cell_offset);

    // --- atomics -------------------------------------------------------------------------------------------------------
    void check_alignment(Reg index, std::uint32_t offset, std::uint32_t bytes);
    void atomic_load(LoadOp op, Reg d, Address address) { guest_load(op, d, address); }
    void atomic_store(StoreOp op, Address address, Reg s);
    void atomic_update(AtomicOp op, StoreOp store, Reg d, Address address, Reg value);
    void atomic_compare_exchange(StoreOp store, Reg d, Address address, Reg expected, Reg replacement);
    void atomic_fence();

    // --- SIMD ----------------------------------------------------------------------------------------------------------
    void simd_unary(wasm::Opcode op, Reg d, Reg a);
    void simd_binary(wasm::Opcode op, Reg d, Reg a, Reg b);
    void simd_ternary(wasm::Opcode op, Reg d, Reg a, Reg b, Reg c);
    void simd_shift(wasm::Opcode op, Reg d, Reg a, Operand count);
    void simd_splat(wasm::Opcode op, Reg d, Reg a);
    void simd_extract_lane(wasm::Opcode op, Reg d, Reg a, std::uint8_t lane);
    void simd_replace_lane(wasm::Opcode op, Reg d, Reg a, Reg value, std::uint8_t lane);
    void simd_test(wasm::Opcode op, Reg d, Reg a);
    void simd_shuffle(Reg d, Reg a, Reg b, wasm::V128 lanes);
    void simd_load(wasm::Opcode op, Reg d, Address address);
    void simd_load_lane(wasm::Opcode op, Reg d, Reg a, Address address, std::uint8_t lane);
    void simd_store_lane(wasm::Opcode op, Reg a, Address address, std::uint8_t lane);

private:
    /// asmjit refuses to emit into less than 16 remaining bytes, whatever the instruction's length.
    static constexpr std::size_t kSlack = 16;

    /// A trap stub behind the code: where `entry`'s uses jump to.
    struct TrapStub {
        TrapCode code = TrapCode::none;
        std::uint32_t wasm_offset = 0;
        Reg status = kNoReg;  ///< TrapCode::status: the register that holds the code
        Label entry;
    };

    /// A rarely run rest of an operation behind the code, which jumps back to `resume`.
    struct SlowPath {
        enum class Kind : std::uint8_t { min, max, truncate, convert_u64 };
        Kind kind = Kind::min;
        Width width = Width::w32;
        wasm::Opcode op{};
        Reg d = kNoReg, a = kNoReg, b = kNoReg;
        std::uint32_t wasm_offset = 0;
        Label entry, resume;
    };

    /// The flags at a position are those of a comparison of `reg` with 0, or at least its zero flag is.
    struct Flags {
        std::int32_t position = -1;
        Reg reg = kNoReg;
        Width width = Width::w32;
        bool all = false;
    };

    struct PoolConstant {
        wasm::V128 value;
        std::int32_t link = -1;  ///< heads the chain of rip-relative fields that refer to it
        bool wide = false;       ///< 16 bytes, else 8
    };

    /// How a conversion of a float to an integer rounds, tests and saturates.
    struct Truncation;

    [[nodiscard]] x86::Assembler& as() noexcept { return emitter_.as(); }

    // Sites, traps, slow paths (masm.cpp)
    [[gnu::always_inline]] inline void site(Site::Kind kind, TrapCode code = TrapCode::none);
    [[gnu::always_inline]] inline void guest_access() { site(Site::Kind::trap, TrapCode::memory_out_of_bounds); }
    void leave_frame();
    [[nodiscard]] Label& trap_label(TrapCode code, Reg status = kNoReg);
    void trap_if(Condition condition, TrapCode code) { emitter_.jump_if(condition, trap_label(code)); }
    SlowPath& slow_path(SlowPath::Kind kind, Width width, Reg d, Reg a, Reg b);
    void emit_slow_path(SlowPath path);
    void table_branch(std::uint8_t modrm, std::uint32_t function);

    // The pool of constants (masm.cpp). The instruction's last four bytes must be the rip-relative field.
    template <class... Operands>
    void emit_with_constant(std::uint32_t instruction, wasm::V128 value, bool wide, const Operands&... operands) {
        const std::int32_t before = emitter_.position();
        as().emit(instruction, operands..., x86::ptr(x86::rip, 0));
        if (emitter_.position() != before) refer_to_constant(value, wide);
    }
    void refer_to_constant(wasm::V128 value, bool wide);
    void emit_constants();

    // Integers (masm_integer.cpp)
    void alu_other(AluOp op, Width width, Reg d, Reg a, Operand b);  ///< b: an immediate or a slot
    void compare(Width width, Reg a, Operand b);
    void compare_other(Width width, Reg a, Operand b);
    void set_flags(AluOp op, Width width, Reg d) { flags_ = {emitter_.position(), d, width, op != AluOp::add && op != AluOp::sub}; }
    [[nodiscard]] bool flags_answer(IntCond condition, Width width, Reg a, const Operand& b) const {
        return flags_.position == emitter_.position() && flags_.reg == a && flags_.width == width && b.is_immediate() && b.immediate == 0 &&
               (flags_.all || condition <= IntCond::ne) && tuning.reuse_flags;
    }
    [[nodiscard]] Operand legal(Width width, Operand b);  ///< 64-bit immediates go to r11
    void set_condition(Condition condition, Reg d, bool zeroed);

    // Vectors and floats (masm_float.cpp)
    void vector(const VectorOp& op, Reg d, Reg a, const VectorSource& b);
    void vector(const VectorOp& op, Reg d, Reg a, const VectorSource& b, std::uint8_t immediate);
    void vector1(const VectorOp& op, Reg d, const VectorSource& a);  ///< d = op a, not reading d
    void vector1(const VectorOp& op, Reg d, const VectorSource& a, std::uint8_t immediate);
    void zero_vector(Reg d);
    void move_vector(Reg d, Reg s);
    void fp_compare(Width width, Reg a, Reg b);
    void truncate(wasm::Opcode op, Reg d, Reg a);
    void truncate_slow(SlowPath& path);
    void convert_integer(wasm::Opcode op, Width from, Width to, bool is_signed, Reg d, Reg a);
    void integer_to_float(Width from, Width to, Reg d, Reg a);
    [[nodiscard]] static Truncation truncation(wasm::Opcode op);

    // Memory (masm_memory.cpp)
    [[nodiscard]] static x86::Mem memory(Address address, std::uint32_t bytes);
    [[nodiscard]] static x86::Mem slot_memory(std::int32_t slot, std::uint32_t bytes);
    [[nodiscard]] static stencil::Memory slot_operand(std::int32_t slot) { return {kFramePointer, slot}; }
    void load_from(LoadOp op, Reg d, const stencil::Memory& source);
    void store_to(StoreOp op, const stencil::Memory& target, Reg s);
    void load_sse(LoadOp op, Reg d, const stencil::Memory& source);
    void store_sse(StoreOp op, const stencil::Memory& target, Reg s);
    void guest_store_imm(StoreOp op, Address address, std::int64_t value);
    void zero_extend(StoreOp store, Reg d);

    // SIMD (masm_simd.cpp, masm_lanes.cpp)
    void extend_high(const VectorOp& op, Reg d, Reg a);
    void all_ones(Reg d);
    void complement(Reg d);
    void shift_immediate(const VectorOp& op, Reg d, Reg a, std::uint8_t count);
    void float_min_max(bool max, bool wide, Reg d, Reg a, Reg b);
    void multiply_i64x2(Reg d, Reg a, Reg b);
    void extended_multiply(wasm::Opcode op, Reg d, Reg a, Reg b);
    void dot_signed_bytes(Reg a, Reg b);
    void fused_multiply_add(bool negated, bool wide, Reg d, Reg a, Reg b, Reg c);
    void select_bits(Reg d, Reg a, Reg b, Reg mask);
    void truncate_vector(wasm::Opcode op, Reg d, Reg a);
    void convert_vector_unsigned(wasm::Opcode op, Reg d, Reg a);
    void shift_bytes(wasm::Opcode op, Reg d, Reg a, Operand count);
    [[nodiscard]] bool shuffle_special(Reg d, Reg a, Reg b, std::span<const std::uint8_t, 16> lanes);

    CpuFeatures features_;
    Emitter emitter_;
    const CompileEnvironment* environment_ = nullptr;
    FunctionOutput* output_ = nullptr;
    std::uint32_t wasm_offset_ = 0;
    std::vector<std::int32_t> stack_restores_;  ///< fields of `lea rsp, [rbp - frame]`
    std::int32_t frame_field_ = -1;  ///< of `sub rsp, imm32` in the prologue
    Flags flags_;
    std::vector<TrapStub> traps_;
    std::vector<SlowPath> slow_paths_;
    std::vector<PoolConstant> pool_;
    std::array<std::uint32_t, 64> pool_cache_{};  ///< index + 1 in pool_ of a constant, by hash
};

}  // namespace pollux::x64

#include "backends/x64/masm_hot.h"
