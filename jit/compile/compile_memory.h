// Memory, globals and helper calls of SinglePassCompiler. Included by compiler.h.
//
// An access to a 32-bit memory with guard pages is one instruction: base + zero-extended index + offset below 2 GiB reaches at most
// 6 GiB into an 8 GiB slot, and larger offsets are added to the index first. All other memories are checked explicitly.
#pragma once

#include <limits>

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
bool SinglePassCompiler<M>::explicit_bounds(std::uint32_t memory) const {
    const wasm::MemoryType& type = module_->memories[memory];
    return environment_->bounds == BoundsMode::explicit_checks || type.limits.is_64 || type.page_bits != 16;
}

/// Where the instance keeps the pointer to a memory's MemoryCell, from the context register.
template <class M>
std::int32_t SinglePassCompiler<M>::memory_cell(std::uint32_t memory) const {
    return static_cast<std::int32_t>(environment_->layout->memories + memory * sizeof(MemoryCell*));
}

namespace detail {

/// The largest offset that is part of an instruction.
inline constexpr std::uint64_t kFoldable = std::numeric_limits<std::int32_t>::max();

}  // namespace detail

/// Pops the index of an access of `bytes` bytes and makes its address, checked where pages do not guard it.
template <class M>
inline typename SinglePassCompiler<M>::Access SinglePassCompiler<M>::access(const MemArg& memarg, std::uint32_t bytes) {
    Access access;  // the only one, so that it is made where the caller has it and never copied
    access.index = pop();
    if (memarg.memory != 0 || !plain_memory0_ || access.index.is_constant() || memarg.offset > detail::kFoldable) [[unlikely]] {
        any_access(memarg, bytes, false, access);
    } else {
        access.address.base = M::kMemoryBase;
        access.address.index = use(access.index);
        access.address.offset = static_cast<std::int32_t>(memarg.offset);
    }
    return access;
}

/// The same of an atomic access, which traps if the address is not a multiple of `bytes`.
template <class M>
typename SinglePassCompiler<M>::Access SinglePassCompiler<M>::aligned_access(const MemArg& memarg, std::uint32_t bytes) {
    Access access;
    access.index = pop();
    any_access(memarg, bytes, true, access);
    return access;
}

/// The same for whatever popped index, offset and memory.
template <class M>
void SinglePassCompiler<M>::any_access(const MemArg& memarg, std::uint32_t bytes, bool aligned, Access& access) {
    using detail::kFoldable;
    AbstractValue& index = access.index;
    std::uint64_t offset = memarg.offset;
    if (aligned) check_alignment(index, offset, bytes);

    if (explicit_bounds(memarg.memory)) {
        const Width width = module_->memories[memarg.memory].limits.is_64 ? Width::w64 : Width::w32;
        const std::uint64_t end = offset + bytes;
        if (end < offset) {
            masm_.trap(TrapCode::memory_out_of_bounds);  // what follows never runs
            offset = 0;
        }
        masm_.check_bounds(width, use(index), end, memory_cell(memarg.memory));
    } else if (index.is_constant()) {
        // The sum is what counts: as an offset where it fits, else as the index.
        const std::uint64_t sum = index.bits + offset;
        index.kind = Kind::i64;
        index.bits = sum <= kFoldable ? 0 : sum;
        offset = sum <= kFoldable ? sum : 0;
    }

    if (memarg.memory == 0) {
        access.address.base = M::kMemoryBase;
    } else {
        access.base = allocate_gp();
        masm_.load(LoadOp::u64, access.base, {M::kContext, kNoReg, memory_cell(memarg.memory)});
        masm_.load(LoadOp::u64, access.base, {access.base, kNoReg, offsetof(MemoryCell, base)});
        access.address.base = access.base;
    }
    if (index.is_constant() && index.bits == 0 && offset <= kFoldable) {
        access.address.offset = static_cast<std::int32_t>(offset);
        return;
    }
    if (offset > kFoldable) {
        const Reg sum = own(index);
        masm_.alu(AluOp::add, Width::w64, sum, sum, Operand::imm(static_cast<std::int64_t>(offset)));
        offset = 0;
    }
    access.address.index = use(index);
    access.address.offset = static_cast<std::int32_t>(offset);
}

template <class M>
void SinglePassCompiler<M>::release(const Access& access) {
    if (access.base.valid()) release(access.base);
}

