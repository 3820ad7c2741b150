// Loads and stores of slots, of the host's memory and of guest memory, and explicit bounds checks.
#include "backends/x64/masm.h"

namespace pollux::x64 {

x86::Mem Masm::memory(Address address, std::uint32_t bytes) {
    if (!address.index.valid()) return x86::ptr(gp64(address.base), address.offset, bytes);
    return x86::ptr(gp64(address.base), gp64(address.index), 0, address.offset, bytes);
}

x86::Mem Masm::slot_memory(std::int32_t slot, std::uint32_t bytes) { return x86::ptr(gp64(kFramePointer), slot, bytes); }

namespace {

x86::Mem with_size(const stencil::Memory& m, std::uint32_t bytes) {
    if (m.index == stencil::Memory::kNoIndex) return x86::ptr(x86::gpq(m.base), m.offset, bytes);
    return x86::ptr(x86::gpq(m.base), x86::gpq(m.index), m.shift, m.offset, bytes);
}

}  // namespace

void Masm::load_sse(LoadOp op, Reg d, const stencil::Memory& source) {
    switch (op) {
        case LoadOp::f32: as().movss(xmm(d), with_size(source, 4)); break;
        case LoadOp::f64: as().movsd(xmm(d), with_size(source, 8)); break;
        default:          as().movups(xmm(d), with_size(source, 16)); break;
    }
}

void Masm::store_sse(StoreOp op, const stencil::Memory& target, Reg s) {
    switch (op) {
        case StoreOp::f32: as().movss(with_size(target, 4), xmm(s)); break;
        case StoreOp::f64: as().movsd(with_size(target, 8), xmm(s)); break;
        default:           as().movups(with_size(target, 16), xmm(s)); break;
    }
}

void Masm::store_slot_imm(std::int32_t slot, std::int64_t value) {
    if (value == static_cast<std::int32_t>(value)) {
        emitter_.put<stencil::store_imm>(StoreOp::b64, slot_operand(slot), static_cast<std::int32_t>(value));
    } else {
        mov_imm(Width::w64, kScratchGp, static_cast<std::uint64_t>(value));
        store_to(StoreOp::b64, slot_operand(slot), kScratchGp);
    }
}

void Masm::guest_store_imm(StoreOp op, Address address, std::int64_t value) {
    const stencil::Memory target(address);
    if (op == StoreOp::b64 && value != static_cast<std::int32_t>(value)) {
        mov_imm(Width::w64, kScratchGp, static_cast<std::uint64_t>(value));
        guest_access();
        store_to(op, target, kScratchGp);
        return;
    }
    guest_access();
    emitter_.put<stencil::store_imm>(op, target, static_cast<std::int32_t>(value));
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
