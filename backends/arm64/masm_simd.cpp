// SIMD of the AArch64 masm. Most operations are one NEON instruction: two tables say which, on what lanes. The rest, which
// needs a sequence or a scratch vector (v30, v31), is spelled out below. Instructions are asmjit's.
#include "backends/arm64/masm.h"

namespace pollux::arm64 {

using namespace words;
using asmjit::a64::Inst;
using asmjit::a64::Vec;
using wasm::Opcode;

namespace {

enum class Lanes : std::uint8_t { b, h, s, d };

Vec whole(unsigned number, Lanes lanes) {
    const auto v = asmjit::a64::v(number);
    switch (lanes) {
        case Lanes::b: return v.b16();
        case Lanes::h: return v.h8();
        case Lanes::s: return v.s4();
        case Lanes::d: return v.d2();
    }
    return v;
}

/// The lower 64 bits.
Vec half(unsigned number, Lanes lanes) {
    const auto v = asmjit::a64::v(number);
    switch (lanes) {
        case Lanes::b: return v.b8();
        case Lanes::h: return v.h4();
        case Lanes::s: return v.s2();
        case Lanes::d: return v.d();
    }
    return v;
}

Vec element(unsigned number, Lanes lanes, unsigned index) {
    const auto v = asmjit::a64::v(number);
    switch (lanes) {
        case Lanes::b: return v.b(index);
        case Lanes::h: return v.h(index);
        case Lanes::s: return v.s(index);
        case Lanes::d: return v.d(index);
    }
    return v;
}

constexpr Lanes wider(Lanes lanes) { return static_cast<Lanes>(static_cast<std::uint8_t>(lanes) + 1); }

/// How an instruction's operands relate to the lanes in its row.
enum class Shape : std::uint8_t {
    none,
    same,      ///< d.T, a.T [, b.T]
    swapped,   ///< d.T, b.T, a.T
    low,       ///< d.wide, the lower halves
    high,      ///< d.wide, the upper halves
    pairwise,  ///< d.wide, a.T
};

struct Row {
    std::uint16_t inst = 0;
    Lanes lanes = Lanes::b;
    Shape shape = Shape::none;
};

struct Entry {
    Opcode op;
    std::uint32_t inst;
    Lanes lanes;
    Shape shape = Shape::same;
};

constexpr std::size_t kSimdOpcodes = 512;
constexpr std::size_t index_of(Opcode op) { return (static_cast<std::size_t>(op) - wasm::opcode_page(0xFD)) % kSimdOpcodes; }

template <std::size_t kCount>
consteval std::array<Row, kSimdOpcodes> by_opcode(const Entry (&entries)[kCount]) {
    std::array<Row, kSimdOpcodes> rows{};
    for (const Entry& entry : entries) rows[index_of(entry.op)] = {static_cast<std::uint16_t>(entry.inst), entry.lanes, entry.shape};
    return rows;
}

constexpr auto B = Lanes::b, H = Lanes::h, S = Lanes::s, D = Lanes::d;

constexpr auto kBinary = by_opcode({
    {Opcode::I8x16Eq, Inst::kIdCmeq_v, B},
    {Opcode::I8x16LtS, Inst::kIdCmgt_v, B, Shape::swapped},
    {Opcode::I8x16LtU, Inst::kIdCmhi_v, B, Shape::swapped},
    {Opcode::I8x16GtS, Inst::kIdCmgt_v, B},
    {Opcode::I8x16GtU, Inst::kIdCmhi_v, B},
    {Opcode::I8x16LeS, Inst::kIdCmge_v, B, Shape::swapped},
    {Opcode::I8x16LeU, Inst::kIdCmhs_v, B, Shape::swapped},
    {Opcode::I8x16GeS, Inst::kIdCmge_v, B},
    {Opcode::I8x16GeU, Inst::kIdCmhs_v, B},
    {Opcode::I16x8Eq, Inst::kIdCmeq_v, H},
    {Opcode::I16x8LtS, Inst::kIdCmgt_v, H, Shape::swapped},
    {Opcode::I16x8LtU, Inst::kIdCmhi_v, H, Shape::swapped},
    {Opcode::I16x8GtS, Inst::kIdCmgt_v, H},
    {Opcode::I16x8GtU, Inst::kIdCmhi_v, H},
    {Opcode::I16x8LeS, Inst::kIdCmge_v, H, Shape::swapped},
    {Opcode::I16x8LeU, Inst::kIdCmhs_v, H, Shape::swapped},
    {Opcode::I16x8GeS, Inst::kIdCmge_v, H},
    {Opcode::I16x8GeU, Inst::kIdCmhs_v, H},
    {Opcode::I32x4Eq, Inst::kIdCmeq_v, S},
    {Opcode::I32x4LtS, Inst::kIdCmgt_v, S, Shape::swapped},
    {Opcode::I32x4LtU, Inst::kIdCmhi_v, S, Shape::swapped},
    {Opcode::I32x4GtS, Inst::kIdCmgt_v, S},
    {Opcode::I32x4GtU, Inst::kIdCmhi_v, S},
    {Opcode::I32x4LeS, Inst::kIdCmge_v, S, Shape::swapped},
    {Opcode::I32x4LeU, Inst::kIdCmhs_v, S, Shape::swapped},
    {Opcode::I32x4GeS, Inst::kIdCmge_v, S},
    {Opcode::I32x4GeU, Inst::kIdCmhs_v, S},
    {Opcode::I64x2Eq, Inst::kIdCmeq_v, D},
    {Opcode::I64x2LtS, Inst::kIdCmgt_v, D, Shape::swapped},
    {Opcode::I64x2GtS, Inst::kIdCmgt_v, D},
    {Opcode::I64x2LeS, Inst::kIdCmge_v, D, Shape::swapped},
    {Opcode::I64x2GeS, Inst::kIdCmge_v, D},
    {Opcode::F32x4Eq, Inst::kIdFcmeq_v, S},
    {Opcode::F32x4Lt, Inst::kIdFcmgt_v, S, Shape::swapped},
    {Opcode::F32x4Gt, Inst::kIdFcmgt_v, S},
    {Opcode::F32x4Le, Inst::kIdFcmge_v, S, Shape::swapped},
    {Opcode::F32x4Ge, Inst::kIdFcmge_v, S},
    {Opcode::F64x2Eq, Inst::kIdFcmeq_v, D},
    {Opcode::F64x2Lt, Inst::kIdFcmgt_v, D, Shape::swapped},
    {Opcode::F64x2Gt, Inst::kIdFcmgt_v, D},
    {Opcode::F64x2Le, Inst::kIdFcmge_v, D, Shape::swapped},
    {Opcode::F64x2Ge, Inst::kIdFcmge_v, D},
    {Opcode::V128And, Inst::kIdAnd_v, B},
    {Opcode::V128Andnot, Inst::kIdBic_v, B},
    {Opcode::V128Or, Inst::kIdOrr_v, B},
    {Opcode::V128Xor, Inst::kIdEor_v, B},
    {Opcode::I8x16Swizzle, Inst::kIdTbl_v, B},
    {Opcode::I8x16RelaxedSwizzle, Inst::kIdTbl_v, B},
    {Opcode::I8x16Add, Inst::kIdAdd_v, B},
    {Opcode::I8x16AddSatS, Inst::kIdSqadd_v, B},
    {Opcode::I8x16AddSatU, Inst::kIdUqadd_v, B},
    {Opcode::I8x16Sub, Inst::kIdSub_v, B},
    {Opcode::I8x16SubSatS, Inst::kIdSqsub_v, B},
    {Opcode::I8x16SubSatU, Inst::kIdUqsub_v, B},
    {Opcode::I8x16MinS, Inst::kIdSmin_v, B},
    {Opcode::I8x16MinU, Inst::kIdUmin_v, B},
    {Opcode::I8x16MaxS, Inst::kIdSmax_v, B},
    {Opcode::I8x16MaxU, Inst::kIdUmax_v, B},
    {Opcode::I8x16AvgrU, Inst::kIdUrhadd_v, B},
    {Opcode::I16x8Q15mulrSatS, Inst::kIdSqrdmulh_v, H},
    {Opcode::I16x8RelaxedQ15mulrS, Inst::kIdSqrdmulh_v, H},
    {Opcode::I16x8Add, Inst::kIdAdd_v, H},
    {Opcode::I16x8AddSatS, Inst::kIdSqadd_v, H},
    {Opcode::I16x8AddSatU, Inst::kIdUqadd_v, H},
    {Opcode::I16x8Sub, Inst::kIdSub_v, H},
    {Opcode::I16x8SubSatS, Inst::kIdSqsub_v, H},
    {Opcode::I16x8SubSatU, Inst::kIdUqsub_v, H},
    {Opcode::I16x8Mul, Inst::kIdMul_v, H},
    {Opcode::I16x8MinS, Inst::kIdSmin_v, H},
    {Opcode::I16x8MinU, Inst::kIdUmin_v, H},
    {Opcode::I16x8MaxS, Inst::kIdSmax_v, H},
    {Opcode::I16x8MaxU, Inst::kIdUmax_v, H},
    {Opcode::I16x8AvgrU, Inst::kIdUrhadd_v, H},
    {Opcode::I16x8ExtmulLowI8x16S, Inst::kIdSmull_v, B, Shape::low},
    {Opcode::I16x8ExtmulHighI8x16S, Inst::kIdSmull2_v, B, Shape::high},
    {Opcode::I16x8ExtmulLowI8x16U, Inst::kIdUmull_v, B, Shape::low},
    {Opcode::I16x8ExtmulHighI8x16U, Inst::kIdUmull2_v, B, Shape::high},
    {Opcode::I32x4Add, Inst::kIdAdd_v, S},
    {Opcode::I32x4Sub, Inst::kIdSub_v, S},
    {Opcode::I32x4Mul, Inst::kIdMul_v, S},
    {Opcode::I32x4MinS, Inst::kIdSmin_v, S},
    {Opcode::I32x4MinU, Inst::kIdUmin_v, S},
    {Opcode::I32x4MaxS, Inst::kIdSmax_v, S},
    {Opcode::I32x4MaxU, Inst::kIdUmax_v, S},
    {Opcode::I32x4ExtmulLowI16x8S, Inst::kIdSmull_v, H, Shape::low},
    {Opcode::I32x4ExtmulHighI16x8S, Inst::kIdSmull2_v, H, Shape::high},
    {Opcode::I32x4ExtmulLowI16x8U, Inst::kIdUmull_v, H, Shape::low},
    {Opcode::I32x4ExtmulHighI16x8U, Inst::kIdUmull2_v, H, Shape::high},
    {Opcode::I64x2Add, Inst::kIdAdd_v, D},
    {Opcode::I64x2Sub, Inst::kIdSub_v, D},
    {Opcode::I64x2ExtmulLowI32x4S, Inst::kIdSmull_v, S, Shape::low},
    {Opcode::I64x2ExtmulHighI32x4S, Inst::kIdSmull2_v, S, Shape::high},
    {Opcode::I64x2ExtmulLowI32x4U, Inst::kIdUmull_v, S, Shape::low},
    {Opcode::I64x2ExtmulHighI32x4U, Inst::kIdUmull2_v, S, Shape::high},
    {Opcode::F32x4Add, Inst::kIdFadd_v, S},
    {Opcode::F32x4Sub, Inst::kIdFsub_v, S},
    {Opcode::F32x4Mul, Inst::kIdFmul_v, S},
    {Opcode::F32x4Div, Inst::kIdFdiv_v, S},
    {Opcode::F32x4Min, Inst::kIdFmin_v, S},
    {Opcode::F32x4Max, Inst::kIdFmax_v, S},
    {Opcode::F32x4RelaxedMin, Inst::kIdFmin_v, S},
    {Opcode::F32x4RelaxedMax, Inst::kIdFmax_v, S},
    {Opcode::F64x2Add, Inst::kIdFadd_v, D},
    {Opcode::F64x2Sub, Inst::kIdFsub_v, D},
    {Opcode::F64x2Mul, Inst::kIdFmul_v, D},
    {Opcode::F64x2Div, Inst::kIdFdiv_v, D},
    {Opcode::F64x2Min, Inst::kIdFmin_v, D},
    {Opcode::F64x2Max, Inst::kIdFmax_v, D},
    {Opcode::F64x2RelaxedMin, Inst::kIdFmin_v, D},
    {Opcode::F64x2RelaxedMax, Inst::kIdFmax_v, D},
});

constexpr auto kUnary = by_opcode({
    {Opcode::V128Not, Inst::kIdNot_v, B},
    {Opcode::I8x16Abs, Inst::kIdAbs_v, B},
    {Opcode::I8x16Neg, Inst::kIdNeg_v, B},
    {Opcode::I8x16Popcnt, Inst::kIdCnt_v, B},
    {Opcode::I16x8Abs, Inst::kIdAbs_v, H},
    {Opcode::I16x8Neg, Inst::kIdNeg_v, H},
    {Opcode::I16x8ExtaddPairwiseI8x16S, Inst::kIdSaddlp_v, B, Shape::pairwise},
    {Opcode::I16x8ExtaddPairwiseI8x16U, Inst::kIdUaddlp_v, B, Shape::pairwise},
    {Opcode::I16x8ExtendLowI8x16S, Inst::kIdSxtl_v, B, Shape::low},
    {Opcode::I16x8ExtendHighI8x16S, Inst::kIdSxtl2_v, B, Shape::high},
    {Opcode::I16x8ExtendLowI8x16U, Inst::kIdUxtl_v, B, Shape::low},
    {Opcode::I16x8ExtendHighI8x16U, Inst::kIdUxtl2_v, B, Shape::high},
    {Opcode::I32x4Abs, Inst::kIdAbs_v, S},
    {Opcode::I32x4Neg, Inst::kIdNeg_v, S},
    {Opcode::I32x4ExtaddPairwiseI16x8S, Inst::kIdSaddlp_v, H, Shape::pairwise},
    {Opcode::I32x4ExtaddPairwiseI16x8U, Inst::kIdUaddlp_v, H, Shape::pairwise},
    {Opcode::I32x4ExtendLowI16x8S, Inst::kIdSxtl_v, H, Shape::low},
    {Opcode::I32x4ExtendHighI16x8S, Inst::kIdSxtl2_v, H, Shape::high},
    {Opcode::I32x4ExtendLowI16x8U, Inst::kIdUxtl_v, H, Shape::low},
    {Opcode::I32x4ExtendHighI16x8U, Inst::kIdUxtl2_v, H, Shape::high},
    {Opcode::I64x2Abs, Inst::kIdAbs_v, D},
    {Opcode::I64x2Neg, Inst::kIdNeg_v, D},
    {Opcode::I64x2ExtendLowI32x4S, Inst::kIdSxtl_v, S, Shape::low},
    {Opcode::I64x2ExtendHighI32x4S, Inst::kIdSxtl2_v, S, Shape::high},
    {Opcode::I64x2ExtendLowI32x4U, Inst::kIdUxtl_v, S, Shape::low},
    {Opcode::I64x2ExtendHighI32x4U, Inst::kIdUxtl2_v, S, Shape::high},
    {Opcode::F32x4Abs, Inst::kIdFabs_v, S},
    {Opcode::F32x4Neg, Inst::kIdFneg_v, S},
    {Opcode::F32x4Sqrt, Inst::kIdFsqrt_v, S},
    {Opcode::F32x4Ceil, Inst::kIdFrintp_v, S},
    {Opcode::F32x4Floor, Inst::kIdFrintm_v, S},
    {Opcode::F32x4Trunc, Inst::kIdFrintz_v, S},
    {Opcode::F32x4Nearest, Inst::kIdFrintn_v, S},
    {Opcode::F64x2Abs, Inst::kIdFabs_v, D},
    {Opcode::F64x2Neg, Inst::kIdFneg_v, D},
    {Opcode::F64x2Sqrt, Inst::kIdFsqrt_v, D},
    {Opcode::F64x2Ceil, Inst::kIdFrintp_v, D},
    {Opcode::F64x2Floor, Inst::kIdFrintm_v, D},
    {Opcode::F64x2Trunc, Inst::kIdFrintz_v, D},
    {Opcode::F64x2Nearest, Inst::kIdFrintn_v, D},
    {Opcode::I32x4TruncSatF32x4S, Inst::kIdFcvtzs_v, S},
    {Opcode::I32x4TruncSatF32x4U, Inst::kIdFcvtzu_v, S},
    {Opcode::I32x4RelaxedTruncF32x4S, Inst::kIdFcvtzs_v, S},
    {Opcode::I32x4RelaxedTruncF32x4U, Inst::kIdFcvtzu_v, S},
    {Opcode::F32x4ConvertI32x4S, Inst::kIdScvtf_v, S},
    {Opcode::F32x4ConvertI32x4U, Inst::kIdUcvtf_v, S},
    {Opcode::F64x2PromoteLowF32x4, Inst::kIdFcvtl_v, S, Shape::low},
});

/// Lanes of an operation that the tables do not hold, by the shape in its name.
constexpr Lanes lanes_of(Opcode op) {
    const std::string_view name = wasm::text(op);
    return name.starts_with("i8x16") ? B : name.starts_with("i16x8") ? H : name[1] == '3' ? S : D;
}

}  // namespace

void Masm::simd_unary(Opcode op, Reg d, Reg a) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    const Row row = kUnary[index_of(op)];
    switch (row.shape) {
        case Shape::same:     asm_.emit(row.inst, whole(rd, row.lanes), whole(rn, row.lanes)); return;
        case Shape::low:      asm_.emit(row.inst, whole(rd, wider(row.lanes)), half(rn, row.lanes)); return;
        case Shape::high:
        case Shape::pairwise: asm_.emit(row.inst, whole(rd, wider(row.lanes)), whole(rn, row.lanes)); return;
        case Shape::swapped:
        case Shape::none:     break;
    }
    switch (op) {
        case Opcode::I32x4TruncSatF64x2SZero:
        case Opcode::I32x4RelaxedTruncF64x2SZero:
            asm_.fcvtzs(whole(rd, D), whole(rn, D));
            asm_.sqxtn(half(rd, S), whole(rd, D));
            return;
        case Opcode::I32x4TruncSatF64x2UZero:
        case Opcode::I32x4RelaxedTruncF64x2UZero:
            asm_.fcvtzu(whole(rd, D), whole(rn, D));
            asm_.uqxtn(half(rd, S), whole(rd, D));
            return;
        case Opcode::F64x2ConvertLowI32x4S:
            asm_.sxtl(whole(rd, D), half(rn, S));
            asm_.scvtf(whole(rd, D), whole(rd, D));
            return;
        case Opcode::F64x2ConvertLowI32x4U:
            asm_.uxtl(whole(rd, D), half(rn, S));
            asm_.ucvtf(whole(rd, D), whole(rd, D));
            return;
        case Opcode::F32x4DemoteF64x2Zero: asm_.fcvtn(half(rd, S), whole(rn, D)); return;
        default:                           overflowed_ = true;  // not a unary operation
    }
}

