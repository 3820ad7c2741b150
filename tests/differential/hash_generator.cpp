#include "tests/differential/hash_generator.h"

namespace pollux::differential {
namespace {

using wasm::DefinedType;
using wasm::FieldType;
using wasm::Heap;
using wasm::Kind;
using wasm::Opcode;
using wasm::TypeId;
using wasm::ValType;

constexpr std::int32_t kReferences = 2;  ///< one behind the other that are followed
constexpr std::int32_t kElements = 6;  ///< of an array that are looked at

// Locals of the hash function.
enum : std::uint32_t { kObject, kDepth, kHash, kIndex, kWide };

/// hash = rotl(hash, 5) ^ the i64 on the stack.
void mix(ModuleWriter& code, std::uint32_t into) {
    code.op(Opcode::LocalGet, into);
    code.constant(Kind::i64, 5);
    code.op(Opcode::I64Rotl);
    code.op(Opcode::I64Xor);
    code.op(Opcode::LocalSet, into);
}

/// Turns the value on the stack, which is no v128, into an i64. `push_depth` pushes how deep objects are hashed.
template <class PushDepth>
void to_i64(ModuleWriter& code, const ModuleShape& module, ValType type, const PushDepth& push_depth) {
    if (type == Kind::f32) code.op(Opcode::I32ReinterpretF32);
    if (type == Kind::f64) code.op(Opcode::I64ReinterpretF64);
    if (type == Kind::i32 || type == Kind::f32) code.op(Opcode::I64ExtendI32U);
    if (!type.is_ref()) return;
    const bool is_object = module.matches(type, ValType::ref(Heap::any, true));
    if (!is_object && type.heap() != Heap::extern_) {
        code.op(Opcode::RefIsNull);
        return code.op(Opcode::I64ExtendI32U);
    }
    if (!is_object) code.op(Opcode::AnyConvertExtern);
    push_depth();
    code.op(Opcode::Call, module.hash_function());
}

/// Mixes a field of the object, cast to its type, into the hash; `get` gets it.
template <class Get>
void mix_field(ModuleWriter& code, const ModuleShape& module, const FieldType& field, const Get& get) {
    get();
    if (field.type == Kind::v128) {
        code.op(Opcode::LocalSet, kWide);
        return mix_local(code, module, field.type, kWide, kHash);
    }
    to_i64(code, module, field.type, [&] {
        code.op(Opcode::LocalGet, kDepth);
        code.constant(1);
        code.op(Opcode::I32Sub);
    });
    mix(code, kHash);
}

void push_object(ModuleWriter& code, TypeId type) {
    code.op(Opcode::LocalGet, kObject);
    code.op(Opcode::RefCast);
    code.heap_type(ValType::ref(type, false));
}

void mix_elements(ModuleWriter& code, const ModuleShape& module, TypeId type) {
    const FieldType& field = module.objects[type].fields[0];
    push_object(code, type);
    code.op(Opcode::ArrayLen);
    code.op(Opcode::LocalTee, kIndex);
    code.op(Opcode::I64ExtendI32U);
    mix(code, kHash);
    code.constant(kElements);  // index = min(length, kElements)
    code.op(Opcode::LocalGet, kIndex);
    code.constant(kElements);
    code.op(Opcode::LocalGet, kIndex);
    code.op(Opcode::I32LtU);
    code.op(Opcode::Select);
    code.op(Opcode::LocalSet, kIndex);
    code.op(Opcode::Block);
    code.byte(0x40);
    code.op(Opcode::Loop);
    code.byte(0x40);
    code.op(Opcode::LocalGet, kIndex);
    code.op(Opcode::I32Eqz);
    code.op(Opcode::BrIf, 1);
    code.op(Opcode::LocalGet, kIndex);
    code.constant(1);
    code.op(Opcode::I32Sub);
    code.op(Opcode::LocalSet, kIndex);
    mix_field(code, module, field, [&] {
        push_object(code, type);
        code.op(Opcode::LocalGet, kIndex);
        code.op(field.packed == FieldType::Packed::no ? Opcode::ArrayGet : Opcode::ArrayGetU, type);
    });
    code.op(Opcode::Br, 0);
    code.op(Opcode::End);
    code.op(Opcode::End);
}

/// If `condition` leaves a 1: what `then` does, and the hash is returned.
template <class Condition, class Then>
void when(ModuleWriter& code, const Condition& condition, const Then& then) {
    condition();
    code.op(Opcode::If);
    code.byte(0x40);
    then();
    code.op(Opcode::LocalGet, kHash);
    code.op(Opcode::Return);
    code.op(Opcode::End);
}

}  // namespace

void mix_local(ModuleWriter& code, const ModuleShape& module, ValType type, std::uint32_t local, std::uint32_t into) {
    for (std::uint32_t lane = 0; lane < (type == Kind::v128 ? 2U : 1U); ++lane) {
        code.op(Opcode::LocalGet, local);
        if (type == Kind::v128) {
            code.op(Opcode::I64x2ExtractLane);
            code.byte(lane);
        } else {
            to_i64(code, module, type, [&] { code.constant(kReferences); });
        }
        mix(code, into);
    }
}

FunctionShape hash_type() { return {{ValType::ref(Heap::any, true), Kind::i32}, {Kind::i64}}; }

ModuleWriter hash_function(const ModuleShape& module) {
    ModuleWriter code;
    code.unsigned_number(3);
    for (const Kind kind : {Kind::i64, Kind::i32, Kind::v128}) {
        code.unsigned_number(1);
        code.type(kind);
    }
    const auto set_hash = [&](std::int64_t value) {
        code.constant(Kind::i64, value);
        code.op(Opcode::LocalSet, kHash);
    };
    const auto is_null = [&] {
        code.op(Opcode::LocalGet, kObject);
        code.op(Opcode::RefIsNull);
    };
    when(code, is_null, [&] { set_hash(-1); });
    const auto is_i31 = [&] {
        code.op(Opcode::LocalGet, kObject);
        code.op(Opcode::RefTest);
        code.heap_type(ValType::ref(Heap::i31, false));
    };
    when(code, is_i31, [&] {
        code.op(Opcode::LocalGet, kObject);
        code.op(Opcode::RefCast);
        code.heap_type(ValType::ref(Heap::i31, false));
        code.op(Opcode::I31GetS);
        code.op(Opcode::I64ExtendI32S);
        code.op(Opcode::LocalSet, kHash);
    });
    // Subtypes come behind their supertypes.
    for (auto type = static_cast<TypeId>(module.objects.size()); type-- > 0;) {
        const auto is_type = [&] {
            code.op(Opcode::LocalGet, kObject);
            code.op(Opcode::RefTest);
            code.heap_type(ValType::ref(type, false));
        };
        when(code, is_type, [&] {
            set_hash(std::int64_t{1} << 40 | type);
            code.op(Opcode::LocalGet, kDepth);
            code.op(Opcode::If);
            code.byte(0x40);
            if (module.objects[type].form == DefinedType::Form::array) {
                mix_elements(code, module, type);
            } else {
                for (std::uint32_t i = 0; i < module.objects[type].fields.size(); ++i) {
                    const FieldType& field = module.objects[type].fields[i];
                    mix_field(code, module, field, [&] {
                        push_object(code, type);
                        code.op(field.packed == FieldType::Packed::no ? Opcode::StructGet : Opcode::StructGetU, type);
                        code.unsigned_number(i);
                    });
                }
            }
            code.op(Opcode::End);
        });
    }
    code.op(Opcode::LocalGet, kHash);
    code.op(Opcode::End);
    return code;
}

}  // namespace pollux::differential
