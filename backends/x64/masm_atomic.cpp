// Atomic accesses. Loads are plain ones, stores are exchanges: with `lock` on all else that is sequentially consistent on x86-64.
#include "backends/x64/masm.h"

namespace pollux::x64 {

namespace {

x86::Gp sized(StoreOp store, Reg reg) noexcept {
    switch (store) {
        case StoreOp::b8:  return gp8(reg);
        case StoreOp::b16: return gp16(reg);
        case StoreOp::b32: return gp32(reg);
        default:           return gp64(reg);
    }
}

constexpr LoadOp load_of(StoreOp store) noexcept {
    constexpr LoadOp kLoads[] = {LoadOp::u8, LoadOp::u16, LoadOp::u32, LoadOp::u64};
    return kLoads[static_cast<std::size_t>(store)];
}

/// The instruction with a memory destination and no result; for exchange there is none.
constexpr std::uint32_t locked_instruction(AtomicOp op) noexcept {
    constexpr std::uint32_t kIds[] = {x86::Inst::kIdAdd, x86::Inst::kIdSub, x86::Inst::kIdAnd, x86::Inst::kIdOr, x86::Inst::kIdXor};
    return kIds[static_cast<std::size_t>(op)];
}

}  // namespace

void Masm::zero_extend(StoreOp store, Reg d) {
    if (store == StoreOp::b8) as().movzx(gp32(d), gp8(d));
    if (store == StoreOp::b16) as().movzx(gp32(d), gp16(d));
    if (store == StoreOp::b32) as().mov(gp32(d), gp32(d));
}

void Masm::check_alignment(Reg index, std::uint32_t offset, std::uint32_t bytes) {
    if (offset != 0) {
        as().lea(gp32(kScratchGp), x86::ptr(gp64(index), static_cast<std::int32_t>(offset)));
        index = kScratchGp;
    }
    as().test(gp8(index), bytes - 1);
    trap_if(Condition::kNZ, TrapCode::unaligned_atomic);
}

void Masm::atomic_store(StoreOp op, Address address, Reg s) { atomic_update(AtomicOp::exchange, op, kNoReg, address, s); }

void Masm::atomic_update(AtomicOp op, StoreOp store, Reg d, Address address, Reg value) {
    const x86::Mem target = memory(address, store_bytes(store));
    if (op == AtomicOp::exchange) {
        if (!d.valid()) d = kScratchGp;
        as().mov(gp64(d), gp64(value));
        guest_access();
        as().xchg(target, sized(store, d));
        if (d != kScratchGp) zero_extend(store, d);
        return;
    }
    if (!d.valid()) {
        guest_access();
        as().lock().emit(locked_instruction(op), target, sized(store, value));
        return;
    }
    if (op == AtomicOp::add || op == AtomicOp::sub) {
        as().mov(gp64(d), gp64(value));
        if (op == AtomicOp::sub) as().neg(gp64(d));
        guest_access();
        as().lock().xadd(target, sized(store, d));
        zero_extend(store, d);
        return;
    }
    // d is rax. What it has beyond the access's width is zero from the load on.
    guest_access();
    load_from(load_of(store), d, stencil::Memory(address));
    Label again;
    emitter_.bind(again);
    as().mov(gp64(kScratchGp), gp64(d));
    as().emit(locked_instruction(op), gp64(kScratchGp), gp64(value));
    as().lock().cmpxchg(target, sized(store, kScratchGp));
    emitter_.jump_if(Condition::kNZ, again);
}

void Masm::atomic_compare_exchange(StoreOp store, Reg d, Address address, Reg /*expected*/, Reg replacement) {
    guest_access();
    as().lock().cmpxchg(memory(address, store_bytes(store)), sized(store, replacement));
    zero_extend(store, d);  // left as it was where the two were equal
}

void Masm::atomic_fence() { as().mfence(); }

}  // namespace pollux::x64
