// Exceptions of SinglePassCompiler, standard and legacy. Included by compiler.h.
//
// Nothing is executed where nothing is thrown, but for one store when a try is entered: the own instance into its slot, so that whoever
// unwinds can tell the tags of this frame. Handlers are found by return address (FunctionOutput::handlers). Throwing is a helper call:
// every call leaves locals in their slots, so a landing pad starts with no home valid and restores sp, context and memory base from the
// frame pointer alone.
//
//     throw ─► exception_throw walks the frames ─► address of the pad ─► fp = landing_frame, jump ─► pad: sp, context, arguments, branch
#pragma once

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
void SinglePassCompiler<M>::begin_try(ControlFrame::Type type, const wasm::BlockType& block) {
    prepare();
    flush_for_block();
    force_to_slots(block.params.size());
    masm_.store_slot(Kind::i64, kInstanceSlot, M::kContext);
    ControlFrame& frame = push_frame(type, block);
    frame.region = next_region_++;
    frame.region_begin = masm_.position();
}

template <class M>
void SinglePassCompiler<M>::add_handler(const ControlFrame& frame, ExceptionHandler::Kind kind, std::uint32_t operand) {
    output_->handlers.push_back({frame.region_begin, frame.region_end, frame.region, operand, masm_.position(), kind});
}

/// A landing pad's start: the frame is ours again, and the exception is in kResultGp, which is taken.
template <class M>
void SinglePassCompiler<M>::land() {
    forget_registers();
    claim(M::kResultGp);
    masm_.restore_stack_pointer();
    masm_.load_slot(Kind::i64, M::kContext, kInstanceSlot);
    masm_.load(LoadOp::u64, M::kMemoryBase, {M::kContext, kNoReg, offsetof(InstanceHeader, memory0_base)});
    masm_.load(LoadOp::u64, M::kResultGp, {M::kContext, kNoReg, offsetof(InstanceHeader, store)});
    masm_.load(LoadOp::u64, M::kResultGp, {M::kResultGp, kNoReg, offsetof(StoreContext, exception)});
}

/// The arguments of the exception in kResultGp, in their slots.
template <class M>
void SinglePassCompiler<M>::push_exception_arguments(std::uint32_t tag) {
    const wasm::FuncType& type = wasm::func_type(module_->tags[tag].type);
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const Kind kind = type.params[i].kind();
        const Reg scratch = wasm::is_fp(kind) ? M::kScratchFp : M::kScratchGp;
        push_spilled(kind);
        masm_.load(detail::whole_load(kind), scratch, {M::kResultGp, kNoReg, ExceptionObject::argument_offset(i)});
        masm_.store_slot(kind, slot_of(stack_.back()), scratch);
    }
}

template <class M>
void SinglePassCompiler<M>::try_table(const wasm::BlockType& type, std::span<const Catch> catches) {
    begin_try(ControlFrame::Type::try_table, type);
    frames_.back().first_catch = static_cast<std::uint32_t>(catches_.size());
    catches_.insert(catches_.end(), catches.begin(), catches.end());
}

/// At the end of a try_table, off the normal path: one pad for each clause, which branches to the clause's label.
template <class M>
void SinglePassCompiler<M>::emit_landing_pads(ControlFrame& frame) {
    using Clause = typename Catch::Clause;
    frame.region_end = masm_.position();
    for (std::size_t i = frame.first_catch; i < catches_.size(); ++i) {
        const Catch clause = catches_[i];
        const bool has_tag = clause.clause == Clause::catch_ || clause.clause == Clause::catch_ref;
        prepare();
        add_handler(frame, has_tag ? ExceptionHandler::Kind::catch_tag : ExceptionHandler::Kind::catch_all, clause.tag);
        truncate(frame.height);
        flushed_ = stack_.size();
        land();
        if (has_tag) push_exception_arguments(clause.tag);
        if (clause.clause == Clause::catch_ref || clause.clause == Clause::catch_all_ref) {
            push_reg(Kind::ref, M::kResultGp);
        } else {
            release(M::kResultGp);
        }
        branch(frame_at(clause.depth + 1));
    }
    add_handler(frame, ExceptionHandler::Kind::region_end, 0);
    catches_.resize(frame.first_catch);
    truncate(frame.height);
}

