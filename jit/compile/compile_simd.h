// SIMD instructions of SinglePassCompiler: the masm has one method per shape of operands. Included by compiler.h.
#pragma once

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
void SinglePassCompiler<M>::v128_const(wasm::V128 value) {
    prepare();
    const Reg d = destination(Kind::v128);
    masm_.v128_const(d, value);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_unary(Opcode op) {
    prepare();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(Kind::v128, a);
    masm_.simd_unary(op, d, ra);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_binary(Opcode op) {
    prepare();
    AbstractValue b = pop();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg rb = use(b);
    const Reg d = destination(Kind::v128, a, b);
    masm_.simd_binary(op, d, ra, rb);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_ternary(Opcode op) {
    prepare();
    AbstractValue c = pop();
    AbstractValue b = pop();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg rb = use(b);
    const Reg rc = use(c);
    const Reg d = destination(Kind::v128, a, b, c);
    masm_.simd_ternary(op, d, ra, rb, rc);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_shift(Opcode op) {
    prepare();
    AbstractValue count = pop();
    AbstractValue a = pop();
    const Operand amount = count.is_constant() ? operand(count) : Operand(use(count));
    const Reg ra = use(a);
    const Reg d = destination(Kind::v128, a, count);
    masm_.simd_shift(op, d, ra, amount);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_splat(Opcode op, Kind) {
    prepare();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(Kind::v128, a);
    masm_.simd_splat(op, d, ra);
    push_result(Kind::v128, d);
}

template <class M>
void SinglePassCompiler<M>::simd_test(Opcode op) {
    prepare();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg d = destination(Kind::i32, a);
    masm_.simd_test(op, d, ra);
    push_result(Kind::i32, d);
}

template <class M>
template <wasm::Opcode kOp>
void SinglePassCompiler<M>::simd_lane(std::uint8_t lane) {
    prepare();
    if constexpr (params(kOp).size() == 2) {
        AbstractValue value = pop();
        AbstractValue a = pop();
        const Reg rv = use(value);
        const Reg ra = use(a);
        const Reg d = destination(Kind::v128, a, value);
        masm_.simd_replace_lane(kOp, d, ra, rv, lane);
        push_result(Kind::v128, d);
    } else {
        constexpr Kind kKind = results(kOp)[0];
        AbstractValue a = pop();
        const Reg ra = use(a);
        const Reg d = destination(kKind, a);
        masm_.simd_extract_lane(kOp, d, ra, lane);
        push_result(kKind, d);
    }
}

template <class M>
void SinglePassCompiler<M>::i8x16_shuffle(wasm::V128 lanes) {
    prepare();
    AbstractValue b = pop();
    AbstractValue a = pop();
    const Reg ra = use(a);
    const Reg rb = use(b);
    const Reg d = destination(Kind::v128, a, b);
    masm_.simd_shuffle(d, ra, rb, lanes);
    push_result(Kind::v128, d);
}

}  // namespace pollux
