// Initialiser expressions: reading and validating them (for the decoder), and walking validated ones (for whoever
// evaluates them).
//
// WebAssembly 3.0, section 3.4.14: constants, immutable globals, i32 and i64 arithmetic, references, and the GC
// instructions that make objects.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "jit/wasm/bytes.h"
#include "jit/wasm/features.h"
#include "jit/wasm/module.h"
#include "jit/wasm/opcodes.h"
#include "jit/wasm/type_reader.h"

namespace pollux::wasm {

/// Reads one expression after the other from sections. Globals are those that the module has so far.
class ConstExprReader {
public:
    ConstExprReader(const Module& module, FeatureSet features) noexcept : module_(module), features_(features) {}

    /// Reads an expression of type `expected` up to and with its `end`. Functions that it names are marked in `declared`,
    /// if that is given.
    [[nodiscard]] bool read(Cursor& in, ValType expected, ConstExpr& out, std::vector<bool>* declared);

private:
    [[nodiscard]] bool instruction(Cursor& in, Opcode op, std::vector<bool>* declared);
    [[nodiscard]] bool gc_instruction(Cursor& in, Opcode op);
    [[nodiscard]] bool pop(Cursor& in, ValType expected);
    [[nodiscard]] bool read_type(Cursor& in, DefinedType::Form form, TypeId& out);
    [[nodiscard]] bool binary(Cursor& in, ValType type);

    const Module& module_;
    FeatureSet features_;
    std::vector<ValType> stack_;
};

/// Calls a method of the visitor for each instruction of a validated expression, in order, so that a stack machine can
/// evaluate it:
///
///     i32_const(int32_t) i64_const(int64_t) f32_const(uint32_t bits) f64_const(uint64_t bits) v128_const(V128)
///     global_get(uint32_t) ref_null(ValType) ref_func(uint32_t)
///     i32_add() i32_sub() i32_mul() i64_add() i64_sub() i64_mul()
///     struct_new(TypeId) struct_new_default(TypeId) array_new(TypeId) array_new_default(TypeId)
///     array_new_fixed(TypeId, uint32_t count) ref_i31() any_convert_extern() extern_convert_any()
///
/// False when the bytes are not what was validated (a mapped file has changed).
template <class Visitor>
[[nodiscard]] bool visit_const_expr(const Module& module, const ConstExpr& expr, Visitor& visitor) {
    Cursor in(module.expression(expr), expr.offset);
    const auto type_index = [&](TypeId& type) {
        std::uint32_t index = 0;
        if (!in.read_u32(index) || index >= module.types.size()) return false;
        type = module.types[index];
        return true;
    };
    while (true) {
        std::uint8_t byte = 0;
        if (!in.read_u8(byte)) return false;
        std::uint32_t code = byte;
        if (byte == 0xFB || byte == 0xFD) {
            if (!in.read_u32(code) || !is_opcode(byte, code)) return false;
            code += opcode_page(byte);
        }
        bool ok = true;
        TypeId type = kNoType;
        switch (static_cast<Opcode>(code)) {
            case Opcode::End:      return in.at_end();
            case Opcode::I32Const: {
                std::int32_t v = 0;
                ok = in.read_s32(v);
                if (ok) visitor.i32_const(v);
                break;
            }
            case Opcode::I64Const: {
                std::int64_t v = 0;
                ok = in.read_s64(v);
                if (ok) visitor.i64_const(v);
                break;
            }
            case Opcode::F32Const: {
                std::uint32_t v = 0;
                ok = in.read_fixed(v);
                if (ok) visitor.f32_const(v);
                break;
            }
            case Opcode::F64Const: {
                std::uint64_t v = 0;
                ok = in.read_fixed(v);
                if (ok) visitor.f64_const(v);
                break;
            }
            case Opcode::V128Const: {
                V128 v;
                ok = in.read_fixed(v);
                if (ok) visitor.v128_const(v);
                break;
            }
            case Opcode::GlobalGet: {
                std::uint32_t v = 0;
                ok = in.read_u32(v);
                if (ok) visitor.global_get(v);
                break;
            }
            case Opcode::RefFunc: {
                std::uint32_t v = 0;
                ok = in.read_u32(v);
                if (ok) visitor.ref_func(v);
                break;
            }
            case Opcode::RefNull: {
                ValType v;
                ok = read_heap_type(in, TypeContext{module.types, FeatureSet::all()}, true, v);
                if (ok) visitor.ref_null(v);
                break;
            }
            case Opcode::I32Add: visitor.i32_add(); break;
            case Opcode::I32Sub: visitor.i32_sub(); break;
            case Opcode::I32Mul: visitor.i32_mul(); break;
            case Opcode::I64Add: visitor.i64_add(); break;
            case Opcode::I64Sub: visitor.i64_sub(); break;
            case Opcode::I64Mul: visitor.i64_mul(); break;
            case Opcode::StructNew:
                ok = type_index(type);
                if (ok) visitor.struct_new(type);
                break;
            case Opcode::StructNewDefault:
                ok = type_index(type);
                if (ok) visitor.struct_new_default(type);
                break;
            case Opcode::ArrayNew:
                ok = type_index(type);
                if (ok) visitor.array_new(type);
                break;
            case Opcode::ArrayNewDefault:
                ok = type_index(type);
                if (ok) visitor.array_new_default(type);
                break;
            case Opcode::ArrayNewFixed: {
                std::uint32_t count = 0;
                ok = type_index(type) && in.read_u32(count);
                if (ok) visitor.array_new_fixed(type, count);
                break;
            }
            case Opcode::RefI31:           visitor.ref_i31(); break;
            case Opcode::AnyConvertExtern: visitor.any_convert_extern(); break;
            case Opcode::ExternConvertAny: visitor.extern_convert_any(); break;
            default:                       return false;
        }
        if (!ok) return false;
    }
}

}  // namespace pollux::wasm
