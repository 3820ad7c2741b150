// The operand stack, temporaries and register homes of SinglePassCompiler, and compile() itself. Included by compiler.h.
#pragma once

#include <algorithm>

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
Result<> SinglePassCompiler<M>::compile(const CompileEnvironment& environment, std::uint32_t function, std::span<const std::uint8_t> body,
                                        CodeBuffer buffer, FunctionOutput& output) {
    environment_ = &environment;
    module_ = environment.module;
    output_ = &output;
    output.clear();
    plain_memory0_ = !module_->memories.empty() && !explicit_bounds(0);
    usual_ = !this->want_lines;
    usual_accesses_ = usual_ && plain_memory0_;
    stopped_ = out_of_space_ = exhausted_ = false;
    masm_.begin(environment, buffer, body.size(), output);

    wasm::FunctionPass<SinglePassCompiler> pass(*module_, environment.features, pass_state_, *this);
    if (auto result = pass.run(function, body); !result) return result;
    if (!output.not_compiled.empty()) {
        // What comes after the stop is validated without a sink; the body becomes a trap.
        wasm::ValidateSink validate;
        wasm::FunctionPass<wasm::ValidateSink> rest(*module_, environment.features, pass_state_, validate);
        if (auto result = rest.run(function, body); !result) return result;
        output.relocations.clear();
        output.sites.clear();
        output.handlers.clear();
        masm_.begin(environment, buffer, body.size(), output);
        masm_.set_wasm_offset(module_->functions[function].body_offset);
        masm_.prologue();
        masm_.trap(TrapCode::not_compiled);
        max_depth_ = 0;
    }
    if (output.not_compiled.empty() && !out_of_space_) emit_out_of_line();
    if (output.not_compiled.empty() && !out_of_space_) emit_slow_paths();
    if (exhausted_) return fail(ErrorKind::unsupported, "the compiler ran out of registers in function " + std::to_string(function));
    if (!out_of_space_) masm_.finish(operands_base_ + max_depth_);
    if (out_of_space_ || masm_.overflowed()) {
        return fail(ErrorKind::resource, "the code buffer is too small for function " + std::to_string(function));
    }
    return {};
}

template <class M>
void SinglePassCompiler<M>::begin(const wasm::FuncType& type, std::span<const ValType> locals, wasm::PassPosition& position) {
    type_ = &type;
    position_ = &position;
    stack_.clear();
    clear_scratch(frames_);
    clear_scratch(locals_);
    flushed_ = 0;
    loop_scan_.clear();
    clear_scratch(catches_);
    clear_scratch(out_of_line_);
    unlikely_ = false;
    clear_scratch(slow_paths_);
    clear_scratch(saved_registers_);
    next_region_ = 0;
    max_depth_ = 0;
    homes_ = {};
    assigned_homes_ = cached_ = {};
    condition_pending_ = shift_pending_ = load_pending_ = false;
    has_memory_results_ = memory_result_bytes(type.results) != 0;
    masm_.set_wasm_offset(position.offset());

    // Locals take homes in order of declaration, so parameters arrive in theirs.
    ParameterAssigner assigner(M::kHomesGp.size(), M::kHomesFp.size());
    std::size_t next_gp = 0;
    std::size_t next_fp = 0;
    std::uint32_t frame = kFixedFrameBytes;
    locals_.reserve(locals.size());
    for (std::size_t i = 0; i < locals.size(); ++i) {
        Local local{.kind = locals[i].kind()};
        const bool fp_class = wasm::is_fp(local.kind);
        if (fp_class && next_fp < M::kHomesFp.size()) {
            local.home = M::kHomesFp[next_fp++];
        } else if (!fp_class && next_gp < M::kHomesGp.size()) {
            local.home = M::kHomesGp[next_gp++];
        }
        const Location arrival = i < type.params.size() ? assigner.next(local.kind) : Location{};
        if (arrival.where == Location::Where::memory) {
            local.slot = M::kStackArguments + static_cast<std::int32_t>(arrival.index);
        } else {
            frame = wasm::align_slot(frame, local.kind) + wasm::slot_bytes(local.kind);
            local.slot = -static_cast<std::int32_t>(frame);
        }
        if (local.home.valid()) {
            assigned_homes_.add(local.home);
            home_local_[local.home.code] = static_cast<std::uint32_t>(i);
        }
        locals_.push_back(local);
    }
    stack_area_ = assigner.stack_bytes();
    operands_base_ = (frame + 15) & ~std::uint32_t{15};

    RegSet homes;
    for (const Reg home : M::kHomesGp) homes.add(home);
    for (const Reg home : M::kHomesFp) homes.add(home);
    allocatable_ = M::kTemporaries | (homes - assigned_homes_);
    free_ = allocatable_;

    masm_.prologue();
    if (has_memory_results_) masm_.store_slot(Kind::i64, kResultPointerSlot, M::kResultPointer);
    homes_ = {assigned_homes_, assigned_homes_};
    bool zero_ready = false;
    for (std::size_t i = type.params.size(); i < locals_.size(); ++i) {
        const Local& local = locals_[i];
        if (local.home.valid()) {
            if (local.kind == Kind::v128) {
                masm_.v128_const(local.home, {});
            } else if (wasm::is_fp(local.kind)) {
                masm_.fp_const(Width::w64, local.home, 0);
            } else {
                masm_.mov_imm(Width::w64, local.home, 0);
            }
            continue;
        }
        if (!zero_ready) masm_.v128_const(M::kScratchFp, {});
        zero_ready = true;
        if (!masm_.has_space(M::kMaxInstructionBytes)) break;  // reported by the first instruction
        // Slots below a 16-byte boundary are cleared in pairs: the lower one's store covers both.
        if (local.slot % 16 == 0 || i + 1 == locals_.size() || locals_[i + 1].home.valid() || local.kind == Kind::v128) {
            masm_.store_slot(local.slot % 16 == 0 ? Kind::v128 : Kind::f64, local.slot, M::kScratchFp);
        } else if (locals_[i + 1].slot != local.slot - 8) {
            masm_.store_slot(Kind::f64, local.slot, M::kScratchFp);
        }
    }
    push_frame(ControlFrame::Type::function, {{}, type.results});
    if (environment_->fuel) masm_.consume_fuel(1);
}

