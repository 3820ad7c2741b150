// The single-pass compiler: a Sink that turns each validated instruction into machine code through a masm.
//
//   function_pass ──instruction──► SinglePassCompiler<M> ──whole operations──► M (backends/<isa>/masm.h)
//                                   operand stack of AbstractValues
//                                   homes of locals: which are valid, which are dirty
//                                   control frames: label + home state, nothing per local
//
// Invariants:
//  - Values below the current block's height are constants or in their slots, so merges only concern a block's results.
//  - A home holds its local or nothing; it never moves. At a label all paths agree on HomeState.
//  - A comparison is deferred only if the next instruction consumes it.
//  - Guest calls and helpers clobber every register but the pinned ones: before, temporaries go to their slots and dirty homes to theirs.
//
// Layering: compiler.h declares, operands.h (registers, stack, homes) is used by the handlers in compile_numeric.h, compile_memory.h,
// compile_atomic.h, compile_control.h, compile_exception.h, compile_call.h, compile_reference.h, compile_gc.h, compile_cast.h,
// compile_simd.h. None of them names a register.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "jit/abi/calling_convention.h"
#include "jit/base/tuning.h"
#include "jit/compile/abstract_value.h"
#include "jit/compile/loop_scan.h"
#include "jit/compile/macro_assembler.h"
#include "jit/compile/parallel_move.h"
#include "jit/compile/value_stack.h"
#include "jit/wasm/function_pass.h"
#include "jit/wasm/sink.h"
#include "jit/wasm/type_registry.h"

namespace pollux {

template <class M>
class SinglePassCompiler final : public FunctionCompiler {
public:
    using Opcode = wasm::Opcode;
    using MemArg = wasm::MemArg;
    using ValType = wasm::ValType;
    using TypeId = wasm::TypeId;

    SinglePassCompiler() = default;
    Result<> compile(const CompileEnvironment& environment, std::uint32_t function, std::span<const std::uint8_t> body, CodeBuffer buffer,
                     FunctionOutput& output) override;

    // --- the Sink: jit/wasm/sink.h documents each ------------------------------------------------------------------------
    [[nodiscard]] bool stopped() const { return stopped_; }
    void begin(const wasm::FuncType& type, std::span<const ValType> locals, wasm::PassPosition& position);
    void finish() {}

    [[gnu::always_inline]] void i32_const(std::int32_t value) { push_constant(Kind::i32, static_cast<std::uint32_t>(value)); }
    void i64_const(std::int64_t value) { push_constant(Kind::i64, static_cast<std::uint64_t>(value)); }
    void f32_const(std::uint32_t bits) { push_constant(Kind::f32, bits); }
    void f64_const(std::uint64_t bits) { push_constant(Kind::f64, bits); }
    void v128_const(wasm::V128 value);
    template <Opcode kOp>
    void numeric();
    template <Opcode kOp>
    void simd_lane(std::uint8_t lane);
    void i8x16_shuffle(wasm::V128 lanes);

    template <Opcode kOp>
    void load(const MemArg& memarg);
    template <Opcode kOp>
    void store(const MemArg& memarg);
    template <Opcode kOp>
    [[gnu::always_inline]] inline void usual_load(std::uint32_t offset);
    template <Opcode kOp>
    [[gnu::always_inline]] inline void usual_store(std::uint32_t offset);
    [[gnu::always_inline]] inline void load_at_local(std::uint32_t local, std::uint32_t offset);
    [[gnu::noinline]] void any_load_at_local(std::uint32_t local, std::uint32_t offset);
    bool load_at_local_to_local(std::uint32_t from, std::uint32_t offset, std::uint32_t local, bool tee);
    template <Opcode kOp>
    bool load_to_local(std::uint32_t offset, std::uint32_t local, bool tee);
    [[gnu::always_inline]] inline void store_constant(std::uint32_t offset, std::int32_t value);
    [[gnu::always_inline]] inline void alu_constant(Opcode op, std::int32_t value);
    bool alu_constant_to_local(Opcode op, std::int32_t value, std::uint32_t local, bool tee);
    template <Opcode kOp>
    void load_lane(const MemArg& memarg, std::uint8_t lane);
    template <Opcode kOp>
    void store_lane(const MemArg& memarg, std::uint8_t lane);
    template <Opcode kOp>
    void atomic(const MemArg& memarg);
    void atomic_fence();
    void memory_size(std::uint32_t memory);
    void memory_grow(std::uint32_t memory);
    void memory_init(std::uint32_t segment, std::uint32_t memory);
    void data_drop(std::uint32_t segment) { call_helper(Helper::data_drop, 0, {segment}); }
    void memory_copy(std::uint32_t to, std::uint32_t from);
    void memory_fill(std::uint32_t memory);

