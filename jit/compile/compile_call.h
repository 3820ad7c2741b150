// Calls of SinglePassCompiler: direct, imported, indirect, by reference, and their tail forms. Included by compiler.h.
//
// Before a call, in this order: temporaries below the arguments go to their slots; dirty homes to theirs; stack arguments are stored;
// register arguments move all at once into the argument registers (which are homes); constants and loads fill the rest.
// A callee that may belong to another instance gets its context and memory base loaded, and ours are restored behind the call.
//
// A tail call to another instance is an ordinary call followed by a return: its frame stays, since somebody must restore the caller's
// context.
#pragma once

#include <algorithm>

#include "jit/compile/compiler.h"

namespace pollux {

/// [n]: the first n general and the first n floating-point argument registers, if there are as many of both.
template <class M>
inline constexpr auto kFirstHomes = [] {
    std::array<RegSet, std::min(M::kHomesGp.size(), M::kHomesFp.size()) + 1> sets{};
    for (std::size_t n = 1; n < sets.size(); ++n) sets[n] = sets[n - 1] | RegSet::of(M::kHomesGp[n - 1], M::kHomesFp[n - 1]);
    return sets;
}();

/// Takes the arguments off the stack and puts them where the callee expects them. Returns the bytes of stack arguments, reserved below sp.
template <class M>
std::uint32_t SinglePassCompiler<M>::set_arguments(const wasm::FuncType& type, bool tail) {
    const std::size_t count = type.params.size();
    const std::size_t first = stack_.size() - count;
    bool in_order = false;
    if (!tail) {
        if (first > flushed_) flush_registers(flushed_, first);
        if (!homes_.dirty.empty()) save_homes();
        // In all but half a percent of python.wasm's calls no argument is in a register for another one.
        in_order = count < kFirstHomes<M>.size() && ((allocatable_ - free_) & kFirstHomes<M>[count]).empty();
    }
    std::uint32_t area = 0;
    if (in_order) [[likely]] {
        set_arguments_in_order(first);
    } else {
        area = set_any_arguments(type);
    }
    stack_.pop_back(static_cast<std::ptrdiff_t>(count));
    flushed_ = std::min(flushed_, first);
    return area;
}

/// The values on the stack from `first` on, one after the other, into registers that no value owns and no home needs any more.
template <class M>
inline void SinglePassCompiler<M>::set_arguments_in_order(std::size_t first) {
    std::size_t gp = 0;
    std::size_t fp = 0;
    const AbstractValue* const end = &stack_.back() + 1;
    for (const AbstractValue* value = &stack_[first]; value != end; ++value) {
        const Reg to = wasm::is_fp(value->kind) ? M::kHomesFp[fp++] : M::kHomesGp[gp++];
        if (value->type == AbstractValue::Type::reg) {
            free_.add(value->reg);
            masm_.mov(value->kind, to, value->reg);
            continue;
        }
        if (value->type == AbstractValue::Type::local) {
            --locals_[value->bits].deferred;
            // The local is in its slot, too, which must do if its register is an argument already.
            homes_.valid = homes_.valid - kFirstHomes<M>[gp + fp - 1];
            cached_ = cached_ - kFirstHomes<M>[gp + fp - 1];
        }
        load_value(*value, to);
    }
}

template <class M>
std::uint32_t SinglePassCompiler<M>::set_any_arguments(const wasm::FuncType& type) {
    const std::size_t first = stack_.size() - type.params.size();
    ParameterAssigner sizes(M::kHomesGp.size(), M::kHomesFp.size());
    for (const ValType& param : type.params) sizes.next(param.kind());
    const std::uint32_t area = sizes.stack_bytes();
    if (area != 0) masm_.reserve_stack_arguments(area);

    const auto target_of = [](Location location) {
        return location.where == Location::Where::fp ? M::kHomesFp[location.index] : M::kHomesGp[location.index];
    };
    bool loads = false;  // some register argument is not in a register yet
    ParameterAssigner assigner(M::kHomesGp.size(), M::kHomesFp.size());
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const AbstractValue& value = stack_[first + i];
        const Location location = assigner.next(value.kind);
        Reg from = source_of(value);
        let_go(value);
        if (location.where != Location::Where::memory) {
            if (from.valid()) {
                moves_.add(value.kind, target_of(location), from);
            } else {
                loads = true;
            }
            continue;
        }
        const Address to{M::kStackPointer, kNoReg, static_cast<std::int32_t>(location.index)};
        if (value.is_constant()) {
            masm_.mov_imm(Width::w64, M::kScratchGp, value.bits);
            masm_.store(StoreOp::b64, to, M::kScratchGp);
            continue;
        }
        if (!from.valid()) {
            from = wasm::is_fp(value.kind) ? M::kScratchFp : M::kScratchGp;
            load_value(value, from);
        }
        masm_.store(detail::whole_store(value.kind), to, from);
    }
    // What is not in a register now is loaded behind the moves; source_of() still tells what it told before them.
    moves_.emit(masm_);
    ParameterAssigner again(M::kHomesGp.size(), M::kHomesFp.size());
    for (std::size_t i = 0; loads && i < type.params.size(); ++i) {
        const AbstractValue& value = stack_[first + i];
        const Location location = again.next(value.kind);
        if (location.where != Location::Where::memory && !source_of(value).valid()) load_value(value, target_of(location));
    }
    return area;
}