namespace detail {

/// The masm's operation for a scalar load, or v128.load.
consteval LoadOp load_op(wasm::Opcode op) {
    using enum wasm::Opcode;
    switch (op) {
        case I32Load8S:  return LoadOp::s8_32;
        case I32Load16S: return LoadOp::s16_32;
        case I64Load8S:  return LoadOp::s8_64;
        case I64Load16S: return LoadOp::s16_64;
        case I64Load32S: return LoadOp::s32_64;
        case I32Load8U:
        case I64Load8U:  return LoadOp::u8;
        case I32Load16U:
        case I64Load16U: return LoadOp::u16;
        case I32Load:
        case I64Load32U: return LoadOp::u32;
        case I64Load:    return LoadOp::u64;
        case F32Load:    return LoadOp::f32;
        case F64Load:    return LoadOp::f64;
        default:         return LoadOp::v128;
    }
}

consteval StoreOp store_op(wasm::Opcode op) {
    using enum wasm::Opcode;
    switch (op) {
        case I32Store8:
        case I64Store8:  return StoreOp::b8;
        case I32Store16:
        case I64Store16: return StoreOp::b16;
        case I32Store:
        case I64Store32: return StoreOp::b32;
        case I64Store:   return StoreOp::b64;
        case F32Store:   return StoreOp::f32;
        case F64Store:   return StoreOp::f64;
        default:         return StoreOp::v128;
    }
}

}  // namespace detail

/// Whether an instruction can have this load as its right operand, in memory.
template <class M>
template <wasm::Opcode kOp>
constexpr bool SinglePassCompiler<M>::takes_load(Opcode consumer) {
    using enum wasm::Opcode;
    if constexpr (!M::kFusesLoads)
        return false;
    else if constexpr (kOp == I32Load)
        return consumer == I32Add || consumer == I32Sub || (consumer >= I32And && consumer <= I32Xor);
    else if constexpr (kOp == I64Load)
        return consumer == I64Add || consumer == I64Sub || (consumer >= I64And && consumer <= I64Xor);
    else if constexpr (kOp == F32Load)
        return consumer >= F32Add && consumer <= F32Div;
    else if constexpr (kOp == F64Load)
        return consumer >= F64Add && consumer <= F64Div;
    else
        return false;
}

template <class M>
template <wasm::Opcode kOp>
bool SinglePassCompiler<M>::next_takes_load() const {
    return position_->next != position_->end && tuning.fuse_loads && takes_load<kOp>(static_cast<Opcode>(*position_->next));
}

/// Whether the next instruction decides where the load's result goes.
template <class M>
template <wasm::Opcode kOp>
bool SinglePassCompiler<M>::concerns_load(std::uint8_t next) {
    static constexpr auto kConcerns = [] {
        std::array<bool, 256> table{};
        for (std::size_t i = 0; i < table.size(); ++i) table[i] = takes_load<kOp>(static_cast<Opcode>(i));
        table[static_cast<std::size_t>(Opcode::LocalSet)] = table[static_cast<std::size_t>(Opcode::LocalTee)] = true;
        return table;
    }();
    return kConcerns[next];
}

/// A load whose index is no constant and whose result goes to any register is one instruction, and the value on the stack is changed in
/// place. Everything else is load()'s.
template <class M>
template <wasm::Opcode kOp>
inline void SinglePassCompiler<M>::usual_load(std::uint32_t offset) {
    constexpr Kind kKind = results(kOp)[0];
    constexpr RegSet kWanted = wasm::is_fp(kKind) ? kAllFp : kAllGp;
    if constexpr (kKind != Kind::v128) {
        AbstractValue& top = stack_.back();
        if (!usual_accesses_ || concerns_load<kOp>(*position_->next)) [[unlikely]]
            return load<kOp>({.offset = offset});
        Reg index = register_of(top);
        if (!index.valid()) [[unlikely]]
            index = bring_top_to_register();
        const RegSet available = (free_ & kWanted) - cached_;
        if (index.valid() && !available.empty()) [[likely]] {
            const bool reuse = !wasm::is_fp(kKind) && top.type == AbstractValue::Type::reg;
            if (!reuse) let_go(top);
            const Reg d = reuse ? index : available.first();
            claim(d);
            top = {AbstractValue::Type::reg, kKind, d, top.depth, 0};
            masm_.set_wasm_offset(position_->offset());
            return masm_.usual_load(detail::load_op(kOp), d, index, static_cast<std::int32_t>(offset));
        }
    }
    load<kOp>({.offset = offset});
}

template <class M>
inline void SinglePassCompiler<M>::load_at_local(std::uint32_t local, std::uint32_t offset) {
    const Reg home = locals_[local].home;
    const RegSet available = (free_ & kAllGp) - cached_;
    if (!usual_accesses_ || !home.valid() || !homes_.valid.has(home) || available.empty() || !stack_.has_room() ||
        concerns_load<Opcode::I32Load>(*position_->next)) [[unlikely]]
        return any_load_at_local(local, offset);
    const Reg d = available.first();
    free_.remove(d);
    push_value(AbstractValue::Type::reg, Kind::i32, d, 0);
    masm_.set_wasm_offset(position_->offset());
    masm_.usual_load(LoadOp::u32, d, home, static_cast<std::int32_t>(offset));
}

