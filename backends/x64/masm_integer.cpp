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

constexpr Condition condition_code(IntCond condition) noexcept {
    constexpr Condition kCodes[] = {Condition::kE, Condition::kNE, Condition::kL,  Condition::kB,  Condition::kG,
                                    Condition::kA, Condition::kLE, Condition::kBE, Condition::kGE, Condition::kAE};
    return kCodes[static_cast<std::size_t>(condition)];
}

constexpr std::uint32_t width_bits(Width width) noexcept { return width == Width::w32 ? 32 : 64; }
constexpr std::uint32_t width_bytes(Width width) noexcept { return width == Width::w32 ? 4 : 8; }

constexpr std::uint32_t alu_instruction(AluOp op) noexcept {
    constexpr std::uint32_t kIds[] = {x86::Inst::kIdAdd, x86::Inst::kIdSub, x86::Inst::kIdAnd, x86::Inst::kIdOr, x86::Inst::kIdXor};
    return kIds[static_cast<std::size_t>(op)];
}

}  // namespace

Operand Masm::legal(Width width, Operand b) {
    if (!b.is_immediate()) return b;
    const std::int64_t value = immediate(width, b);
    if (fits_i32(value)) return Operand::imm(value);
    mov_imm(width, kScratchGp, static_cast<std::uint64_t>(value));
    return kScratchGp;
}