/// First step of every handler that emits: room in the buffer, the offset for sites.
template <class M>
inline void SinglePassCompiler<M>::prepare() {
    masm_.set_wasm_offset(position_->offset());
    if (this->want_lines) [[unlikely]]
        record_line();
    // Enough for what nearly all emit: one move per register and some instructions. What needs more sets overflowed().
    if (!masm_.has_space(std::size_t{128} * 16 + 8 * M::kMaxInstructionBytes)) [[unlikely]]
        run_out_of_space();
}

template <class M>
void SinglePassCompiler<M>::run_out_of_space() {
    out_of_space_ = true;
    stop();
}

template <class M>
void SinglePassCompiler<M>::record_line() {
    if (!output_->lines.empty() && output_->lines.back().wasm_offset == position_->offset()) return;
    output_->lines.push_back({masm_.position(), position_->offset()});
}

template <class M>
void SinglePassCompiler<M>::not_compiled(std::string_view feature) {
    output_->not_compiled = feature;
    stop();
}

/// A new value on top of the stack, with its slot.
template <class M>
inline void SinglePassCompiler<M>::push(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits) {
    if (!stack_.has_room()) [[unlikely]]
        return push_and_grow(type, kind, reg, bits);
    push_value(type, kind, reg, bits);
}

template <class M>
void SinglePassCompiler<M>::push_and_grow(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits) {
    push_value(type, kind, reg, bits);
}

template <class M>
inline void SinglePassCompiler<M>::push_value(AbstractValue::Type type, Kind kind, Reg reg, std::uint64_t bits) {
    const std::uint32_t depth = wasm::align_slot(stack_.depth(), kind) + wasm::slot_bytes(kind);
    stack_.push() = {type, kind, reg, depth, bits};
    max_depth_ = std::max(max_depth_, depth);  // without a branch
}

template <class M>
inline void SinglePassCompiler<M>::push_constant(Kind kind, std::uint64_t bits) {
    push(AbstractValue::Type::constant, kind, kNoReg, bits);
}

template <class M>
inline void SinglePassCompiler<M>::push_reg(Kind kind, Reg reg) {
    push(AbstractValue::Type::reg, kind, reg, 0);
}

template <class M>
inline void SinglePassCompiler<M>::push_local(std::uint32_t local) {
    ++locals_[local].deferred;
    push(AbstractValue::Type::local, locals_[local].kind, locals_[local].home, local);
}

/// Takes the top value off. A register it owns stays taken until release().
template <class M>
inline AbstractValue SinglePassCompiler<M>::pop() {
    const AbstractValue value = stack_.back();
    stack_.pop_back();
    if (flushed_ > stack_.size()) flushed_ = stack_.size();
    if (value.type == AbstractValue::Type::local) --locals_[value.bits].deferred;
    return value;
}