template <class M>
void SinglePassCompiler<M>::any_load_at_local(std::uint32_t local, std::uint32_t offset) {
    push_local(local);
    usual_load<Opcode::I32Load>(offset);
}

/// The same for a store to where a register points: of a register, or of a constant that an instruction can hold.
template <class M>
template <wasm::Opcode kOp>
inline void SinglePassCompiler<M>::usual_store(std::uint32_t offset) {
    constexpr StoreOp kStore = detail::store_op(kOp);
    if constexpr (kStore != StoreOp::v128) {
        const AbstractValue& value = stack_.back();
        const Reg index = register_of(stack_.second());
        const Reg from = register_of(value);
        if (usual_accesses_ && index.valid()) [[likely]] {
            const auto at = static_cast<std::int32_t>(offset);
            const bool constant = value.is_constant() && (kStore != StoreOp::b64 || value.bits + 0x8000'0000 <= 0xffff'ffff);
            if (from.valid() || (constant && kStore <= StoreOp::b64)) {
                let_go(value);
                let_go(stack_.second());
                stack_.pop_back(2);
                masm_.set_wasm_offset(position_->offset());
                if (from.valid()) return masm_.usual_store(kStore, index, at, from);
                return masm_.usual_store_immediate(kStore, index, at, static_cast<std::int32_t>(value.bits));
            }
        }
    }
    store<kOp>({.offset = offset});
}