void Masm::simd_binary(Opcode op, Reg d, Reg a, Reg b) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    const unsigned rm = b.number();
    const Row row = kBinary[index_of(op)];
    switch (row.shape) {
        case Shape::same:     asm_.emit(row.inst, whole(rd, row.lanes), whole(rn, row.lanes), whole(rm, row.lanes)); return;
        case Shape::swapped:  asm_.emit(row.inst, whole(rd, row.lanes), whole(rm, row.lanes), whole(rn, row.lanes)); return;
        case Shape::low:      asm_.emit(row.inst, whole(rd, wider(row.lanes)), half(rn, row.lanes), half(rm, row.lanes)); return;
        case Shape::high:     asm_.emit(row.inst, whole(rd, wider(row.lanes)), whole(rn, row.lanes), whole(rm, row.lanes)); return;
        case Shape::pairwise:
        case Shape::none:     break;
    }
    const auto narrow = [&](std::uint32_t low, std::uint32_t high, Lanes to) {
        // The first half overwrites its destination before b is read.
        const unsigned into = rd == rm ? kV31 : rd;
        asm_.emit(low, half(into, to), whole(rn, wider(to)));
        asm_.emit(high, whole(into, to), whole(rm, wider(to)));
        if (into != rd) put(mov_v(rd, into));
    };
    const auto multiply_pairs = [&](unsigned into, Lanes from) {
        asm_.smull(whole(kV30, wider(from)), half(rn, from), half(rm, from));
        asm_.smull2(whole(kV31, wider(from)), whole(rn, from), whole(rm, from));
        asm_.addp(whole(into, wider(from)), whole(kV30, wider(from)), whole(kV31, wider(from)));
    };
    // v31 = greater > lesser ? b : a
    const auto choose_when_greater = [&](Lanes lanes, unsigned greater, unsigned lesser) {
        asm_.fcmgt(whole(kV31, lanes), whole(greater, lanes), whole(lesser, lanes));
        put(bitwise(Bitwise::bsl, kV31, rm, rn));
        put(mov_v(rd, kV31));
    };
    switch (op) {
        case Opcode::I8x16Ne:
        case Opcode::I16x8Ne:
        case Opcode::I32x4Ne:
        case Opcode::I64x2Ne:
            asm_.cmeq(whole(rd, lanes_of(op)), whole(rn, lanes_of(op)), whole(rm, lanes_of(op)));
            asm_.not_(whole(rd, B), whole(rd, B));
            return;
        case Opcode::F32x4Ne:
        case Opcode::F64x2Ne:
            asm_.fcmeq(whole(rd, lanes_of(op)), whole(rn, lanes_of(op)), whole(rm, lanes_of(op)));
            asm_.not_(whole(rd, B), whole(rd, B));
            return;
        case Opcode::I8x16NarrowI16x8S:          return narrow(Inst::kIdSqxtn_v, Inst::kIdSqxtn2_v, B);
        case Opcode::I8x16NarrowI16x8U:          return narrow(Inst::kIdSqxtun_v, Inst::kIdSqxtun2_v, B);
        case Opcode::I16x8NarrowI32x4S:          return narrow(Inst::kIdSqxtn_v, Inst::kIdSqxtn2_v, H);
        case Opcode::I16x8NarrowI32x4U:          return narrow(Inst::kIdSqxtun_v, Inst::kIdSqxtun2_v, H);
        case Opcode::I32x4DotI16x8S:             return multiply_pairs(rd, H);
        case Opcode::I16x8RelaxedDotI8x16I7x16S: return multiply_pairs(rd, B);
        case Opcode::F32x4Pmin:                  return choose_when_greater(S, rn, rm);
        case Opcode::F32x4Pmax:                  return choose_when_greater(S, rm, rn);
        case Opcode::F64x2Pmin:                  return choose_when_greater(D, rn, rm);
        case Opcode::F64x2Pmax:                  return choose_when_greater(D, rm, rn);
        case Opcode::I64x2Mul:
            // There is no 64-bit lane multiply.
            for (unsigned lane = 0; lane < 2; ++lane) {
                asm_.umov(asmjit::a64::x(x16()), element(rn, D, lane));
                asm_.umov(asmjit::a64::x(kX17), element(rm, D, lane));
                put(madd(Width::w64, kX16, kX16, kX17, kZr));
                asm_.ins(element(kV31, D, lane), asmjit::a64::x(kX16));
            }
            put(mov_v(rd, kV31));
            return;
        default: overflowed_ = true;  // not a binary operation
    }
}

