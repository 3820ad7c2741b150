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

/// For each opcode the set of loads, by LoadOp, that want to know that it comes next: those that can be its right operand in memory, and
/// all before what decides where the result goes.
template <class M>
constexpr std::array<std::uint16_t, 256> SinglePassCompiler<M>::make_load_concerns() {
    using enum wasm::Opcode;
    std::array<std::uint16_t, 256> table{};
    const auto set = [&](LoadOp load, auto... ops) {
        ((table[static_cast<std::size_t>(ops)] = static_cast<std::uint16_t>(1U << static_cast<unsigned>(load))), ...);
    };
    if (M::kFusesLoads) {
        set(LoadOp::u32, I32Add, I32Sub, I32And, I32Or, I32Xor);
        set(LoadOp::u64, I64Add, I64Sub, I64And, I64Or, I64Xor);
        set(LoadOp::f32, F32Add, F32Sub, F32Mul, F32Div);
        set(LoadOp::f64, F64Add, F64Sub, F64Mul, F64Div);
    }
    table[static_cast<std::size_t>(LocalSet)] = table[static_cast<std::size_t>(LocalTee)] = 0xffff;
    return table;
}

template <class M>
bool SinglePassCompiler<M>::concerns_load(std::uint8_t next, LoadOp load) {
    static constexpr auto kConcerns = make_load_concerns();
    return (kConcerns[next] >> static_cast<unsigned>(load) & 1) != 0;
}

/// A load whose index is no constant and whose result goes to any register is one instruction, and the value on the stack is changed in
/// place.
template <class M>
inline void SinglePassCompiler<M>::usual_load(LoadOp op, Kind kind, std::uint32_t offset) {
    AbstractValue& top = stack_.back();
    if (!usual_accesses_ || concerns_load(*position_->next, op)) [[unlikely]]
        return any_load(op, kind, {.offset = offset});
    Reg index = register_of(top);
    if (!index.valid()) [[unlikely]]
        index = bring_in_place(top);
    const bool fp_class = wasm::is_fp(kind);
    const RegSet available = (free_ & (fp_class ? kAllFp : kAllGp)) - cached_;
    if (!index.valid() || available.empty()) [[unlikely]]
        return any_load(op, kind, {.offset = offset});
    const bool reuse = !fp_class && top.type == AbstractValue::Type::reg;
    if (!reuse) let_go(top);
    const Reg d = reuse ? index : available.first();
    claim(d);
    top = {AbstractValue::Type::reg, kind, d, top.depth, 0};
    masm_.set_wasm_offset(position_->offset());
    masm_.usual_load(op, d, index, static_cast<std::int32_t>(offset));
}

/// For all but the most frequent one, which has its own code.
template <class M>
void SinglePassCompiler<M>::scalar_load(LoadOp op, Kind kind, std::uint32_t offset) {
    usual_load(op, kind, offset);
}

template <class M>
template <wasm::Opcode kOp>
inline void SinglePassCompiler<M>::usual_load(std::uint32_t offset) {
    constexpr Kind kKind = results(kOp)[0];
    if constexpr (kKind == Kind::v128) {
        load<kOp>({.offset = offset});
    } else if constexpr (kOp == Opcode::I32Load) {
        usual_load(LoadOp::u32, Kind::i32, offset);
    } else {
        scalar_load(detail::load_op(kOp), kKind, offset);
    }
}