/// The arithmetic that a load waited for: pops the left operand, pushes the result.
template <class M>
template <class Emit>
void SinglePassCompiler<M>::with_pending_load(Kind kind, const Emit& emit) {
    load_pending_ = false;
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(kind, a, load_.index);
    masm_.set_wasm_offset(load_offset_);
    emit(d, ra, load_.address);
    release(load_);
    push_result(kind, d);
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::load(const MemArg& memarg) {
    prepare();
    constexpr Kind kKind = results(kOp)[0];
    if constexpr (M::kFusesLoads) {
        if (next_takes_load<kOp>()) {
            load_ = access(memarg, access_bytes(kOp));
            load_offset_ = position_->offset();
            load_pending_ = true;
            return;
        }
    }
    const Access at = access(memarg, access_bytes(kOp));
    const Reg d = destination(kKind, at.index);
    if constexpr (kKind == Kind::v128 && kOp != wasm::Opcode::V128Load) {
        masm_.simd_load(kOp, d, at.address);
    } else {
        masm_.guest_load(detail::load_op(kOp), d, at.address);
    }
    release(at);
    push_result(kKind, d);
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::store(const MemArg& memarg) {
    prepare();
    constexpr StoreOp kStore = detail::store_op(kOp);
    AbstractValue value = pop();
    if (!value.is_constant()) use(value);
    const Access at = access(memarg, access_bytes(kOp));
    if (value.is_constant()) {  // a float's bits are stored as an integer
        constexpr StoreOp kInteger = kStore == StoreOp::f32 ? StoreOp::b32 : kStore == StoreOp::f64 ? StoreOp::b64 : kStore;
        masm_.guest_store(kInteger, at.address, Operand::imm(static_cast<std::int64_t>(value.bits)));
    } else {
        masm_.guest_store(kStore, at.address, use(value));
    }
    release(at);
    release(at.index);
    release(value);
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::load_lane(const MemArg& memarg, std::uint8_t lane) {
    prepare();
    AbstractValue vector = pop();
    const Reg v = use(vector);
    const Access at = access(memarg, access_bytes(kOp));
    const Reg d = destination(Kind::v128, vector, at.index);
    masm_.simd_load_lane(kOp, d, v, at.address, lane);
    release(at);
    push_result(Kind::v128, d);
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::store_lane(const MemArg& memarg, std::uint8_t lane) {
    prepare();
    AbstractValue vector = pop();
    const Reg v = use(vector);
    const Access at = access(memarg, access_bytes(kOp));
    masm_.simd_store_lane(kOp, v, at.address, lane);
    release(at);
    release(at.index);
    release(vector);
}

template <class M>
void SinglePassCompiler<M>::memory_size(std::uint32_t memory) {
    prepare();
    const wasm::MemoryType& type = module_->memories[memory];
    const Reg d = destination(type.address_kind());
    masm_.load(LoadOp::u64, d, {M::kContext, kNoReg, memory_cell(memory)});
    masm_.load(LoadOp::u64, d, {d, kNoReg, offsetof(MemoryCell, length)});
    if (type.page_bits != 0) masm_.shift(ShiftOp::shr_u, Width::w64, d, d, Operand::imm(type.page_bits));
    push_result(type.address_kind(), d);
}

template <class M>
void SinglePassCompiler<M>::memory_grow(std::uint32_t memory) {
    const Kind kind = module_->memories[memory].address_kind();
    call_helper(Helper::memory_grow, 1, {memory});
    claim(M::kResultGp);
    if (kind == Kind::i32) masm_.extend(ExtendOp::u32_64, M::kResultGp, M::kResultGp);
    push_reg(kind, M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::memory_init(std::uint32_t segment, std::uint32_t memory) {
    call_helper(Helper::memory_init, 3, {segment, memory});
    masm_.trap_on_status(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::memory_copy(std::uint32_t to, std::uint32_t from) {
    call_helper(Helper::memory_copy, 3, {to, from});
    masm_.trap_on_status(M::kResultGp);
}

template <class M>
void SinglePassCompiler<M>::memory_fill(std::uint32_t memory) {
    call_helper(Helper::memory_fill, 3, {memory});
    masm_.trap_on_status(M::kResultGp);
}

/// Calls a helper with the top `operands` values, which it takes off, and then `constants`. The result, if any, is in kResultGp.
template <class M>
void SinglePassCompiler<M>::call_helper(Helper helper, std::size_t operands, std::initializer_list<std::uint64_t> constants) {
    prepare();
    const std::size_t first = stack_.size() - operands;
    if (first > flushed_) flush_registers(flushed_, first);
    save_homes();
    for (std::size_t i = 0; i < operands; ++i) {
        const AbstractValue& value = stack_[first + i];
        if (const Reg from = source_of(value); from.valid()) moves_.add(value.kind, M::kHelperArguments[i], from);
    }
    moves_.emit(masm_);
    for (std::size_t i = 0; i < operands; ++i) {
        if (!source_of(stack_[first + i]).valid()) load_value(stack_[first + i], M::kHelperArguments[i]);
    }
    std::size_t next = operands;
    for (const std::uint64_t constant : constants) masm_.mov_imm(Width::w64, M::kHelperArguments[next++], constant);
    truncate(first);
    masm_.call_helper(helper);
    forget_registers();
}

// --- globals ---------------------------------------------------------------------------------------------------------------

/// Address of a global's cell; `pointer` is a temporary to release, or kNoReg.
template <class M>
Address SinglePassCompiler<M>::global_address(std::uint32_t global, Reg& pointer) {
    const InstanceLayout& layout = *environment_->layout;
    if (global >= layout.imported_global_count) {
        const std::size_t own = global - layout.imported_global_count;
        return {M::kContext, kNoReg, static_cast<std::int32_t>(layout.globals + own * sizeof(GlobalCell))};
    }
    pointer = allocate_gp();
    masm_.load(LoadOp::u64, pointer,
               {M::kContext, kNoReg, static_cast<std::int32_t>(layout.imported_globals + global * sizeof(GlobalCell*))});
    return {pointer, kNoReg, 0};
}

namespace detail {

constexpr LoadOp whole_load(Kind kind) noexcept {
    constexpr std::array kOps = {LoadOp::u32, LoadOp::u64, LoadOp::f32, LoadOp::f64, LoadOp::v128, LoadOp::u64};
    return kOps[static_cast<std::size_t>(kind)];
}

constexpr StoreOp whole_store(Kind kind) noexcept {
    constexpr std::array kOps = {StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128, StoreOp::b64};
    return kOps[static_cast<std::size_t>(kind)];
}

}  // namespace detail

template <class M>
void SinglePassCompiler<M>::global_get(std::uint32_t global) {
    prepare();
    const Kind kind = module_->globals[global].type.type.kind();
    Reg pointer = kNoReg;
    const Address address = global_address(global, pointer);
    AbstractValue held{.kind = Kind::i64, .reg = pointer};
    if (pointer.valid()) held.type = AbstractValue::Type::reg;
    const Reg d = destination(kind, held);
    masm_.load(detail::whole_load(kind), d, address);
    push_result(kind, d);
}

template <class M>
void SinglePassCompiler<M>::global_set(std::uint32_t global) {
    prepare();
    const Kind kind = module_->globals[global].type.type.kind();
    AbstractValue value = pop();
    const Reg from = use(value);
    Reg pointer = kNoReg;
    const Address address = global_address(global, pointer);
    masm_.store(detail::whole_store(kind), address, from);
    if (pointer.valid()) release(pointer);
    release(value);
}

}  // namespace pollux