void Masm::simd_ternary(Opcode op, Reg d, Reg a, Reg b, Reg c) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    const unsigned rm = b.number();
    const unsigned rc = c.number();
    const auto accumulate = [&](std::uint32_t inst, Lanes lanes) {
        const unsigned into = rd == rc ? rd : kV31;
        if (into != rc) put(mov_v(into, rc));
        asm_.emit(inst, whole(into, lanes), whole(rn, lanes), whole(rm, lanes));
        if (into != rd) put(mov_v(rd, into));
    };
    switch (op) {
        case Opcode::V128Bitselect:
        case Opcode::I8x16RelaxedLaneselect:
        case Opcode::I16x8RelaxedLaneselect:
        case Opcode::I32x4RelaxedLaneselect:
        case Opcode::I64x2RelaxedLaneselect:
            if (rd == rc) return put(bitwise(Bitwise::bsl, rd, rn, rm));
            if (rd == rn) return put(bitwise(Bitwise::bif, rd, rm, rc));
            if (rd == rm) return put(bitwise(Bitwise::bit, rd, rn, rc));
            put(mov_v(rd, rc));
            return put(bitwise(Bitwise::bsl, rd, rn, rm));
        case Opcode::F32x4RelaxedMadd:  return accumulate(Inst::kIdFmla_v, S);
        case Opcode::F32x4RelaxedNmadd: return accumulate(Inst::kIdFmls_v, S);
        case Opcode::F64x2RelaxedMadd:  return accumulate(Inst::kIdFmla_v, D);
        case Opcode::F64x2RelaxedNmadd: return accumulate(Inst::kIdFmls_v, D);
        case Opcode::I32x4RelaxedDotI8x16I7x16AddS:
            asm_.smull(whole(kV30, H), half(rn, B), half(rm, B));
            asm_.smull2(whole(kV31, H), whole(rn, B), whole(rm, B));
            asm_.addp(whole(kV30, H), whole(kV30, H), whole(kV31, H));
            asm_.saddlp(whole(kV30, S), whole(kV30, H));
            asm_.add(whole(rd, S), whole(kV30, S), whole(rc, S));
            return;
        default: overflowed_ = true;  // not a ternary operation
    }
}

