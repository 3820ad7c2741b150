// The members of Masm that nearly every WebAssembly instruction comes to, inline: their bytes are stencils (stencils.h).
// Included by masm.h.
#pragma once

#include <limits>

#include "backends/x64/masm.h"

namespace pollux::x64 {

constexpr Width width_of(Kind kind) noexcept { return kind == Kind::i32 ? Width::w32 : Width::w64; }

inline constexpr Condition kConditionCodes[] = {Condition::kE, Condition::kNE, Condition::kL,  Condition::kB,  Condition::kG,
                                                Condition::kA, Condition::kLE, Condition::kBE, Condition::kGE, Condition::kAE};

constexpr Condition condition_code(IntCond condition) noexcept { return kConditionCodes[static_cast<std::size_t>(condition)]; }

constexpr stencil::Alu alu_digit(AluOp op) noexcept {
    constexpr stencil::Alu kDigits[] = {stencil::Alu::add, stencil::Alu::sub, stencil::Alu::and_, stencil::Alu::or_, stencil::Alu::xor_};
    return kDigits[static_cast<std::size_t>(op)];
}

inline void Masm::site(Site::Kind kind, TrapCode code) { output_->sites.push_back({position(), wasm_offset_, kind, code}); }

// --- moves -------------------------------------------------------------------------------------------------------------------

inline void Masm::mov(Kind kind, Reg d, Reg s) {
    if (d == s) return;
    if (wasm::is_fp(kind)) return move_vector(d, s);
    emitter_.put<stencil::mov>(width_of(kind), d, s);
}

inline void Masm::mov_imm(Width width, Reg d, std::uint64_t value) {
    if (width == Width::w32) value = static_cast<std::uint32_t>(value);
    if (value == 0) {
        emitter_.put<stencil::alu>(stencil::Alu::xor_, Width::w32, d, d);
    } else if (value <= 0xffff'ffffU) {
        emitter_.put<stencil::mov_imm32>(d, static_cast<std::uint32_t>(value));
    } else if (const auto narrow = static_cast<std::int32_t>(value); static_cast<std::uint64_t>(std::int64_t{narrow}) == value) {
        emitter_.put<stencil::mov_imm32_signed>(d, narrow);
    } else {
        emitter_.put<stencil::mov_imm64>(d, value);
    }
}

// --- memory ------------------------------------------------------------------------------------------------------------------

/// One instruction, so that a trap site before it names it.
inline void Masm::load_from(LoadOp op, Reg d, const stencil::Memory& source) {
    if (op < LoadOp::f32) {
        emitter_.put<stencil::load>(op, d, source);
    } else if (features_.avx) {
        emitter_.put<stencil::avx_load>(op, d, source);
    } else {
        load_sse(op, d, source);
    }
}

inline void Masm::store_to(StoreOp op, const stencil::Memory& target, Reg s) {
    if (op < StoreOp::f32) {
        emitter_.put<stencil::store>(op, target, s);
    } else if (features_.avx) {
        emitter_.put<stencil::avx_store>(op, target, s);
    } else {
        store_sse(op, target, s);
    }
}

inline void Masm::load_slot(Kind kind, Reg d, std::int32_t slot) {
    if (!wasm::is_fp(kind)) return emitter_.put<stencil::load_whole>(width_of(kind), d, slot_operand(slot));
    constexpr LoadOp kLoads[] = {LoadOp::u32, LoadOp::u64, LoadOp::f32, LoadOp::f64, LoadOp::v128, LoadOp::u64};
    load_from(kLoads[static_cast<std::size_t>(kind)], d, slot_operand(slot));
}

inline void Masm::store_slot(Kind kind, std::int32_t slot, Reg s) {
    if (!wasm::is_fp(kind)) return emitter_.put<stencil::store_whole>(width_of(kind), slot_operand(slot), s);
    constexpr StoreOp kStores[] = {StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128, StoreOp::b64};
    store_to(kStores[static_cast<std::size_t>(kind)], slot_operand(slot), s);
}

inline void Masm::load(LoadOp op, Reg d, Address address) { load_from(op, d, stencil::Memory(address)); }

inline void Masm::store(StoreOp op, Address address, Reg s) { store_to(op, stencil::Memory(address), s); }

inline void Masm::lea_slot(Reg d, std::int32_t slot) { emitter_.put<stencil::lea>(Width::w64, d, slot_operand(slot)); }

inline void Masm::guest_load(LoadOp op, Reg d, const Address& address) {
    guest_access();
    load_from(op, d, stencil::Memory(address));
}

inline void Masm::guest_store(StoreOp op, const Address& address, Operand s) {
    if (!s.is_reg()) return guest_store_imm(op, address, s.immediate);
    guest_access();
    store_to(op, stencil::Memory(address), s.reg);
}

inline void Masm::usual_load(LoadOp op, Reg d, Reg index, std::int32_t offset) {
    guest_access();
    const stencil::Memory source(kMemoryBase, index, 0, offset);
    if (op < LoadOp::f32) return emitter_.put<stencil::load>(op, d, source);
    load_from(op, d, source);
}

inline void Masm::usual_store(StoreOp op, Reg index, std::int32_t offset, Reg s) {
    guest_access();
    const stencil::Memory target(kMemoryBase, index, 0, offset);
    if (op < StoreOp::f32) return emitter_.put<stencil::store>(op, target, s);
    store_to(op, target, s);
}

inline void Masm::usual_store_immediate(StoreOp op, Reg index, std::int32_t offset, std::int32_t value) {
    guest_access();
    emitter_.put<stencil::store_imm>(op, stencil::Memory(kMemoryBase, index, 0, offset), value);
}

// --- integers ----------------------------------------------------------------------------------------------------------------

inline void Masm::alu(AluOp op, Width width, Reg d, Reg a, Operand b) {
    if (!b.is_reg()) return alu_other(op, width, d, a, b);
    const stencil::Alu digit = alu_digit(op);
    if (d == a) {
        emitter_.put<stencil::alu>(digit, width, d, b.reg);
    } else if (d == b.reg && op == AluOp::sub) {
        emitter_.put<stencil::neg>(width, d);
        emitter_.put<stencil::alu>(stencil::Alu::add, width, d, a);
    } else if (d == b.reg) {
        emitter_.put<stencil::alu>(digit, width, d, a);
    } else if (op == AluOp::add) {
        return emitter_.put<stencil::lea>(width, d, stencil::Memory(a, b.reg, 0, 0));
    } else {
        emitter_.put<stencil::mov>(width, d, a);
        emitter_.put<stencil::alu>(digit, width, d, b.reg);
    }
    set_flags(op, width, d);
}

inline void Masm::alu_immediate(AluOp op, Width width, Reg d, Reg a, std::int32_t value) {
    if (op == AluOp::and_ && value >= 0) {
        width = Width::w32;  // as in alu_other()
        if (value == 0xff) return emitter_.put<stencil::movzx8>(d, a);
        if (value == 0xffff) return emitter_.put<stencil::movzx16>(d, a);
    }
    if (op == AluOp::sub && value != std::numeric_limits<std::int32_t>::min()) {
        op = AluOp::add;
        value = -value;
    }
    if (op == AluOp::add && d != a) return emitter_.put<stencil::lea>(width, d, stencil::Memory(a, value));
    if (d != a) emitter_.put<stencil::mov>(width, d, a);
    if (op == AluOp::xor_ && value == -1) return emitter_.put<stencil::not_>(width, d);  // leaves the flags
    if (op == AluOp::add && value == 128) {
        emitter_.put<stencil::alu_imm>(stencil::Alu::sub, width, d, -128);  // fits a byte
    } else {
        emitter_.put<stencil::alu_imm>(alu_digit(op), width, d, value);
    }
    set_flags(op, width, d);
}

inline void Masm::extend(ExtendOp op, Reg d, Reg a) { emitter_.put<stencil::extend>(op, d, a); }

inline void Masm::add_shifted(Width width, Reg d, Reg a, Reg b, std::uint8_t shift) {
    emitter_.put<stencil::lea>(width, d, stencil::Memory(a, b, shift, 0));
}

inline void Masm::compare(Width width, Reg a, Operand b) {
    if (b.is_reg()) {
        emitter_.put<stencil::alu>(stencil::Alu::cmp, width, a, b.reg);
    } else if (b.is_immediate() && b.immediate == 0) {
        emitter_.put<stencil::test>(width, a, a);  // the same flags
    } else {
        compare_other(width, a, b);
    }
}

inline void Masm::compare_branch(IntCond condition, Width width, Reg a, Operand b, Label& label) {
    if (!flags_answer(condition, width, a, b)) compare(width, a, b);
    emitter_.jump_if(condition_code(condition), label);
}

inline void Masm::compare_trap(IntCond condition, Width width, Reg a, Operand b, TrapCode code) {
    compare(width, a, b);
    trap_if(condition_code(condition), code);
}

// --- calls -------------------------------------------------------------------------------------------------------------------

inline void Masm::call_function(std::uint32_t function) {
    if (environment_->calls == CallMode::direct) {
        emitter_.byte_and_dword(0xe8, 0);
        output_->relocations.push_back({position() - 4, function});
    } else {
        table_branch(0x15, function);
    }
    site(Site::Kind::call);
}

}  // namespace pollux::x64
