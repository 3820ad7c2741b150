// Tests and casts of references. Included by compiler.h.
//
// The first word of whatever a reference points to is its ObjectType. A defined type is tested by one load of that and a comparison with
// its display, at the depth of the wanted type; abstract types by the form. i31 is told by its low bit, before anything is loaded.
#pragma once

#include "jit/compile/compiler.h"
#include "jit/wasm/object_type.h"

namespace pollux {

/// Where a test goes that fails: a label, or none, which is a trap.
template <class M>
void SinglePassCompiler<M>::miss_if(IntCond condition, Width width, Reg a, Operand b, Label* miss) {
    if (miss != nullptr) {
        masm_.compare_branch(condition, width, a, b, *miss);
    } else {
        masm_.compare_trap(condition, width, a, b, TrapCode::cast_failure);
    }
}

/// Falls through where the reference, of type `source`, is a `target`, else goes to `miss`. `temporary` may be written.
template <class M>
void SinglePassCompiler<M>::test_type(Reg reference, Reg temporary, ValType source, ValType target, Label* miss) {
    using wasm::Heap;
    using Form = wasm::ObjectType::Form;
    Label match;
    const bool always = wasm::matches(source.with_null(false), target.with_null(false));
    if (source.nullable() && target.nullable() && !always) {
        masm_.compare_branch(IntCond::eq, Width::w64, reference, Operand::imm(0), match);
    } else if (source.nullable() && !target.nullable()) {
        miss_if(IntCond::eq, Width::w64, reference, Operand::imm(0), miss);
    }
    if (!always) {
        const Heap heap = target.heap();
        const Heap form = wasm::abstract_heap(target);
        const bool maybe_i31 = source.heap() == Heap::any || source.heap() == Heap::eq;
        // What is not null is no value of a bottom type; an i31 is of no other type than its supertypes, and no object is an i31.
        const bool never = heap == Heap::none || heap == Heap::nofunc || heap == Heap::noextern || heap == Heap::noexn ||
                           source.heap() == Heap::i31 || (heap == Heap::i31 && !maybe_i31);
        if (never) {
            // Compared with itself, it misses.
            miss_if(IntCond::eq, Width::w64, reference, reference, miss);
        } else {
            if (maybe_i31) {
                masm_.alu(AluOp::and_, Width::w32, temporary, reference, Operand::imm(1));
                if (heap == Heap::eq) {
                    masm_.compare_branch(IntCond::ne, Width::w32, temporary, Operand::imm(0), match);
                } else {
                    miss_if(heap == Heap::i31 ? IntCond::eq : IntCond::ne, Width::w32, temporary, Operand::imm(0), miss);
                }
            }
            if (heap != Heap::i31) masm_.load(LoadOp::u64, temporary, {reference, kNoReg, 0});
            if (heap == Heap::concrete) {
                test_display(temporary, target.type_id(), miss);
            } else if (heap == Heap::eq || heap == Heap::struct_ || heap == Heap::array) {
                const Form wanted = form == Heap::struct_ ? Form::struct_ : form == Heap::array ? Form::array : Form::host;
                masm_.load(LoadOp::u8, temporary, {temporary, kNoReg, offsetof(wasm::ObjectType, form)});
                miss_if(heap == Heap::eq ? IntCond::eq : IntCond::ne, Width::w32, temporary, Operand::imm(static_cast<int>(wanted)), miss);
            }
        }
    }
    masm_.bind(match);
}

/// Goes to `miss` unless the ObjectType in `type`, which is overwritten, is that of `wanted` or of a subtype.
template <class M>
void SinglePassCompiler<M>::test_display(Reg type, TypeId wanted, Label* miss) {
    using wasm::ObjectType;
    const auto depth = static_cast<std::int32_t>(wasm::TypeRegistry::object_type(wanted).depth);
    const std::int32_t entry = depth * static_cast<std::int32_t>(sizeof(TypeId));
    if (depth < static_cast<std::int32_t>(ObjectType::kShortDisplay)) {
        masm_.load(LoadOp::u32, type, {type, kNoReg, static_cast<std::int32_t>(offsetof(ObjectType, display)) + entry});
    } else {
        masm_.load(LoadOp::u32, M::kScratchGp, {type, kNoReg, offsetof(ObjectType, depth)});
        miss_if(IntCond::lt_u, Width::w32, M::kScratchGp, Operand::imm(depth), miss);
        masm_.load(LoadOp::u64, type, {type, kNoReg, offsetof(ObjectType, whole_display)});
        masm_.load(LoadOp::u32, type, {type, kNoReg, entry});
    }
    if (!environment_->portable) return miss_if(IntCond::ne, Width::w32, type, Operand::imm(static_cast<std::int32_t>(wanted)), miss);
    load_type(M::kScratchGp, wanted);
    miss_if(IntCond::ne, Width::w32, type, M::kScratchGp, miss);
}

/// Brings the reference on top of the stack into a register and leaves it there.
template <class M>
Reg SinglePassCompiler<M>::use_top() {
    AbstractValue reference = pop();
    const Reg reg = use(reference);
    if (reference.type == AbstractValue::Type::local) {
        push_local(static_cast<std::uint32_t>(reference.bits));
    } else {
        push_reg(Kind::ref, reg);
    }
    return reg;
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::ref_test_or_cast(ValType source, ValType target) {
    prepare();
    const Reg reference = use_top();
    // Held by the stack, but needed by this instruction: not to be given away for the temporary.
    const Reg temporary = allocate_gp(RegSet::of(reference));
    if constexpr (kOp == wasm::Opcode::RefCast || kOp == wasm::Opcode::RefCastNull) {
        test_type(reference, temporary, source, target, nullptr);
        release(temporary);
    } else {
        Label miss;
        Label done;
        test_type(reference, temporary, source, target, &miss);
        masm_.mov_imm(Width::w32, temporary, 1);
        masm_.jump(done);
        masm_.bind(miss);
        masm_.mov_imm(Width::w32, temporary, 0);
        masm_.bind(done);
        release(pop());
        push_reg(Kind::i32, temporary);
    }
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::br_on_cast(std::uint32_t depth, ValType source, ValType target) {
    prepare();
    const Reg reference = use_top();
    const Reg temporary = allocate_gp(RegSet::of(reference));
    release(temporary);
    Label miss;
    test_type(reference, temporary, source, target, &miss);
    if constexpr (kOp == wasm::Opcode::BrOnCast) {
        branch(frame_at(depth));
        masm_.bind(miss);
    } else {
        Label match;
        masm_.jump(match);
        masm_.bind(miss);
        branch(frame_at(depth));
        masm_.bind(match);
    }
}

}  // namespace pollux