void Masm::simd_shift(Opcode op, Reg d, Reg a, Operand count) {
    const Lanes lanes = lanes_of(op);
    const unsigned bits = 8U << static_cast<unsigned>(lanes);
    const bool left = op == Opcode::I8x16Shl || op == Opcode::I16x8Shl || op == Opcode::I32x4Shl || op == Opcode::I64x2Shl;
    const bool is_signed = wasm::text(op).ends_with("_s");
    const Vec rd = whole(d.number(), lanes);
    const Vec rn = whole(a.number(), lanes);
    if (count.is_immediate()) {
        const auto by = static_cast<std::uint32_t>(count.immediate) & (bits - 1);
        if (by == 0) {
            if (d != a) put(mov_v(d.number(), a.number()));
        } else if (left) {
            asm_.shl(rd, rn, by);
        } else if (is_signed) {
            asm_.sshr(rd, rn, by);
        } else {
            asm_.ushr(rd, rn, by);
        }
        return;
    }
    // sshl and ushl shift each lane by the signed low byte of its count: negative is to the right.
    const unsigned rc = register_of(Width::w32, count);
    put(logic_imm(Logic::and_, Width::w32, x16(), rc, *logical_immediate(Width::w32, bits - 1)));
    if (!left) put(arith(Arith::sub, Width::w64, kX16, kZr, kX16));
    const Vec counts = whole(kV31, lanes);
    if (lanes == D) {
        asm_.dup(counts, asmjit::a64::x(kX16));
    } else {
        asm_.dup(counts, asmjit::a64::w(kX16));
    }
    if (left || !is_signed) {
        asm_.ushl(rd, rn, counts);
    } else {
        asm_.sshl(rd, rn, counts);
    }
}

