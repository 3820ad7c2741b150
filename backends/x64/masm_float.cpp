// Scalar floats, and the two-operand or three-operand emission that they share with vectors.
//
// The usual case is straight-line code; NaNs and zeros of both signs in min and max, and conversions whose result does not
// fit or that trap, are slow paths behind the function's code.
#include <bit>
#include <limits>

#include "backends/x64/masm.h"

namespace pollux::x64 {

using wasm::Opcode;
using wasm::V128;
namespace Inst = asmjit::x86::Inst;

namespace {

constexpr VectorOp kAndps{Inst::kIdAndps, Inst::kIdVandps, true};
constexpr VectorOp kOrps{Inst::kIdOrps, Inst::kIdVorps, true};
constexpr VectorOp kXorps{Inst::kIdXorps, Inst::kIdVxorps, true};
constexpr VectorOp kAdd[] = {{Inst::kIdAddss, Inst::kIdVaddss, true}, {Inst::kIdAddsd, Inst::kIdVaddsd, true}};
constexpr VectorOp kSub[] = {{Inst::kIdSubss, Inst::kIdVsubss}, {Inst::kIdSubsd, Inst::kIdVsubsd}};
constexpr VectorOp kMul[] = {{Inst::kIdMulss, Inst::kIdVmulss, true}, {Inst::kIdMulsd, Inst::kIdVmulsd, true}};
constexpr VectorOp kDiv[] = {{Inst::kIdDivss, Inst::kIdVdivss}, {Inst::kIdDivsd, Inst::kIdVdivsd}};
constexpr VectorOp kMin[] = {{Inst::kIdMinss, Inst::kIdVminss}, {Inst::kIdMinsd, Inst::kIdVminsd}};
constexpr VectorOp kMax[] = {{Inst::kIdMaxss, Inst::kIdVmaxss}, {Inst::kIdMaxsd, Inst::kIdVmaxsd}};
constexpr VectorOp kSqrt[] = {{Inst::kIdSqrtss, Inst::kIdVsqrtss}, {Inst::kIdSqrtsd, Inst::kIdVsqrtsd}};
constexpr VectorOp kRound[] = {{Inst::kIdRoundss, Inst::kIdVroundss}, {Inst::kIdRoundsd, Inst::kIdVroundsd}};
constexpr VectorOp kConvertFloat[] = {{Inst::kIdCvtss2sd, Inst::kIdVcvtss2sd}, {Inst::kIdCvtsd2ss, Inst::kIdVcvtsd2ss}};  // by source

constexpr std::size_t index(Width width) noexcept { return width == Width::w32 ? 0 : 1; }
constexpr std::uint32_t bytes(Width width) noexcept { return width == Width::w32 ? 4 : 8; }

/// Of addition, subtraction, multiplication, division: the opcode of all their encodings.
constexpr stencil::Byte arithmetic_opcode(FpBinOp op) noexcept {
    constexpr stencil::Byte kOpcodes[] = {0x58, 0x5c, 0x59, 0x5e};
    return kOpcodes[static_cast<std::size_t>(op)];
}

constexpr V128 sign_mask(Width width) noexcept {
    const std::uint64_t half = width == Width::w32 ? 0x8000'0000'8000'0000U : 0x8000'0000'0000'0000U;
    return {half, half};
}
constexpr V128 magnitude_mask(Width width) noexcept {
    const V128 sign = sign_mask(width);
    return {~sign.low, ~sign.high};
}

}  // namespace

// --- two or three operands ---------------------------------------------------------------------------------------------------

void Masm::zero_vector(Reg d) {
    if (features_.avx) {
        emitter_.put<stencil::avx>(stencil::Prefix::none, stencil::Byte{0x57}, d, d, d);
    } else {
        as().xorps(xmm(d), xmm(d));
    }
}

void Masm::all_ones(Reg d) {
    if (features_.avx) {
        as().vpcmpeqd(xmm(d), xmm(d), xmm(d));
    } else {
        as().pcmpeqd(xmm(d), xmm(d));
    }
}

void Masm::move_vector(Reg d, Reg s) {
    if (d == s) return;
    if (features_.avx) {
        emitter_.put<stencil::avx_mov>(d, s);
    } else {
        as().movaps(xmm(d), xmm(s));
    }
}

/// d = a op b. With SSE only, d == b of an operation that does not commute takes the scratch register that is free.
void Masm::vector(const VectorOp& op, Reg d, Reg a, const VectorSource& b) {
    const bool in_register = b.type == VectorSource::Type::reg;
    if (features_.avx) {
        if (in_register) {
            as().emit(op.avx, xmm(d), xmm(a), xmm(b.reg));
        } else if (b.type == VectorSource::Type::memory) {
            as().emit(op.avx, xmm(d), xmm(a), b.memory);
        } else {
            emit_with_constant(op.avx, b.constant, true, xmm(d), xmm(a));
        }
        return;
    }
    if (in_register && d == b.reg && d != a) {
        if (op.commutative) {
            as().emit(op.sse, xmm(d), xmm(a));
            return;
        }
        const Reg copy = a != kScratchFp && d != kScratchFp ? kScratchFp : kSecondScratchFpReg;
        move_vector(copy, b.reg);
        move_vector(d, a);
        as().emit(op.sse, xmm(d), xmm(copy));
        return;
    }
    move_vector(d, a);
    if (in_register) {
        as().emit(op.sse, xmm(d), xmm(b.reg));
    } else if (b.type == VectorSource::Type::memory) {
        as().emit(op.sse, xmm(d), b.memory);
    } else {
        emit_with_constant(op.sse, b.constant, true, xmm(d));
    }
}

void Masm::vector(const VectorOp& op, Reg d, Reg a, const VectorSource& b, std::uint8_t immediate) {
    const asmjit::Imm value(immediate);
    if (features_.avx) {
        if (b.type == VectorSource::Type::reg) {
            as().emit(op.avx, xmm(d), xmm(a), xmm(b.reg), value);
        } else {
            as().emit(op.avx, xmm(d), xmm(a), b.memory, value);
        }
        return;
    }
    Reg source = b.reg;
    if (b.type == VectorSource::Type::reg && d == source && d != a) {
        const Reg copy = a != kScratchFp && d != kScratchFp ? kScratchFp : kSecondScratchFpReg;
        move_vector(copy, source);
        source = copy;
    }
    move_vector(d, a);
    if (b.type == VectorSource::Type::reg) {
        as().emit(op.sse, xmm(d), xmm(source), value);
    } else {
        as().emit(op.sse, xmm(d), b.memory, value);
    }
}

void Masm::vector1(const VectorOp& op, Reg d, const VectorSource& a) {
    const std::uint32_t instruction = features_.avx ? op.avx : op.sse;
    if (a.type == VectorSource::Type::reg) {
        as().emit(instruction, xmm(d), xmm(a.reg));
    } else if (a.type == VectorSource::Type::memory) {
        as().emit(instruction, xmm(d), a.memory);
    } else {
        emit_with_constant(instruction, a.constant, true, xmm(d));
    }
}

void Masm::vector1(const VectorOp& op, Reg d, const VectorSource& a, std::uint8_t immediate) {
    const std::uint32_t instruction = features_.avx ? op.avx : op.sse;
    if (a.type == VectorSource::Type::reg) {
        as().emit(instruction, xmm(d), xmm(a.reg), asmjit::Imm(immediate));
    } else {
        as().emit(instruction, xmm(d), a.memory, asmjit::Imm(immediate));
    }
}

// --- arithmetic --------------------------------------------------------------------------------------------------------------

void Masm::fp_binary_load(FpBinOp op, Width width, Reg d, Reg a, Address b) {
    if (!features_.avx) {
        guest_load(width == Width::w32 ? LoadOp::f32 : LoadOp::f64, kScratchFp, b);
        return fp_binary(op, width, d, a, kScratchFp);
    }
    guest_access();
    emitter_.put<stencil::avx_mem>(stencil::scalar(width), arithmetic_opcode(op), d, a, stencil::Memory(b));
}

void Masm::fp_binary(FpBinOp op, Width width, Reg d, Reg a, Operand b) {
    const std::size_t w = index(width);
    switch (op) {
        case FpBinOp::add:
        case FpBinOp::sub:
        case FpBinOp::mul:
        case FpBinOp::div: {
            if (features_.avx) {
                if (b.is_reg()) return emitter_.put<stencil::avx>(stencil::scalar(width), arithmetic_opcode(op), d, a, b.reg);
                return emitter_.put<stencil::avx_mem>(stencil::scalar(width), arithmetic_opcode(op), d, a, slot_operand(b.slot));
            }
            const VectorOp* const kOps[] = {kAdd, kSub, kMul, kDiv};
            const VectorSource source = b.is_reg() ? VectorSource(b.reg) : VectorSource(slot_memory(b.slot, bytes(width)));
            vector(kOps[static_cast<std::size_t>(op)][w], d, a, source);
            return;
        }
        default: break;
    }
    Reg right = b.reg;
    if (!b.is_reg()) {
        right = kScratchFp;
        load_slot(width == Width::w32 ? Kind::f32 : Kind::f64, right, b.slot);
    }
    if (op == FpBinOp::copysign) {
        const Reg magnitude = kSecondScratchFpReg;
        vector(kAndps, magnitude, a, magnitude_mask(width));
        vector(kAndps, kScratchFp, right, sign_mask(width));
        vector(kOrps, d, magnitude, kScratchFp);
        return;
    }
    // The zero flag tells equal and unordered operands, the cases in which minss and maxss are not wasm's min and max.
    const bool is_max = op == FpBinOp::max;
    SlowPath& slow = slow_path(is_max ? SlowPath::Kind::max : SlowPath::Kind::min, width, d, a, right);
    fp_compare(width, a, right);
    emitter_.jump_if(Condition::kE, slow.entry);
    vector((is_max ? kMax : kMin)[w], d, a, right);
    emitter_.bind(slow.resume);
}

void Masm::fp_unary(FpUnOp op, Width width, Reg d, Reg a) {
    const std::size_t w = index(width);
    constexpr std::uint8_t kNoInexact = 8;
    switch (op) {
        case FpUnOp::abs:     vector(kAndps, d, a, magnitude_mask(width)); return;
        case FpUnOp::neg:     vector(kXorps, d, a, sign_mask(width)); return;
        case FpUnOp::sqrt:    break;
        case FpUnOp::nearest:
        case FpUnOp::floor:
        case FpUnOp::ceil:
        case FpUnOp::trunc:   break;
    }
    // Both instructions keep the upper lanes of their target, so they wait for it: make it the source, or clear it.
    if (!features_.avx && d != a) zero_vector(d);
    if (op == FpUnOp::sqrt) {
        if (features_.avx) {
            as().emit(kSqrt[w].avx, xmm(d), xmm(a), xmm(a));
        } else {
            as().emit(kSqrt[w].sse, xmm(d), xmm(a));
        }
        return;
    }
    std::uint8_t mode = kNoInexact;
    if (op == FpUnOp::floor) mode |= 1;
    if (op == FpUnOp::ceil) mode |= 2;
    if (op == FpUnOp::trunc) mode |= 3;
    if (features_.avx) {
        as().emit(kRound[w].avx, xmm(d), xmm(a), xmm(a), asmjit::Imm(mode));
    } else {
        as().emit(kRound[w].sse, xmm(d), xmm(a), asmjit::Imm(mode));
    }
}

void Masm::fp_compare(Width width, Reg a, Reg b) {
    const std::uint32_t narrow = features_.avx ? Inst::kIdVucomiss : Inst::kIdUcomiss;
    const std::uint32_t wide = features_.avx ? Inst::kIdVucomisd : Inst::kIdUcomisd;
    as().emit(width == Width::w32 ? narrow : wide, xmm(a), xmm(b));
}

void Masm::fp_compare_set(FloatCond condition, Width width, Reg d, Reg a, Reg b) {
    // Unordered sets the carry, zero and parity flags: "above" is false then, so lt and le exchange the operands.
    as().xor_(gp32(d), gp32(d));
    switch (condition) {
        case FloatCond::eq:
            fp_compare(width, a, b);
            as().setnp(gp8(d));
            as().sete(gp8(kScratchGp));
            as().and_(gp32(d), gp32(kScratchGp));
            break;
        case FloatCond::ne:
            fp_compare(width, a, b);
            as().setp(gp8(d));
            as().setne(gp8(kScratchGp));
            as().or_(gp8(d), gp8(kScratchGp));
            break;
        case FloatCond::lt:
            fp_compare(width, b, a);
            as().seta(gp8(d));
            break;
        case FloatCond::gt:
            fp_compare(width, a, b);
            as().seta(gp8(d));
            break;
        case FloatCond::le:
            fp_compare(width, b, a);
            as().setae(gp8(d));
            break;
        case FloatCond::ge:
            fp_compare(width, a, b);
            as().setae(gp8(d));
            break;
    }
}

void Masm::fp_compare_branch(FloatCond condition, Width width, bool when, Reg a, Reg b, Label& label) {
    const bool exchange = condition == FloatCond::lt || condition == FloatCond::le;
    fp_compare(width, exchange ? b : a, exchange ? a : b);
    switch (condition) {
        case FloatCond::lt:
        case FloatCond::gt: emitter_.jump_if(when ? Condition::kA : Condition::kBE, label); break;
        case FloatCond::le:
        case FloatCond::ge: emitter_.jump_if(when ? Condition::kAE : Condition::kB, label); break;
        case FloatCond::eq:
        case FloatCond::ne:
            if ((condition == FloatCond::eq) == when) {
                const std::int32_t unordered = emitter_.jump_short_if(Condition::kP);
                emitter_.jump_if(Condition::kE, label);
                emitter_.bind_short(unordered);
            } else {
                emitter_.jump_if(Condition::kP, label);
                emitter_.jump_if(Condition::kNE, label);
            }
            break;
    }
}

// --- slow paths --------------------------------------------------------------------------------------------------------------

void Masm::emit_slow_path(SlowPath path) {
    wasm_offset_ = path.wasm_offset;
    emitter_.bind(path.entry);
    const std::size_t w = index(path.width);
    switch (path.kind) {
        case SlowPath::Kind::min:
        case SlowPath::Kind::max: {
            // The flags of the comparison are still set. Equal: zeros of different signs count as ordered. NaN: a + b is a quiet NaN.
            const std::int32_t unordered = emitter_.jump_short_if(Condition::kP);
            vector(path.kind == SlowPath::Kind::min ? kOrps : kAndps, path.d, path.a, path.b);
            emitter_.jump(path.resume);
            emitter_.bind_short(unordered);
            vector(kAdd[w], path.d, path.a, path.b);
            emitter_.jump(path.resume);
            break;
        }
        case SlowPath::Kind::truncate: truncate_slow(path); break;
        case SlowPath::Kind::convert_u64:
            // Too large for a signed conversion: convert the half, its lowest bit sticky so that it rounds as the whole would.
            as().mov(gp64(kScratchGp), gp64(path.a));
            as().shr(gp64(kScratchGp), 1);
            {
                const std::int32_t even = emitter_.jump_short_if(Condition::kNC);
                as().or_(gp64(kScratchGp), 1);
                emitter_.bind_short(even);
            }
            integer_to_float(Width::w64, path.width, path.d, kScratchGp);
            vector(kAdd[w], path.d, path.d, path.d);
            emitter_.jump(path.resume);
            break;
    }
}

// --- conversions -------------------------------------------------------------------------------------------------------------

/// d = a signed integer as float. Clears d first: the instruction keeps its upper lanes and would wait for it.
void Masm::integer_to_float(Width from, Width to, Reg d, Reg a) {
    zero_vector(d);
    if (features_.avx) {
        as().emit(to == Width::w32 ? Inst::kIdVcvtsi2ss : Inst::kIdVcvtsi2sd, xmm(d), xmm(d), sized(from, a));
    } else {
        as().emit(to == Width::w32 ? Inst::kIdCvtsi2ss : Inst::kIdCvtsi2sd, xmm(d), sized(from, a));
    }
}

void Masm::convert_integer(Opcode op, Width from, Width to, bool is_signed, Reg d, Reg a) {
    if (is_signed) return integer_to_float(from, to, d, a);
    if (from == Width::w32) return integer_to_float(Width::w64, to, d, a);  // zero-extended, so it is a positive 64-bit number
    SlowPath& slow = slow_path(SlowPath::Kind::convert_u64, to, d, a, kNoReg);
    slow.op = op;
    as().test(gp64(a), gp64(a));
    emitter_.jump_if(Condition::kS, slow.entry);
    integer_to_float(Width::w64, to, d, a);
    emitter_.bind(slow.resume);
}

struct Masm::Truncation {
    Width from = Width::w32;
    Width to = Width::w32;
    bool is_signed = false;
    bool saturating = false;
};

Masm::Truncation Masm::truncation(Opcode op) {
    constexpr Width n = Width::w32;
    constexpr Width w = Width::w64;
    switch (op) {
        case Opcode::I32TruncF32S:    return {n, n, true, false};
        case Opcode::I32TruncF32U:    return {n, n, false, false};
        case Opcode::I32TruncF64S:    return {w, n, true, false};
        case Opcode::I32TruncF64U:    return {w, n, false, false};
        case Opcode::I64TruncF32S:    return {n, w, true, false};
        case Opcode::I64TruncF32U:    return {n, w, false, false};
        case Opcode::I64TruncF64S:    return {w, w, true, false};
        case Opcode::I64TruncF64U:    return {w, w, false, false};
        case Opcode::I32TruncSatF32S: return {n, n, true, true};
        case Opcode::I32TruncSatF32U: return {n, n, false, true};
        case Opcode::I32TruncSatF64S: return {w, n, true, true};
        case Opcode::I32TruncSatF64U: return {w, n, false, true};
        case Opcode::I64TruncSatF32S: return {n, w, true, true};
        case Opcode::I64TruncSatF32U: return {n, w, false, true};
        case Opcode::I64TruncSatF64S: return {w, w, true, true};
        default:                      return {w, w, false, true};
    }
}

void Masm::truncate(Opcode op, Reg d, Reg a) {
    const Truncation t = truncation(op);
    const std::uint32_t sse = t.from == Width::w32 ? Inst::kIdCvttss2si : Inst::kIdCvttsd2si;
    const std::uint32_t avx = t.from == Width::w32 ? Inst::kIdVcvttss2si : Inst::kIdVcvttsd2si;
    const std::uint32_t instruction = features_.avx ? avx : sse;
    SlowPath& slow = slow_path(SlowPath::Kind::truncate, t.from, d, a, kNoReg);
    slow.op = op;
    // What does not fit gives the least signed number.
    if (t.is_signed) {
        as().emit(instruction, sized(t.to, d), xmm(a));
        as().cmp(sized(t.to, d), 1);  // overflows for that number only
        emitter_.jump_if(Condition::kO, slow.entry);
    } else if (t.to == Width::w32) {
        as().emit(instruction, gp64(d), xmm(a));
        as().mov(gp64(kScratchGp), gp64(d));
        as().shr(gp64(kScratchGp), 32);
        emitter_.jump_if(Condition::kNZ, slow.entry);
    } else {
        as().emit(instruction, gp64(d), xmm(a));
        as().test(gp64(d), gp64(d));
        emitter_.jump_if(Condition::kS, slow.entry);
    }
    emitter_.bind(slow.resume);
}

/// Entered with the signed conversion's result in d, which is not the answer, or is the least number.
void Masm::truncate_slow(SlowPath& path) {
    const Truncation t = truncation(path.op);
    const bool narrow = t.from == Width::w32;
    const auto constant = [&](double value) {
        return narrow ? std::uint64_t{std::bit_cast<std::uint32_t>(static_cast<float>(value))} : std::bit_cast<std::uint64_t>(value);
    };
    const std::uint32_t bits = t.to == Width::w32 ? 32 : 64;
    const std::uint64_t most = t.to == Width::w32 ? 0xffff'ffffU : ~std::uint64_t{0};

    fp_compare(t.from, path.a, path.a);
    if (t.saturating) {
        const std::int32_t ordered = emitter_.jump_short_if(Condition::kNP);
        as().xor_(gp32(path.d), gp32(path.d));
        emitter_.jump(path.resume);
        emitter_.bind_short(ordered);
    } else {
        trap_if(Condition::kP, TrapCode::invalid_conversion_to_integer);
    }
    zero_vector(kScratchFp);
    fp_compare(t.from, path.a, kScratchFp);

    if (t.is_signed) {
        // Positive: too large. Negative: the least number itself, or too small.
        const std::uint64_t least = std::uint64_t{1} << (bits - 1);
        if (t.saturating) {
            emitter_.jump_if(Condition::kB, path.resume);
            mov_imm(t.to, path.d, least - 1);
            emitter_.jump(path.resume);
            return;
        }
        trap_if(Condition::kAE, TrapCode::integer_overflow);
        // In double, numbers between the least one and one below it truncate to it.
        const double bound = t.to == Width::w64 ? -0x1p63 : narrow ? -0x1p31 : -0x1p31 - 1;
        fp_const(t.from, kScratchFp, constant(bound));
        fp_compare(t.from, path.a, kScratchFp);
        trap_if(!narrow && t.to == Width::w32 ? Condition::kBE : Condition::kB, TrapCode::integer_overflow);
        emitter_.jump(path.resume);
        return;
    }

    // Unsigned, negative: a result of -1 or less, or too small even for a signed number.
    const auto below = [&] {
        as().xor_(gp32(path.d), gp32(path.d));
        emitter_.jump(path.resume);
    };
    const auto above = [&] {
        mov_imm(t.to, path.d, most);
        emitter_.jump(path.resume);
    };
    if (t.saturating) {
        const std::int32_t positive = emitter_.jump_short_if(Condition::kA);
        below();
        emitter_.bind_short(positive);
    } else {
        trap_if(Condition::kBE, TrapCode::integer_overflow);
    }
    if (t.to == Width::w32) {
        if (t.saturating) {
            above();
        } else {
            emitter_.jump(trap_label(TrapCode::integer_overflow));
        }
        return;
    }
    // 2^63 or more: convert what is above it, and add it again.
    fp_const(t.from, kScratchFp, constant(0x1p63));
    const Reg rest = kSecondScratchFpReg;
    vector(kSub[index(t.from)], rest, path.a, kScratchFp);
    const std::uint32_t sse = narrow ? Inst::kIdCvttss2si : Inst::kIdCvttsd2si;
    const std::uint32_t avx = narrow ? Inst::kIdVcvttss2si : Inst::kIdVcvttsd2si;
    as().emit(features_.avx ? avx : sse, gp64(path.d), xmm(rest));
    as().test(gp64(path.d), gp64(path.d));
    if (t.saturating) {
        const std::int32_t fits = emitter_.jump_short_if(Condition::kNS);
        above();
        emitter_.bind_short(fits);
    } else {
        trap_if(Condition::kS, TrapCode::integer_overflow);
    }
    as().btc(gp64(path.d), 63);
    emitter_.jump(path.resume);
}

void Masm::convert(Opcode op, Reg d, Reg a) {
    constexpr Width n = Width::w32;
    constexpr Width w = Width::w64;
    switch (op) {
        case Opcode::I32WrapI64:
        case Opcode::I64ExtendI32U:     return extend(ExtendOp::u32_64, d, a);
        case Opcode::I64ExtendI32S:     return extend(ExtendOp::s32_64, d, a);
        case Opcode::I32ReinterpretF32: return fp_to_gp(n, d, a);
        case Opcode::I64ReinterpretF64: return fp_to_gp(w, d, a);
        case Opcode::F32ReinterpretI32: return gp_to_fp(n, d, a);
        case Opcode::F64ReinterpretI64: return gp_to_fp(w, d, a);
        case Opcode::F32ConvertI32S:    return convert_integer(op, n, n, true, d, a);
        case Opcode::F32ConvertI32U:    return convert_integer(op, n, n, false, d, a);
        case Opcode::F32ConvertI64S:    return convert_integer(op, w, n, true, d, a);
        case Opcode::F32ConvertI64U:    return convert_integer(op, w, n, false, d, a);
        case Opcode::F64ConvertI32S:    return convert_integer(op, n, w, true, d, a);
        case Opcode::F64ConvertI32U:    return convert_integer(op, n, w, false, d, a);
        case Opcode::F64ConvertI64S:    return convert_integer(op, w, w, true, d, a);
        case Opcode::F64ConvertI64U:    return convert_integer(op, w, w, false, d, a);
        case Opcode::F64PromoteF32:
        case Opcode::F32DemoteF64:      {
            const VectorOp& conversion = kConvertFloat[op == Opcode::F64PromoteF32 ? 0 : 1];
            if (features_.avx) {
                as().emit(conversion.avx, xmm(d), xmm(a), xmm(a));
            } else {
                if (d != a) zero_vector(d);
                as().emit(conversion.sse, xmm(d), xmm(a));
            }
            return;
        }
        default: return truncate(op, d, a);
    }
}

}  // namespace pollux::x64
