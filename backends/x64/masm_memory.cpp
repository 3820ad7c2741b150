// Loads and stores of slots, of the host's memory and of guest memory, and explicit bounds checks.
#include "backends/x64/masm.h"

namespace pollux::x64 {

x86::Mem Masm::memory(Address address, std::uint32_t bytes) {
    if (!address.index.valid()) return x86::ptr(gp64(address.base), address.offset, bytes);
    return x86::ptr(gp64(address.base), gp64(address.index), 0, address.offset, bytes);
}

x86::Mem Masm::slot_memory(std::int32_t slot, std::uint32_t bytes) { return x86::ptr(gp64(kFramePointer), slot, bytes); }

namespace {

constexpr std::uint32_t load_bytes(LoadOp op) noexcept {
    switch (op) {
        case LoadOp::u8:
        case LoadOp::s8_32:
        case LoadOp::s8_64:  return 1;
        case LoadOp::u16:
        case LoadOp::s16_32:
        case LoadOp::s16_64: return 2;
        case LoadOp::u32:
        case LoadOp::s32_64:
        case LoadOp::f32:    return 4;
        case LoadOp::u64:
        case LoadOp::f64:    return 8;
        case LoadOp::v128:   return 16;
    }
    return 0;
}

constexpr LoadOp slot_load(Kind kind) noexcept {
    constexpr LoadOp kLoads[] = {LoadOp::u32, LoadOp::u64, LoadOp::f32, LoadOp::f64, LoadOp::v128, LoadOp::u64};
    return kLoads[static_cast<std::size_t>(kind)];
}

constexpr StoreOp slot_store(Kind kind) noexcept {
    constexpr StoreOp kStores[] = {StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128, StoreOp::b64};
    return kStores[static_cast<std::size_t>(kind)];
}

}  // namespace

/// One instruction, so that a trap site before it names it.
void Masm::load_from(LoadOp op, Reg d, const x86::Mem& source) {
    const bool avx = features_.avx;
    switch (op) {
        case LoadOp::u8:     as().movzx(gp32(d), source); break;
        case LoadOp::u16:    as().movzx(gp32(d), source); break;
        case LoadOp::u32:    as().mov(gp32(d), source); break;
        case LoadOp::s8_32:  as().movsx(gp32(d), source); break;
        case LoadOp::s16_32: as().movsx(gp32(d), source); break;
        case LoadOp::s8_64:  as().movsx(gp64(d), source); break;
        case LoadOp::s16_64: as().movsx(gp64(d), source); break;
        case LoadOp::s32_64: as().movsxd(gp64(d), source); break;
        case LoadOp::u64:    as().mov(gp64(d), source); break;
        case LoadOp::f32:    as().emit(avx ? x86::Inst::kIdVmovss : x86::Inst::kIdMovss, xmm(d), source); break;
        case LoadOp::f64:    as().emit(avx ? x86::Inst::kIdVmovsd : x86::Inst::kIdMovsd, xmm(d), source); break;
        case LoadOp::v128:   as().emit(avx ? x86::Inst::kIdVmovups : x86::Inst::kIdMovups, xmm(d), source); break;
    }
}

void Masm::store_to(StoreOp op, const x86::Mem& target, Reg s) {
    const bool avx = features_.avx;
    switch (op) {
        case StoreOp::b8:   as().mov(target, gp8(s)); break;
        case StoreOp::b16:  as().mov(target, gp16(s)); break;
        case StoreOp::b32:  as().mov(target, gp32(s)); break;
        case StoreOp::b64:  as().mov(target, gp64(s)); break;
        case StoreOp::f32:  as().emit(avx ? x86::Inst::kIdVmovss : x86::Inst::kIdMovss, target, xmm(s)); break;
        case StoreOp::f64:  as().emit(avx ? x86::Inst::kIdVmovsd : x86::Inst::kIdMovsd, target, xmm(s)); break;
        case StoreOp::v128: as().emit(avx ? x86::Inst::kIdVmovups : x86::Inst::kIdMovups, target, xmm(s)); break;
    }
}

void Masm::load_slot(Kind kind, Reg d, std::int32_t slot) {
    const LoadOp op = slot_load(kind);
    load_from(op, d, slot_memory(slot, load_bytes(op)));
}

void Masm::store_slot(Kind kind, std::int32_t slot, Reg s) {
    const StoreOp op = slot_store(kind);
    store_to(op, slot_memory(slot, store_bytes(op)), s);
}

void Masm::store_slot_imm(std::int32_t slot, std::int64_t value) {
    if (value == static_cast<std::int32_t>(value)) {
        as().mov(slot_memory(slot, 8), static_cast<std::int32_t>(value));
    } else {
        mov_imm(Width::w64, kScratchGp, static_cast<std::uint64_t>(value));
        as().mov(slot_memory(slot, 8), gp64(kScratchGp));
    }
}

void Masm::load(LoadOp op, Reg d, Address address) { load_from(op, d, memory(address, load_bytes(op))); }

void Masm::store(StoreOp op, Address address, Reg s) { store_to(op, memory(address, store_bytes(op)), s); }

void Masm::lea_slot(Reg d, std::int32_t slot) { as().lea(gp64(d), slot_memory(slot, 8)); }

void Masm::guest_load(LoadOp op, Reg d, Address address) {
    guest_access();
    load_from(op, d, memory(address, load_bytes(op)));
}

void Masm::guest_store(StoreOp op, Address address, Operand s) {
    const x86::Mem target = memory(address, store_bytes(op));
    if (s.is_reg()) {
        guest_access();
        store_to(op, target, s.reg);
        return;
    }
    std::int64_t value = s.immediate;
    if (op == StoreOp::b64 && value != static_cast<std::int32_t>(value)) {
        mov_imm(Width::w64, kScratchGp, static_cast<std::uint64_t>(value));
        guest_access();
        store_to(op, target, kScratchGp);
        return;
    }
    if (op == StoreOp::b8) value = static_cast<std::int8_t>(value);
    if (op == StoreOp::b16) value = static_cast<std::int16_t>(value);
    guest_access();
    as().mov(target, static_cast<std::int32_t>(value));
}

void Masm::check_bounds(Width /*width*/, Reg index, std::uint64_t end, std::int32_t cell_offset) {
    // index + end <= length, without the sum that might wrap: end <= length, and index <= length - end.
    as().mov(gp64(kScratchGp), x86::ptr(gp64(kContext), cell_offset));
    as().mov(gp64(kScratchGp), x86::ptr(gp64(kScratchGp), kMemoryLengthOffset));
    if (end <= 0x7fff'ffffU) {
        as().sub(gp64(kScratchGp), static_cast<std::int32_t>(end));
    } else {
        emit_with_constant(x86::Inst::kIdSub, {end, 0}, false, gp64(kScratchGp));
    }
    trap_if(Condition::kB, TrapCode::memory_out_of_bounds);
    as().cmp(gp64(index), gp64(kScratchGp));
    trap_if(Condition::kA, TrapCode::memory_out_of_bounds);
}

}  // namespace pollux::x64