void Masm::simd_splat(Opcode op, Reg d, Reg a) {
    const Lanes lanes = lanes_of(op);
    const Vec rd = whole(d.number(), lanes);
    if (op == Opcode::F32x4Splat || op == Opcode::F64x2Splat) {
        asm_.dup(rd, element(a.number(), lanes, 0));
    } else if (lanes == D) {
        asm_.dup(rd, asmjit::a64::x(a.number()));
    } else {
        asm_.dup(rd, asmjit::a64::w(a.number()));
    }
}

void Masm::simd_extract_lane(Opcode op, Reg d, Reg a, std::uint8_t lane) {
    const Lanes lanes = lanes_of(op);
    const Vec from = element(a.number(), lanes, lane);
    switch (op) {
        case Opcode::I8x16ExtractLaneS:
        case Opcode::I16x8ExtractLaneS: asm_.smov(asmjit::a64::w(d.number()), from); return;
        case Opcode::I64x2ExtractLane:  asm_.umov(asmjit::a64::x(d.number()), from); return;
        case Opcode::F32x4ExtractLane:
        case Opcode::F64x2ExtractLane:
            // A float's upper lanes are of no interest: the splat is as good as the scalar move.
            if (lane != 0) {
                asm_.dup(whole(d.number(), lanes), from);
            } else if (d != a) {
                put(fp_one(FpOne::fmov, Width::w64, d.number(), a.number()));
            }
            return;
        default: asm_.umov(asmjit::a64::w(d.number()), from); return;
    }
}

