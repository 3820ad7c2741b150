// Numeric instructions of SinglePassCompiler: arithmetic, comparisons, conversions. Included by compiler.h.
//
// numeric<Op>() picks the handler by opcode at compile time. Comparisons stay pending when the next instruction is their consumer;
// a shift by 1, 2 or 3 stays pending when an addition comes next (one instruction: lea, add with shifted operand).
#pragma once

#include <bit>

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::numeric() {
    using enum wasm::Opcode;
    using enum Width;
    // clang-format off: a table
    if constexpr (kOp == I32Add) usual_alu(AluOp::add, w32);  // the most frequent one has its own code
    else if constexpr (kOp == I32Sub) alu(AluOp::sub, w32);
    else if constexpr (kOp == I32And) alu(AluOp::and_, w32);
    else if constexpr (kOp == I32Or) alu(AluOp::or_, w32);
    else if constexpr (kOp == I32Xor) alu(AluOp::xor_, w32);
    else if constexpr (kOp == I64Add) alu(AluOp::add, w64);
    else if constexpr (kOp == I64Sub) alu(AluOp::sub, w64);
    else if constexpr (kOp == I64And) alu(AluOp::and_, w64);
    else if constexpr (kOp == I64Or) alu(AluOp::or_, w64);
    else if constexpr (kOp == I64Xor) alu(AluOp::xor_, w64);
    else if constexpr (kOp == I32Mul) multiply<w32>();
    else if constexpr (kOp == I64Mul) multiply<w64>();
    else if constexpr (kOp == I32Shl) shift(ShiftOp::shl, w32);
    else if constexpr (kOp == I32ShrS) shift(ShiftOp::shr_s, w32);
    else if constexpr (kOp == I32ShrU) shift(ShiftOp::shr_u, w32);
    else if constexpr (kOp == I32Rotl) shift(ShiftOp::rotl, w32);
    else if constexpr (kOp == I32Rotr) shift(ShiftOp::rotr, w32);
    else if constexpr (kOp == I64Shl) shift(ShiftOp::shl, w64);
    else if constexpr (kOp == I64ShrS) shift(ShiftOp::shr_s, w64);
    else if constexpr (kOp == I64ShrU) shift(ShiftOp::shr_u, w64);
    else if constexpr (kOp == I64Rotl) shift(ShiftOp::rotl, w64);
    else if constexpr (kOp == I64Rotr) shift(ShiftOp::rotr, w64);
    else if constexpr (kOp == I32DivS) divide<DivOp::div_s, w32>();
    else if constexpr (kOp == I32DivU) divide<DivOp::div_u, w32>();
    else if constexpr (kOp == I32RemS) divide<DivOp::rem_s, w32>();
    else if constexpr (kOp == I32RemU) divide<DivOp::rem_u, w32>();
    else if constexpr (kOp == I64DivS) divide<DivOp::div_s, w64>();
    else if constexpr (kOp == I64DivU) divide<DivOp::div_u, w64>();
    else if constexpr (kOp == I64RemS) divide<DivOp::rem_s, w64>();
    else if constexpr (kOp == I64RemU) divide<DivOp::rem_u, w64>();
    else if constexpr (kOp == I32Clz) bit_count<BitOp::clz, w32>();
    else if constexpr (kOp == I32Ctz) bit_count<BitOp::ctz, w32>();
    else if constexpr (kOp == I32Popcnt) bit_count<BitOp::popcnt, w32>();
    else if constexpr (kOp == I64Clz) bit_count<BitOp::clz, w64>();
    else if constexpr (kOp == I64Ctz) bit_count<BitOp::ctz, w64>();
    else if constexpr (kOp == I64Popcnt) bit_count<BitOp::popcnt, w64>();
    else if constexpr (kOp == I32Eqz) compare_zero(w32);
    else if constexpr (kOp == I64Eqz) compare_zero(w64);
    else if constexpr (kOp == I32Eq) compare(IntCond::eq, w32);
    else if constexpr (kOp == I32Ne) compare(IntCond::ne, w32);
    else if constexpr (kOp == I32LtS) compare(IntCond::lt_s, w32);
    else if constexpr (kOp == I32LtU) compare(IntCond::lt_u, w32);
    else if constexpr (kOp == I32GtS) compare(IntCond::gt_s, w32);
    else if constexpr (kOp == I32GtU) compare(IntCond::gt_u, w32);
    else if constexpr (kOp == I32LeS) compare(IntCond::le_s, w32);
    else if constexpr (kOp == I32LeU) compare(IntCond::le_u, w32);
    else if constexpr (kOp == I32GeS) compare(IntCond::ge_s, w32);
    else if constexpr (kOp == I32GeU) compare(IntCond::ge_u, w32);
    else if constexpr (kOp == I64Eq) compare(IntCond::eq, w64);
    else if constexpr (kOp == I64Ne) compare(IntCond::ne, w64);
    else if constexpr (kOp == I64LtS) compare(IntCond::lt_s, w64);
    else if constexpr (kOp == I64LtU) compare(IntCond::lt_u, w64);
    else if constexpr (kOp == I64GtS) compare(IntCond::gt_s, w64);
    else if constexpr (kOp == I64GtU) compare(IntCond::gt_u, w64);
    else if constexpr (kOp == I64LeS) compare(IntCond::le_s, w64);
    else if constexpr (kOp == I64LeU) compare(IntCond::le_u, w64);
    else if constexpr (kOp == I64GeS) compare(IntCond::ge_s, w64);
    else if constexpr (kOp == I64GeU) compare(IntCond::ge_u, w64);
    else if constexpr (kOp == F32Eq) fp_compare(FloatCond::eq, w32);
    else if constexpr (kOp == F32Ne) fp_compare(FloatCond::ne, w32);
    else if constexpr (kOp == F32Lt) fp_compare(FloatCond::lt, w32);
    else if constexpr (kOp == F32Gt) fp_compare(FloatCond::gt, w32);
    else if constexpr (kOp == F32Le) fp_compare(FloatCond::le, w32);
    else if constexpr (kOp == F32Ge) fp_compare(FloatCond::ge, w32);
    else if constexpr (kOp == F64Eq) fp_compare(FloatCond::eq, w64);
    else if constexpr (kOp == F64Ne) fp_compare(FloatCond::ne, w64);
    else if constexpr (kOp == F64Lt) fp_compare(FloatCond::lt, w64);
    else if constexpr (kOp == F64Gt) fp_compare(FloatCond::gt, w64);
    else if constexpr (kOp == F64Le) fp_compare(FloatCond::le, w64);
    else if constexpr (kOp == F64Ge) fp_compare(FloatCond::ge, w64);
    else if constexpr (kOp == F32Add) fp_binary(FpBinOp::add, w32);
    else if constexpr (kOp == F32Sub) fp_binary(FpBinOp::sub, w32);
    else if constexpr (kOp == F32Mul) fp_binary(FpBinOp::mul, w32);
    else if constexpr (kOp == F32Div) fp_binary(FpBinOp::div, w32);
    else if constexpr (kOp == F32Min) fp_binary(FpBinOp::min, w32);
    else if constexpr (kOp == F32Max) fp_binary(FpBinOp::max, w32);
    else if constexpr (kOp == F32Copysign) fp_binary(FpBinOp::copysign, w32);
    else if constexpr (kOp == F64Add) fp_binary(FpBinOp::add, w64);
    else if constexpr (kOp == F64Sub) fp_binary(FpBinOp::sub, w64);
    else if constexpr (kOp == F64Mul) fp_binary(FpBinOp::mul, w64);
    else if constexpr (kOp == F64Div) fp_binary(FpBinOp::div, w64);
    else if constexpr (kOp == F64Min) fp_binary(FpBinOp::min, w64);
    else if constexpr (kOp == F64Max) fp_binary(FpBinOp::max, w64);
    else if constexpr (kOp == F64Copysign) fp_binary(FpBinOp::copysign, w64);
    else if constexpr (kOp == F32Abs) fp_unary(FpUnOp::abs, w32);
    else if constexpr (kOp == F32Neg) fp_unary(FpUnOp::neg, w32);
    else if constexpr (kOp == F32Sqrt) fp_unary(FpUnOp::sqrt, w32);
    else if constexpr (kOp == F32Ceil) fp_unary(FpUnOp::ceil, w32);
    else if constexpr (kOp == F32Floor) fp_unary(FpUnOp::floor, w32);
    else if constexpr (kOp == F32Trunc) fp_unary(FpUnOp::trunc, w32);
    else if constexpr (kOp == F32Nearest) fp_unary(FpUnOp::nearest, w32);
    else if constexpr (kOp == F64Abs) fp_unary(FpUnOp::abs, w64);
    else if constexpr (kOp == F64Neg) fp_unary(FpUnOp::neg, w64);
    else if constexpr (kOp == F64Sqrt) fp_unary(FpUnOp::sqrt, w64);
    else if constexpr (kOp == F64Ceil) fp_unary(FpUnOp::ceil, w64);
    else if constexpr (kOp == F64Floor) fp_unary(FpUnOp::floor, w64);
    else if constexpr (kOp == F64Trunc) fp_unary(FpUnOp::trunc, w64);
    else if constexpr (kOp == F64Nearest) fp_unary(FpUnOp::nearest, w64);
    else if constexpr (kOp == I32WrapI64 || kOp == I64ExtendI32U) extend(ExtendOp::u32_64);
    else if constexpr (kOp == I64ExtendI32S || kOp == I64Extend32S) extend(ExtendOp::s32_64);
    else if constexpr (kOp == I32Extend8S) extend(ExtendOp::s8_32);
    else if constexpr (kOp == I32Extend16S) extend(ExtendOp::s16_32);
    else if constexpr (kOp == I64Extend8S) extend(ExtendOp::s8_64);
    else if constexpr (kOp == I64Extend16S) extend(ExtendOp::s16_64);
    else if constexpr (kOp == I32ReinterpretF32 || kOp == I64ReinterpretF64 || kOp == F32ReinterpretI32 || kOp == F64ReinterpretI64)
        reinterpret(params(kOp)[0], results(kOp)[0]);
    else if constexpr (kOp == I64Add128 || kOp == I64Sub128) add_wide(kOp == I64Sub128);
    else if constexpr (kOp == I64MulWideS || kOp == I64MulWideU) multiply_wide(kOp == I64MulWideS);
    else if constexpr (results(kOp).size() == 1 && results(kOp)[0] == Kind::v128) {
        constexpr auto kParams = params(kOp);
        if constexpr (kParams.size() == 1 && kParams[0] != Kind::v128) simd_splat(kOp, kParams[0]);
        else if constexpr (kParams.size() == 1) simd_unary(kOp);
        else if constexpr (kParams.size() == 3) simd_ternary(kOp);
        else if constexpr (kParams[1] == Kind::i32) simd_shift(kOp);
        else simd_binary(kOp);
    } else if constexpr (params(kOp)[0] == Kind::v128) {
        simd_test(kOp);
    } else {
        static_assert(params(kOp).size() == 1 && results(kOp).size() == 1);
        convert(kOp, params(kOp)[0], results(kOp)[0]);
    }
    // clang-format on
}