    [[gnu::always_inline]] void local_get(std::uint32_t local) { push_local(local); }
    void local_set(std::uint32_t local);
    void local_tee(std::uint32_t local);
    void global_get(std::uint32_t global);
    void global_set(std::uint32_t global);
    void drop() {
        prepare();
        release(pop());
    }
    void select(Kind kind);

    void block(const wasm::BlockType& type);
    void loop(const wasm::BlockType& type);
    void if_(const wasm::BlockType& type);
    void else_(bool then_reachable);
    void end(bool reachable);
    void br(std::uint32_t depth);
    void br_if(std::uint32_t depth);
    void br_table(std::span<const std::uint32_t> depths, std::uint32_t default_depth);
    void return_();
    void unreachable() {
        prepare();
        masm_.trap(TrapCode::unreachable);
    }
    void nop() {}
    void branch_hint(bool likely) { unlikely_ = !likely; }

    void call(std::uint32_t function, const wasm::FuncType& type);
    void call_indirect(TypeId type, std::uint32_t table);
    void call_ref(TypeId type);
    void return_call(std::uint32_t function, const wasm::FuncType& type);
    void return_call_indirect(TypeId type, std::uint32_t table);
    void return_call_ref(TypeId type);

    void ref_null(ValType) { push_constant(Kind::ref, 0); }
    void ref_func(std::uint32_t function);
    void ref_is_null();
    void ref_as_non_null();
    void ref_eq();
    void br_on_null(std::uint32_t depth);
    void br_on_non_null(std::uint32_t depth);
    void table_get(std::uint32_t table);
    void table_set(std::uint32_t table);
    void table_size(std::uint32_t table);
    void table_grow(std::uint32_t table);
    void table_fill(std::uint32_t table);
    void table_copy(std::uint32_t to, std::uint32_t from);
    void table_init(std::uint32_t segment, std::uint32_t table);
    void elem_drop(std::uint32_t segment) { call_helper(Helper::elem_drop, 0, {segment}); }

    using Catch = wasm::ValidateSink::Catch;
    void try_table(const wasm::BlockType& type, std::span<const Catch> catches);
    void throw_(std::uint32_t tag);
    void throw_ref();
    void try_(const wasm::BlockType& type);
    void catch_(std::uint32_t tag, bool reachable);
    void catch_all(bool reachable);
    void delegate(std::uint32_t depth, bool reachable);
    void rethrow(std::uint32_t depth);

    template <Opcode kOp>
    void gc(TypeId type, std::uint32_t operand, TypeId source);
    template <Opcode kOp>
    void ref_test_or_cast(ValType source, ValType target);
    template <Opcode kOp>
    void br_on_cast(std::uint32_t depth, ValType source, ValType target);

private:
    // --- operands.h: operand stack, temporaries, homes -------------------------------------------------------------------
    [[gnu::always_inline]] inline void prepare();
    void stop() {
        stopped_ = true;
        position_->next = position_->end;
    }
    [[gnu::noinline]] void run_out_of_space();
    void record_line();
    void not_compiled(std::string_view feature);
    [[gnu::always_inline]] inline void push(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits);
    [[gnu::noinline]] void push_and_grow(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits);
    [[gnu::always_inline]] inline void push_value(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits);
    [[gnu::always_inline]] inline void push_constant(Kind kind, std::uint64_t bits);
    [[gnu::always_inline]] inline void push_reg(Kind kind, Reg reg);
    void push_spilled(Kind kind) { push(AbstractValue::Type::spilled, kind, kNoReg, 0); }
    [[gnu::always_inline]] inline void push_local(std::uint32_t local);
    [[gnu::always_inline]] inline AbstractValue pop();
    [[gnu::always_inline]] inline void release(const AbstractValue& value);
    [[gnu::always_inline]] inline void let_go(const AbstractValue& value);
    void release(Reg reg) {
        if (allocatable_.has(reg)) free_.add(reg);
    }
    void truncate(std::size_t height) {
        if (flushed_ > height) flushed_ = height;
        if (stack_.size() > height) pop_to(height);
    }
    [[gnu::noinline]] void pop_to(std::size_t height);
    [[nodiscard]] std::int32_t slot_of(const AbstractValue& value) const {
        return -static_cast<std::int32_t>(operands_base_ + value.depth);
    }

