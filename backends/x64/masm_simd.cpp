// Vector arithmetic, comparisons, conversions and shifts, by opcode.
//
// What is one instruction in both encodings stands in a table; the rest are short sequences through xmm14 and xmm15. In those,
// inputs are read before d is written, because d may be any of them.
#include <bit>

#include "backends/x64/masm.h"

namespace pollux::x64 {

using wasm::Opcode;
using wasm::V128;
namespace Inst = asmjit::x86::Inst;

namespace {

constexpr Reg kT0 = kScratchFpReg;
constexpr Reg kT1 = kSecondScratchFpReg;

// Only a spelling: asmjit names the two encodings Paddb and Vpaddb.
constexpr VectorOp pair(std::uint32_t sse, std::uint32_t avx, bool commutative = false) noexcept { return {sse, avx, commutative}; }

constexpr VectorOp kPand = pair(Inst::kIdPand, Inst::kIdVpand, true);
constexpr VectorOp kPandn = pair(Inst::kIdPandn, Inst::kIdVpandn);
constexpr VectorOp kPor = pair(Inst::kIdPor, Inst::kIdVpor, true);
constexpr VectorOp kPxor = pair(Inst::kIdPxor, Inst::kIdVpxor, true);
constexpr VectorOp kAndps = pair(Inst::kIdAndps, Inst::kIdVandps, true);
constexpr VectorOp kAndpd = pair(Inst::kIdAndpd, Inst::kIdVandpd, true);
constexpr VectorOp kXorps = pair(Inst::kIdXorps, Inst::kIdVxorps, true);
constexpr VectorOp kXorpd = pair(Inst::kIdXorpd, Inst::kIdVxorpd, true);
constexpr VectorOp kPaddd = pair(Inst::kIdPaddd, Inst::kIdVpaddd, true);
constexpr VectorOp kPaddb = pair(Inst::kIdPaddb, Inst::kIdVpaddb, true);
constexpr VectorOp kPaddq = pair(Inst::kIdPaddq, Inst::kIdVpaddq, true);
constexpr VectorOp kPsubd = pair(Inst::kIdPsubd, Inst::kIdVpsubd);
constexpr VectorOp kPsubq = pair(Inst::kIdPsubq, Inst::kIdVpsubq);
constexpr VectorOp kPshufb = pair(Inst::kIdPshufb, Inst::kIdVpshufb);
constexpr VectorOp kPshufd = pair(Inst::kIdPshufd, Inst::kIdVpshufd);
constexpr VectorOp kPcmpgtq = pair(Inst::kIdPcmpgtq, Inst::kIdVpcmpgtq);
constexpr VectorOp kPcmpeqw = pair(Inst::kIdPcmpeqw, Inst::kIdVpcmpeqw, true);
constexpr VectorOp kPmuludq = pair(Inst::kIdPmuludq, Inst::kIdVpmuludq, true);
constexpr VectorOp kPmuldq = pair(Inst::kIdPmuldq, Inst::kIdVpmuldq, true);
constexpr VectorOp kPmullw = pair(Inst::kIdPmullw, Inst::kIdVpmullw, true);
constexpr VectorOp kPmulhw = pair(Inst::kIdPmulhw, Inst::kIdVpmulhw, true);
constexpr VectorOp kPmulhuw = pair(Inst::kIdPmulhuw, Inst::kIdVpmulhuw, true);
constexpr VectorOp kPmulhrsw = pair(Inst::kIdPmulhrsw, Inst::kIdVpmulhrsw, true);
constexpr VectorOp kPmaddubsw = pair(Inst::kIdPmaddubsw, Inst::kIdVpmaddubsw);
constexpr VectorOp kPmaddwd = pair(Inst::kIdPmaddwd, Inst::kIdVpmaddwd, true);
constexpr VectorOp kPunpcklbw = pair(Inst::kIdPunpcklbw, Inst::kIdVpunpcklbw);
constexpr VectorOp kPunpckhbw = pair(Inst::kIdPunpckhbw, Inst::kIdVpunpckhbw);
constexpr VectorOp kPunpcklwd = pair(Inst::kIdPunpcklwd, Inst::kIdVpunpcklwd);
constexpr VectorOp kPunpckhwd = pair(Inst::kIdPunpckhwd, Inst::kIdVpunpckhwd);
constexpr VectorOp kUnpcklps = pair(Inst::kIdUnpcklps, Inst::kIdVunpcklps);
constexpr VectorOp kPacksswb = pair(Inst::kIdPacksswb, Inst::kIdVpacksswb);
constexpr VectorOp kPackuswb = pair(Inst::kIdPackuswb, Inst::kIdVpackuswb);
constexpr VectorOp kShufps = pair(Inst::kIdShufps, Inst::kIdVshufps);
constexpr VectorOp kPaddusb = pair(Inst::kIdPaddusb, Inst::kIdVpaddusb, true);
constexpr VectorOp kPmaxsd = pair(Inst::kIdPmaxsd, Inst::kIdVpmaxsd, true);
constexpr VectorOp kPsllw = pair(Inst::kIdPsllw, Inst::kIdVpsllw);
constexpr VectorOp kPslld = pair(Inst::kIdPslld, Inst::kIdVpslld);
constexpr VectorOp kPsllq = pair(Inst::kIdPsllq, Inst::kIdVpsllq);
constexpr VectorOp kPaddw = pair(Inst::kIdPaddw, Inst::kIdVpaddw, true);
constexpr VectorOp kPsubw = pair(Inst::kIdPsubw, Inst::kIdVpsubw);
constexpr VectorOp kPsrlw = pair(Inst::kIdPsrlw, Inst::kIdVpsrlw);
constexpr VectorOp kPsrld = pair(Inst::kIdPsrld, Inst::kIdVpsrld);
constexpr VectorOp kPsrlq = pair(Inst::kIdPsrlq, Inst::kIdVpsrlq);
constexpr VectorOp kPsraw = pair(Inst::kIdPsraw, Inst::kIdVpsraw);
constexpr VectorOp kPsrad = pair(Inst::kIdPsrad, Inst::kIdVpsrad);
constexpr VectorOp kPmovsxbw = pair(Inst::kIdPmovsxbw, Inst::kIdVpmovsxbw);
constexpr VectorOp kPmovzxbw = pair(Inst::kIdPmovzxbw, Inst::kIdVpmovzxbw);
constexpr VectorOp kPmovsxwd = pair(Inst::kIdPmovsxwd, Inst::kIdVpmovsxwd);
constexpr VectorOp kPmovzxwd = pair(Inst::kIdPmovzxwd, Inst::kIdVpmovzxwd);
constexpr VectorOp kPmovsxdq = pair(Inst::kIdPmovsxdq, Inst::kIdVpmovsxdq);
constexpr VectorOp kPmovzxdq = pair(Inst::kIdPmovzxdq, Inst::kIdVpmovzxdq);
constexpr VectorOp kCmpps = pair(Inst::kIdCmpps, Inst::kIdVcmpps);
constexpr VectorOp kCmppd = pair(Inst::kIdCmppd, Inst::kIdVcmppd);
constexpr VectorOp kAddps = pair(Inst::kIdAddps, Inst::kIdVaddps, true);
constexpr VectorOp kAddpd = pair(Inst::kIdAddpd, Inst::kIdVaddpd, true);
constexpr VectorOp kSubps = pair(Inst::kIdSubps, Inst::kIdVsubps);
constexpr VectorOp kSubpd = pair(Inst::kIdSubpd, Inst::kIdVsubpd);
constexpr VectorOp kMulps = pair(Inst::kIdMulps, Inst::kIdVmulps, true);
constexpr VectorOp kMulpd = pair(Inst::kIdMulpd, Inst::kIdVmulpd, true);
constexpr VectorOp kMinps = pair(Inst::kIdMinps, Inst::kIdVminps);
constexpr VectorOp kMinpd = pair(Inst::kIdMinpd, Inst::kIdVminpd);
constexpr VectorOp kMaxps = pair(Inst::kIdMaxps, Inst::kIdVmaxps);
constexpr VectorOp kMaxpd = pair(Inst::kIdMaxpd, Inst::kIdVmaxpd);
constexpr VectorOp kSqrtps = pair(Inst::kIdSqrtps, Inst::kIdVsqrtps);
constexpr VectorOp kSqrtpd = pair(Inst::kIdSqrtpd, Inst::kIdVsqrtpd);
constexpr VectorOp kRoundps = pair(Inst::kIdRoundps, Inst::kIdVroundps);
constexpr VectorOp kRoundpd = pair(Inst::kIdRoundpd, Inst::kIdVroundpd);
constexpr VectorOp kCvtdq2ps = pair(Inst::kIdCvtdq2ps, Inst::kIdVcvtdq2ps);
constexpr VectorOp kCvtdq2pd = pair(Inst::kIdCvtdq2pd, Inst::kIdVcvtdq2pd);
constexpr VectorOp kCvtpd2ps = pair(Inst::kIdCvtpd2ps, Inst::kIdVcvtpd2ps);
constexpr VectorOp kCvtps2pd = pair(Inst::kIdCvtps2pd, Inst::kIdVcvtps2pd);
constexpr VectorOp kCvttps2dq = pair(Inst::kIdCvttps2dq, Inst::kIdVcvttps2dq);
constexpr VectorOp kCvttpd2dq = pair(Inst::kIdCvttpd2dq, Inst::kIdVcvttpd2dq);
constexpr VectorOp kPabsb = pair(Inst::kIdPabsb, Inst::kIdVpabsb);
constexpr VectorOp kPabsw = pair(Inst::kIdPabsw, Inst::kIdVpabsw);
constexpr VectorOp kPabsd = pair(Inst::kIdPabsd, Inst::kIdVpabsd);

// Comparison predicates of cmpps and cmppd, and the rounding modes of roundps and roundpd (without the inexact exception).
constexpr std::uint8_t kEqual = 0, kLess = 1, kLessEqual = 2, kUnordered = 3, kNotEqual = 4;
constexpr std::uint8_t kNearest = 8, kFloor = 9, kCeil = 10, kTruncate = 11;

constexpr V128 each32(std::uint32_t lane) noexcept {
    const std::uint64_t half = lane | std::uint64_t{lane} << 32;
    return {half, half};
}
constexpr V128 each8(std::uint8_t lane) noexcept { return each32(lane * 0x0101'0101U); }
constexpr V128 each16(std::uint16_t lane) noexcept { return each32(lane * 0x0001'0001U); }
constexpr V128 each64(std::uint64_t lane) noexcept { return {lane, lane}; }
constexpr V128 both(double lane) noexcept { return each64(std::bit_cast<std::uint64_t>(lane)); }

/// The instruction that does what a relaxed one does in the deterministic profile; itself if there is none, or if it is not relaxed.
constexpr Opcode deterministic(Opcode op) noexcept {
    switch (op) {
        case Opcode::I8x16RelaxedSwizzle:         return Opcode::I8x16Swizzle;
        case Opcode::I32x4RelaxedTruncF32x4S:     return Opcode::I32x4TruncSatF32x4S;
        case Opcode::I32x4RelaxedTruncF32x4U:     return Opcode::I32x4TruncSatF32x4U;
        case Opcode::I32x4RelaxedTruncF64x2SZero: return Opcode::I32x4TruncSatF64x2SZero;
        case Opcode::I32x4RelaxedTruncF64x2UZero: return Opcode::I32x4TruncSatF64x2UZero;
        case Opcode::I8x16RelaxedLaneselect:
        case Opcode::I16x8RelaxedLaneselect:
        case Opcode::I32x4RelaxedLaneselect:
        case Opcode::I64x2RelaxedLaneselect:      return Opcode::V128Bitselect;
        case Opcode::F32x4RelaxedMin:             return Opcode::F32x4Min;
        case Opcode::F32x4RelaxedMax:             return Opcode::F32x4Max;
        case Opcode::F64x2RelaxedMin:             return Opcode::F64x2Min;
        case Opcode::F64x2RelaxedMax:             return Opcode::F64x2Max;
        case Opcode::I16x8RelaxedQ15mulrS:        return Opcode::I16x8Q15mulrSatS;
        default:                                  return op;
    }
}

/// How a two-input opcode maps to instructions.
struct Binary {
    enum class Form : std::uint8_t {
        none,
        plain,           ///< d = a op b
        swapped,         ///< d = b op a
        complemented,    ///< d = not (a op b)
        equals_op,       ///< d = (a op b) == a, op a minimum or maximum, `second` the comparison
        not_equals_op,   ///< … negated
        predicate,       ///< d = a op b with an immediate
        predicate_swapped,
    };
    Form form = Form::none;
    VectorOp op;
    VectorOp second;
    std::uint8_t immediate = 0;
};

constexpr Binary plain(std::uint32_t sse, std::uint32_t avx, bool commutative) {
    return {Binary::Form::plain, pair(sse, avx, commutative), {}, 0};
}
constexpr Binary swapped(std::uint32_t sse, std::uint32_t avx) { return {Binary::Form::swapped, pair(sse, avx), {}, 0}; }
constexpr Binary complemented(std::uint32_t sse, std::uint32_t avx) { return {Binary::Form::complemented, pair(sse, avx), {}, 0}; }
constexpr Binary float_compare(const VectorOp& op, std::uint8_t predicate, bool swap = false) {
    return {swap ? Binary::Form::predicate_swapped : Binary::Form::predicate, op, {}, predicate};
}

/// The opcodes that are one or two instructions.
constexpr Binary binary_form(Opcode op) {
    constexpr bool c = true;
    constexpr bool n = false;
    const auto equals = [](std::uint32_t sse, std::uint32_t avx, const VectorOp& compare) {
        return Binary{Binary::Form::equals_op, pair(sse, avx, true), compare, 0};
    };
    const auto differs = [](std::uint32_t sse, std::uint32_t avx, const VectorOp& compare) {
        return Binary{Binary::Form::not_equals_op, pair(sse, avx, true), compare, 0};
    };
    const VectorOp eq8 = pair(Inst::kIdPcmpeqb, Inst::kIdVpcmpeqb, true);
    const VectorOp eq16 = kPcmpeqw;
    const VectorOp eq32 = pair(Inst::kIdPcmpeqd, Inst::kIdVpcmpeqd, true);
    switch (op) {
        case Opcode::V128And:    return plain(Inst::kIdPand, Inst::kIdVpand, c);
        case Opcode::V128Or:     return plain(Inst::kIdPor, Inst::kIdVpor, c);
        case Opcode::V128Xor:    return plain(Inst::kIdPxor, Inst::kIdVpxor, c);
        case Opcode::V128Andnot: return swapped(Inst::kIdPandn, Inst::kIdVpandn);

        case Opcode::I8x16Add:            return plain(Inst::kIdPaddb, Inst::kIdVpaddb, c);
        case Opcode::I8x16AddSatS:        return plain(Inst::kIdPaddsb, Inst::kIdVpaddsb, c);
        case Opcode::I8x16AddSatU:        return plain(Inst::kIdPaddusb, Inst::kIdVpaddusb, c);
        case Opcode::I8x16Sub:            return plain(Inst::kIdPsubb, Inst::kIdVpsubb, n);
        case Opcode::I8x16SubSatS:        return plain(Inst::kIdPsubsb, Inst::kIdVpsubsb, n);
        case Opcode::I8x16SubSatU:        return plain(Inst::kIdPsubusb, Inst::kIdVpsubusb, n);
        case Opcode::I8x16MinS:           return plain(Inst::kIdPminsb, Inst::kIdVpminsb, c);
        case Opcode::I8x16MinU:           return plain(Inst::kIdPminub, Inst::kIdVpminub, c);
        case Opcode::I8x16MaxS:           return plain(Inst::kIdPmaxsb, Inst::kIdVpmaxsb, c);
        case Opcode::I8x16MaxU:           return plain(Inst::kIdPmaxub, Inst::kIdVpmaxub, c);
        case Opcode::I8x16AvgrU:          return plain(Inst::kIdPavgb, Inst::kIdVpavgb, c);
        case Opcode::I8x16NarrowI16x8S:   return plain(Inst::kIdPacksswb, Inst::kIdVpacksswb, n);
        case Opcode::I8x16NarrowI16x8U:   return plain(Inst::kIdPackuswb, Inst::kIdVpackuswb, n);
        case Opcode::I8x16RelaxedSwizzle: return plain(Inst::kIdPshufb, Inst::kIdVpshufb, n);
        case Opcode::I8x16Eq:             return plain(Inst::kIdPcmpeqb, Inst::kIdVpcmpeqb, c);
        case Opcode::I8x16Ne:             return complemented(Inst::kIdPcmpeqb, Inst::kIdVpcmpeqb);
        case Opcode::I8x16GtS:            return plain(Inst::kIdPcmpgtb, Inst::kIdVpcmpgtb, n);
        case Opcode::I8x16LtS:            return swapped(Inst::kIdPcmpgtb, Inst::kIdVpcmpgtb);
        case Opcode::I8x16LeS:            return equals(Inst::kIdPminsb, Inst::kIdVpminsb, eq8);
        case Opcode::I8x16GeS:            return equals(Inst::kIdPmaxsb, Inst::kIdVpmaxsb, eq8);
        case Opcode::I8x16LeU:            return equals(Inst::kIdPminub, Inst::kIdVpminub, eq8);
        case Opcode::I8x16GeU:            return equals(Inst::kIdPmaxub, Inst::kIdVpmaxub, eq8);
        case Opcode::I8x16LtU:            return differs(Inst::kIdPmaxub, Inst::kIdVpmaxub, eq8);
        case Opcode::I8x16GtU:            return differs(Inst::kIdPminub, Inst::kIdVpminub, eq8);

        case Opcode::I16x8Add:                   return plain(Inst::kIdPaddw, Inst::kIdVpaddw, c);
        case Opcode::I16x8AddSatS:               return plain(Inst::kIdPaddsw, Inst::kIdVpaddsw, c);
        case Opcode::I16x8AddSatU:               return plain(Inst::kIdPaddusw, Inst::kIdVpaddusw, c);
        case Opcode::I16x8Sub:                   return plain(Inst::kIdPsubw, Inst::kIdVpsubw, n);
        case Opcode::I16x8SubSatS:               return plain(Inst::kIdPsubsw, Inst::kIdVpsubsw, n);
        case Opcode::I16x8SubSatU:               return plain(Inst::kIdPsubusw, Inst::kIdVpsubusw, n);
        case Opcode::I16x8Mul:                   return plain(Inst::kIdPmullw, Inst::kIdVpmullw, c);
        case Opcode::I16x8MinS:                  return plain(Inst::kIdPminsw, Inst::kIdVpminsw, c);
        case Opcode::I16x8MinU:                  return plain(Inst::kIdPminuw, Inst::kIdVpminuw, c);
        case Opcode::I16x8MaxS:                  return plain(Inst::kIdPmaxsw, Inst::kIdVpmaxsw, c);
        case Opcode::I16x8MaxU:                  return plain(Inst::kIdPmaxuw, Inst::kIdVpmaxuw, c);
        case Opcode::I16x8AvgrU:                 return plain(Inst::kIdPavgw, Inst::kIdVpavgw, c);
        case Opcode::I16x8NarrowI32x4S:          return plain(Inst::kIdPackssdw, Inst::kIdVpackssdw, n);
        case Opcode::I16x8NarrowI32x4U:          return plain(Inst::kIdPackusdw, Inst::kIdVpackusdw, n);
        case Opcode::I16x8RelaxedQ15mulrS:       return plain(Inst::kIdPmulhrsw, Inst::kIdVpmulhrsw, c);
        case Opcode::I16x8RelaxedDotI8x16I7x16S: return swapped(Inst::kIdPmaddubsw, Inst::kIdVpmaddubsw);  // b is the unsigned one
        case Opcode::I16x8Eq:                    return plain(Inst::kIdPcmpeqw, Inst::kIdVpcmpeqw, c);
        case Opcode::I16x8Ne:                    return complemented(Inst::kIdPcmpeqw, Inst::kIdVpcmpeqw);
        case Opcode::I16x8GtS:                   return plain(Inst::kIdPcmpgtw, Inst::kIdVpcmpgtw, n);
        case Opcode::I16x8LtS:                   return swapped(Inst::kIdPcmpgtw, Inst::kIdVpcmpgtw);
        case Opcode::I16x8LeS:                   return equals(Inst::kIdPminsw, Inst::kIdVpminsw, eq16);
        case Opcode::I16x8GeS:                   return equals(Inst::kIdPmaxsw, Inst::kIdVpmaxsw, eq16);
        case Opcode::I16x8LeU:                   return equals(Inst::kIdPminuw, Inst::kIdVpminuw, eq16);
        case Opcode::I16x8GeU:                   return equals(Inst::kIdPmaxuw, Inst::kIdVpmaxuw, eq16);
        case Opcode::I16x8LtU:                   return differs(Inst::kIdPmaxuw, Inst::kIdVpmaxuw, eq16);
        case Opcode::I16x8GtU:                   return differs(Inst::kIdPminuw, Inst::kIdVpminuw, eq16);

        case Opcode::I32x4Add:       return plain(Inst::kIdPaddd, Inst::kIdVpaddd, c);
        case Opcode::I32x4Sub:       return plain(Inst::kIdPsubd, Inst::kIdVpsubd, n);
        case Opcode::I32x4Mul:       return plain(Inst::kIdPmulld, Inst::kIdVpmulld, c);
        case Opcode::I32x4MinS:      return plain(Inst::kIdPminsd, Inst::kIdVpminsd, c);
        case Opcode::I32x4MinU:      return plain(Inst::kIdPminud, Inst::kIdVpminud, c);
        case Opcode::I32x4MaxS:      return plain(Inst::kIdPmaxsd, Inst::kIdVpmaxsd, c);
        case Opcode::I32x4MaxU:      return plain(Inst::kIdPmaxud, Inst::kIdVpmaxud, c);
        case Opcode::I32x4DotI16x8S: return plain(Inst::kIdPmaddwd, Inst::kIdVpmaddwd, c);
        case Opcode::I32x4Eq:        return plain(Inst::kIdPcmpeqd, Inst::kIdVpcmpeqd, c);
        case Opcode::I32x4Ne:        return complemented(Inst::kIdPcmpeqd, Inst::kIdVpcmpeqd);
        case Opcode::I32x4GtS:       return plain(Inst::kIdPcmpgtd, Inst::kIdVpcmpgtd, n);
        case Opcode::I32x4LtS:       return swapped(Inst::kIdPcmpgtd, Inst::kIdVpcmpgtd);
        case Opcode::I32x4LeS:       return equals(Inst::kIdPminsd, Inst::kIdVpminsd, eq32);
        case Opcode::I32x4GeS:       return equals(Inst::kIdPmaxsd, Inst::kIdVpmaxsd, eq32);
        case Opcode::I32x4LeU:       return equals(Inst::kIdPminud, Inst::kIdVpminud, eq32);
        case Opcode::I32x4GeU:       return equals(Inst::kIdPmaxud, Inst::kIdVpmaxud, eq32);
        case Opcode::I32x4LtU:       return differs(Inst::kIdPmaxud, Inst::kIdVpmaxud, eq32);
        case Opcode::I32x4GtU:       return differs(Inst::kIdPminud, Inst::kIdVpminud, eq32);

        case Opcode::I64x2Add: return plain(Inst::kIdPaddq, Inst::kIdVpaddq, c);
        case Opcode::I64x2Sub: return plain(Inst::kIdPsubq, Inst::kIdVpsubq, n);
        case Opcode::I64x2Eq:  return plain(Inst::kIdPcmpeqq, Inst::kIdVpcmpeqq, c);
        case Opcode::I64x2Ne:  return complemented(Inst::kIdPcmpeqq, Inst::kIdVpcmpeqq);
        case Opcode::I64x2GtS: return plain(Inst::kIdPcmpgtq, Inst::kIdVpcmpgtq, n);
        case Opcode::I64x2LtS: return swapped(Inst::kIdPcmpgtq, Inst::kIdVpcmpgtq);
        case Opcode::I64x2LeS: return complemented(Inst::kIdPcmpgtq, Inst::kIdVpcmpgtq);

        case Opcode::F32x4Add:        return plain(Inst::kIdAddps, Inst::kIdVaddps, c);
        case Opcode::F32x4Sub:        return plain(Inst::kIdSubps, Inst::kIdVsubps, n);
        case Opcode::F32x4Mul:        return plain(Inst::kIdMulps, Inst::kIdVmulps, c);
        case Opcode::F32x4Div:        return plain(Inst::kIdDivps, Inst::kIdVdivps, n);
        case Opcode::F32x4Pmin:       return swapped(Inst::kIdMinps, Inst::kIdVminps);
        case Opcode::F32x4Pmax:       return swapped(Inst::kIdMaxps, Inst::kIdVmaxps);
        case Opcode::F32x4RelaxedMin: return plain(Inst::kIdMinps, Inst::kIdVminps, n);
        case Opcode::F32x4RelaxedMax: return plain(Inst::kIdMaxps, Inst::kIdVmaxps, n);
        case Opcode::F32x4Eq:         return float_compare(kCmpps, kEqual);
        case Opcode::F32x4Ne:         return float_compare(kCmpps, kNotEqual);
        case Opcode::F32x4Lt:         return float_compare(kCmpps, kLess);
        case Opcode::F32x4Le:         return float_compare(kCmpps, kLessEqual);
        case Opcode::F32x4Gt:         return float_compare(kCmpps, kLess, true);
        case Opcode::F32x4Ge:         return float_compare(kCmpps, kLessEqual, true);

        case Opcode::F64x2Add:        return plain(Inst::kIdAddpd, Inst::kIdVaddpd, c);
        case Opcode::F64x2Sub:        return plain(Inst::kIdSubpd, Inst::kIdVsubpd, n);
        case Opcode::F64x2Mul:        return plain(Inst::kIdMulpd, Inst::kIdVmulpd, c);
        case Opcode::F64x2Div:        return plain(Inst::kIdDivpd, Inst::kIdVdivpd, n);
        case Opcode::F64x2Pmin:       return swapped(Inst::kIdMinpd, Inst::kIdVminpd);
        case Opcode::F64x2Pmax:       return swapped(Inst::kIdMaxpd, Inst::kIdVmaxpd);
        case Opcode::F64x2RelaxedMin: return plain(Inst::kIdMinpd, Inst::kIdVminpd, n);
        case Opcode::F64x2RelaxedMax: return plain(Inst::kIdMaxpd, Inst::kIdVmaxpd, n);
        case Opcode::F64x2Eq:         return float_compare(kCmppd, kEqual);
        case Opcode::F64x2Ne:         return float_compare(kCmppd, kNotEqual);
        case Opcode::F64x2Lt:         return float_compare(kCmppd, kLess);
        case Opcode::F64x2Le:         return float_compare(kCmppd, kLessEqual);
        case Opcode::F64x2Gt:         return float_compare(kCmppd, kLess, true);
        case Opcode::F64x2Ge:         return float_compare(kCmppd, kLessEqual, true);
        default:                      return {};
    }
}

}  // namespace

// --- two inputs --------------------------------------------------------------------------------------------------------------

void Masm::complement(Reg d) {
    all_ones(kT0);
    vector(kPxor, d, d, kT0);
}

void Masm::simd_binary(Opcode op, Reg d, Reg a, Reg b) {
    if (environment_->relaxed_simd_deterministic) {
        op = deterministic(op);
        if (op == Opcode::I16x8RelaxedDotI8x16I7x16S) {
            dot_signed_bytes(a, b);
            return move_vector(d, kT0);
        }
    }
    const Binary binary = binary_form(op);
    switch (binary.form) {
        case Binary::Form::plain:        return vector(binary.op, d, a, b);
        case Binary::Form::swapped:      return vector(binary.op, d, b, a);
        case Binary::Form::complemented: vector(binary.op, d, a, b); return complement(d);
        case Binary::Form::equals_op:
        case Binary::Form::not_equals_op:
            vector(binary.op, kT1, a, b);
            vector(binary.second, d, a, kT1);
            if (binary.form == Binary::Form::not_equals_op) complement(d);
            return;
        case Binary::Form::predicate:         return vector(binary.op, d, a, b, binary.immediate);
        case Binary::Form::predicate_swapped: return vector(binary.op, d, b, a, binary.immediate);
        case Binary::Form::none:              break;
    }
    switch (op) {
        case Opcode::I8x16Swizzle:  // indices of 16 and more must have their top bit set
            vector(kPaddusb, kT1, b, each8(0x70));
            return vector(kPshufb, d, a, kT1);
        case Opcode::I16x8Q15mulrSatS:  // -1 times -1 is the one product out of range
            vector(kPmulhrsw, kT1, a, b);
            vector(kPcmpeqw, kT0, kT1, each16(0x8000));
            return vector(kPxor, d, kT1, kT0);
        case Opcode::I64x2GeS: vector(kPcmpgtq, d, b, a); return complement(d);
        case Opcode::I64x2Mul: return multiply_i64x2(d, a, b);
        case Opcode::F32x4Min: return float_min_max(false, false, d, a, b);
        case Opcode::F32x4Max: return float_min_max(true, false, d, a, b);
        case Opcode::F64x2Min: return float_min_max(false, true, d, a, b);
        case Opcode::F64x2Max: return float_min_max(true, true, d, a, b);
        default:               return extended_multiply(op, d, a, b);
    }
}

/// minps and maxps return their second operand for NaNs and zeros: do both orders, combine, and make NaNs canonical.
void Masm::float_min_max(bool max, bool wide, Reg d, Reg a, Reg b) {
    const VectorOp& op = max ? (wide ? kMaxpd : kMaxps) : (wide ? kMinpd : kMinps);
    vector(op, kT0, a, b);
    vector(op, kT1, b, a);
    vector(max ? kPand : kPor, kT0, kT0, kT1);  // -0 wins in min, +0 in max
    if (features_.avx) {
        as().emit(wide ? kCmppd.avx : kCmpps.avx, xmm(kT1), xmm(a), xmm(b), asmjit::Imm(kUnordered));
    } else {
        move_vector(kT1, a);
        as().emit(wide ? kCmppd.sse : kCmpps.sse, xmm(kT1), xmm(b), asmjit::Imm(kUnordered));
    }
    vector(kPor, kT0, kT0, kT1);
    shift_immediate(wide ? kPsrlq : kPsrld, kT1, kT1, wide ? 13 : 10);  // all but sign, exponent and quiet bit
    vector(kPandn, d, kT1, kT0);
}

void Masm::multiply_i64x2(Reg d, Reg a, Reg b) {
    // low × low + ((high × low + low × high) << 32)
    shift_immediate(kPsrlq, kT0, a, 32);
    vector(kPmuludq, kT0, kT0, b);
    shift_immediate(kPsrlq, kT1, b, 32);
    vector(kPmuludq, kT1, kT1, a);
    vector(kPaddq, kT0, kT0, kT1);
    shift_immediate(kPsllq, kT0, kT0, 32);
    vector(kPmuludq, kT1, a, b);
    vector(kPaddq, d, kT1, kT0);
}

void Masm::extended_multiply(Opcode op, Reg d, Reg a, Reg b) {
    const auto words = [&](const VectorOp& high_product, const VectorOp& interleave) {
        vector(kPmullw, kT0, a, b);
        vector(high_product, kT1, a, b);
        vector(interleave, d, kT0, kT1);
    };
    const auto dwords = [&](const VectorOp& product, std::uint8_t order) {
        vector1(kPshufd, kT0, a, order);
        vector1(kPshufd, kT1, b, order);
        vector(product, d, kT0, kT1);
    };
    const auto bytes = [&](const VectorOp& extension, bool high) {
        if (high) {
            extend_high(extension, kT0, a);
            extend_high(extension, kT1, b);
        } else {
            vector1(extension, kT0, a);
            vector1(extension, kT1, b);
        }
        vector(kPmullw, d, kT0, kT1);
    };
    constexpr std::uint8_t kLowPairs = 0x50;   // lanes 0 0 1 1
    constexpr std::uint8_t kHighPairs = 0xfa;  // lanes 2 2 3 3
    switch (op) {
        case Opcode::I16x8ExtmulLowI8x16S:  return bytes(kPmovsxbw, false);
        case Opcode::I16x8ExtmulHighI8x16S: return bytes(kPmovsxbw, true);
        case Opcode::I16x8ExtmulLowI8x16U:  return bytes(kPmovzxbw, false);
        case Opcode::I16x8ExtmulHighI8x16U: return bytes(kPmovzxbw, true);
        case Opcode::I32x4ExtmulLowI16x8S:  return words(kPmulhw, kPunpcklwd);
        case Opcode::I32x4ExtmulHighI16x8S: return words(kPmulhw, kPunpckhwd);
        case Opcode::I32x4ExtmulLowI16x8U:  return words(kPmulhuw, kPunpcklwd);
        case Opcode::I32x4ExtmulHighI16x8U: return words(kPmulhuw, kPunpckhwd);
        case Opcode::I64x2ExtmulLowI32x4S:  return dwords(kPmuldq, kLowPairs);
        case Opcode::I64x2ExtmulHighI32x4S: return dwords(kPmuldq, kHighPairs);
        case Opcode::I64x2ExtmulLowI32x4U:  return dwords(kPmuludq, kLowPairs);
        default:                            return dwords(kPmuludq, kHighPairs);
    }
}

// --- three inputs ------------------------------------------------------------------------------------------------------------

/// kT0 = the sums of pairs of products of signed bytes, modulo 2^16. pmaddubsw takes one side as unsigned and saturates, so b goes in
/// halves: its low four bits, and its high ones plus 8, which 8 times the sum of a's bytes takes back.
void Masm::dot_signed_bytes(Reg a, Reg b) {
    vector(kPand, kT0, b, each8(0x0f));
    vector(kPmaddubsw, kT0, kT0, a);
    shift_immediate(kPsrlw, kT1, b, 4);
    vector(kPand, kT1, kT1, each8(0x0f));
    vector(kPxor, kT1, kT1, each8(0x08));
    vector(kPmaddubsw, kT1, kT1, a);
    shift_immediate(kPsllw, kT1, kT1, 4);
    vector(kPaddw, kT0, kT0, kT1);
    v128_const(kT1, each8(0x08));
    vector(kPmaddubsw, kT1, kT1, a);
    shift_immediate(kPsllw, kT1, kT1, 4);
    vector(kPsubw, kT0, kT0, kT1);
}

void Masm::simd_ternary(Opcode op, Reg d, Reg a, Reg b, Reg c) {
    if (environment_->relaxed_simd_deterministic) {
        op = deterministic(op);
        if (op == Opcode::I32x4RelaxedDotI8x16I7x16AddS) {
            dot_signed_bytes(a, b);
            vector(kPmaddwd, kT0, kT0, each16(1));
            return vector(kPaddd, d, kT0, c);
        }
    }
    switch (op) {
        case Opcode::F32x4RelaxedMadd:  return fused_multiply_add(false, false, d, a, b, c);
        case Opcode::F32x4RelaxedNmadd: return fused_multiply_add(true, false, d, a, b, c);
        case Opcode::F64x2RelaxedMadd:  return fused_multiply_add(false, true, d, a, b, c);
        case Opcode::F64x2RelaxedNmadd: return fused_multiply_add(true, true, d, a, b, c);
        case Opcode::I32x4RelaxedDotI8x16I7x16AddS:
            vector(kPmaddubsw, kT1, b, a);
            vector(kPmaddwd, kT1, kT1, each16(1));
            return vector(kPaddd, d, kT1, c);
        default: break;
    }
    if (features_.avx) {  // the relaxed ones may look at top bits only
        switch (op) {
            case Opcode::I8x16RelaxedLaneselect: as().vpblendvb(xmm(d), xmm(b), xmm(a), xmm(c)); return;
            case Opcode::I32x4RelaxedLaneselect: as().vblendvps(xmm(d), xmm(b), xmm(a), xmm(c)); return;
            case Opcode::I64x2RelaxedLaneselect: as().vblendvpd(xmm(d), xmm(b), xmm(a), xmm(c)); return;
            default:                             break;
        }
    }
    select_bits(d, a, b, c);
}

void Masm::select_bits(Reg d, Reg a, Reg b, Reg mask) {
    vector(kPand, kT0, a, mask);
    vector(kPandn, kT1, mask, b);
    vector(kPor, d, kT0, kT1);
}

/// d = ±(a × b) + c; fused if the processor can.
void Masm::fused_multiply_add(bool negated, bool wide, Reg d, Reg a, Reg b, Reg c) {
    if (!features_.fma) {
        vector(wide ? kMulpd : kMulps, kT1, a, b);
        if (negated) {
            vector(wide ? kSubpd : kSubps, d, c, kT1);
        } else {
            vector(wide ? kAddpd : kAddps, d, kT1, c);
        }
        return;
    }
    constexpr std::uint32_t k213[2][2] = {{Inst::kIdVfmadd213ps, Inst::kIdVfmadd213pd}, {Inst::kIdVfnmadd213ps, Inst::kIdVfnmadd213pd}};
    constexpr std::uint32_t k231[2][2] = {{Inst::kIdVfmadd231ps, Inst::kIdVfmadd231pd}, {Inst::kIdVfnmadd231ps, Inst::kIdVfnmadd231pd}};
    if (d == c && d != a && d != b) {
        as().emit(k231[negated][wide], xmm(d), xmm(a), xmm(b));
    } else if (d == b) {
        as().emit(k213[negated][wide], xmm(d), xmm(a), xmm(c));
    } else {
        move_vector(d, a);
        as().emit(k213[negated][wide], xmm(d), xmm(b), xmm(c));
    }
}

// --- one input ---------------------------------------------------------------------------------------------------------------

void Masm::extend_high(const VectorOp& op, Reg d, Reg a) {
    vector1(kPshufd, d, a, 0xee);
    vector1(op, d, d);
}

void Masm::simd_unary(Opcode op, Reg d, Reg a) {
    if (environment_->relaxed_simd_deterministic) op = deterministic(op);
    const auto negate_lanes = [&](std::uint32_t sse, std::uint32_t avx) {
        zero_vector(kT1);
        vector(pair(sse, avx), d, kT1, a);
    };
    switch (op) {
        case Opcode::V128Not:  all_ones(kT0); return vector(kPxor, d, a, kT0);
        case Opcode::I8x16Abs: return vector1(kPabsb, d, a);
        case Opcode::I16x8Abs: return vector1(kPabsw, d, a);
        case Opcode::I32x4Abs: return vector1(kPabsd, d, a);
        case Opcode::I64x2Abs:
            zero_vector(kT1);
            vector(kPcmpgtq, kT1, kT1, a);
            vector(kPxor, d, a, kT1);
            return vector(kPsubq, d, d, kT1);
        case Opcode::I8x16Neg:    return negate_lanes(Inst::kIdPsubb, Inst::kIdVpsubb);
        case Opcode::I16x8Neg:    return negate_lanes(Inst::kIdPsubw, Inst::kIdVpsubw);
        case Opcode::I32x4Neg:    return negate_lanes(Inst::kIdPsubd, Inst::kIdVpsubd);
        case Opcode::I64x2Neg:    return negate_lanes(Inst::kIdPsubq, Inst::kIdVpsubq);
        case Opcode::I8x16Popcnt: {
            // A table of the counts of 4 bits, looked up for both halves of each byte.
            constexpr V128 kCounts{0x0302'0201'0201'0100, 0x0403'0302'0302'0201};
            vector(kPand, kT0, a, each8(0x0f));
            shift_immediate(kPsrlw, kT1, a, 4);
            vector(kPand, kT1, kT1, each8(0x0f));
            v128_const(d, kCounts);
            vector(kPshufb, d, d, kT0);
            v128_const(kT0, kCounts);
            vector(kPshufb, kT0, kT0, kT1);
            return vector(kPaddb, d, d, kT0);
        }
        case Opcode::I16x8ExtendLowI8x16S:  return vector1(kPmovsxbw, d, a);
        case Opcode::I16x8ExtendLowI8x16U:  return vector1(kPmovzxbw, d, a);
        case Opcode::I32x4ExtendLowI16x8S:  return vector1(kPmovsxwd, d, a);
        case Opcode::I32x4ExtendLowI16x8U:  return vector1(kPmovzxwd, d, a);
        case Opcode::I64x2ExtendLowI32x4S:  return vector1(kPmovsxdq, d, a);
        case Opcode::I64x2ExtendLowI32x4U:  return vector1(kPmovzxdq, d, a);
        case Opcode::I16x8ExtendHighI8x16S: return extend_high(kPmovsxbw, d, a);
        case Opcode::I16x8ExtendHighI8x16U: return extend_high(kPmovzxbw, d, a);
        case Opcode::I32x4ExtendHighI16x8S: return extend_high(kPmovsxwd, d, a);
        case Opcode::I32x4ExtendHighI16x8U: return extend_high(kPmovzxwd, d, a);
        case Opcode::I64x2ExtendHighI32x4S: return extend_high(kPmovsxdq, d, a);
        case Opcode::I64x2ExtendHighI32x4U: return extend_high(kPmovzxdq, d, a);
        case Opcode::I16x8ExtaddPairwiseI8x16S:  // the instruction's first operand is the unsigned one
            v128_const(kT1, each8(1));
            return vector(kPmaddubsw, d, kT1, a);
        case Opcode::I16x8ExtaddPairwiseI8x16U: return vector(kPmaddubsw, d, a, each8(1));
        case Opcode::I32x4ExtaddPairwiseI16x8S: return vector(kPmaddwd, d, a, each16(1));
        case Opcode::I32x4ExtaddPairwiseI16x8U:  // signed after subtracting 2^15 from each
            vector(kPxor, d, a, each16(0x8000));
            vector(kPmaddwd, d, d, each16(1));
            return vector(kPaddd, d, d, each32(0x1'0000));
        case Opcode::F32x4Abs:                    return vector(kAndps, d, a, each32(0x7fff'ffff));
        case Opcode::F64x2Abs:                    return vector(kAndpd, d, a, each64(0x7fff'ffff'ffff'ffff));
        case Opcode::F32x4Neg:                    return vector(kXorps, d, a, each32(0x8000'0000));
        case Opcode::F64x2Neg:                    return vector(kXorpd, d, a, each64(0x8000'0000'0000'0000));
        case Opcode::F32x4Sqrt:                   return vector1(kSqrtps, d, a);
        case Opcode::F64x2Sqrt:                   return vector1(kSqrtpd, d, a);
        case Opcode::F32x4Ceil:                   return vector1(kRoundps, d, a, kCeil);
        case Opcode::F32x4Floor:                  return vector1(kRoundps, d, a, kFloor);
        case Opcode::F32x4Trunc:                  return vector1(kRoundps, d, a, kTruncate);
        case Opcode::F32x4Nearest:                return vector1(kRoundps, d, a, kNearest);
        case Opcode::F64x2Ceil:                   return vector1(kRoundpd, d, a, kCeil);
        case Opcode::F64x2Floor:                  return vector1(kRoundpd, d, a, kFloor);
        case Opcode::F64x2Trunc:                  return vector1(kRoundpd, d, a, kTruncate);
        case Opcode::F64x2Nearest:                return vector1(kRoundpd, d, a, kNearest);
        case Opcode::F32x4DemoteF64x2Zero:        return vector1(kCvtpd2ps, d, a);
        case Opcode::F64x2PromoteLowF32x4:        return vector1(kCvtps2pd, d, a);
        case Opcode::F32x4ConvertI32x4S:          return vector1(kCvtdq2ps, d, a);
        case Opcode::F64x2ConvertLowI32x4S:       return vector1(kCvtdq2pd, d, a);
        case Opcode::F32x4ConvertI32x4U:
        case Opcode::F64x2ConvertLowI32x4U:       return convert_vector_unsigned(op, d, a);
        case Opcode::I32x4RelaxedTruncF32x4S:     return vector1(kCvttps2dq, d, a);
        case Opcode::I32x4RelaxedTruncF64x2SZero: return vector1(kCvttpd2dq, d, a);
        default:                                  return truncate_vector(op, d, a);
    }
}

void Masm::convert_vector_unsigned(Opcode op, Reg d, Reg a) {
    if (op == Opcode::F64x2ConvertLowI32x4U) {
        // With 0x43300000 as the upper half, the integer is the mantissa of 2^52 + integer.
        vector(kUnpcklps, d, a, each32(0x4330'0000));
        return vector(kSubpd, d, d, both(0x1p52));
    }
    // The low 16 bits and the rest convert exactly (the rest halved, to be positive); one addition rounds.
    shift_immediate(kPslld, kT0, a, 16);
    shift_immediate(kPsrld, kT0, kT0, 16);
    vector(kPsubd, kT1, a, kT0);
    vector1(kCvtdq2ps, kT0, kT0);
    shift_immediate(kPsrld, kT1, kT1, 1);
    vector1(kCvtdq2ps, kT1, kT1);
    vector(kAddps, kT1, kT1, kT1);
    vector(kAddps, d, kT1, kT0);
}

void Masm::truncate_vector(Opcode op, Reg d, Reg a) {
    switch (op) {
        case Opcode::I32x4TruncSatF32x4S:
            // What does not fit becomes 0x80000000. NaNs are zeroed before; positive ones are recognised by sign and inverted after.
            vector(kCmpps, kT0, a, a, kEqual);
            vector(kAndps, kT1, a, kT0);
            vector(kPxor, kT0, kT0, kT1);
            vector1(kCvttps2dq, kT1, kT1);
            vector(kPand, kT0, kT0, kT1);
            shift_immediate(kPsrad, kT0, kT0, 31);
            return vector(kPxor, d, kT1, kT0);
        case Opcode::I32x4TruncSatF32x4U:
        case Opcode::I32x4RelaxedTruncF32x4U:
            // max(x, 0), then the sum of it and of what exceeds 2^31, each as signed numbers, the second saturated.
            zero_vector(kT1);
            vector(kMaxps, d, a, kT1);
            v128_const(kT0, each32(0x4f00'0000));  // 2^31
            vector(kSubps, kT1, d, kT0);
            vector(kCmpps, kT0, kT0, kT1, kLessEqual);
            vector1(kCvttps2dq, kT1, kT1);
            vector(kPxor, kT1, kT1, kT0);
            zero_vector(kT0);
            vector(kPmaxsd, kT1, kT1, kT0);
            vector1(kCvttps2dq, d, d);
            return vector(kPaddd, d, d, kT1);
        case Opcode::I32x4TruncSatF64x2SZero:
            vector(kCmppd, kT0, a, a, kEqual);
            vector(kAndpd, kT0, kT0, both(2147483647.0));
            vector(kMinpd, kT0, a, kT0);  // NaN: the second operand, 0
            return vector1(kCvttpd2dq, d, kT0);
        default:  // I32x4TruncSatF64x2UZero, I32x4RelaxedTruncF64x2UZero
            zero_vector(kT1);
            vector(kMaxpd, kT0, a, kT1);  // NaN: the second operand, 0
            vector(kMinpd, kT0, kT0, both(4294967295.0));
            vector1(kRoundpd, kT0, kT0, kTruncate);
            vector(kAddpd, kT0, kT0, both(0x1p52));  // the integer is in the low half of each lane now
            return vector(kShufps, d, kT0, kT1, 0x88);
    }
}

// --- shifts ------------------------------------------------------------------------------------------------------------------

void Masm::shift_immediate(const VectorOp& op, Reg d, Reg a, std::uint8_t count) {
    if (features_.avx) {
        as().emit(op.avx, xmm(d), xmm(a), asmjit::Imm(count));
    } else {
        move_vector(d, a);
        as().emit(op.sse, xmm(d), asmjit::Imm(count));
    }
}

void Masm::simd_shift(Opcode op, Reg d, Reg a, Operand count) {
    std::uint8_t lane_bits = 64;
    VectorOp shift;
    switch (op) {
        case Opcode::I8x16Shl:
        case Opcode::I8x16ShrS:
        case Opcode::I8x16ShrU: return shift_bytes(op, d, a, count);
        case Opcode::I16x8Shl:
            lane_bits = 16;
            shift = kPsllw;
            break;
        case Opcode::I16x8ShrS:
            lane_bits = 16;
            shift = kPsraw;
            break;
        case Opcode::I16x8ShrU:
            lane_bits = 16;
            shift = kPsrlw;
            break;
        case Opcode::I32x4Shl:
            lane_bits = 32;
            shift = kPslld;
            break;
        case Opcode::I32x4ShrS:
            lane_bits = 32;
            shift = kPsrad;
            break;
        case Opcode::I32x4ShrU:
            lane_bits = 32;
            shift = kPsrld;
            break;
        case Opcode::I64x2Shl: shift = kPsllq; break;
        default:               shift = kPsrlq; break;  // I64x2ShrU, I64x2ShrS
    }
    const auto shifted = [&, amount = static_cast<std::uint8_t>(count.immediate & (lane_bits - 1))](Reg to, Reg from) {
        if (count.is_immediate()) {
            shift_immediate(shift, to, from, amount);
        } else {
            vector(shift, to, from, kT0);
        }
    };
    if (!count.is_immediate()) {
        as().mov(gp32(kScratchGp), gp32(count.reg));
        as().and_(gp32(kScratchGp), lane_bits - 1);
        gp_to_fp(Width::w32, kT0, kScratchGp);
    }
    if (op != Opcode::I64x2ShrS) return shifted(d, a);
    // There is no arithmetic shift of 64-bit lanes: shift logically, then extend the sign bit from where it is now.
    v128_const(kT1, each64(std::uint64_t{1} << 63));
    shifted(kT1, kT1);
    shifted(d, a);
    vector(kPxor, d, d, kT1);
    vector(kPsubq, d, d, kT1);
}

/// There are no shifts of bytes.
void Masm::shift_bytes(Opcode op, Reg d, Reg a, Operand count) {
    const auto amount = static_cast<std::uint8_t>(count.immediate & 7);
    if (!count.is_immediate()) {
        as().mov(gp32(kScratchGp), gp32(count.reg));
        as().and_(gp32(kScratchGp), 7);
    }
    if (op != Opcode::I8x16ShrS && count.is_immediate()) {
        // Shift words, clear the bits that crossed over.
        const bool left = op == Opcode::I8x16Shl;
        shift_immediate(left ? kPsllw : kPsrlw, d, a, amount);
        const unsigned mask = left ? 0xffU << amount : 0xffU >> amount;
        return vector(kPand, d, d, each8(static_cast<std::uint8_t>(mask)));
    }
    if (op == Opcode::I8x16Shl) {
        // The mask is all ones shifted in the same way: its lowest byte, everywhere.
        gp_to_fp(Width::w32, kT0, kScratchGp);
        all_ones(kT1);
        vector(kPsllw, kT1, kT1, kT0);
        vector(kPsllw, d, a, kT0);
        zero_vector(kT0);
        vector(kPshufb, kT1, kT1, kT0);
        return vector(kPand, d, d, kT1);
    }
    // To the right: each byte as the upper half of a word, shifted by 8 more, and packed again.
    const bool is_signed = op == Opcode::I8x16ShrS;
    const VectorOp& shift = is_signed ? kPsraw : kPsrlw;
    vector(kPunpckhbw, kT1, a, a);
    vector(kPunpcklbw, d, a, a);
    if (count.is_immediate()) {
        shift_immediate(shift, kT1, kT1, static_cast<std::uint8_t>(amount + 8));
        shift_immediate(shift, d, d, static_cast<std::uint8_t>(amount + 8));
    } else {
        as().add(gp32(kScratchGp), 8);
        gp_to_fp(Width::w32, kT0, kScratchGp);
        vector(shift, kT1, kT1, kT0);
        vector(shift, d, d, kT0);
    }
    vector(is_signed ? kPacksswb : kPackuswb, d, d, kT1);
}

}  // namespace pollux::x64
