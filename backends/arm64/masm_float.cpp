// Scalar floats of the AArch64 masm. FMIN, FMAX, the roundings and the saturating conversions are WebAssembly's own, NaN and
// signed zeros included; only the trapping conversions need checks.
#include "backends/arm64/masm.h"

#include <algorithm>
#include <iterator>

namespace pollux::arm64 {

using namespace words;
using wasm::Opcode;

void Masm::fp_const(Width width, Reg d, std::uint64_t bits) {
    if (width == Width::w32) bits &= 0xffff'ffff;
    if (bits == 0) {
        put(zero_v(d.number()));
    } else if (const auto imm8 = fmov_immediate(width, bits)) {
        put(fmov_imm(width, d.number(), *imm8));
    } else if (environment_ != nullptr && short_branches_) {
        load_literal(width, d, bits);
    } else {
        put_constant(width, x16(), bits);
        put(fmov_from_gp(width, d.number(), kX16));
    }
}

/// From behind the function, where its whole code is within the reach of a load relative to the pc.
void Masm::load_literal(Width width, Reg d, std::uint64_t bits) {
    constexpr std::ptrdiff_t kSearched = 32;  // the newest
    const auto newest = literals_.end() - std::min(kSearched, std::ssize(literals_));
    auto literal = std::find_if(newest, literals_.end(), [bits](const Literal& known) { return known.bits == bits; });
    if (literal == literals_.end()) literal = literals_.insert(literal, {bits, {}});
    link(ldr_literal(width, d.number()), literal->label);
}

void Masm::v128_const(Reg d, wasm::V128 value) {
    const std::uint64_t low = value.low;
    const std::uint64_t high = value.high;
    if (low == high) {
        Word mask = 0;
        bool bytes_are_masks = true;
        for (unsigned i = 0; i < 8; ++i) {
            const std::uint64_t byte = low >> (8 * i) & 0xff;
            mask |= (byte & 1) != 0 ? 1U << i : 0;
            bytes_are_masks = bytes_are_masks && (byte == 0 || byte == 0xff);
        }
        if (bytes_are_masks) return put(movi_2d(d.number(), mask));
        if (low == (low & 0xff) * 0x0101'0101'0101'0101U) return put(movi_16b(d.number(), static_cast<Word>(low & 0xff)));
        put_constant(Width::w64, x16(), low);
        return put(dup_2d(d.number(), kX16));
    }
    fp_const(Width::w64, d, low);  // zeroes the upper half
    if (high != 0) {
        put_constant(Width::w64, x16(), high);
        put(ins_high(d.number(), kX16));
    }
}

unsigned Masm::fp_register_of(Width width, const Operand& operand, unsigned scratch) {
    if (operand.is_reg()) return operand.reg.number();
    put_access(width == Width::w64 ? kLdrD : kLdrS, scratch, {kFramePointer, kNoReg, operand.slot});
    return scratch;
}

void Masm::fp_binary(FpBinOp op, Width width, Reg d, Reg a, Operand b) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    const unsigned rm = fp_register_of(width, b, kV31);
    switch (op) {
        case FpBinOp::add:      return put(fp_two(FpTwo::fadd, width, rd, rn, rm));
        case FpBinOp::sub:      return put(fp_two(FpTwo::fsub, width, rd, rn, rm));
        case FpBinOp::mul:      return put(fp_two(FpTwo::fmul, width, rd, rn, rm));
        case FpBinOp::div:      return put(fp_two(FpTwo::fdiv, width, rd, rn, rm));
        case FpBinOp::min:      return put(fp_two(FpTwo::fmin, width, rd, rn, rm));
        case FpBinOp::max:      return put(fp_two(FpTwo::fmax, width, rd, rn, rm));
        case FpBinOp::copysign: break;
    }
    // v30 = the sign bit alone; bits of b where it is set, of a elsewhere.
    put(zero_v(kV30));
    put(fp_one(FpOne::fneg, width, kV30, kV30));
    if (rd == rm) {
        put(bitwise(Bitwise::bif, rd, rn, kV30));
    } else {
        if (rd != rn) put(mov_v(rd, rn));
        put(bitwise(Bitwise::bit, rd, rm, kV30));
    }
}

void Masm::fp_unary(FpUnOp op, Width width, Reg d, Reg a) {
    constexpr std::array kWords = {FpOne::fabs, FpOne::fneg, FpOne::fsqrt, FpOne::frintp, FpOne::frintm, FpOne::frintz, FpOne::frintn};
    put(fp_one(kWords[static_cast<std::size_t>(op)], width, d.number(), a.number()));
}

namespace {

/// After fcmp. Unordered sets C and V: mi and ls are false then, as gt and ge are.
constexpr std::array kFloatConds = {Cond::eq, Cond::ne, Cond::mi, Cond::gt, Cond::ls, Cond::ge};

constexpr Cond cond_of(FloatCond cond) { return kFloatConds[static_cast<std::size_t>(cond)]; }

}  // namespace

void Masm::fp_compare_set(FloatCond cond, Width width, Reg d, Reg a, Reg b) {
    put(fcmp(width, a.number(), b.number()));
    put(cset(d.number(), cond_of(cond)));
}

void Masm::fp_compare_branch(FloatCond cond, Width width, bool when, Reg a, Reg b, Label& label) {
    put(fcmp(width, a.number(), b.number()));
    put_branch(b_cond(when ? cond_of(cond) : invert(cond_of(cond))), label);
}

void Masm::truncate_checked(bool is_signed, Width to, Width from, Reg d, Reg a) {
    const unsigned rn = a.number();
    if (to == Width::w32) {
        // Through 64 bits: what is out of range there saturates, and is out of range here too.
        put(fcmp(from, rn, rn));
        trap_when(b_cond(Cond::vs), TrapCode::invalid_conversion_to_integer);
        put(to_int(true, Width::w64, from, x16(), rn));
        put(cmp_extended(is_signed, kX16, kX16));
        trap_when(b_cond(Cond::ne), TrapCode::integer_overflow);
        put(words::mov(Width::w32, d.number(), kX16));
        return;
    }
    const bool f64 = from == Width::w64;
    const std::uint64_t two_63 = f64 ? 0x43E0'0000'0000'0000U : 0x5F00'0000U;
    const std::uint64_t two_64 = f64 ? 0x43F0'0000'0000'0000U : 0x5F80'0000U;
    const std::uint64_t sign = f64 ? std::uint64_t{1} << 63 : std::uint64_t{1} << 31;
    const std::uint64_t minus_one = f64 ? 0xBFF0'0000'0000'0000U : 0xBF80'0000U;
    fp_const(from, kScratchFp, is_signed ? two_63 : two_64);
    put(fcmp(from, rn, kV31));
    trap_when(b_cond(Cond::vs), TrapCode::invalid_conversion_to_integer);
    trap_when(b_cond(Cond::ge), TrapCode::integer_overflow);
    // -2^63 itself is in range, -1 as an unsigned number is not.
    fp_const(from, kScratchFp, is_signed ? two_63 | sign : minus_one);
    put(fcmp(from, rn, kV31));
    trap_when(b_cond(is_signed ? Cond::mi : Cond::ls), TrapCode::integer_overflow);
    put(to_int(is_signed, to, from, d.number(), rn));
}

void Masm::convert(Opcode op, Reg d, Reg a) {
    constexpr Width kW32 = Width::w32, kW64 = Width::w64;
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    switch (op) {
        case Opcode::I32TruncF32S:      return truncate_checked(true, kW32, kW32, d, a);
        case Opcode::I32TruncF32U:      return truncate_checked(false, kW32, kW32, d, a);
        case Opcode::I32TruncF64S:      return truncate_checked(true, kW32, kW64, d, a);
        case Opcode::I32TruncF64U:      return truncate_checked(false, kW32, kW64, d, a);
        case Opcode::I64TruncF32S:      return truncate_checked(true, kW64, kW32, d, a);
        case Opcode::I64TruncF32U:      return truncate_checked(false, kW64, kW32, d, a);
        case Opcode::I64TruncF64S:      return truncate_checked(true, kW64, kW64, d, a);
        case Opcode::I64TruncF64U:      return truncate_checked(false, kW64, kW64, d, a);
        case Opcode::I32TruncSatF32S:   return put(to_int(true, kW32, kW32, rd, rn));
        case Opcode::I32TruncSatF32U:   return put(to_int(false, kW32, kW32, rd, rn));
        case Opcode::I32TruncSatF64S:   return put(to_int(true, kW32, kW64, rd, rn));
        case Opcode::I32TruncSatF64U:   return put(to_int(false, kW32, kW64, rd, rn));
        case Opcode::I64TruncSatF32S:   return put(to_int(true, kW64, kW32, rd, rn));
        case Opcode::I64TruncSatF32U:   return put(to_int(false, kW64, kW32, rd, rn));
        case Opcode::I64TruncSatF64S:   return put(to_int(true, kW64, kW64, rd, rn));
        case Opcode::I64TruncSatF64U:   return put(to_int(false, kW64, kW64, rd, rn));
        case Opcode::F32ConvertI32S:    return put(to_float(true, kW32, kW32, rd, rn));
        case Opcode::F32ConvertI32U:    return put(to_float(false, kW32, kW32, rd, rn));
        case Opcode::F32ConvertI64S:    return put(to_float(true, kW32, kW64, rd, rn));
        case Opcode::F32ConvertI64U:    return put(to_float(false, kW32, kW64, rd, rn));
        case Opcode::F64ConvertI32S:    return put(to_float(true, kW64, kW32, rd, rn));
        case Opcode::F64ConvertI32U:    return put(to_float(false, kW64, kW32, rd, rn));
        case Opcode::F64ConvertI64S:    return put(to_float(true, kW64, kW64, rd, rn));
        case Opcode::F64ConvertI64U:    return put(to_float(false, kW64, kW64, rd, rn));
        case Opcode::F32DemoteF64:      return put(fcvt_demote(rd, rn));
        case Opcode::F64PromoteF32:     return put(fcvt_promote(rd, rn));
        case Opcode::I32ReinterpretF32: return fp_to_gp(kW32, d, a);
        case Opcode::I64ReinterpretF64: return fp_to_gp(kW64, d, a);
        case Opcode::F32ReinterpretI32: return gp_to_fp(kW32, d, a);
        case Opcode::F64ReinterpretI64: return gp_to_fp(kW64, d, a);
        case Opcode::I32WrapI64:
        case Opcode::I64ExtendI32U:     return extend(ExtendOp::u32_64, d, a);
        case Opcode::I64ExtendI32S:     return extend(ExtendOp::s32_64, d, a);
        default:                        overflowed_ = true;  // no other opcode converts
    }
}

}  // namespace pollux::arm64