template <class M>
inline void SinglePassCompiler<M>::release(const AbstractValue& value) {
    if (value.type == AbstractValue::Type::reg) free_.add(value.reg);
}

/// What pop() and release() do for a value that leaves the stack, but for `flushed_`.
template <class M>
inline void SinglePassCompiler<M>::let_go(const AbstractValue& value) {
    if (value.type == AbstractValue::Type::reg) {
        free_.add(value.reg);
    } else if (value.type == AbstractValue::Type::local) {
        --locals_[value.bits].deferred;
    }
}

template <class M>
void SinglePassCompiler<M>::pop_to(std::size_t height) {
    for (; stack_.size() > height; stack_.pop_back()) let_go(stack_.back());
}

/// Takes a register that is free: whatever it still remembered is gone.
template <class M>
void SinglePassCompiler<M>::claim(Reg reg) {
    free_.remove(reg);
    cached_.remove(reg);
}

/// A temporary that still holds this local, which has no home; kNoReg if none does.
template <class M>
Reg SinglePassCompiler<M>::cached_copy(std::uint32_t local) const {
    for (RegSet copies = cached_; !copies.empty();) {
        const Reg reg = copies.first();
        copies.remove(reg);
        if (cached_local_[reg.code] == local) return reg;
    }
    return kNoReg;
}

/// `reg`, a temporary, holds this local until somebody claims or writes it.
template <class M>
void SinglePassCompiler<M>::remember_copy(std::uint32_t local, Reg reg) {
    if (!allocatable_.has(reg)) return;
    cached_.add(reg);
    cached_local_[reg.code] = local;
}

template <class M>
void SinglePassCompiler<M>::forget_copies(std::uint32_t local) {
    for (Reg reg = cached_copy(local); reg.valid(); reg = cached_copy(local)) cached_.remove(reg);
}

/// A free register out of `wanted`; the deepest value that has one gives it up if need be.
template <class M>
inline Reg SinglePassCompiler<M>::allocate(RegSet wanted) {
    const RegSet plain = (free_ & wanted) - cached_;
    if (plain.empty()) [[unlikely]]
        return allocate_slowly(wanted);
    const Reg reg = plain.first();
    free_.remove(reg);
    return reg;
}

template <class M>
Reg SinglePassCompiler<M>::allocate_slowly(RegSet wanted) {
    RegSet candidates = free_ & wanted;
    if (candidates.empty()) {
        for (std::size_t i = flushed_; i < stack_.size(); ++i) {
            AbstractValue& value = stack_[i];
            if (value.type != AbstractValue::Type::reg || !wanted.has(value.reg)) continue;
            candidates.add(value.reg);
            spill(value);
            break;
        }
    }
    if (candidates.empty()) [[unlikely]] {  // no instruction holds that many: a fault of a handler
        exhausted_ = true;
        stop();
        candidates = allocatable_ & wanted;
    }
    const Reg reg = candidates.first();
    claim(reg);
    return reg;
}

/// Takes this very register; a value on the stack that owns it moves away. Not for registers held by the current instruction.
template <class M>
void SinglePassCompiler<M>::take(Reg reg) {
    if (!free_.has(reg)) {
        for (std::size_t i = flushed_; i < stack_.size(); ++i) {
            AbstractValue& value = stack_[i];
            if (value.type != AbstractValue::Type::reg || value.reg != reg) continue;
            const RegSet others = free_ & (reg.is_fp() ? kAllFp : kAllGp);
            if (others.empty()) {
                spill(value);
            } else {
                value.reg = others.first();
                claim(value.reg);
                masm_.mov(value.kind, value.reg, reg);
            }
            break;
        }
    }
    claim(reg);
}

/// Writes a value on the stack to its slot and frees its register.
template <class M>
void SinglePassCompiler<M>::spill(AbstractValue& value) {
    masm_.store_slot(value.kind, slot_of(value), value.reg);
    free_.add(value.reg);
    value.type = AbstractValue::Type::spilled;
}

template <class M>
Reg SinglePassCompiler<M>::home_to_register(std::uint32_t local) {
    const Reg home = locals_[local].home;
    if (!homes_.valid.has(home)) load_home(home);
    return home;
}