    [[gnu::always_inline]] inline Reg allocate(RegSet wanted);
    [[gnu::noinline]] Reg allocate_slowly(RegSet wanted);
    Reg allocate_gp(RegSet except = {}) { return allocate(kAllGp - except); }
    Reg allocate_fp(RegSet except = {}) { return allocate(kAllFp - except); }
    Reg allocate_for(Kind kind) { return wasm::is_fp(kind) ? allocate_fp() : allocate_gp(); }
    void take(Reg reg);
    void claim(Reg reg);
    [[nodiscard]] Reg cached_copy(std::uint32_t local) const;
    void remember_copy(std::uint32_t local, Reg reg);
    void forget_copies(std::uint32_t local);
    void spill(AbstractValue& value);

    [[gnu::always_inline]] inline Reg use(AbstractValue& value, RegSet except = {});
    [[gnu::noinline]] Reg bring_to_register(AbstractValue& value, RegSet except);
    [[gnu::noinline]] Reg bring_in_place(AbstractValue& value);
    Operand operand(AbstractValue& value);
    [[nodiscard]] static Operand immediate_of(const AbstractValue& constant) {
        const auto bits = static_cast<std::int64_t>(constant.bits);
        return Operand::imm(constant.kind == Kind::i32 ? static_cast<std::int32_t>(bits) : bits);
    }
    Operand register_or_slot(AbstractValue& value);
    void load_value(const AbstractValue& value, Reg to);
    Reg own(AbstractValue& value, RegSet except = {});
    Reg home_to_register(std::uint32_t local);
    [[nodiscard, gnu::always_inline]] inline Reg register_of(const AbstractValue& value) const;
    [[nodiscard]] Reg source_of(const AbstractValue& value) const;

    void materialise_deferred_reads(std::uint32_t local);
    void copy_to_slot(AbstractValue& value);
    template <class... Values>
    [[gnu::always_inline]] inline Reg destination(Kind kind, const Values&... operands);
    [[gnu::noinline]] Reg home_set_next(Kind kind);
    [[gnu::always_inline]] inline Reg destination_for(std::uint32_t local, const AbstractValue& operand);
    [[gnu::always_inline]] inline void set_computed(std::uint32_t local, Reg reg, bool tee);
    [[gnu::always_inline]] inline void push_result(Kind kind, Reg reg);
    [[nodiscard]] bool next_is(Opcode op) const {
        return position_->next < position_->end && *position_->next == static_cast<std::uint8_t>(op);
    }

    void flush_registers(std::size_t from, std::size_t to);
    [[gnu::always_inline]] inline void flush_for_block();
    [[gnu::noinline]] void flush_all();
    void force_to_slots(std::size_t count);
    void save_homes();
    void forget_registers() {
        homes_ = {};
        cached_ = {};
    }
    void bind(Label& label) {
        cached_ = {};
        masm_.bind(label);
    }  ///< where paths meet
    [[nodiscard]] HomeState home_state() const { return homes_; }
    void store_home(Reg home);
    void load_home(Reg home);

    // --- compile_numeric.h -----------------------------------------------------------------------------------------------
    [[gnu::noinline]] void alu(AluOp op, Width width);
    [[gnu::always_inline]] inline void usual_alu(AluOp op, Width width);
    [[gnu::noinline]] void any_alu(AluOp op, Width width);
    [[gnu::noinline]] void any_alu_constant(AluOp op, std::int32_t value);
    template <Width kWidth>
    void multiply();
    [[gnu::noinline]] void shift(ShiftOp op, Width width);
    template <DivOp kDiv, Width kWidth>
    void divide();
    [[gnu::noinline]] void divide_by_constant(DivOp op, AbstractValue a, std::uint32_t divisor);
    Reg to_fixed_registers(AbstractValue& a, AbstractValue& b);
    void add_wide(bool subtract);
    void multiply_wide(bool is_signed);
    template <BitOp kBit, Width kWidth>
    void bit_count();
    void extend(ExtendOp op);
    void compare(IntCond cond, Width width);
    void compare_zero(Width width);
    void fp_compare(FloatCond cond, Width width);
    void fp_binary(FpBinOp op, Width width);
    void fp_unary(FpUnOp op, Width width);
    void convert(Opcode op, Kind from, Kind to);
    void reinterpret(Kind from, Kind to);
    [[nodiscard]] bool next_consumes_condition() const;
    void keep_condition();
    void set_condition(IntCond cond, Width width, const AbstractValue& a, const AbstractValue& b);
    Condition& pop_condition();
    void push_condition();
    Reg integer_operands(Condition& condition, RegSet except = {});