template <class M>
void SinglePassCompiler<M>::alu(AluOp op, Width width) {
    usual_alu(op, width);
}

/// Where both operands are in registers, or the second is a constant, and the result goes to any register, the values on the stack are
/// changed in place.
template <class M>
inline void SinglePassCompiler<M>::usual_alu(AluOp op, Width width) {
    AbstractValue& b = stack_.back();
    AbstractValue& a = stack_.second();
    const Reg ra = register_of(a);
    const Reg rb = register_of(b);
    const RegSet available = (free_ & kAllGp) - cached_;
    const bool pending = shift_pending_ || load_pending_;
    const bool constant = b.is_constant() && (width == Width::w32 || b.bits + 0x7fff'ffff <= 0xffff'fffe);
    if (!usual_ || pending || !ra.valid() || (!constant && !rb.valid()) || available.empty() || next_is(Opcode::LocalSet) ||
        next_is(Opcode::LocalTee)) [[unlikely]]
        return any_alu(op, width);
    let_go(b);
    let_go(a);
    const bool own_a = a.type == AbstractValue::Type::reg;
    const Reg d = own_a ? ra : b.type == AbstractValue::Type::reg ? rb : available.first();
    const auto value = static_cast<std::int32_t>(b.bits);
    claim(d);
    stack_.pop_back();
    a = {AbstractValue::Type::reg, width == Width::w32 ? Kind::i32 : Kind::i64, d, a.depth, 0};
    if (constant) {
        masm_.alu_immediate(op, width, d, ra, value);
    } else {
        masm_.alu(op, width, d, ra, rb);
    }
}