/// The register that a value is in now, or kNoReg.
template <class M>
inline Reg SinglePassCompiler<M>::register_of(const AbstractValue& value) const {
    if (value.type == AbstractValue::Type::reg) return value.reg;
    if (value.type != AbstractValue::Type::local) return kNoReg;
    return value.reg.valid() && homes_.valid.has(value.reg) ? value.reg : kNoReg;
}

/// The same, or a temporary that still holds the local. A move of several values has to know it before any of them is written.
template <class M>
Reg SinglePassCompiler<M>::source_of(const AbstractValue& value) const {
    const Reg reg = register_of(value);
    return reg.valid() || value.type != AbstractValue::Type::local ? reg : cached_copy(static_cast<std::uint32_t>(value.bits));
}

/// The register that a popped value is in, made so if need be. A home must not be written; anything else the value then owns.
template <class M>
inline Reg SinglePassCompiler<M>::use(AbstractValue& value, RegSet except) {
    const Reg reg = register_of(value);
    return reg.valid() ? reg : bring_to_register(value, except);
}

/// The same for a value that stays on the stack; kNoReg for a constant.
template <class M>
Reg SinglePassCompiler<M>::bring_in_place(AbstractValue& value) {
    if (value.is_constant()) return kNoReg;
    flushed_ = std::min(flushed_, stack_.index_of(value));
    const bool deferred = value.type == AbstractValue::Type::local;
    const Reg reg = bring_to_register(value, {});
    if (deferred && value.type == AbstractValue::Type::reg) --locals_[value.bits].deferred;
    return reg;
}

template <class M>
Reg SinglePassCompiler<M>::bring_to_register(AbstractValue& value, RegSet except) {
    if (value.type == AbstractValue::Type::local && locals_[value.bits].home.valid())
        return home_to_register(static_cast<std::uint32_t>(value.bits));
    if (value.type == AbstractValue::Type::local) {
        const Reg copy = cached_copy(static_cast<std::uint32_t>(value.bits));
        if (copy.valid() && free_.has(copy) && !except.has(copy)) {
            free_.remove(copy);
            value.type = AbstractValue::Type::reg;
            return value.reg = copy;
        }
    }
    const Reg reg = allocate((wasm::is_fp(value.kind) ? kAllFp : kAllGp) - except);
    load_value(value, reg);
    if (value.type == AbstractValue::Type::local) remember_copy(static_cast<std::uint32_t>(value.bits), reg);
    value.type = AbstractValue::Type::reg;
    value.reg = reg;
    return reg;
}

/// Like use(), but the register may be written.
template <class M>
Reg SinglePassCompiler<M>::own(AbstractValue& value, RegSet except) {
    if (value.type == AbstractValue::Type::reg && !except.has(value.reg)) {
        cached_.remove(value.reg);
        return value.reg;
    }
    const Reg reg = allocate((wasm::is_fp(value.kind) ? kAllFp : kAllGp) - except);
    load_value(value, reg);
    release(value);
    value.type = AbstractValue::Type::reg;
    value.reg = reg;
    return reg;
}

/// Emits what brings a value into `to`, whatever it is. Changes no state but the validity of homes.
template <class M>
void SinglePassCompiler<M>::load_value(const AbstractValue& value, Reg to) {
    switch (value.type) {
        case AbstractValue::Type::constant:
            if (wasm::is_fp(value.kind)) {
                masm_.fp_const(value.kind == Kind::f32 ? Width::w32 : Width::w64, to, value.bits);
            } else {
                masm_.mov_imm(value.kind == Kind::i32 ? Width::w32 : Width::w64, to, value.bits);
            }
            break;
        case AbstractValue::Type::local: {
            const Local& local = locals_[value.bits];
            Reg from = register_of(value);
            if (!from.valid()) from = cached_copy(static_cast<std::uint32_t>(value.bits));
            if (from.valid()) {
                masm_.mov(value.kind, to, from);
            } else {
                masm_.load_slot(value.kind, to, local.slot);
            }
            break;
        }
        case AbstractValue::Type::reg:     masm_.mov(value.kind, to, value.reg); break;
        case AbstractValue::Type::spilled: masm_.load_slot(value.kind, to, slot_of(value)); break;
    }
}

/// A popped GP value as right-hand operand: immediate, slot or register.
template <class M>
Operand SinglePassCompiler<M>::operand(AbstractValue& value) {
    return value.is_constant() ? immediate_of(value) : register_or_slot(value);
}