void Masm::simd_replace_lane(Opcode op, Reg d, Reg a, Reg value, std::uint8_t lane) {
    const Lanes lanes = lanes_of(op);
    const unsigned into = d == value && d != a ? kV31 : d.number();
    if (into != a.number()) put(mov_v(into, a.number()));
    const Vec to = element(into, lanes, lane);
    if (value.is_fp()) {
        asm_.ins(to, element(value.number(), lanes, 0));
    } else if (lanes == D) {
        asm_.ins(to, asmjit::a64::x(value.number()));
    } else {
        asm_.ins(to, asmjit::a64::w(value.number()));
    }
    if (into != d.number()) put(mov_v(d.number(), into));
}

void Masm::simd_test(Opcode op, Reg d, Reg a) {
    const auto v31 = asmjit::a64::v(kV31);
    const unsigned rn = a.number();
    const Lanes lanes = lanes_of(op);
    // A mask of the lanes' signs, narrowed to one element each, keeps one bit of each and adds them up.
    const auto gather = [&](Width width, std::uint64_t bits, const auto& narrowed, const auto& sum) {
        put_constant(Width::w64, x16(), bits);
        put(fmov_from_gp(Width::w64, kV30, kX16));
        asm_.and_(v31.b8(), v31.b8(), asmjit::a64::v(kV30).b8());
        asm_.addv(sum, narrowed);
        put(fmov_to_gp(width, d.number(), kV31));
    };
    switch (op) {
        case Opcode::V128AnyTrue:
            asm_.umaxv(v31.s(), whole(rn, S));
            put(fmov_to_gp(Width::w32, x16(), kV31));
            put(arith_imm(Arith::subs, Width::w32, kZr, kX16, 0));
            return put(cset(d.number(), Cond::ne));
        case Opcode::I8x16AllTrue:
        case Opcode::I16x8AllTrue:
        case Opcode::I32x4AllTrue:
            asm_.uminv(lanes == B ? Vec(v31.b()) : lanes == H ? Vec(v31.h()) : Vec(v31.s()), whole(rn, lanes));
            put(fmov_to_gp(Width::w32, x16(), kV31));
            put(arith_imm(Arith::subs, Width::w32, kZr, kX16, 0));
            return put(cset(d.number(), Cond::ne));
        case Opcode::I64x2AllTrue:
            asm_.cmeq(v31.d2(), whole(rn, D), 0);
            asm_.addp(v31.d(), v31.d2());
            put(fmov_to_gp(Width::w64, x16(), kV31));
            put(arith_imm(Arith::subs, Width::w64, kZr, kX16, 0));
            return put(cset(d.number(), Cond::eq));
        case Opcode::I8x16Bitmask:
            asm_.cmlt(v31.b16(), whole(rn, B), 0);
            put_constant(Width::w64, x16(), 0x8040'2010'0804'0201);
            put(dup_2d(kV30, kX16));
            put(bitwise(Bitwise::and_, kV31, kV31, kV30));
            // Bytes i and i + 8 next to each other: eight sums of halfwords hold both halves' bits.
            asm_.ext(asmjit::a64::v(kV30).b16(), v31.b16(), v31.b16(), 8);
            asm_.zip1(v31.b16(), v31.b16(), asmjit::a64::v(kV30).b16());
            asm_.addv(v31.h(), v31.h8());
            return put(fmov_to_gp(Width::w32, d.number(), kV31));
        case Opcode::I16x8Bitmask:
            asm_.cmlt(v31.h8(), whole(rn, H), 0);
            asm_.xtn(v31.b8(), v31.h8());
            return gather(Width::w32, 0x8040'2010'0804'0201, v31.b8(), v31.b());
        case Opcode::I32x4Bitmask:
            asm_.cmlt(v31.s4(), whole(rn, S), 0);
            asm_.xtn(v31.h4(), v31.s4());
            return gather(Width::w32, 0x0008'0004'0002'0001, v31.h4(), v31.h());
        case Opcode::I64x2Bitmask:
            asm_.umov(asmjit::a64::x(x16()), element(rn, D, 0));
            asm_.umov(asmjit::a64::x(kX17), element(rn, D, 1));
            put(lsr(Width::w64, kX16, kX16, 63));
            put(lsr(Width::w64, kX17, kX17, 63));
            return put(arith(Arith::add, Width::w64, d.number(), kX16, kX17, 1));
        default: overflowed_ = true;  // not a test
    }
}

// --- shuffle ---------------------------------------------------------------------------------------------------------------------

namespace {

using Bytes = std::array<std::uint8_t, 16>;

/// The byte indices that a permutation of `size`-byte elements of {a, b} reads.
template <class Source>
constexpr Bytes permutation(unsigned size, Source source) {
    Bytes bytes{};
    for (unsigned i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(source(i / size) * size + i % size);
    return bytes;
}

struct Permutation {
    Bytes bytes;
    std::uint32_t inst;
    Lanes lanes;
};

constexpr auto kPermutations = [] {
    std::array<Permutation, 24> all{};
    std::size_t at = 0;
    for (const Lanes lanes : {B, H, S, D}) {
        const unsigned size = 1U << static_cast<unsigned>(lanes);
        const unsigned n = 16 / size;
        all[at++] = {permutation(size, [&](unsigned i) { return i / 2 + (i % 2) * n; }), Inst::kIdZip1_v, lanes};
        all[at++] = {permutation(size, [&](unsigned i) { return n / 2 + i / 2 + (i % 2) * n; }), Inst::kIdZip2_v, lanes};
        all[at++] = {permutation(size, [&](unsigned i) { return 2 * i; }), Inst::kIdUzp1_v, lanes};
        all[at++] = {permutation(size, [&](unsigned i) { return 2 * i + 1; }), Inst::kIdUzp2_v, lanes};
        all[at++] = {permutation(size, [&](unsigned i) { return i / 2 * 2 + (i % 2) * n; }), Inst::kIdTrn1_v, lanes};
        all[at++] = {permutation(size, [&](unsigned i) { return i / 2 * 2 + 1 + (i % 2) * n; }), Inst::kIdTrn2_v, lanes};
    }
    return all;
}();

struct Reversal {
    Bytes bytes;
    std::uint32_t inst;
    Lanes lanes;
};

constexpr auto kReversals = [] {
    const auto reversed = [](Lanes lanes, unsigned container) {
        const unsigned size = 1U << static_cast<unsigned>(lanes);
        const unsigned n = container / size;
        return permutation(size, [&](unsigned i) { return i / n * n + n - 1 - i % n; });
    };
    return std::array<Reversal, 6>{{{reversed(B, 8), Inst::kIdRev64_v, B},
                                    {reversed(H, 8), Inst::kIdRev64_v, H},
                                    {reversed(S, 8), Inst::kIdRev64_v, S},
                                    {reversed(B, 4), Inst::kIdRev32_v, B},
                                    {reversed(H, 4), Inst::kIdRev32_v, H},
                                    {reversed(B, 2), Inst::kIdRev16_v, B}}};
}();

/// Element index if `bytes` repeats one element of `size` bytes.
constexpr int repeated_element(const Bytes& bytes, unsigned size) {
    if (bytes[0] % size != 0) return -1;
    const unsigned index = bytes[0] / size;
    return bytes == permutation(size, [&](unsigned) { return index; }) ? static_cast<int>(index) : -1;
}

}  // namespace

void Masm::simd_shuffle(Reg d, Reg a, Reg b, wasm::V128 lanes) {
    Bytes bytes{};
    for (unsigned i = 0; i < 16; ++i) {
        bytes[i] = static_cast<std::uint8_t>((i < 8 ? lanes.low : lanes.high) >> (8 * (i % 8)) & 31);
    }
    if (a == b) {
        for (std::uint8_t& byte : bytes) byte &= 15;
    }
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    const unsigned rm = b.number();
    const auto vector = [](unsigned number) { return asmjit::a64::v(number).b16(); };

    for (const Lanes size : {D, S, H, B}) {
        const int index = repeated_element(bytes, 1U << static_cast<unsigned>(size));
        if (index < 0) continue;
        const unsigned count = 16U >> static_cast<unsigned>(size);
        const auto at = static_cast<unsigned>(index);
        asm_.dup(whole(rd, size), element(at < count ? rn : rm, size, at % count));
        return;
    }
    const auto matches = [&](const Bytes& wanted) {
        if (a != b) return bytes == wanted;
        for (unsigned i = 0; i < 16; ++i) {
            if (bytes[i] != (wanted[i] & 15)) return false;
        }
        return true;
    };
    for (const Permutation& known : kPermutations) {
        if (matches(known.bytes)) {
            asm_.emit(known.inst, whole(rd, known.lanes), whole(rn, known.lanes), whole(rm, known.lanes));
            return;
        }
    }
    for (const Reversal& known : kReversals) {
        if (bytes == known.bytes) {
            asm_.emit(known.inst, whole(rd, known.lanes), whole(rn, known.lanes));
            return;
        }
    }
    bool consecutive = true;
    for (unsigned i = 1; i < 16; ++i) consecutive = consecutive && bytes[i] == ((bytes[0] + i) & (a == b ? 15U : 31U));
    if (consecutive) {
        // Starting in b goes on in a.
        const bool from_b = bytes[0] >= 16;
        asm_.ext(vector(rd), vector(from_b ? rm : rn), vector(from_b ? rn : rm), bytes[0] & 15U);
        return;
    }
    // The table is v30, v31; its indices may be made in d, whose old value is in the table by then.
    wasm::V128 indices;
    for (unsigned i = 0; i < 16; ++i) (i < 8 ? indices.low : indices.high) |= std::uint64_t{bytes[i]} << (8 * (i % 8));
    put(mov_v(kV30, rn));
    if (a != b) put(mov_v(kV31, rm));
    v128_const(d, indices);
    if (a == b) {
        asm_.tbl(vector(rd), vector(kV30), vector(rd));
    } else {
        asm_.tbl(vector(rd), vector(kV30), vector(kV31), vector(rd));
    }
}

// --- memory ----------------------------------------------------------------------------------------------------------------------

void Masm::simd_load(Opcode op, Reg d, Address address) {
    const auto extend = [&](std::uint32_t inst, Lanes lanes) {
        guest_load(LoadOp::f64, d, address);
        asm_.emit(inst, whole(d.number(), wider(lanes)), half(d.number(), lanes));
    };
    const auto splat = [&](Lanes lanes) {
        const unsigned base = address_in_register(address);
        site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        asm_.ld1r(whole(d.number(), lanes), asmjit::a64::ptr(asmjit::a64::x(base)));
    };
    switch (op) {
        case Opcode::V128Load:        return guest_load(LoadOp::v128, d, address);
        case Opcode::V128Load8x8S:    return extend(Inst::kIdSxtl_v, B);
        case Opcode::V128Load8x8U:    return extend(Inst::kIdUxtl_v, B);
        case Opcode::V128Load16x4S:   return extend(Inst::kIdSxtl_v, H);
        case Opcode::V128Load16x4U:   return extend(Inst::kIdUxtl_v, H);
        case Opcode::V128Load32x2S:   return extend(Inst::kIdSxtl_v, S);
        case Opcode::V128Load32x2U:   return extend(Inst::kIdUxtl_v, S);
        case Opcode::V128Load8Splat:  return splat(B);
        case Opcode::V128Load16Splat: return splat(H);
        case Opcode::V128Load32Splat: return splat(S);
        case Opcode::V128Load64Splat: return splat(D);
        case Opcode::V128Load32Zero:  return guest_load(LoadOp::f32, d, address);  // a scalar load zeroes the rest
        case Opcode::V128Load64Zero:  return guest_load(LoadOp::f64, d, address);
        default:                      overflowed_ = true;  // not a load
    }
}

namespace {

constexpr Lanes lanes_of_access(Opcode op) { return static_cast<Lanes>(wasm::natural_align_log2(op)); }

}  // namespace

void Masm::simd_load_lane(Opcode op, Reg d, Reg a, Address address, std::uint8_t lane) {
    const unsigned base = address_in_register(address);
    if (d != a) put(mov_v(d.number(), a.number()));
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    asm_.ld1(element(d.number(), lanes_of_access(op), lane), asmjit::a64::ptr(asmjit::a64::x(base)));
}

void Masm::simd_store_lane(Opcode op, Reg a, Address address, std::uint8_t lane) {
    const Lanes lanes = lanes_of_access(op);
    const unsigned base = address_in_register(address);
    if (environment_ == nullptr || environment_->bounds == BoundsMode::guard_pages) {
        probe_last_byte({base, 0}, static_cast<unsigned>(lanes));
    }
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    asm_.st1(element(a.number(), lanes, lane), asmjit::a64::ptr(asmjit::a64::x(base)));
}

}  // namespace pollux::arm64
