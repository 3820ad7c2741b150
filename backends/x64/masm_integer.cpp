// Integer arithmetic, shifts, division, comparisons.
#include <bit>
#include <limits>

#include "backends/x64/masm.h"

namespace pollux::x64 {

namespace {

constexpr bool fits_i32(std::int64_t value) noexcept { return value == static_cast<std::int32_t>(value); }

/// The immediate as the instruction sees it: 32-bit ones sign-extended.
constexpr std::int64_t immediate(Width width, const Operand& b) noexcept {
    return width == Width::w32 ? static_cast<std::int32_t>(b.immediate) : b.immediate;
}

constexpr std::uint32_t width_bits(Width width) noexcept { return width == Width::w32 ? 32 : 64; }

}  // namespace

Operand Masm::legal(Width width, Operand b) {
    if (!b.is_immediate()) return b;
    const std::int64_t value = immediate(width, b);
    if (fits_i32(value)) return Operand::imm(value);
    mov_imm(width, kScratchGp, static_cast<std::uint64_t>(value));
    return kScratchGp;
}

void Masm::alu_other(AluOp op, Width width, Reg d, Reg a, Operand b) {
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    if (!b.is_immediate()) {
        mov(kind, d, a);
        emitter_.put<stencil::alu_mem>(alu_digit(op), width, d, slot_operand(b.slot));
        return set_flags(op, width, d);
    }
    if (op == AluOp::and_ && width == Width::w64) {
        // A mask below 2^32 clears the upper half, as every 32-bit instruction does.
        const auto mask = static_cast<std::uint64_t>(b.immediate);
        if (mask == 0xffff'ffffU) return extend(ExtendOp::u32_64, d, a);
        if (mask < 0xffff'ffffU) width = Width::w32;
    }
    b = legal(width, b);
    if (b.is_reg()) return alu(op, width, d, a, b);
    alu_immediate(op, width, d, a, static_cast<std::int32_t>(b.immediate));
}

void Masm::alu_load(AluOp op, Width width, Reg d, Reg a, Address b) {
    if (d != a && (op != AluOp::sub || d == b.index)) {
        const Reg loaded = op == AluOp::sub ? kScratchGp : d;
        guest_load(width == Width::w32 ? LoadOp::u32 : LoadOp::u64, loaded, b);
        return alu(op, width, d, a, loaded);
    }
    mov(width == Width::w32 ? Kind::i32 : Kind::i64, d, a);
    guest_access();
    emitter_.put<stencil::alu_mem>(alu_digit(op), width, d, stencil::Memory(b));
    set_flags(op, width, d);
}

void Masm::mul(Width width, Reg d, Reg a, Operand b) {
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    if (b.is_immediate()) {
        const std::int64_t value = immediate(width, b);
        const auto bits = width == Width::w32 ? static_cast<std::uint32_t>(value) : static_cast<std::uint64_t>(value);
        if (value == 0) return mov_imm(width, d, 0);
        if (value == 3 || value == 5 || value == 9) {
            return add_shifted(width, d, a, a, static_cast<std::uint8_t>(std::countr_zero(bits - 1)));
        }
        if (std::has_single_bit(bits)) return shift(ShiftOp::shl, width, d, a, Operand::imm(std::countr_zero(bits)));
        if (value == -1) {
            mov(kind, d, a);
            return emitter_.put<stencil::neg>(width, d);
        }
        if (fits_i32(value)) return emitter_.put<stencil::imul_imm>(width, d, a, static_cast<std::int32_t>(value));
        b = legal(width, b);
    }
    if (b.is_reg() && d == b.reg) return emitter_.put<stencil::imul>(width, d, a);
    mov(kind, d, a);
    if (b.is_reg()) {
        emitter_.put<stencil::imul>(width, d, b.reg);
    } else {
        emitter_.put<stencil::imul_mem>(width, d, slot_operand(b.slot));
    }
}

void Masm::shift(ShiftOp op, Width width, Reg d, Reg a, Operand count) {
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    constexpr stencil::Shift kDigits[] = {stencil::Shift::shl, stencil::Shift::sar, stencil::Shift::shr, stencil::Shift::rol,
                                          stencil::Shift::ror};
    const stencil::Shift digit = kDigits[static_cast<std::size_t>(op)];
    if (count.is_immediate()) {
        const std::uint32_t bits = width_bits(width);
        const auto amount = static_cast<std::uint32_t>(count.immediate) & (bits - 1);
        const bool rotate = op == ShiftOp::rotl || op == ShiftOp::rotr;
        if (amount == 0) {
            mov(kind, d, a);
        } else if (op == ShiftOp::shl && amount == 1 && d != a) {
            add_shifted(width, d, a, a, 0);
        } else if (rotate && d != a && features_.bmi2) {
            as().rorx(sized(width, d), sized(width, a), op == ShiftOp::rotr ? amount : bits - amount);
        } else {
            mov(kind, d, a);
            emitter_.put<stencil::shift_imm>(digit, width, d, amount);
        }
    } else if (!shift_count_register(op).valid()) {
        emitter_.put<stencil::shift_reg>(digit, width, d, a, count.reg);
    } else {
        mov(kind, d, a);
        emitter_.put<stencil::shift_cl>(digit, width, d);
    }
}

void Masm::div(DivOp op, Width width, Reg /*d*/, Reg /*a*/, Reg b, bool check_zero, bool check_overflow) {
    const x86::Gp divisor = sized(width, b);
    const x86::Gp low = sized(width, kDivLow);
    const x86::Gp high = sized(width, kDivHigh);
    if (check_zero) {
        as().test(divisor, divisor);
        trap_if(Condition::kZ, TrapCode::integer_divide_by_zero);
    }
    if (op == DivOp::div_u || op == DivOp::rem_u) {
        as().xor_(gp32(kDivHigh), gp32(kDivHigh));
        as().div(high, low, divisor);
        return;
    }
    std::int32_t skip = -1;
    std::int32_t done = -1;
    if (check_overflow) {
        as().cmp(divisor, -1);
        skip = emitter_.jump_short_if(Condition::kNE);
        if (op == DivOp::div_s) {
            as().cmp(low, 1);  // overflows for the least number only
            trap_if(Condition::kO, TrapCode::integer_overflow);
        } else {
            as().xor_(gp32(kDivHigh), gp32(kDivHigh));
            done = emitter_.jump_short();
        }
        emitter_.bind_short(skip);
    }
    if (width == Width::w32) {
        as().cdq();
    } else {
        as().cqo();
    }
    as().idiv(high, low, divisor);
    if (done >= 0) emitter_.bind_short(done);
}

void Masm::add_wide(bool subtract, Reg low, Reg high, Reg b_low, Reg b_high) {
    as().emit(subtract ? x86::Inst::kIdSub : x86::Inst::kIdAdd, gp64(low), gp64(b_low));
    as().emit(subtract ? x86::Inst::kIdSbb : x86::Inst::kIdAdc, gp64(high), gp64(b_high));
}

void Masm::mul_wide(bool is_signed, Reg /*low*/, Reg /*high*/, Reg /*a*/, Reg b) {
    as().emit(is_signed ? x86::Inst::kIdImul : x86::Inst::kIdMul, gp64(b));
}

void Masm::bit_count(BitOp op, Width width, Reg d, Reg a) {
    const x86::Gp target = sized(width, d);
    const x86::Gp source = sized(width, a);
    const std::uint32_t bits = width_bits(width);
    switch (op) {
        case BitOp::clz:
            if (features_.lzcnt) {
                as().lzcnt(target, source);
            } else {
                as().bsr(sized(width, kScratchGp), source);
                as().mov(gp32(d), 2 * bits - 1);
                as().cmovnz(target, sized(width, kScratchGp));
                as().xor_(gp32(d), bits - 1);
            }
            break;
        case BitOp::ctz:
            if (features_.bmi1) {
                as().tzcnt(target, source);
            } else {
                as().bsf(sized(width, kScratchGp), source);
                as().mov(gp32(d), bits);
                as().cmovnz(target, sized(width, kScratchGp));
            }
            break;
        case BitOp::popcnt:
            if (d != a) as().xor_(gp32(d), gp32(d));  // popcnt waits for its target on older processors
            as().popcnt(target, source);
            break;
    }
}

// --- comparisons -----------------------------------------------------------------------------------------------------------

void Masm::compare_other(Width width, Reg a, Operand b) {
    b = legal(width, b);
    if (b.is_reg()) {
        emitter_.put<stencil::alu>(stencil::Alu::cmp, width, a, b.reg);
    } else if (b.is_immediate()) {
        emitter_.put<stencil::alu_imm>(stencil::Alu::cmp, width, a, static_cast<std::int32_t>(b.immediate));
    } else {
        emitter_.put<stencil::alu_mem>(stencil::Alu::cmp, width, a, slot_operand(b.slot));
    }
}

/// `zeroed`: d was cleared before the flags were set.
void Masm::set_condition(Condition condition, Reg d, bool zeroed) {
    emitter_.put<stencil::setcc>(static_cast<unsigned>(condition), d);
    if (!zeroed) emitter_.put<stencil::movzx8>(d, d);
}

void Masm::compare_set(IntCond condition, Width width, Reg d, Reg a, Operand b) {
    const bool zeroed = d != a && !(b.is_reg() && d == b.reg);
    if (zeroed) mov_imm(Width::w32, d, 0);
    compare(width, a, b);
    set_condition(condition_code(condition), d, zeroed);
}

void Masm::compare_select(IntCond condition, Width width, Reg a, Operand b, Kind kind, Reg d, Reg t, Reg f) {
    compare(width, a, b);
    Condition code = condition_code(condition);
    if (t == f) return mov(kind, d, t);
    // d becomes one of the two, then the other if the condition (or its negation) holds.
    if (d == t) {
        code = negate(code);
    } else {
        mov(kind, d, f);
        f = t;
    }
    if (wasm::is_fp(kind)) {
        const std::int32_t skip = emitter_.jump_short_if(negate(code));
        move_vector(d, f);
        emitter_.bind_short(skip);
    } else {
        emitter_.put<stencil::cmovcc>(static_cast<unsigned>(code), width_of(kind), d, f);
    }
}

}  // namespace pollux::x64