/// Points the result pointer at room for the callee's results in memory: below the slots that the results will have, or, for a tail call,
/// where our own caller wants them. Returns the depth of that room's end.
template <class M>
std::uint32_t SinglePassCompiler<M>::point_to_results(const wasm::FuncType& type, bool tail) {
    if (type.results.size() <= 1) return 0;
    const std::uint32_t bytes = memory_result_bytes(type.results);
    if (bytes == 0) return 0;
    if (tail) {
        masm_.load_slot(Kind::i64, M::kResultPointer, kResultPointerSlot);
        return 0;
    }
    detail::SlotCounter slots(stack_.empty() ? 0 : stack_.back().depth);
    std::uint32_t depth = 0;
    for (const ValType& result : type.results) depth = slots.next(result.kind());
    depth = ((depth + 15) & ~std::uint32_t{15}) + bytes;
    if (depth > max_depth_) max_depth_ = depth;
    masm_.lea_slot(M::kResultPointer, -static_cast<std::int32_t>(operands_base_ + depth));
    return depth;
}

/// Behind a call: homes are in their slots only, results are pushed.
template <class M>
inline void SinglePassCompiler<M>::finish_call(const wasm::FuncType& type, std::uint32_t area_depth) {
    forget_registers();
    if (type.results.size() > 1) [[unlikely]]
        return push_call_results(type.results, area_depth);
    if (!type.results.empty()) push_register_result(type.results[0].kind());
}

template <class M>
inline void SinglePassCompiler<M>::push_register_result(Kind kind) {
    const Reg reg = wasm::is_fp(kind) ? M::kResultFp : M::kResultGp;
    claim(reg);
    push_reg(kind, reg);
}

template <class M>
void SinglePassCompiler<M>::push_call_results(std::span<const ValType> results, std::uint32_t area_depth) {
    ResultAssigner assigner;
    for (const ValType& result : results) {
        const Kind kind = result.kind();
        const Location location = assigner.next(kind);
        if (location.where != Location::Where::memory) {
            push_register_result(kind);
            continue;
        }
        push_spilled(kind);
        const Reg scratch = wasm::is_fp(kind) ? M::kScratchFp : M::kScratchGp;
        masm_.load_slot(kind, scratch, -static_cast<std::int32_t>(operands_base_ + area_depth) + static_cast<std::int32_t>(location.index));
        masm_.store_slot(kind, slot_of(stack_.back()), scratch);
    }
}

