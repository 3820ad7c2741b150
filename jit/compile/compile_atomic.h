// Atomic instructions of SinglePassCompiler. Included by compiler.h.
//
// An unaligned address traps before anything else is looked at; from there on an atomic access is checked as any other. Waiting and
// notifying are helpers, which get the static offset as it is: only they can tell that a 64-bit sum wraps.
#pragma once

#include "jit/compile/compiler.h"

namespace pollux {

namespace detail {

/// Codes of the threads page: seven widths each of load, store and the read-modify-writes, in the order of AtomicOp; then cmpxchg.
inline constexpr std::uint16_t kFirstAtomicLoad = wasm::info(wasm::Opcode::I32AtomicLoad).code;
inline constexpr std::uint16_t kFirstAtomicStore = wasm::info(wasm::Opcode::I32AtomicStore).code;
inline constexpr std::uint16_t kFirstAtomicUpdate = wasm::info(wasm::Opcode::I32AtomicRmwAdd).code;
inline constexpr std::uint16_t kFirstAtomicExchange = wasm::info(wasm::Opcode::I32AtomicRmwCmpxchg).code;
inline constexpr std::uint16_t kAtomicWidths = kFirstAtomicStore - kFirstAtomicLoad;
static_assert(kFirstAtomicExchange - kFirstAtomicUpdate == kAtomicWidths * (static_cast<int>(AtomicOp::exchange) + 1));

}  // namespace detail

/// Traps unless the sum of index and offset is a multiple of `bytes`.
template <class M>
void SinglePassCompiler<M>::check_alignment(AbstractValue& index, std::uint64_t offset, std::uint32_t bytes) {
    if (bytes == 1) return;
    if (!index.is_constant()) return masm_.check_alignment(use(index), static_cast<std::uint32_t>(offset % bytes), bytes);
    if ((index.bits + offset) % bytes != 0) masm_.trap(TrapCode::unaligned_atomic);  // what follows never runs
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::atomic(const MemArg& memarg) {
    constexpr std::uint16_t kCode = wasm::info(kOp).code;
    constexpr auto kLog2 = static_cast<std::uint8_t>(natural_align_log2(kOp));
    constexpr LoadOp kLoad = std::array{LoadOp::u8, LoadOp::u16, LoadOp::u32, LoadOp::u64}[kLog2];
    constexpr StoreOp kStore = std::array{StoreOp::b8, StoreOp::b16, StoreOp::b32, StoreOp::b64}[kLog2];
    if constexpr (kOp == Opcode::MemoryAtomicNotify) {
        wait_or_notify(Helper::atomic_notify, 2, memarg);
    } else if constexpr (kOp == Opcode::MemoryAtomicWait32) {
        wait_or_notify(Helper::atomic_wait32, 3, memarg);
    } else if constexpr (kOp == Opcode::MemoryAtomicWait64) {
        wait_or_notify(Helper::atomic_wait64, 3, memarg);
    } else if constexpr (kCode < detail::kFirstAtomicStore) {
        prepare();
        const Access at = aligned_access(memarg, 1U << kLog2);
        const Reg d = destination(results(kOp)[0], at.index);
        masm_.atomic_load(kLoad, d, at.address);
        release(at);
        push_result(results(kOp)[0], d);
    } else if constexpr (kCode < detail::kFirstAtomicUpdate) {
        prepare();
        AbstractValue value = pop();
        const Reg s = use(value);
        const Access at = aligned_access(memarg, 1U << kLog2);
        masm_.atomic_store(kStore, at.address, s);
        release(at);
        release(at.index);
        release(value);
    } else if constexpr (kCode < detail::kFirstAtomicExchange) {
        atomic_update(static_cast<AtomicOp>((kCode - detail::kFirstAtomicUpdate) / detail::kAtomicWidths), kStore, results(kOp)[0], memarg);
    } else {
        compare_exchange(kStore, results(kOp)[0], memarg);
    }
}

template <class M>
void SinglePassCompiler<M>::atomic_fence() {
    prepare();
    masm_.atomic_fence();
}

template <class M>
void SinglePassCompiler<M>::atomic_update(AtomicOp op, StoreOp store, Kind kind, const MemArg& memarg) {
    prepare();
    const bool wanted = !next_is(Opcode::Drop);
    AbstractValue value = pop();
    Reg d = kNoReg;
    RegSet except;
    if (M::kExchangeRegister.valid() && wanted && (op == AtomicOp::and_ || op == AtomicOp::or_ || op == AtomicOp::xor_)) {
        d = M::kExchangeRegister;
        except = RegSet::of(d);
        if (value.type == AbstractValue::Type::reg && value.reg == d) own(value, except);
        take(d);
    }
    const Reg s = use(value, except);
    const Access at = aligned_access(memarg, store_bytes(store));
    if (wanted && !d.valid()) d = allocate_gp();
    masm_.atomic_update(op, store, d, at.address, s);
    release(at);
    release(at.index);
    release(value);
    if (wanted) return push_reg(kind, d);
    push_constant(kind, 0);  // for the drop that follows
}

template <class M>
void SinglePassCompiler<M>::compare_exchange(StoreOp store, Kind kind, const MemArg& memarg) {
    prepare();
    AbstractValue replacement = pop();
    AbstractValue expected = pop();
    constexpr Reg kFixed = M::kExchangeRegister;
    RegSet except;
    if constexpr (kFixed.valid()) {
        // The expected value goes to its register; what is there moves away first.
        except = RegSet::of(kFixed);
        if (replacement.type == AbstractValue::Type::reg && replacement.reg == kFixed) own(replacement, except);
        if (expected.type != AbstractValue::Type::reg || expected.reg != kFixed) {
            take(kFixed);
            load_value(expected, kFixed);
            release(expected);
            expected.type = AbstractValue::Type::reg;
            expected.reg = kFixed;
        }
    }
    const Reg r = use(replacement, except);
    const Reg e = use(expected);
    const Access at = aligned_access(memarg, store_bytes(store));
    const Reg d = kFixed.valid() ? kFixed : allocate_gp();
    masm_.atomic_compare_exchange(store, d, at.address, e, r);
    release(at);
    release(at.index);
    release(replacement);
    if constexpr (kFixed.valid()) {
        claim(d);
    } else {
        release(expected);
    }
    push_reg(kind, d);
}

/// The helper's result: a value in the low half, a TrapCode in the high half.
template <class M>
void SinglePassCompiler<M>::wait_or_notify(Helper helper, std::size_t operands, const MemArg& memarg) {
    call_helper(helper, operands, {memarg.offset, memarg.memory});
    claim(M::kResultGp);
    const Reg status = allocate_gp();
    masm_.shift(ShiftOp::shr_u, Width::w64, status, M::kResultGp, Operand::imm(32));
    masm_.trap_on_status(status);
    masm_.extend(ExtendOp::u32_64, M::kResultGp, M::kResultGp);
    release(status);
    push_reg(Kind::i32, M::kResultGp);
}

}  // namespace pollux