template <class M>
inline void SinglePassCompiler<M>::load_at_local(std::uint32_t local, std::uint32_t offset) {
    const Reg home = locals_[local].home;
    const RegSet available = (free_ & kAllGp) - cached_;
    if (!usual_accesses_ || !home.valid() || !homes_.valid.has(home) || available.empty() || !stack_.has_room() ||
        concerns_load(*position_->next, LoadOp::u32)) [[unlikely]]
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

/// A load behind which a local is set. Whether that was done, too.
template <class M>
bool SinglePassCompiler<M>::load_to_local(LoadOp op, Kind kind, std::uint32_t offset, std::uint32_t local, bool tee) {
    AbstractValue& top = stack_.back();
    Reg index = kNoReg;
    Reg d = kNoReg;
    if (usual_accesses_ && !top.is_constant()) {
        index = register_of(top);
        if (!index.valid()) index = bring_in_place(top);
        d = destination_for(local, top);
    }
    if (!d.valid()) {
        any_load(op, kind, {.offset = offset});
        return false;
    }
    let_go(top);
    masm_.set_wasm_offset(position_->offset());
    masm_.usual_load(op, d, index, static_cast<std::int32_t>(offset));
    set_computed(local, d, tee);
    return true;
}

template <class M>
template <wasm::Opcode kOp>
inline bool SinglePassCompiler<M>::load_to_local(std::uint32_t offset, std::uint32_t local, bool tee) {
    constexpr Kind kKind = results(kOp)[0];
    if constexpr (kKind == Kind::v128) {
        load<kOp>({.offset = offset});
        return false;
    } else {
        return load_to_local(detail::load_op(kOp), kKind, offset, local, tee);
    }
}

template <class M>
bool SinglePassCompiler<M>::load_at_local_to_local(std::uint32_t from, std::uint32_t offset, std::uint32_t local, bool tee) {
    push_local(from);
    return load_to_local<Opcode::I32Load>(offset, local, tee);
}

/// The same for a store, but of a constant that no instruction can hold.
template <class M>
inline void SinglePassCompiler<M>::usual_store(StoreOp op, std::uint32_t offset) {
    AbstractValue& value = stack_.back();
    AbstractValue& address = stack_.second();
    if (!usual_accesses_) [[unlikely]]
        return any_store(op, {.offset = offset});
    const bool constant = value.is_constant() && (op < StoreOp::b64 || (op == StoreOp::b64 && value.bits + 0x8000'0000 <= 0xffff'ffff));
    if (!constant && !register_of(value).valid()) [[unlikely]]
        bring_in_place(value);
    Reg index = register_of(address);
    if (!index.valid()) [[unlikely]]
        index = bring_in_place(address);
    const Reg from = register_of(value);  // unless it had to give up its register for the address
    if (!index.valid() || (!from.valid() && !constant)) [[unlikely]]
        return any_store(op, {.offset = offset});
    const auto at = static_cast<std::int32_t>(offset);
    let_go(value);
    let_go(address);
    stack_.pop_back(2);
    masm_.set_wasm_offset(position_->offset());
    if (from.valid()) return masm_.usual_store(op, index, at, from);
    masm_.usual_store_immediate(op, index, at, static_cast<std::int32_t>(value.bits));
}

template <class M>
inline void SinglePassCompiler<M>::store_constant(std::uint32_t offset, std::int32_t value) {
    AbstractValue& address = stack_.back();
    if (!usual_accesses_) [[unlikely]]
        return any_store_constant(offset, value);
    Reg index = register_of(address);
    if (!index.valid()) [[unlikely]]
        index = bring_in_place(address);
    if (!index.valid()) [[unlikely]]
        return any_store_constant(offset, value);
    let_go(address);
    stack_.pop_back();
    masm_.set_wasm_offset(position_->offset());
    masm_.usual_store_immediate(StoreOp::b32, index, static_cast<std::int32_t>(offset), value);
}

template <class M>
void SinglePassCompiler<M>::any_store_constant(std::uint32_t offset, std::int32_t value) {
    i32_const(value);
    usual_store(StoreOp::b32, offset);
}

template <class M>
void SinglePassCompiler<M>::scalar_store(StoreOp op, std::uint32_t offset) {
    usual_store(op, offset);
}

template <class M>
template <wasm::Opcode kOp>
inline void SinglePassCompiler<M>::usual_store(std::uint32_t offset) {
    constexpr StoreOp kStore = detail::store_op(kOp);
    if constexpr (kStore == StoreOp::v128) {
        any_store(kStore, {.offset = offset});
    } else if constexpr (kOp == Opcode::I32Store) {
        usual_store(kStore, offset);
    } else {
        scalar_store(kStore, offset);
    }
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
    constexpr Kind kKind = results(kOp)[0];
    if constexpr (kKind != Kind::v128 || kOp == wasm::Opcode::V128Load) {
        any_load(detail::load_op(kOp), kKind, memarg);
    } else {
        prepare();
        load_with(kKind, memarg, access_bytes(kOp), [&](Reg d, const Address& from) { masm_.simd_load(kOp, d, from); });
    }
}

template <class M>
template <class Emit>
void SinglePassCompiler<M>::load_with(Kind kind, const MemArg& memarg, std::uint32_t bytes, const Emit& emit) {
    const Access at = access(memarg, bytes);
    const Reg d = destination(kind, at.index);
    emit(d, at.address);
    release(at);
    push_result(kind, d);
}

template <class M>
void SinglePassCompiler<M>::any_load(LoadOp op, Kind kind, const MemArg& memarg) {
    prepare();
    const bool has_next = position_->next != position_->end;
    const bool fuse =
        has_next && tuning.fuse_loads && concerns_load(*position_->next, op) && !next_is(Opcode::LocalSet) && !next_is(Opcode::LocalTee);
    if (fuse) {
        load_ = access(memarg, load_bytes(op));
        load_offset_ = position_->offset();
        load_pending_ = true;
        return;
    }
    load_with(kind, memarg, load_bytes(op), [&](Reg d, const Address& from) { masm_.guest_load(op, d, from); });
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::store(const MemArg& memarg) {
    any_store(detail::store_op(kOp), memarg);
}

template <class M>
void SinglePassCompiler<M>::any_store(StoreOp op, const MemArg& memarg) {
    prepare();
    AbstractValue value = pop();
    if (!value.is_constant()) use(value);
    const Access at = access(memarg, store_bytes(op));
    if (value.is_constant()) {  // a float's bits are stored as an integer
        const StoreOp integer = op == StoreOp::f32 ? StoreOp::b32 : op == StoreOp::f64 ? StoreOp::b64 : op;
        masm_.guest_store(integer, at.address, Operand::imm(static_cast<std::int64_t>(value.bits)));
    } else {
        masm_.guest_store(op, at.address, use(value));
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