/// Calls through a {code, instance} pair at `callee` + offsets, in the instance's context, and comes back to ours.
template <class M>
void SinglePassCompiler<M>::call_in_context(Reg callee, std::int32_t code_offset, std::int32_t instance_offset) {
    masm_.store_slot(Kind::i64, kInstanceSlot, M::kContext);
    masm_.load(LoadOp::u64, M::kScratchGp, {callee, kNoReg, code_offset});
    masm_.load(LoadOp::u64, M::kContext, {callee, kNoReg, instance_offset});
    masm_.load(LoadOp::u64, M::kMemoryBase, {M::kContext, kNoReg, offsetof(InstanceHeader, memory0_base)});
    masm_.call_code(M::kScratchGp);
    masm_.load_slot(Kind::i64, M::kContext, kInstanceSlot);
    masm_.load(LoadOp::u64, M::kMemoryBase, {M::kContext, kNoReg, offsetof(InstanceHeader, memory0_base)});
}

template <class M>
void SinglePassCompiler<M>::call(std::uint32_t function, const wasm::FuncType& type) {
    prepare();
    set_arguments(type, false);
    const std::uint32_t area_depth = point_to_results(type, false);
    if (function < module_->imported_functions) {
        const auto import = static_cast<std::int32_t>(environment_->layout->imported_functions + function * sizeof(ImportedFunction));
        call_in_context(M::kContext, import + static_cast<std::int32_t>(offsetof(ImportedFunction, code)),
                        import + static_cast<std::int32_t>(offsetof(ImportedFunction, instance)));
    } else {
        masm_.call_function(function);
    }
    finish_call(type, area_depth);
}

/// Pops a table index and loads the FuncRef there into kCallTarget: in bounds, not null, of the right type.
template <class M>
void SinglePassCompiler<M>::load_callee(TypeId type, std::uint32_t table) {
    AbstractValue index = pop();
    if (index.type == AbstractValue::Type::reg && index.reg == M::kCallTarget) own(index, RegSet::of(M::kCallTarget));
    take(M::kCallTarget);
    emit_table_bounds(index, table, M::kCallTarget);
    const Reg at = use(index, RegSet::of(M::kCallTarget));
    masm_.add_shifted(Width::w64, M::kCallTarget, M::kCallTarget, at, 3);
    masm_.load(LoadOp::u64, M::kCallTarget, {M::kCallTarget, kNoReg, 0});
    release(index);
    masm_.compare_trap(IntCond::eq, Width::w64, M::kCallTarget, Operand::imm(0), TrapCode::indirect_call_to_null);
    check_signature(type, M::kCallTarget);
}

/// The id of a type of the module, which portable code does not know.
template <class M>
void SinglePassCompiler<M>::load_type(Reg d, TypeId type) {
    if (!environment_->portable) return masm_.mov_imm(Width::w64, d, type);
    load_by_type(LoadOp::u32, d, environment_->layout->types, sizeof(TypeId), type);
}

/// What the instance's array of `element_bytes` each, at `array`, holds for a type of the module.
template <class M>
void SinglePassCompiler<M>::load_by_type(LoadOp op, Reg d, std::uint32_t array, std::size_t element_bytes, TypeId type) {
    const auto index = static_cast<std::size_t>(std::ranges::find(module_->types, type) - module_->types.begin());
    masm_.load(op, d, {M::kContext, kNoReg, static_cast<std::int32_t>(array + index * element_bytes)});
}

/// Traps unless the FuncRef's type is `type` or, where that can have subtypes, one of them.
template <class M>
void SinglePassCompiler<M>::check_signature(TypeId type, Reg callee) {
    const Reg actual = allocate_gp();
    masm_.load(LoadOp::u32, actual, {callee, kNoReg, offsetof(FuncRef, type)});
    const Reg id = environment_->portable ? allocate_gp() : kNoReg;
    if (id.valid()) load_type(id, type);
    const Operand expected = id.valid() ? Operand(id) : Operand::imm(static_cast<std::int32_t>(type));
    if (wasm::TypeRegistry::type(type).is_final) {
        masm_.compare_trap(IntCond::ne, Width::w32, actual, expected, TrapCode::bad_signature);
        release(actual);
        if (id.valid()) release(id);
        return;
    }
    // Rare: the helper clobbers everything, so on both paths everything is in its slot, the FuncRef too.
    push_reg(Kind::ref, callee);
    const AbstractValue held = stack_.back();
    flush_registers(flushed_, stack_.size());
    save_homes();
    Label same;
    masm_.compare_branch(IntCond::eq, Width::w32, actual, expected, same);
    release(actual);
    if (id.valid()) release(id);
    masm_.mov(Kind::i32, M::kHelperArguments[0], actual);
    load_type(M::kHelperArguments[1], type);
    masm_.call_helper(Helper::type_matches);
    masm_.compare_trap(IntCond::eq, Width::w32, M::kResultGp, Operand::imm(0), TrapCode::bad_signature);
    masm_.bind(same);
    forget_registers();
    pop();
    claim(callee);
    masm_.load_slot(Kind::ref, callee, slot_of(held));
}

