// References and tables of SinglePassCompiler. Included by compiler.h.
#pragma once

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
std::int32_t SinglePassCompiler<M>::table_cell(std::uint32_t table) const {
    return static_cast<std::int32_t>(environment_->layout->tables + table * sizeof(TableCell*));
}

/// Traps unless a popped index is inside the table; leaves the address of its elements in `elements`.
template <class M>
void SinglePassCompiler<M>::emit_table_bounds(AbstractValue& index, std::uint32_t table, Reg elements) {
    const Reg at = use(index, RegSet::of(elements));
    masm_.load(LoadOp::u64, elements, {M::kContext, kNoReg, table_cell(table)});
    const Reg length = allocate_gp(RegSet::of(elements));
    masm_.load(LoadOp::u64, length, {elements, kNoReg, offsetof(TableCell, length)});
    masm_.compare_trap(IntCond::ge_u, Width::w64, at, length, TrapCode::table_out_of_bounds);
    release(length);
    masm_.load(LoadOp::u64, elements, {elements, kNoReg, offsetof(TableCell, elements)});
}

template <class M>
void SinglePassCompiler<M>::table_get(std::uint32_t table) {
    prepare();
    AbstractValue index = pop();
    use(index);
    const Reg elements = allocate_gp();
    emit_table_bounds(index, table, elements);
    masm_.add_shifted(Width::w64, elements, elements, use(index), 3);
    release(index);
    masm_.load(LoadOp::u64, elements, {elements, kNoReg, 0});
    push_reg(Kind::ref, elements);
}

template <class M>
void SinglePassCompiler<M>::table_set(std::uint32_t table) {
    prepare();
    AbstractValue value = pop();
    AbstractValue index = pop();
    use(index);
    const Reg elements = allocate_gp();
    emit_table_bounds(index, table, elements);
    masm_.add_shifted(Width::w64, elements, elements, use(index), 3);
    release(index);
    masm_.store(StoreOp::b64, {elements, kNoReg, 0}, use(value));
    release(elements);
    release(value);
}

template <class M>
void SinglePassCompiler<M>::table_size(std::uint32_t table) {
    prepare();
    const Kind kind = module_->tables[table].type.address_kind();
    const Reg d = destination(kind);
    masm_.load(LoadOp::u64, d, {M::kContext, kNoReg, table_cell(table)});
    masm_.load(LoadOp::u64, d, {d, kNoReg, offsetof(TableCell, length)});
    push_result(kind, d);
}

template <class M>
void SinglePassCompiler<M>::table_grow(std::uint32_t table) {
    const Kind kind = module_->tables[table].type.address_kind();
    call_helper(Helper::table_grow, 2, {table});
    claim(M::kResultGp);
    if (kind == Kind::i32) masm_.extend(ExtendOp::u32_64, M::kResultGp, M::kResultGp);
    push_reg(kind, M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::table_fill(std::uint32_t table) {
    call_helper(Helper::table_fill, 3, {table});
    masm_.trap_on_status(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::table_copy(std::uint32_t to, std::uint32_t from) {
    call_helper(Helper::table_copy, 3, {to, from});
    masm_.trap_on_status(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::table_init(std::uint32_t segment, std::uint32_t table) {
    call_helper(Helper::table_init, 3, {segment, table});
    masm_.trap_on_status(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::ref_func(std::uint32_t function) {
    call_helper(Helper::ref_func, 0, {function});
    claim(M::kResultGp);
    push_reg(Kind::ref, M::kResultGp);
}

/// condition_ compares a reference with null.
template <class M>
void SinglePassCompiler<M>::test_null(IntCond cond, const AbstractValue& reference) {
    set_condition(cond, Width::w64, reference, {.type = AbstractValue::Type::constant, .kind = Kind::ref});
}

template <class M>
void SinglePassCompiler<M>::ref_is_null() {
    prepare();
    test_null(IntCond::eq, pop());
    keep_condition();
}

template <class M>
void SinglePassCompiler<M>::ref_as_non_null() {
    prepare();
    AbstractValue reference = pop();
    const Reg reg = own(reference);
    masm_.compare_trap(IntCond::eq, Width::w64, reg, Operand::imm(0), TrapCode::null_reference);
    push_reg(Kind::ref, reg);
}

template <class M>
void SinglePassCompiler<M>::ref_eq() {
    prepare();
    compare(IntCond::eq, Width::w64);
}

/// The reference stays on the stack only where it is not null.
template <class M>
void SinglePassCompiler<M>::br_on_null(std::uint32_t depth) {
    prepare();
    AbstractValue reference = pop();
    const Reg reg = own(reference);
    // A copy is tested: the branch takes its operands' registers back.
    test_null(IntCond::eq, {.type = AbstractValue::Type::reg, .kind = Kind::ref, .reg = reg});
    branch_when(condition_, frame_at(depth));
    free_.remove(reg);
    push_reg(Kind::ref, reg);
}

template <class M>
void SinglePassCompiler<M>::br_on_non_null(std::uint32_t depth) {
    prepare();
    AbstractValue reference = pop();
    const Reg reg = own(reference);
    push_reg(Kind::ref, reg);
    test_null(IntCond::ne, stack_.back());
    branch_when(condition_, frame_at(depth));
    free_.remove(reg);
    release(pop());
}

}  // namespace pollux