    // --- compile_memory.h ------------------------------------------------------------------------------------------------
    struct Access {
        Address address;
        AbstractValue index;                 ///< to release after the access
        Reg base = kNoReg;           ///< temporary holding another memory's base, or kNoReg
    };
    [[gnu::always_inline]] inline Access access(const MemArg& memarg, std::uint32_t bytes);
    [[nodiscard]] Access aligned_access(const MemArg& memarg, std::uint32_t bytes);
    [[gnu::noinline]] void any_access(const MemArg& memarg, std::uint32_t bytes, bool aligned, Access& access);
    void release(const Access& access);
    [[nodiscard]] static constexpr std::array<std::uint16_t, 256> make_load_concerns();
    [[nodiscard]] static bool concerns_load(std::uint8_t next, LoadOp load);
    [[gnu::always_inline]] inline void usual_load(LoadOp op, Kind kind, std::uint32_t offset);
    [[gnu::noinline]] void scalar_load(LoadOp op, Kind kind, std::uint32_t offset);
    [[gnu::noinline]] void any_load(LoadOp op, Kind kind, const MemArg& memarg);
    [[gnu::noinline]] bool load_to_local(LoadOp op, Kind kind, std::uint32_t offset, std::uint32_t local, bool tee);
    [[gnu::noinline]] void any_store_constant(std::uint32_t offset, std::int32_t value);
    template <class Emit>
    void load_with(Kind kind, const MemArg& memarg, std::uint32_t bytes, const Emit& emit);
    [[gnu::always_inline]] inline void usual_store(StoreOp op, std::uint32_t offset);
    [[gnu::noinline]] void scalar_store(StoreOp op, std::uint32_t offset);
    [[gnu::noinline]] void any_store(StoreOp op, const MemArg& memarg);
    template <class Emit>
    void with_pending_load(Kind kind, const Emit& emit);
    [[nodiscard]] bool explicit_bounds(std::uint32_t memory) const;
    [[nodiscard]] Address global_address(std::uint32_t global, Reg& pointer);
    void call_helper(Helper helper, std::size_t operands, std::initializer_list<std::uint64_t> constants);
    [[nodiscard]] std::int32_t memory_cell(std::uint32_t memory) const;

    // --- compile_atomic.h ------------------------------------------------------------------------------------------------
    void check_alignment(AbstractValue& index, std::uint64_t offset, std::uint32_t bytes);
    void atomic_update(AtomicOp op, StoreOp store, Kind kind, const MemArg& memarg);
    void compare_exchange(StoreOp store, Kind kind, const MemArg& memarg);
    void wait_or_notify(Helper helper, std::size_t operands, const MemArg& memarg);

    // --- compile_simd.h --------------------------------------------------------------------------------------------------
    void simd_unary(Opcode op);
    void simd_binary(Opcode op);
    void simd_ternary(Opcode op);
    void simd_shift(Opcode op);
    void simd_splat(Opcode op, Kind from);
    void simd_test(Opcode op);