template <class M>
void SinglePassCompiler<M>::throw_(std::uint32_t tag) {
    const wasm::FuncType& type = wasm::func_type(module_->tags[tag].type);
    call_helper(Helper::exception_new, 0, {tag});
    masm_.compare_trap(IntCond::eq, Width::w64, M::kResultGp, Operand::imm(0), TrapCode::out_of_memory);
    claim(M::kResultGp);
    const std::size_t first = stack_.size() - type.params.size();
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const AbstractValue& value = stack_[first + i];
        const Reg scratch = wasm::is_fp(value.kind) ? M::kScratchFp : M::kScratchGp;
        load_value(value, scratch);
        masm_.store(detail::whole_store(value.kind), {M::kResultGp, kNoReg, ExceptionObject::argument_offset(i)}, scratch);
    }
    truncate(first);
    push_reg(Kind::ref, M::kResultGp);
    throw_reference();
}

/// Throws the exnref on top of the stack, which is not null.
template <class M>
void SinglePassCompiler<M>::throw_reference() {
    call_helper(Helper::exception_throw, 1, {});
    masm_.compare_trap(IntCond::eq, Width::w64, M::kResultGp, Operand::imm(0), TrapCode::uncaught_exception);
    masm_.load(LoadOp::u64, M::kScratchGp, {M::kContext, kNoReg, offsetof(InstanceHeader, store)});
    masm_.load(LoadOp::u64, M::kFramePointer, {M::kScratchGp, kNoReg, offsetof(StoreContext, landing_frame)});
    masm_.jump_code(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::throw_ref() {
    prepare();
    AbstractValue reference = pop();
    const Reg reg = own(reference);
    masm_.compare_trap(IntCond::eq, Width::w64, reg, Operand::imm(0), TrapCode::null_reference);
    push_reg(Kind::ref, reg);
    throw_reference();
}

// --- legacy ----------------------------------------------------------------------------------------------------------------

template <class M>
void SinglePassCompiler<M>::try_(const wasm::BlockType& type) {
    begin_try(ControlFrame::Type::try_, type);
}

/// The exception stays below the clause's values, in the first slot above the block's height, for rethrow.
template <class M>
void SinglePassCompiler<M>::legacy_clause(ExceptionHandler::Kind kind, std::uint32_t tag, bool reachable) {
    prepare();
    ControlFrame& frame = frames_.back();
    if (frame.type == ControlFrame::Type::try_) frame.region_end = masm_.position();
    if (reachable) branch(frame);
    frame.type = ControlFrame::Type::catch_;
    truncate(frame.height);
    flushed_ = stack_.size();
    add_handler(frame, kind, tag);
    land();
    push_spilled(Kind::ref);
    masm_.store_slot(Kind::ref, slot_of(stack_.back()), M::kResultGp);
    if (kind == ExceptionHandler::Kind::catch_tag) push_exception_arguments(tag);
    release(M::kResultGp);
    flushed_ = stack_.size();
}

template <class M>
void SinglePassCompiler<M>::catch_(std::uint32_t tag, bool reachable) {
    legacy_clause(ExceptionHandler::Kind::catch_tag, tag, reachable);
}

template <class M>
void SinglePassCompiler<M>::catch_all(bool reachable) {
    legacy_clause(ExceptionHandler::Kind::catch_all, 0, reachable);
}

template <class M>
void SinglePassCompiler<M>::delegate(std::uint32_t depth, bool reachable) {
    prepare();
    ControlFrame& frame = frames_.back();
    frame.region_end = masm_.position();
    std::uint32_t target = ExceptionHandler::kNoRegion;
    for (std::size_t outer = depth + 1; outer < frames_.size() && target == ExceptionHandler::kNoRegion; ++outer) {
        const ControlFrame& around = frame_at(static_cast<std::uint32_t>(outer));
        if (around.type == ControlFrame::Type::try_ || around.type == ControlFrame::Type::try_table) target = around.region;
    }
    add_handler(frame, ExceptionHandler::Kind::delegate, target);
    frame.type = ControlFrame::Type::block;
    end(reachable);
}

template <class M>
void SinglePassCompiler<M>::rethrow(std::uint32_t depth) {
    prepare();
    const Reg reg = allocate_gp();
    const std::uint32_t slot = frame_at(depth).depth + 8;
    masm_.load_slot(Kind::ref, reg, -static_cast<std::int32_t>(operands_base_ + slot));
    push_reg(Kind::ref, reg);
    throw_reference();
}

}  // namespace pollux