namespace detail {

/// Of i32.add, sub, and, or, xor.
constexpr AluOp i32_alu_op(wasm::Opcode op) noexcept {
    using enum wasm::Opcode;
    return op == I32Add ? AluOp::add : op == I32Sub ? AluOp::sub : op == I32And ? AluOp::and_ : op == I32Or ? AluOp::or_ : AluOp::xor_;
}

}  // namespace detail

/// With a constant as right operand, which never comes to the stack. Nothing is pending before a constant.
template <class M>
inline void SinglePassCompiler<M>::alu_constant(Opcode opcode, std::int32_t value) {
    AbstractValue& a = stack_.back();
    const AluOp op = detail::i32_alu_op(opcode);
    const Reg ra = register_of(a);
    const RegSet available = (free_ & kAllGp) - cached_;
    if (!usual_ || !ra.valid() || available.empty() || next_is(Opcode::LocalSet) || next_is(Opcode::LocalTee)) [[unlikely]]
        return any_alu_constant(op, value);
    const Reg d = a.type == AbstractValue::Type::reg ? ra : available.first();
    let_go(a);
    claim(d);
    a = {AbstractValue::Type::reg, Kind::i32, d, a.depth, 0};
    masm_.alu_immediate(op, Width::w32, d, ra, value);
}