template <class M>
Operand SinglePassCompiler<M>::register_or_slot(AbstractValue& value) {
    if (value.type == AbstractValue::Type::spilled) return Operand::at(slot_of(value));
    if (value.type == AbstractValue::Type::local && !locals_[value.bits].home.valid() &&
        !cached_copy(static_cast<std::uint32_t>(value.bits)).valid()) {
        return Operand::at(locals_[value.bits].slot);
    }
    return use(value);
}

/// Before `local` changes: values on the stack that are deferred reads of it get its present value.
template <class M>
void SinglePassCompiler<M>::materialise_deferred_reads(std::uint32_t local) {
    for (std::size_t i = stack_.size(); i > flushed_ && locals_[local].deferred != 0; --i) {
        AbstractValue& value = stack_[i - 1];
        if (!value.is_local(local)) continue;
        const RegSet available = free_ & (wasm::is_fp(value.kind) ? kAllFp : kAllGp);
        if (available.empty()) {  // the current instruction holds them all
            copy_to_slot(value);
            continue;
        }
        const Reg reg = available.first();
        claim(reg);
        load_value(value, reg);
        value.type = AbstractValue::Type::reg;
        value.reg = reg;
        --locals_[local].deferred;
    }
}

/// A deferred read on the stack goes to the value's slot, without taking a register.
template <class M>
void SinglePassCompiler<M>::copy_to_slot(AbstractValue& value) {
    Local& local = locals_[value.bits];
    Reg from = local.home;
    if (!from.valid() || !homes_.valid.has(from)) {
        from = wasm::is_fp(value.kind) ? M::kScratchFp : M::kScratchGp;
        masm_.load_slot(value.kind, from, local.slot);
    }
    masm_.store_slot(value.kind, slot_of(value), from);
    --local.deferred;
    value.type = AbstractValue::Type::spilled;
}

/// Where a result should go: the home of the local that the next instruction sets, else the register of the first operand, else any.
/// Releases the operands: they are read by the instruction that is emitted next. push_result() completes it.
template <class M>
template <class... Values>
inline Reg SinglePassCompiler<M>::destination(Kind kind, const Values&... operands) {
    const bool sets_local = next_is(Opcode::LocalSet) || next_is(Opcode::LocalTee);
    const Reg home = sets_local && tuning.choose_destinations ? home_set_next(kind) : kNoReg;
    (release(operands), ...);
    if (home.valid()) return home;
    Reg reusable = kNoReg;
    ((operands.type == AbstractValue::Type::reg && !reusable.valid() ? void(reusable = operands.reg) : void()), ...);
    if (reusable.valid() && reusable.is_fp() == wasm::is_fp(kind) && free_.has(reusable)) {
        claim(reusable);
        return reusable;
    }
    return allocate(wasm::is_fp(kind) ? kAllFp : kAllGp);
}

/// The home of the local that the next instruction sets, if it has one. Deferred reads of it are materialised, so this comes
/// while the operands' registers are still taken.
template <class M>
Reg SinglePassCompiler<M>::home_set_next(Kind kind) {
    const std::uint8_t* next = position_->next;
    const bool one_byte = position_->end - next > 1 && next[1] < 0x80 && next[1] < locals_.size();
    if (!one_byte || locals_[next[1]].kind != kind || !locals_[next[1]].home.valid()) return kNoReg;
    materialise_deferred_reads(next[1]);
    return locals_[next[1]].home;
}

/// Where an instruction computes what `local` is set to next: its home, else the register of the operand, on top of the stack, or any.
/// kNoReg where more is to be done. set_computed() completes it.
template <class M>
inline Reg SinglePassCompiler<M>::destination_for(std::uint32_t local, const AbstractValue& operand) {
    const Local& target = locals_[local];
    // A deferred read elsewhere on the stack would have to be materialised first.
    if (target.deferred != (operand.is_local(local) ? 1U : 0U) || !tuning.choose_destinations) return kNoReg;
    if (target.home.valid()) return target.home;
    if (operand.type == AbstractValue::Type::reg && operand.reg.is_fp() == wasm::is_fp(target.kind)) return operand.reg;
    const RegSet available = (free_ & (wasm::is_fp(target.kind) ? kAllFp : kAllGp)) - cached_;
    return available.empty() ? kNoReg : available.first();
}