    // --- compile_control.h -----------------------------------------------------------------------------------------------
    ControlFrame& frame_at(std::uint32_t depth) { return frames_[frames_.size() - 1 - depth]; }
    ControlFrame& push_frame(ControlFrame::Type type, const wasm::BlockType& block);
    [[nodiscard]] static std::span<const ValType> label_types(const ControlFrame& frame);
    [[nodiscard]] bool results_in_place(const ControlFrame& frame) const;
    [[gnu::always_inline]] inline void place_results(const ControlFrame& frame);
    [[gnu::noinline]] void place_some_results(const ControlFrame& frame);
    [[gnu::always_inline]] inline void push_results(const ControlFrame& frame);
    [[gnu::noinline]] void push_some_results(const ControlFrame& frame);
    [[gnu::always_inline]] inline void begin_else(ControlFrame& frame, bool then_reachable);
    void reach(ControlFrame& frame);
    [[nodiscard]] bool agrees(const ControlFrame& frame) const;
    struct HomeMoves {
        RegSet store, load;
    };
    [[nodiscard]] HomeMoves moves_to(const HomeState& target) const;
    void reconcile(const HomeState& target) {
        const HomeMoves moves = moves_to(target);
        if (!(moves.store | moves.load).empty()) emit_moves(moves);
    }
    void emit_moves(HomeMoves moves);
    void branch(ControlFrame& frame);
    void branch_when(Condition& condition, ControlFrame& frame, bool unlikely = false);
    void branch_out_of_line(Condition& condition, ControlFrame& frame);
    void settle_out_of_line(const ControlFrame& frame);
    void emit_out_of_line();
    void emit_condition(Condition& condition, bool when, Label& label);
    void emit_return();
    LoopUse settle_homes_for_loop();

    // --- compile_call.h --------------------------------------------------------------------------------------------------
    std::uint32_t set_arguments(const wasm::FuncType& type, bool tail);
    [[gnu::always_inline]] inline void set_arguments_in_order(std::size_t first);
    [[gnu::noinline]] std::uint32_t set_any_arguments(const wasm::FuncType& type);
    std::uint32_t point_to_results(const wasm::FuncType& type, bool tail);
    void call_in_context(Reg callee, std::int32_t code_offset, std::int32_t instance_offset);
    [[gnu::always_inline]] inline void finish_call(const wasm::FuncType& type, std::uint32_t area_depth);
    [[gnu::always_inline]] inline void push_register_result(Kind kind);
    [[gnu::noinline]] void push_call_results(std::span<const ValType> results, std::uint32_t area_depth);
    void load_callee(TypeId type, std::uint32_t table);
    void pop_callee();
    void load_type(Reg d, TypeId type);
    void load_by_type(LoadOp op, Reg d, std::uint32_t array, std::size_t element_bytes, TypeId type);
    void check_signature(TypeId type, Reg callee);
    void call_reference(TypeId type);
    void tail_call_reference(TypeId type);
    void emit_table_bounds(AbstractValue& index, std::uint32_t table, Reg elements);

    // --- compile_exception.h ---------------------------------------------------------------------------------------------
    void begin_try(ControlFrame::Type type, const wasm::BlockType& block);
    void add_handler(const ControlFrame& frame, ExceptionHandler::Kind kind, std::uint32_t operand);
    void land();
    void push_exception_arguments(std::uint32_t tag);
    void emit_landing_pads(ControlFrame& frame);
    void legacy_clause(ExceptionHandler::Kind kind, std::uint32_t tag, bool reachable);
    void throw_reference();

    // --- compile_reference.h ---------------------------------------------------------------------------------------------
    [[nodiscard]] std::int32_t table_cell(std::uint32_t table) const;
    void test_null(IntCond cond, const AbstractValue& reference);

    // --- compile_gc.h, compile_cast.h ------------------------------------------------------------------------------------
    /// Code behind the function's end that makes an object when the fast path cannot.
    struct SlowPath {
        Label entry, back;
        Reg object;
        std::uint32_t wasm_offset = 0;
        std::uint32_t length = 0;
        TypeId type = wasm::kNoType;
        std::size_t first_register = 0, last_register = 0;  ///< in saved_registers_
    };
    struct SavedRegister {
        Kind kind;
        Reg reg;
        std::int32_t slot;
        bool save;  ///< false: the slot has the value already
    };
    void take_new_object();
    void load_object_type(Reg d, TypeId type);
    void push_object_type(TypeId type);
    Reg allocate_object(TypeId type, std::uint32_t length);
    void remember_registers(SlowPath& slow);
    void emit_slow_paths();
    [[nodiscard]] bool has_space_for_more(std::size_t step);
    void initialise(std::size_t index, const wasm::FieldType& field, Address at);
    void struct_new(TypeId type);
    void array_new_fixed(TypeId type, std::uint32_t count);
    void check_null(Reg reference, std::uint32_t offset);
    void struct_get(TypeId type, std::uint32_t index, bool is_signed);
    void struct_set(TypeId type, std::uint32_t index);
    Address element_address(AbstractValue& array, AbstractValue& index, std::uint32_t log2, Reg& temporary);
    void array_get(TypeId type, bool is_signed);
    void array_set(TypeId type);
    void array_len();
    void pass_by_word(std::size_t below);
    void ref_i31();
    void i31_get(ShiftOp shift);
    void miss_if(IntCond condition, Width width, Reg a, Operand b, Label* miss);
    void test_type(Reg reference, Reg temporary, ValType source, ValType target, Label* miss);
    void test_display(Reg type, TypeId wanted, Label* miss);
    Reg use_top();