template <class M>
void SinglePassCompiler<M>::any_alu_constant(AluOp op, std::int32_t value) {
    i32_const(value);
    any_alu(op, Width::w32);
}

/// The same, where a local is set behind it. Whether that was done, too.
template <class M>
bool SinglePassCompiler<M>::alu_constant_to_local(Opcode opcode, std::int32_t value, std::uint32_t local, bool tee) {
    AbstractValue& a = stack_.back();
    const AluOp op = detail::i32_alu_op(opcode);
    Reg ra = kNoReg;
    Reg d = kNoReg;
    if (usual_) {
        ra = register_of(a);
        if (!ra.valid() && a.type == AbstractValue::Type::local) ra = bring_in_place(a);
        d = destination_for(local, a);
    }
    if (!ra.valid() || !d.valid()) {
        any_alu_constant(op, value);
        return false;
    }
    let_go(a);
    masm_.alu_immediate(op, Width::w32, d, ra, value);
    set_computed(local, d, tee);
    return true;
}

template <class M>
void SinglePassCompiler<M>::any_alu(AluOp op, Width width) {
    prepare();
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    if (shift_pending_) {
        shift_pending_ = false;
        AbstractValue a = pop();
        const Reg ra = use(a);
        const Reg rb = use(shifted_);
        const Reg d = destination(kind, a, shifted_);
        masm_.add_shifted(width, d, ra, rb, shift_amount_);
        return push_result(kind, d);
    }
    if constexpr (M::kFusesLoads) {
        if (load_pending_) {
            return with_pending_load(kind, [&](Reg d, Reg a, const Address& b) { masm_.alu_load(op, width, d, a, b); });
        }
    }
    AbstractValue b = pop();
    AbstractValue a = pop();
    if (op != AluOp::sub && (a.is_constant() || a.type == AbstractValue::Type::spilled)) std::swap(a, b);
    const Reg ra = use(a);
    const Operand ob = operand(b);
    const Reg d = destination(kind, a, b);
    masm_.alu(op, width, d, ra, ob);
    push_result(kind, d);
}