/// The operand on top of the stack was let go of, and the result is in `reg`: sets the local, or tees.
template <class M>
inline void SinglePassCompiler<M>::set_computed(std::uint32_t local, Reg reg, bool tee) {
    Local& target = locals_[local];
    AbstractValue& top = stack_.back();
    if (reg == target.home) {
        homes_.valid.add(reg);
        homes_.dirty.add(reg);
        if (!tee) return stack_.pop_back();
        ++target.deferred;
        top = {AbstractValue::Type::local, target.kind, reg, top.depth, local};
        return;
    }
    masm_.store_slot(target.kind, target.slot, reg);
    forget_copies(local);
    remember_copy(local, reg);
    if (!tee) return stack_.pop_back();
    free_.remove(reg);
    top = {AbstractValue::Type::reg, target.kind, reg, top.depth, 0};
}

/// Pushes what was computed into destination(): a temporary, or a home, which then reads as its local.
template <class M>
inline void SinglePassCompiler<M>::push_result(Kind kind, Reg reg) {
    if (!assigned_homes_.has(reg)) return push_reg(kind, reg);
    homes_.valid.add(reg);
    homes_.dirty.add(reg);
    push_local(home_local_[reg.code]);
}

template <class M>
void SinglePassCompiler<M>::local_set(std::uint32_t local) {
    if (stack_.back().is_local(local)) {
        pop();
        return;
    }
    prepare();
    AbstractValue value = pop();
    materialise_deferred_reads(local);
    const Local& target = locals_[local];
    if (target.home.valid()) {
        load_value(value, target.home);
        homes_.valid.add(target.home);
        homes_.dirty.add(target.home);
    } else if (value.is_constant() && value.kind != Kind::v128) {
        masm_.store_slot_imm(target.slot, static_cast<std::int64_t>(value.bits));
        forget_copies(local);
    } else {
        const Reg reg = use(value);
        masm_.store_slot(target.kind, target.slot, reg);
        forget_copies(local);
        remember_copy(local, reg);
    }
    release(value);
}

template <class M>
void SinglePassCompiler<M>::local_tee(std::uint32_t local) {
    if (stack_.back().is_local(local)) return;
    if (locals_[local].home.valid() || stack_.back().is_constant()) {
        const AbstractValue constant = stack_.back();
        local_set(local);
        if (constant.is_constant()) {
            push_constant(constant.kind, constant.bits);
        } else {
            push_local(local);
        }
        return;
    }
    // A local in memory: keep the register that has the value.
    prepare();
    AbstractValue value = pop();
    materialise_deferred_reads(local);
    const Reg reg = own(value);
    masm_.store_slot(locals_[local].kind, locals_[local].slot, reg);
    forget_copies(local);
    remember_copy(local, reg);
    push_reg(value.kind, reg);
}

/// Values [from, to) give up their registers.
template <class M>
void SinglePassCompiler<M>::flush_registers(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
        if (stack_[i].type == AbstractValue::Type::reg) spill(stack_[i]);
    }
}

/// At the start of a block: every value becomes a constant or is in its slot.
template <class M>
inline void SinglePassCompiler<M>::flush_for_block() {
    if (flushed_ != stack_.size()) flush_all();
}

template <class M>
void SinglePassCompiler<M>::flush_all() {
    for (std::size_t i = flushed_; i < stack_.size(); ++i) {
        AbstractValue& value = stack_[i];
        if (value.type == AbstractValue::Type::reg) spill(value);
        if (value.type == AbstractValue::Type::local) copy_to_slot(value);
    }
    flushed_ = stack_.size();
}

/// The top `count` values, flushed already, leave constants too: a block's parameters.
template <class M>
inline void SinglePassCompiler<M>::force_to_slots(std::size_t count) {
    for (std::size_t i = stack_.size() - count; i < stack_.size(); ++i) {
        AbstractValue& value = stack_[i];
        if (!value.is_constant()) continue;
        masm_.store_slot_imm(slot_of(value), static_cast<std::int64_t>(value.bits));
        value.type = AbstractValue::Type::spilled;
    }
}

template <class M>
void SinglePassCompiler<M>::store_home(Reg home) {
    const Local& local = locals_[home_local_[home.code]];
    masm_.store_slot(local.kind, local.slot, home);
    homes_.dirty.remove(home);
}

template <class M>
void SinglePassCompiler<M>::load_home(Reg home) {
    const Local& local = locals_[home_local_[home.code]];
    masm_.load_slot(local.kind, home, local.slot);
    homes_.valid.add(home);
}

/// Writes dirty homes to their slots: before what clobbers homes.
template <class M>
void SinglePassCompiler<M>::save_homes() {
    for (RegSet dirty = homes_.dirty; !dirty.empty();) {
        const Reg home = dirty.first();
        dirty.remove(home);
        store_home(home);
    }
}

}  // namespace pollux