void Masm::alu(AluOp op, Width width, Reg d, Reg a, Operand b) {
    if (b.is_immediate() && op == AluOp::and_ && width == Width::w64) {
        // A mask below 2^32 clears the upper half, as every 32-bit instruction does.
        const auto mask = static_cast<std::uint64_t>(b.immediate);
        if (mask == 0xffff'ffffU) return extend(ExtendOp::u32_64, d, a);
        if (mask < 0xffff'ffffU) width = Width::w32;
    }
    b = legal(width, b);
    const x86::Gp target = sized(width, d);
    const std::uint32_t instruction = alu_instruction(op);
    if (b.is_immediate()) {
        std::int64_t value = b.immediate;
        if (op == AluOp::and_ && value == 0xff) {
            as().movzx(gp32(d), gp8(a));
            return;
        }
        if (op == AluOp::and_ && value == 0xffff) {
            as().movzx(gp32(d), gp16(a));
            return;
        }
        if (op == AluOp::sub && value != std::numeric_limits<std::int32_t>::min()) {
            op = AluOp::add;
            value = -value;
        }
        if (op == AluOp::add && d != a) {
            as().lea(target, x86::ptr(gp64(a), static_cast<std::int32_t>(value)));
            return;
        }
        mov(width == Width::w32 ? Kind::i32 : Kind::i64, d, a);
        if (op == AluOp::xor_ && value == -1) {
            as().not_(target);
        } else if (op == AluOp::add && value == 128) {
            as().sub(target, -128);  // fits a byte
        } else {
            as().emit(alu_instruction(op), target, asmjit::Imm(value));
        }
        return;
    }
    if (!b.is_reg()) {
        mov(width == Width::w32 ? Kind::i32 : Kind::i64, d, a);
        as().emit(instruction, target, slot_memory(b.slot, width_bytes(width)));
        return;
    }
    if (d == a) {
        as().emit(instruction, target, sized(width, b.reg));
    } else if (d == b.reg) {
        if (op == AluOp::sub) {
            as().neg(target);
            as().add(target, sized(width, a));
        } else {
            as().emit(instruction, target, sized(width, a));
        }
    } else if (op == AluOp::add) {
        as().lea(target, x86::ptr(gp64(a), gp64(b.reg)));
    } else {
        as().mov(target, sized(width, a));
        as().emit(instruction, target, sized(width, b.reg));
    }
}

void Masm::mul(Width width, Reg d, Reg a, Operand b) {
    const x86::Gp target = sized(width, d);
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    if (b.is_immediate()) {
        const std::int64_t value = immediate(width, b);
        const auto bits = width == Width::w32 ? static_cast<std::uint32_t>(value) : static_cast<std::uint64_t>(value);
        if (value == 0) return mov_imm(width, d, 0);
        if (value == 3 || value == 5 || value == 9) {
            as().lea(target, x86::ptr(gp64(a), gp64(a), static_cast<std::uint32_t>(std::countr_zero(bits - 1))));
            return;
        }
        if (std::has_single_bit(bits)) return shift(ShiftOp::shl, width, d, a, Operand::imm(std::countr_zero(bits)));
        if (value == -1) {
            mov(kind, d, a);
            as().neg(target);
            return;
        }
        if (fits_i32(value)) {
            as().imul(target, sized(width, a), asmjit::Imm(value));
            return;
        }
        b = legal(width, b);
    }
    if (b.is_reg() && d == b.reg) {
        as().imul(target, sized(width, a));
        return;
    }
    mov(kind, d, a);
    if (b.is_reg()) {
        as().imul(target, sized(width, b.reg));
    } else {
        as().imul(target, slot_memory(b.slot, width_bytes(width)));
    }
}

void Masm::shift(ShiftOp op, Width width, Reg d, Reg a, Operand count) {
    const x86::Gp target = sized(width, d);
    const x86::Gp source = sized(width, a);
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    constexpr std::uint32_t kIds[] = {x86::Inst::kIdShl, x86::Inst::kIdSar, x86::Inst::kIdShr, x86::Inst::kIdRol, x86::Inst::kIdRor};
    constexpr std::uint32_t kVariable[] = {x86::Inst::kIdShlx, x86::Inst::kIdSarx, x86::Inst::kIdShrx};
    const auto index = static_cast<std::size_t>(op);
    if (count.is_immediate()) {
        const std::uint32_t bits = width_bits(width);
        const auto amount = static_cast<std::uint32_t>(count.immediate) & (bits - 1);
        const bool rotate = op == ShiftOp::rotl || op == ShiftOp::rotr;
        if (amount == 0) {
            mov(kind, d, a);
        } else if (op == ShiftOp::shl && amount == 1 && d != a) {
            as().lea(target, x86::ptr(gp64(a), gp64(a)));
        } else if (rotate && d != a && features_.bmi2) {
            as().rorx(target, source, op == ShiftOp::rotr ? amount : bits - amount);
        } else {
            mov(kind, d, a);
            as().emit(kIds[index], target, asmjit::Imm(amount));
        }
    } else if (!shift_count_register(op).valid()) {
        as().emit(kVariable[index], target, source, sized(width, count.reg));
    } else {
        mov(kind, d, a);
        as().emit(kIds[index], target, x86::cl);
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

void Masm::extend(ExtendOp op, Reg d, Reg a) {
    switch (op) {
        case ExtendOp::s8_32:  as().movsx(gp32(d), gp8(a)); break;
        case ExtendOp::s16_32: as().movsx(gp32(d), gp16(a)); break;
        case ExtendOp::s8_64:  as().movsx(gp64(d), gp8(a)); break;
        case ExtendOp::s16_64: as().movsx(gp64(d), gp16(a)); break;
        case ExtendOp::s32_64: as().movsxd(gp64(d), gp32(a)); break;
        case ExtendOp::u32_64: as().mov(gp32(d), gp32(a)); break;
    }
}

void Masm::add_shifted(Width width, Reg d, Reg a, Reg b, std::uint8_t shift) {
    as().lea(sized(width, d), x86::ptr(gp64(a), gp64(b), shift));
}

// --- comparisons -----------------------------------------------------------------------------------------------------------

void Masm::compare(Width width, Reg a, Operand b) {
    b = legal(width, b);
    const x86::Gp left = sized(width, a);
    if (b.is_reg()) {
        as().cmp(left, sized(width, b.reg));
    } else if (!b.is_immediate()) {
        as().cmp(left, slot_memory(b.slot, width_bytes(width)));
    } else if (b.immediate == 0) {
        as().test(left, left);  // the same flags
    } else {
        as().cmp(left, asmjit::Imm(b.immediate));
    }
}

/// `zeroed`: d was cleared before the flags were set.
void Masm::set_condition(Condition condition, Reg d, bool zeroed) {
    as().emit(x86::Inst::setccFromCond(condition), gp8(d));
    if (!zeroed) as().movzx(gp32(d), gp8(d));
}

void Masm::compare_set(IntCond condition, Width width, Reg d, Reg a, Operand b) {
    const bool zeroed = d != a && !(b.is_reg() && d == b.reg);
    if (zeroed) as().xor_(gp32(d), gp32(d));
    compare(width, a, b);
    set_condition(condition_code(condition), d, zeroed);
}

void Masm::compare_branch(IntCond condition, Width width, Reg a, Operand b, Label& label) {
    compare(width, a, b);
    emitter_.jump_if(condition_code(condition), label);
}

void Masm::compare_trap(IntCond condition, Width width, Reg a, Operand b, TrapCode code) {
    compare(width, a, b);
    trap_if(condition_code(condition), code);
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
        const Width moved = kind == Kind::i32 ? Width::w32 : Width::w64;
        as().emit(x86::Inst::cmovccFromCond(code), sized(moved, d), sized(moved, f));
    }
}

}  // namespace pollux::x64