template <class M>
template <Width kWidth>
void SinglePassCompiler<M>::multiply() {
    prepare();
    constexpr Kind kKind = kWidth == Width::w32 ? Kind::i32 : Kind::i64;
    AbstractValue b = pop();
    AbstractValue a = pop();
    if (a.is_constant() || a.type == AbstractValue::Type::spilled) std::swap(a, b);
    const Reg ra = use(a);
    const Operand ob = operand(b);
    const Reg d = destination(kKind, a, b);
    if (b.is_constant() && std::has_single_bit(b.bits)) {
        masm_.shift(ShiftOp::shl, kWidth, d, ra, Operand::imm(std::countr_zero(b.bits)));
    } else {
        masm_.mul(kWidth, d, ra, ob);
    }
    push_result(kKind, d);
}

template <class M>
void SinglePassCompiler<M>::shift(ShiftOp op, Width width) {
    prepare();
    const Kind kind = width == Width::w32 ? Kind::i32 : Kind::i64;
    const std::uint64_t mask = width == Width::w32 ? 31 : 63;
    AbstractValue count = pop();
    if (count.is_constant()) {
        const auto amount = static_cast<std::uint8_t>(count.bits & mask);
        const bool add_next = next_is(width == Width::w32 ? Opcode::I32Add : Opcode::I64Add);
        if (op == ShiftOp::shl && amount >= 1 && amount <= 3 && add_next && tuning.fuse_shifts) {
            shifted_ = pop();
            shift_amount_ = amount;
            shift_pending_ = true;
            return;
        }
        AbstractValue a = pop();
        const Reg ra = use(a);
        const Reg d = destination(kind, a);
        masm_.shift(op, width, d, ra, Operand::imm(amount));
        return push_result(kind, d);
    }
    AbstractValue a = pop();
    const Reg fixed = masm_.shift_count_register(op);
    if (!fixed.valid()) {
        const Reg rc = use(count);
        const Reg ra = use(a);
        const Reg d = destination(kind, a, count);
        masm_.shift(op, width, d, ra, rc);
        return push_result(kind, d);
    }
    // The count goes to its register; what is there moves away first.
    if (count.type != AbstractValue::Type::reg || count.reg != fixed) {
        if (a.type == AbstractValue::Type::reg && a.reg == fixed) own(a, RegSet::of(fixed));
        take(fixed);
        load_value(count, fixed);
        release(count);
    }
    const Reg ra = use(a, RegSet::of(fixed));
    const Reg d = destination(kind, a);
    masm_.shift(op, width, d, ra, fixed);
    release(fixed);
    push_result(kind, d);
}

