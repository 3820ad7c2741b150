// Objects of SinglePassCompiler: structs, arrays, i31. Included by compiler.h.
//
// A small object is a cell of the running fiber's window (AllocationWindows):
//
//     next = window.next + size;  if (next > window.end) goto slow;  object = window.next;  window.next = next;  object.type = type
//   back:                                       ▲
//     …                                         └─ slow, behind the function's end: registers to their slots, helper, registers back
//
// The fast path clobbers nothing, so values stay in registers and homes across an allocation. Cells are zeroed, so default values are not
// written. A null reference is found by the fault of the access itself.
#pragma once

#include <algorithm>

#include "jit/compile/compiler.h"
#include "jit/wasm/object_type.h"

namespace pollux {

namespace detail {

constexpr LoadOp field_load(const wasm::FieldType& field, bool is_signed) noexcept {
    if (field.packed == wasm::FieldType::Packed::i8) return is_signed ? LoadOp::s8_32 : LoadOp::u8;
    if (field.packed == wasm::FieldType::Packed::i16) return is_signed ? LoadOp::s16_32 : LoadOp::u16;
    return whole_load(field.type.kind());
}

constexpr StoreOp field_store(const wasm::FieldType& field) noexcept {
    if (field.packed == wasm::FieldType::Packed::i8) return StoreOp::b8;
    if (field.packed == wasm::FieldType::Packed::i16) return StoreOp::b16;
    return whole_store(field.type.kind());
}

/// Offsets up to here are in the page that nothing is ever mapped to, and fit every load and store.
inline constexpr std::uint32_t kFaultingOffset = 2048;

}  // namespace detail

// --- allocation --------------------------------------------------------------------------------------------------------------

/// Traps if a helper gave a TrapCode in place of a reference; else the reference is in kResultGp, which is taken.
template <class M>
void SinglePassCompiler<M>::take_new_object() {
    claim(M::kResultGp);
    Label made;
    masm_.compare_branch(IntCond::ge_u, Width::w64, M::kResultGp, Operand::imm(static_cast<std::int64_t>(TrapCode::status)), made);
    masm_.trap_on_status(M::kResultGp);
    masm_.bind(made);
}

/// The address of a type's ObjectType, which portable code reads from the instance.
template <class M>
void SinglePassCompiler<M>::load_object_type(Reg d, TypeId type) {
    if (!environment_->portable)
        return masm_.mov_imm(Width::w64, d, reinterpret_cast<std::uint64_t>(&wasm::TypeRegistry::object_type(type)));
    load_by_type(LoadOp::u64, d, environment_->layout->object_types, sizeof(const wasm::ObjectType*), type);
}

/// The same as a helper's operand.
template <class M>
void SinglePassCompiler<M>::push_object_type(TypeId type) {
    const Reg reg = allocate_gp();
    load_object_type(reg, type);
    push_reg(Kind::i64, reg);
}

/// A new object in a register, which is taken: zeroed but for its header. Operands stay on the stack. `length`: of an array.
template <class M>
Reg SinglePassCompiler<M>::allocate_object(TypeId id, std::uint32_t length) {
    const wasm::ObjectType& type = wasm::TypeRegistry::object_type(id);
    const bool is_array = type.form == wasm::ObjectType::Form::array;
    const std::uint64_t bytes = type.bytes + (std::uint64_t{length} << type.element_log2);
    if (bytes > AllocationWindows::kMaxBytes) {
        push_object_type(id);
        call_helper(Helper::object_new, 1, {length});
        take_new_object();
        return M::kResultGp;
    }
    const std::uint32_t size = AllocationWindows::index(static_cast<std::uint32_t>(bytes));
    const auto window = static_cast<std::int32_t>(size * sizeof(AllocationWindow));
    const auto window_end = window + static_cast<std::int32_t>(offsetof(AllocationWindow, end));
    const Reg object = allocate_gp();
    const Reg windows = allocate_gp();
    const Reg next = allocate_gp();
    if (stopped_) return object;
    SlowPath& slow = slow_paths_.emplace_back();
    slow.object = object;
    slow.type = id;
    slow.length = length;
    slow.wasm_offset = position_->offset();
    remember_registers(slow);

    masm_.load(LoadOp::u64, windows, {M::kContext, kNoReg, offsetof(InstanceHeader, windows)});
    masm_.load(LoadOp::u64, object, {windows, kNoReg, window});
    masm_.alu(AluOp::add, Width::w64, next, object, Operand::imm(AllocationWindows::cell_bytes(size)));
    masm_.load(LoadOp::u64, M::kScratchGp, {windows, kNoReg, window_end});
    masm_.compare_branch(IntCond::gt_u, Width::w64, next, M::kScratchGp, slow.entry);
    masm_.store(StoreOp::b64, {windows, kNoReg, window}, next);
    load_object_type(next, id);
    masm_.store(StoreOp::b64, {object, kNoReg, 0}, next);
    if (is_array && length != 0) {
        masm_.mov_imm(Width::w32, next, length);
        masm_.store(StoreOp::b32, {object, kNoReg, wasm::ObjectType::kArrayLength}, next);
    }
    masm_.bind(slow.back);
    release(windows);
    release(next);
    return object;
}

/// What a slow path must save and bring back: values in temporaries, homes, and temporaries that still hold a local.
template <class M>
void SinglePassCompiler<M>::remember_registers(SlowPath& slow) {
    slow.first_register = saved_registers_.size();
    for (std::size_t i = flushed_; i < stack_.size(); ++i) {
        const AbstractValue& value = stack_[i];
        if (value.type == AbstractValue::Type::reg) saved_registers_.push_back({value.kind, value.reg, slot_of(value), true});
    }
    for (RegSet homes = homes_.valid; !homes.empty();) {
        const Reg home = homes.first();
        homes.remove(home);
        const Local& local = locals_[home_local_[home.code]];
        saved_registers_.push_back({local.kind, home, local.slot, homes_.dirty.has(home)});
    }
    for (RegSet copies = cached_ & free_; !copies.empty();) {
        const Reg copy = copies.first();
        copies.remove(copy);
        const Local& local = locals_[cached_local_[copy.code]];
        saved_registers_.push_back({local.kind, copy, local.slot, false});
    }
    slow.last_register = saved_registers_.size();
}

/// Behind the function's end.
template <class M>
void SinglePassCompiler<M>::emit_slow_paths() {
    for (SlowPath& slow : slow_paths_) {
        const std::span saved = std::span(saved_registers_).subspan(slow.first_register, slow.last_register - slow.first_register);
        if (!masm_.has_space(saved.size() * 32 + 8 * M::kMaxInstructionBytes)) {
            out_of_space_ = true;
            return;
        }
        masm_.set_wasm_offset(slow.wasm_offset);
        masm_.bind(slow.entry);
        for (const SavedRegister& at : saved) {
            if (at.save) masm_.store_slot(at.kind, at.slot, at.reg);
        }
        load_object_type(M::kHelperArguments[0], slow.type);
        masm_.mov_imm(Width::w64, M::kHelperArguments[1], slow.length);
        masm_.call_helper(Helper::object_new);
        take_new_object();
        masm_.mov(Kind::ref, slow.object, M::kResultGp);
        for (const SavedRegister& at : saved) masm_.load_slot(at.kind, at.reg, at.slot);
        masm_.jump(slow.back);
    }
}

/// Writes the value at stack_[index] to a new object; zero is there already.
template <class M>
void SinglePassCompiler<M>::initialise(std::size_t index, const wasm::FieldType& field, Address at) {
    const AbstractValue& value = stack_[index];
    if (value.is_constant() && value.bits == 0) return;
    Reg from = register_of(value);
    StoreOp op = detail::field_store(field);
    if (value.is_constant() && wasm::is_fp(value.kind)) {  // its bits, as an integer
        op = op == StoreOp::f32 ? StoreOp::b32 : StoreOp::b64;
        from = M::kScratchGp;
        masm_.mov_imm(Width::w64, from, value.bits);
    } else if (!from.valid()) {
        from = wasm::is_fp(value.kind) ? M::kScratchFp : M::kScratchGp;
        load_value(value, from);
    }
    masm_.store(op, at, from);
}

template <class M>
void SinglePassCompiler<M>::struct_new(TypeId type) {
    const std::vector<wasm::FieldType>& fields = wasm::defined_type(type).fields;
    const std::uint32_t* const offsets = wasm::TypeRegistry::object_type(type).field_offsets;
    const Reg object = allocate_object(type, 0);
    const std::size_t first = stack_.size() - fields.size();
    for (std::size_t i = 0; i < fields.size() && has_space_for_more(i); ++i) {
        initialise(first + i, fields[i], {object, kNoReg, static_cast<std::int32_t>(offsets[i])});
    }
    truncate(first);
    push_reg(Kind::ref, object);
}

template <class M>
void SinglePassCompiler<M>::array_new_fixed(TypeId type, std::uint32_t count) {
    const wasm::FieldType& element = wasm::defined_type(type).fields[0];
    const std::uint8_t log2 = wasm::TypeRegistry::object_type(type).element_log2;
    const Reg object = allocate_object(type, count);
    const std::size_t first = stack_.size() - count;
    for (std::uint32_t i = 0; i < count && has_space_for_more(i); ++i) {
        initialise(first + i, element, {object, kNoReg, static_cast<std::int32_t>(wasm::ObjectType::kArrayElements + (i << log2))});
    }
    truncate(first);
    push_reg(Kind::ref, object);
}

/// Asked before each of many steps of one instruction.
template <class M>
bool SinglePassCompiler<M>::has_space_for_more(std::size_t step) {
    if (step % 32 == 31) prepare();
    return !stopped_;
}

// --- access ------------------------------------------------------------------------------------------------------------------

/// Before a load or store at `offset` from a reference: null traps there, by a fault, or here.
template <class M>
void SinglePassCompiler<M>::check_null(Reg reference, std::uint32_t offset) {
    if (offset <= detail::kFaultingOffset) {
        masm_.null_trap_site();
    } else {
        masm_.compare_trap(IntCond::eq, Width::w64, reference, Operand::imm(0), TrapCode::null_reference);
    }
}

template <class M>
void SinglePassCompiler<M>::struct_get(TypeId type, std::uint32_t index, bool is_signed) {
    const wasm::FieldType& field = wasm::defined_type(type).fields[index];
    const std::uint32_t offset = wasm::TypeRegistry::object_type(type).field_offsets[index];
    AbstractValue reference = pop();
    const Reg from = use(reference);
    const Reg d = destination(field.type.kind(), reference);
    check_null(from, offset);
    masm_.load(detail::field_load(field, is_signed), d, {from, kNoReg, static_cast<std::int32_t>(offset)});
    push_result(field.type.kind(), d);
}

template <class M>
void SinglePassCompiler<M>::struct_set(TypeId type, std::uint32_t index) {
    const wasm::FieldType& field = wasm::defined_type(type).fields[index];
    const std::uint32_t offset = wasm::TypeRegistry::object_type(type).field_offsets[index];
    AbstractValue value = pop();
    AbstractValue reference = pop();
    const Reg from = use(value);
    const Reg to = use(reference);
    check_null(to, offset);
    masm_.store(detail::field_store(field), {to, kNoReg, static_cast<std::int32_t>(offset)}, from);
    release(reference);
    release(value);
}

/// The address of an element that is checked to exist. `temporary` is to be released.
template <class M>
Address SinglePassCompiler<M>::element_address(AbstractValue& array, AbstractValue& index, std::uint32_t log2, Reg& temporary) {
    const Reg base = use(array);
    if (!index.is_constant()) use(index);
    temporary = allocate_gp();
    masm_.null_trap_site();
    masm_.load(LoadOp::u32, temporary, {base, kNoReg, wasm::ObjectType::kArrayLength});
    constexpr auto kElements = static_cast<std::int32_t>(wasm::ObjectType::kArrayElements);
    if (index.is_constant()) {
        masm_.compare_trap(IntCond::le_u, Width::w32, temporary, operand(index), TrapCode::array_out_of_bounds);
        const std::uint64_t offset = kElements + (index.bits << log2);
        if (offset <= 0x7fff'ffff) return {base, kNoReg, static_cast<std::int32_t>(offset)};
    }
    const Reg at = use(index);
    masm_.compare_trap(IntCond::ge_u, Width::w32, at, temporary, TrapCode::array_out_of_bounds);
    if (log2 == 0) return {base, at, kElements};
    if (log2 <= 3) {
        masm_.add_shifted(Width::w64, temporary, base, at, static_cast<std::uint8_t>(log2));
    } else {
        masm_.shift(ShiftOp::shl, Width::w64, temporary, at, Operand::imm(log2));
        masm_.alu(AluOp::add, Width::w64, temporary, temporary, base);
    }
    return {temporary, kNoReg, kElements};
}

template <class M>
void SinglePassCompiler<M>::array_get(TypeId type, bool is_signed) {
    const wasm::FieldType& field = wasm::defined_type(type).fields[0];
    AbstractValue index = pop();
    AbstractValue array = pop();
    Reg temporary;
    const Address at = element_address(array, index, wasm::TypeRegistry::object_type(type).element_log2, temporary);
    const Reg d = destination(field.type.kind(), index, array);
    masm_.load(detail::field_load(field, is_signed), d, at);
    release(temporary);
    push_result(field.type.kind(), d);
}

template <class M>
void SinglePassCompiler<M>::array_set(TypeId type) {
    const wasm::FieldType& field = wasm::defined_type(type).fields[0];
    AbstractValue value = pop();
    AbstractValue index = pop();
    AbstractValue array = pop();
    const Reg from = use(value);
    Reg temporary;
    const Address at = element_address(array, index, wasm::TypeRegistry::object_type(type).element_log2, temporary);
    masm_.store(detail::field_store(field), at, from);
    release(temporary);
    release(array);
    release(index);
    release(value);
}

template <class M>
void SinglePassCompiler<M>::array_len() {
    AbstractValue array = pop();
    const Reg from = use(array);
    const Reg d = destination(Kind::i32, array);
    masm_.null_trap_site();
    masm_.load(LoadOp::u32, d, {from, kNoReg, wasm::ObjectType::kArrayLength});
    push_result(Kind::i32, d);
}

/// The value `below` the top becomes what helpers take: bits in a register, for v128 the address of its slot.
template <class M>
void SinglePassCompiler<M>::pass_by_word(std::size_t below) {
    AbstractValue& value = stack_[stack_.size() - 1 - below];
    if (!wasm::is_fp(value.kind)) return;
    if (value.is_constant()) {
        value.kind = Kind::i64;
        return;
    }
    AbstractValue copy = value;
    const bool is_vector = value.kind == Kind::v128;
    if (is_vector && value.type == AbstractValue::Type::local) copy_to_slot(value);
    if (is_vector && value.type == AbstractValue::Type::reg) spill(value);
    if (!is_vector && value.type == AbstractValue::Type::local) --locals_[value.bits].deferred;
    const Reg word = allocate_gp();
    if (is_vector) {
        masm_.lea_slot(word, slot_of(value));
    } else {
        masm_.fp_to_gp(value.kind == Kind::f32 ? Width::w32 : Width::w64, word, use(copy));
        release(copy);
    }
    value = {.type = AbstractValue::Type::reg, .kind = Kind::i64, .reg = word, .depth = value.depth};
}

/// Constant: an i31 at compile time; else value << 1 | 1.
template <class M>
void SinglePassCompiler<M>::ref_i31() {
    AbstractValue value = pop();
    if (value.is_constant()) return push_constant(Kind::ref, (value.bits << 1 | 1) & 0xffff'ffff);
    const Reg from = use(value);
    const Reg d = destination(Kind::ref, value);
    masm_.shift(ShiftOp::shl, Width::w32, d, from, Operand::imm(1));
    masm_.alu(AluOp::or_, Width::w32, d, d, Operand::imm(1));
    push_result(Kind::ref, d);
}

template <class M>
void SinglePassCompiler<M>::i31_get(ShiftOp shift) {
    AbstractValue reference = pop();
    const Reg from = use(reference);
    masm_.compare_trap(IntCond::eq, Width::w64, from, Operand::imm(0), TrapCode::null_reference);
    const Reg d = destination(Kind::i32, reference);
    masm_.shift(shift, Width::w32, d, from, Operand::imm(1));
    push_result(Kind::i32, d);
}

/// `operand`: field, length or segment.
template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::gc(TypeId type, std::uint32_t operand, TypeId) {
    using enum wasm::Opcode;
    prepare();
    const auto call_new = [&](Helper helper, std::size_t operands, std::initializer_list<std::uint64_t> constants) {
        push_object_type(type);
        call_helper(helper, operands + 1, constants);
        take_new_object();
        push_reg(Kind::ref, M::kResultGp);
    };
    const auto call_checked = [&](Helper helper, std::size_t operands, std::initializer_list<std::uint64_t> constants) {
        call_helper(helper, operands, constants);
        masm_.trap_on_status(M::kResultGp);
    };
    if constexpr (kOp == StructNew) {
        struct_new(type);
    } else if constexpr (kOp == StructNewDefault) {
        push_reg(Kind::ref, allocate_object(type, 0));
    } else if constexpr (kOp == StructGet || kOp == StructGetU) {
        struct_get(type, operand, false);
    } else if constexpr (kOp == StructGetS) {
        struct_get(type, operand, true);
    } else if constexpr (kOp == StructSet) {
        struct_set(type, operand);
    } else if constexpr (kOp == ArrayNew) {
        pass_by_word(1);
        call_new(Helper::array_new, 2, {});
    } else if constexpr (kOp == ArrayNewDefault) {
        call_new(Helper::array_new_default, 1, {});
    } else if constexpr (kOp == ArrayNewFixed) {
        array_new_fixed(type, operand);
    } else if constexpr (kOp == ArrayNewData) {
        call_new(Helper::array_new_data, 2, {operand});
    } else if constexpr (kOp == ArrayNewElem) {
        call_new(Helper::array_new_elem, 2, {operand});
    } else if constexpr (kOp == ArrayGet || kOp == ArrayGetU) {
        array_get(type, false);
    } else if constexpr (kOp == ArrayGetS) {
        array_get(type, true);
    } else if constexpr (kOp == ArraySet) {
        array_set(type);
    } else if constexpr (kOp == ArrayLen) {
        array_len();
    } else if constexpr (kOp == ArrayFill) {
        pass_by_word(1);
        call_checked(Helper::array_fill, 4, {});
    } else if constexpr (kOp == ArrayCopy) {
        call_checked(Helper::array_copy, 5, {});
    } else if constexpr (kOp == ArrayInitData) {
        call_checked(Helper::array_init_data, 4, {operand});
    } else if constexpr (kOp == ArrayInitElem) {
        call_checked(Helper::array_init_elem, 4, {operand});
    } else if constexpr (kOp == RefI31) {
        ref_i31();
    } else if constexpr (kOp == I31GetS) {
        i31_get(ShiftOp::shr_s);
    } else if constexpr (kOp == I31GetU) {
        i31_get(ShiftOp::shr_u);
    } else {
        static_assert(kOp == AnyConvertExtern || kOp == ExternConvertAny);  // the same bits
    }
}

}  // namespace pollux