    // What nearly every instruction reads comes first: its accesses take three bytes less.
    wasm::PassPosition* position_ = nullptr;
    ValueStack stack_;
    std::size_t flushed_ = 0;            ///< values below this index are constants or spilled
    RegSet free_;                        ///< of allocatable_: owned by no value
    RegSet cached_;                      ///< temporaries that still hold a local without a home, in this stretch of straight code
    HomeState homes_;
    std::uint32_t operands_base_ = 0;    ///< bytes of frame above the operand slots
    std::uint32_t max_depth_ = 0;        ///< deepest operand slot byte
    bool plain_memory0_ = false;         ///< memory 0 is there, and its accesses need no check
    bool usual_ = false;                 ///< no lines are wanted
    bool usual_accesses_ = false;        ///< both
    bool condition_pending_ = false;     ///< its consumer is the instruction that comes next
    bool shift_pending_ = false;         ///< x << amount, whose consumer is the add that comes next
    std::uint8_t shift_amount_ = 0;
    bool load_pending_ = false;          ///< a load whose consumer is the arithmetic that comes next
    bool unlikely_ = false;              ///< the next br_if or if, so a hint says
    std::vector<Local> locals_;
    RegSet allocatable_;                 ///< temporaries, and homes that no local needs
    RegSet assigned_homes_;
    std::vector<ControlFrame> frames_;
    Condition condition_;
    AbstractValue shifted_;
    std::uint32_t load_offset_ = 0;      ///< its wasm offset
    Access load_;

    const CompileEnvironment* environment_ = nullptr;
    const wasm::Module* module_ = nullptr;
    FunctionOutput* output_ = nullptr;
    const wasm::FuncType* type_ = nullptr;
    std::uint32_t stack_area_ = 0;       ///< incoming stack arguments, bytes
    bool has_memory_results_ = false;
    bool stopped_ = false;
    bool out_of_space_ = false;
    bool exhausted_ = false;

    LoopScan loop_scan_;
    std::vector<Catch> catches_;         ///< clauses of the open try_tables
    std::uint32_t next_region_ = 0;
    std::vector<SlowPath> slow_paths_;
    std::vector<SavedRegister> saved_registers_;
    /// A branch that a hint calls unlikely, whose moves are behind the function's end.
    struct OutOfLineBranch {
        Label entry;
        Label target;            ///< bound once its frame has ended
        std::uint32_t next = 0;  ///< of the frame's branches, as ControlFrame::out_of_line
        HomeMoves moves;
    };
    std::vector<OutOfLineBranch> out_of_line_;
    std::vector<Label> table_stubs_;
    std::vector<Label*> table_labels_;
    std::array<std::uint32_t, 64> home_local_{};  ///< register → local, for assigned homes
    std::array<std::uint32_t, 64> cached_local_{};
    ParallelMove<M> moves_;              ///< empty between uses
    M masm_;
    wasm::FunctionPassState pass_state_;
};

}  // namespace pollux

// clang-format off: the first has what the others use
#include "jit/compile/operands.h"
#include "jit/compile/compile_numeric.h"
#include "jit/compile/compile_simd.h"
#include "jit/compile/compile_memory.h"
#include "jit/compile/compile_atomic.h"
#include "jit/compile/compile_reference.h"
#include "jit/compile/compile_control.h"
#include "jit/compile/compile_exception.h"
#include "jit/compile/compile_call.h"
#include "jit/compile/compile_gc.h"
#include "jit/compile/compile_cast.h"
// clang-format on