template <class M>
template <DivOp kDiv, Width kWidth>
void SinglePassCompiler<M>::divide() {
    prepare();
    constexpr Kind kKind = kWidth == Width::w32 ? Kind::i32 : Kind::i64;
    AbstractValue b = pop();
    AbstractValue a = pop();
    constexpr bool kUnsigned = kDiv == DivOp::div_u || kDiv == DivOp::rem_u;
    if (kUnsigned && b.is_constant() && std::has_single_bit(b.bits)) {
        const Reg ra = use(a);
        const Reg d = destination(kKind, a);
        if (kDiv == DivOp::div_u) {
            masm_.shift(ShiftOp::shr_u, kWidth, d, ra, Operand::imm(std::countr_zero(b.bits)));
        } else {
            masm_.alu(AluOp::and_, kWidth, d, ra, Operand::imm(static_cast<std::int64_t>(b.bits - 1)));
        }
        return push_result(kKind, d);
    }
    if constexpr (kWidth == Width::w32) {
        if (b.is_constant() && b.bits >= 3 && (kUnsigned || b.bits <= 0x7fff'ffff))
            return divide_by_constant(kDiv, a, static_cast<std::uint32_t>(b.bits));
    }
    const std::uint64_t minus_one = kWidth == Width::w32 ? 0xffff'ffff : ~std::uint64_t{0};
    const bool check_zero = !b.is_constant() || b.bits == 0;
    const bool check_overflow = !b.is_constant() || b.bits == minus_one;
    if constexpr (!M::kDivLow.valid()) {
        const Reg ra = use(a);
        const Reg rb = use(b);
        const Reg d = destination(kKind, a, b);
        masm_.div(kDiv, kWidth, d, ra, rb, check_zero, check_overflow);
        push_result(kKind, d);
    } else {
        const Reg rb = to_fixed_registers(a, b);
        constexpr bool kQuotient = kDiv == DivOp::div_s || kDiv == DivOp::div_u;
        const Reg result = kQuotient ? M::kDivLow : M::kDivHigh;
        masm_.div(kDiv, kWidth, result, M::kDivLow, rb, check_zero, check_overflow);
        release(b);
        release(kQuotient ? M::kDivHigh : M::kDivLow);
        push_reg(kKind, result);
    }
}

/// i32: the quotient is the high half of a product with a factor F a little larger than 2^64 / divisor: F = (2^64 + e) / divisor with
/// 0 < e <= divisor. It is exact, since |a| * e < 2^64: then a * F / 2^64 is off a / divisor by less than 1 / divisor, away from 0. What is
/// negative is rounded down, so one is added. A signed divisor is positive, and from 3 on F is positive, too.
template <class M>
void SinglePassCompiler<M>::divide_by_constant(DivOp op, AbstractValue a, std::uint32_t divisor) {
    const bool is_signed = op == DivOp::div_s || op == DivOp::rem_s;
    Reg low = M::kDivLow;
    Reg high = M::kDivHigh;
    Reg ra;
    if constexpr (M::kDivLow.valid()) {
        constexpr RegSet kFixed = RegSet::of(M::kDivLow, M::kDivHigh);
        if (a.type == AbstractValue::Type::reg && kFixed.has(a.reg)) own(a, kFixed);
        ra = use(a, kFixed);
        take(low);
        take(high);
    } else {
        ra = use(a);
        low = allocate_gp();
        high = allocate_gp();
    }
    if (is_signed) {
        masm_.extend(ExtendOp::s32_64, low, ra);
    } else {
        masm_.mov(Kind::i32, low, ra);
    }
    masm_.mov_imm(Width::w64, high, ~std::uint64_t{0} / divisor + (std::has_single_bit(divisor) ? 2 : 1));
    masm_.mul_wide(is_signed, M::kDivLow.valid() ? low : M::kScratchGp, high, low, high);
    if (is_signed) {
        masm_.shift(ShiftOp::shr_u, Width::w32, low, ra, Operand::imm(31));
        masm_.alu(AluOp::add, Width::w32, high, high, low);
    }
    if (op == DivOp::rem_s || op == DivOp::rem_u) {
        masm_.mul(Width::w32, low, high, Operand::imm(static_cast<std::int32_t>(divisor)));
        masm_.alu(AluOp::sub, Width::w32, high, ra, low);
    }
    release(low);
    release(a);
    push_reg(Kind::i32, high);
}

/// Brings `a` to kDivLow, with kDivHigh free for the other half of a result. Returns where `b` is.
template <class M>
Reg SinglePassCompiler<M>::to_fixed_registers(AbstractValue& a, AbstractValue& b) {
    constexpr RegSet kFixed = RegSet::of(M::kDivLow, M::kDivHigh);
    // b leaves the fixed registers, then a comes to its own; values on the stack make room.
    if (b.type == AbstractValue::Type::reg && kFixed.has(b.reg)) own(b, kFixed);
    const Reg rb = use(b, kFixed);
    if (!(a.type == AbstractValue::Type::reg && a.reg == M::kDivLow)) {
        take(M::kDivLow);
        load_value(a, M::kDivLow);
        release(a);
    }
    claim(M::kDivLow);
    take(M::kDivHigh);
    return rb;
}

/// i64.add128, i64.sub128: each operand and the result are two values, the low half first.
template <class M>
void SinglePassCompiler<M>::add_wide(bool subtract) {
    prepare();
    AbstractValue b_high = pop();
    AbstractValue b_low = pop();
    AbstractValue a_high = pop();
    AbstractValue a_low = pop();
    const Reg rb_low = use(b_low);
    const Reg rb_high = use(b_high);
    const Reg low = own(a_low);
    const Reg high = own(a_high);
    masm_.add_wide(subtract, low, high, rb_low, rb_high);
    release(b_low);
    release(b_high);
    push_reg(Kind::i64, low);
    push_reg(Kind::i64, high);
}

/// i64.mul_wide_s, i64.mul_wide_u: all 128 bits of a product.
template <class M>
void SinglePassCompiler<M>::multiply_wide(bool is_signed) {
    prepare();
    AbstractValue b = pop();
    AbstractValue a = pop();
    Reg low = M::kDivLow;
    Reg high = M::kDivHigh;
    if constexpr (M::kDivLow.valid()) {
        const Reg rb = to_fixed_registers(a, b);
        masm_.mul_wide(is_signed, low, high, low, rb);
    } else {
        const Reg ra = use(a);
        const Reg rb = use(b);
        low = allocate_gp();
        high = allocate_gp();
        masm_.mul_wide(is_signed, low, high, ra, rb);
        release(a);
    }
    release(b);
    push_reg(Kind::i64, low);
    push_reg(Kind::i64, high);
}

template <class M>
template <BitOp kBit, Width kWidth>
void SinglePassCompiler<M>::bit_count() {
    prepare();
    constexpr Kind kKind = kWidth == Width::w32 ? Kind::i32 : Kind::i64;
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(kKind, a);
    masm_.bit_count(kBit, kWidth, d, ra);
    push_result(kKind, d);
}

template <class M>
void SinglePassCompiler<M>::extend(ExtendOp op) {
    prepare();
    const bool wraps = op == ExtendOp::u32_64 && stack_.back().kind == Kind::i64;
    const Kind to = wraps || op == ExtendOp::s8_32 || op == ExtendOp::s16_32 ? Kind::i32 : Kind::i64;
    AbstractValue a = pop();
    if (a.is_constant() && op == ExtendOp::u32_64) return push_constant(to, a.bits & 0xffff'ffff);
    if (op == ExtendOp::u32_64 && !wraps && a.type == AbstractValue::Type::reg) {
        return push_reg(Kind::i64, a.reg);  // i32 values are zero-extended already
    }
    const Reg ra = use(a);
    const Reg d = destination(to, a);
    masm_.extend(op, d, ra);
    push_result(to, d);
}

// --- comparisons ---------------------------------------------------------------------------------------------------------

template <class M>
bool SinglePassCompiler<M>::next_consumes_condition() const {
    return next_is(Opcode::BrIf) || next_is(Opcode::If) || next_is(Opcode::Select) || next_is(Opcode::I32Eqz);
}

/// Keeps condition_ for the next instruction, or makes it 0 or 1.
template <class M>
void SinglePassCompiler<M>::keep_condition() {
    if (!next_consumes_condition() || !tuning.fuse_comparisons) return push_condition();
    condition_pending_ = true;
}

/// What br_if, if and select test: the pending comparison, or the i32 on the stack against zero.
template <class M>
Condition& SinglePassCompiler<M>::pop_condition() {
    if (!condition_pending_) set_condition(IntCond::ne, Width::w32, pop(), {.type = AbstractValue::Type::constant, .kind = Kind::i32});
    condition_pending_ = false;
    return condition_;
}

template <class M>
void SinglePassCompiler<M>::set_condition(IntCond cond, Width width, const AbstractValue& a, const AbstractValue& b) {
    condition_.is_float = false;
    condition_.width = width;
    condition_.integer = cond;
    condition_.a = a;
    condition_.b = b;
}

/// Brings the operands of an integer comparison where the masm wants them: `a` into a register.
template <class M>
Reg SinglePassCompiler<M>::integer_operands(Condition& condition, RegSet except) {
    if (condition.a.is_constant() || (condition.a.type == AbstractValue::Type::spilled && !condition.b.is_constant())) {
        std::swap(condition.a, condition.b);
        condition.integer = swap_operands(condition.integer);
    }
    return use(condition.a, except);
}

/// Makes condition_ 0 or 1.
template <class M>
void SinglePassCompiler<M>::push_condition() {
    Condition& condition = condition_;
    if (condition.is_float) {
        const Reg a = use(condition.a);
        const Reg b = use(condition.b);
        const Reg d = destination(Kind::i32, condition.a, condition.b);
        masm_.fp_compare_set(condition.floating, condition.width, d, a, b);
        if (!condition.when) masm_.alu(AluOp::xor_, Width::w32, d, d, Operand::imm(1));
        return push_result(Kind::i32, d);
    }
    const Reg a = integer_operands(condition);
    const Operand b = operand(condition.b);
    const Reg d = destination(Kind::i32, condition.a, condition.b);
    masm_.compare_set(condition.integer, condition.width, d, a, b);
    push_result(Kind::i32, d);
}

template <class M>
void SinglePassCompiler<M>::compare(IntCond cond, Width width) {
    prepare();
    const AbstractValue b = pop();
    set_condition(cond, width, pop(), b);
    keep_condition();
}

template <class M>
void SinglePassCompiler<M>::compare_zero(Width width) {
    prepare();
    if (!condition_pending_) {
        const AbstractValue a = pop();
        set_condition(IntCond::eq, width, a, {.type = AbstractValue::Type::constant, .kind = a.kind});
    } else if (condition_.is_float) {
        condition_.when = !condition_.when;
    } else {
        condition_.integer = negate(condition_.integer);
    }
    condition_pending_ = false;
    keep_condition();
}

template <class M>
void SinglePassCompiler<M>::fp_compare(FloatCond cond, Width width) {
    prepare();
    condition_.is_float = true;
    condition_.when = true;
    condition_.width = width;
    condition_.floating = cond;
    condition_.b = pop();
    condition_.a = pop();
    keep_condition();
}

// --- floats and conversions ----------------------------------------------------------------------------------------------

template <class M>
void SinglePassCompiler<M>::fp_binary(FpBinOp op, Width width) {
    prepare();
    const Kind kind = width == Width::w32 ? Kind::f32 : Kind::f64;
    if constexpr (M::kFusesLoads) {
        if (load_pending_) {
            return with_pending_load(kind, [&](Reg d, Reg a, const Address& b) { masm_.fp_binary_load(op, width, d, a, b); });
        }
    }
    AbstractValue b = pop();
    AbstractValue a = pop();
    if ((op == FpBinOp::add || op == FpBinOp::mul) && a.type == AbstractValue::Type::spilled) std::swap(a, b);
    const Reg ra = use(a);
    const Operand ob = b.is_constant() ? Operand(use(b)) : register_or_slot(b);
    const Reg d = destination(kind, a, b);
    masm_.fp_binary(op, width, d, ra, ob);
    push_result(kind, d);
}

template <class M>
void SinglePassCompiler<M>::fp_unary(FpUnOp op, Width width) {
    prepare();
    const Kind kind = width == Width::w32 ? Kind::f32 : Kind::f64;
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(kind, a);
    masm_.fp_unary(op, width, d, ra);
    push_result(kind, d);
}

template <class M>
void SinglePassCompiler<M>::convert(Opcode op, Kind, Kind to) {
    prepare();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(to, a);
    masm_.convert(op, d, ra);
    push_result(to, d);
}

template <class M>
void SinglePassCompiler<M>::reinterpret(Kind from, Kind to) {
    prepare();
    const Width width = from == Kind::i32 || from == Kind::f32 ? Width::w32 : Width::w64;
    AbstractValue a = pop();
    if (a.is_constant()) return push_constant(to, a.bits);
    const Reg ra = use(a);
    const Reg d = destination(to, a);
    if (wasm::is_fp(to)) {
        masm_.gp_to_fp(width, d, ra);
    } else {
        masm_.fp_to_gp(width, d, ra);
    }
    push_result(to, d);
}

/// select: both values are computed, one is kept.
template <class M>
void SinglePassCompiler<M>::select(Kind kind) {
    prepare();
    Condition& condition = pop_condition();
    if (condition.is_float) {  // its outcome as 0 or 1 first
        push_condition();
        pop_condition();
    }
    AbstractValue f = pop();
    AbstractValue t = pop();
    const Reg a = integer_operands(condition);
    const Operand b = operand(condition.b);
    const Reg rt = use(t);
    const Reg rf = use(f);
    const Reg d = destination(kind, t, condition.a, condition.b, f);
    masm_.compare_select(condition.integer, condition.width, a, b, kind, d, rt, rf);
    push_result(kind, d);
}

}  // namespace pollux