template <class M>
void SinglePassCompiler<M>::call_reference(TypeId type_id) {
    const wasm::FuncType& type = wasm::func_type(type_id);
    set_arguments(type, false);
    const std::uint32_t area_depth = point_to_results(type, false);
    call_in_context(M::kCallTarget, offsetof(FuncRef, code), offsetof(FuncRef, instance));
    release(M::kCallTarget);
    finish_call(type, area_depth);
}

template <class M>
void SinglePassCompiler<M>::call_indirect(TypeId type, std::uint32_t table) {
    prepare();
    load_callee(type, table);
    call_reference(type);
}

/// Pops a function reference into kCallTarget: not null.
template <class M>
void SinglePassCompiler<M>::pop_callee() {
    AbstractValue reference = pop();
    if (!(reference.type == AbstractValue::Type::reg && reference.reg == M::kCallTarget)) {
        take(M::kCallTarget);
        load_value(reference, M::kCallTarget);
        release(reference);
    }
    masm_.compare_trap(IntCond::eq, Width::w64, M::kCallTarget, Operand::imm(0), TrapCode::null_reference);
}

template <class M>
void SinglePassCompiler<M>::call_ref(TypeId type) {
    prepare();
    pop_callee();
    call_reference(type);
}

template <class M>
void SinglePassCompiler<M>::return_call(std::uint32_t function, const wasm::FuncType& type) {
    prepare();
    const bool imported = function < module_->imported_functions;
    const std::uint32_t area = set_arguments(type, true);
    point_to_results(type, true);
    if (!imported) {
        masm_.tail_frame(stack_area_, area);
        masm_.jump_function(function);
        return;
    }
    const auto import = static_cast<std::int32_t>(environment_->layout->imported_functions + function * sizeof(ImportedFunction));
    call_in_context(M::kContext, import + static_cast<std::int32_t>(offsetof(ImportedFunction, code)),
                    import + static_cast<std::int32_t>(offsetof(ImportedFunction, instance)));
    masm_.epilogue(stack_area_);
}

/// Tail call of the FuncRef in kCallTarget.
template <class M>
void SinglePassCompiler<M>::tail_call_reference(TypeId type_id) {
    const wasm::FuncType& type = wasm::func_type(type_id);
    const std::uint32_t area = set_arguments(type, true);
    point_to_results(type, true);
    Label other_instance;
    masm_.load(LoadOp::u64, M::kScratchGp, {M::kCallTarget, kNoReg, offsetof(FuncRef, instance)});
    masm_.compare_branch(IntCond::ne, Width::w64, M::kScratchGp, M::kContext, other_instance);
    masm_.load(LoadOp::u64, M::kCallTarget, {M::kCallTarget, kNoReg, offsetof(FuncRef, code)});
    masm_.tail_frame(stack_area_, area);
    masm_.jump_code(M::kCallTarget);
    masm_.bind(other_instance);
    call_in_context(M::kCallTarget, offsetof(FuncRef, code), offsetof(FuncRef, instance));
    masm_.epilogue(stack_area_);
    release(M::kCallTarget);
}

template <class M>
void SinglePassCompiler<M>::return_call_indirect(TypeId type, std::uint32_t table) {
    prepare();
    load_callee(type, table);
    tail_call_reference(type);
}

template <class M>
void SinglePassCompiler<M>::return_call_ref(TypeId type) {
    prepare();
    pop_callee();
    tail_call_reference(type);
}

}  // namespace pollux
