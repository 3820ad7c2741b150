// Validation of initialiser expressions.
#include "jit/wasm/const_expr.h"

#include <algorithm>

#include "jit/wasm/limits.h"
#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

/// The length of an i32.const and the end behind it; 0: something else is there.
static std::size_t length_of_i32_const(const std::uint8_t* begin, const std::uint8_t* end) noexcept {
    if (begin == end || *begin != static_cast<std::uint8_t>(Opcode::I32Const)) return 0;
    const std::uint8_t* at = begin + 1;
    std::int32_t value = 0;
    if (read_leb_of_any_length(at, end, value) != LebStatus::ok) return 0;
    return at != end && *at == static_cast<std::uint8_t>(Opcode::End) ? static_cast<std::size_t>(at + 1 - begin) : 0;
}

bool ConstExprReader::read(Cursor& in, ValType expected, ConstExpr& out, std::vector<bool>* declared) {
    if (expected == ValType(Kind::i32)) {  // as nearly all are, by the thousand
        if (const std::size_t length = length_of_i32_const(in.next(), in.next() + in.remaining()); length != 0) {
            out = {static_cast<std::uint32_t>(in.offset()), static_cast<std::uint32_t>(length)};
            std::span<const std::uint8_t> bytes;
            return in.read_bytes(length, bytes);
        }
    }
    stack_.clear();
    const std::uint64_t start = in.offset();
    while (true) {
        const std::uint64_t at = in.offset();
        std::uint8_t byte = 0;
        if (!in.read_u8(byte)) return false;
        if (static_cast<Opcode>(byte) == Opcode::End) break;
        std::uint8_t prefix = 0;
        std::uint32_t code = byte;
        if (byte >= 0xFB && byte <= 0xFE) {
            prefix = byte;
            if (!in.read_u32(code)) return false;
        }
        if (!is_opcode(prefix, code)) return in.fail(ErrorKind::malformed, "illegal opcode in a constant expression", at);
        const auto op = static_cast<Opcode>(opcode_page(prefix) + code);
        if (!require(in, features_, feature(op), text(op)) || !instruction(in, op, declared)) return false;
    }
    if (stack_.size() != 1 || !matches(stack_[0], expected)) {
        return in.fail(ErrorKind::invalid,
                       "type mismatch: a constant expression must give " + to_string(expected) + ", this one gives " + to_string(stack_),
                       start);
    }
    out = {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(in.offset() - start)};
    return true;
}

bool ConstExprReader::pop(Cursor& in, ValType expected) {
    if (stack_.empty() || !matches(stack_.back(), expected)) {
        return in.fail(ErrorKind::invalid, "type mismatch in a constant expression: expected " + to_string(expected) + ", found " +
                                               (stack_.empty() ? "nothing" : to_string(stack_.back())));
    }
    stack_.pop_back();
    return true;
}

bool ConstExprReader::binary(Cursor& in, ValType type) {
    if (!require(in, features_, Feature::extended_const, "arithmetic in a constant expression")) return false;
    if (!pop(in, type) || !pop(in, type)) return false;
    stack_.push_back(type);
    return true;
}

bool ConstExprReader::read_type(Cursor& in, DefinedType::Form form, TypeId& out) {
    std::uint32_t index = 0;
    if (!in.read_u32(index)) return false;
    if (index >= module_.types.size()) return in.fail(ErrorKind::invalid, "unknown type " + std::to_string(index));
    out = module_.types[index];
    if (defined_type(out).form == form) return true;
    return in.fail(ErrorKind::invalid, "type mismatch: type " + std::to_string(index) + " is of another form");
}

bool ConstExprReader::instruction(Cursor& in, Opcode op, std::vector<bool>* declared) {
    switch (op) {
        case Opcode::I32Const: {
            std::int32_t value = 0;
            stack_.push_back(Kind::i32);
            return in.read_s32(value);
        }
        case Opcode::I64Const: {
            std::int64_t value = 0;
            stack_.push_back(Kind::i64);
            return in.read_s64(value);
        }
        case Opcode::F32Const: {
            std::uint32_t bits = 0;
            stack_.push_back(Kind::f32);
            return in.read_fixed(bits);
        }
        case Opcode::F64Const: {
            std::uint64_t bits = 0;
            stack_.push_back(Kind::f64);
            return in.read_fixed(bits);
        }
        case Opcode::V128Const: {
            V128 value;
            stack_.push_back(Kind::v128);
            return in.read_fixed(value);
        }
        case Opcode::GlobalGet: {
            std::uint32_t index = 0;
            if (!in.read_u32(index)) return false;
            const bool known = index < module_.globals.size() && (index < module_.imported_globals || features_.has(Feature::gc));
            if (!known) return in.fail(ErrorKind::invalid, "unknown global " + std::to_string(index) + " in a constant expression");
            const GlobalType& global = module_.globals[index].type;
            if (global.is_mutable) return in.fail(ErrorKind::invalid, "constant expression required: the global is mutable");
            stack_.push_back(global.type);
            return true;
        }
        case Opcode::RefNull: {
            ValType type;
            if (!read_heap_type(in, TypeContext{module_.types, features_}, true, type)) return false;
            stack_.push_back(type);
            return true;
        }
        case Opcode::RefFunc: {
            std::uint32_t index = 0;
            if (!in.read_u32(index)) return false;
            if (index >= module_.functions.size()) return in.fail(ErrorKind::invalid, "unknown function " + std::to_string(index));
            if (declared != nullptr) (*declared)[index] = true;
            stack_.push_back(ValType::ref(module_.functions[index].type, false));
            return true;
        }
        case Opcode::I32Add:
        case Opcode::I32Sub:
        case Opcode::I32Mul: return binary(in, Kind::i32);
        case Opcode::I64Add:
        case Opcode::I64Sub:
        case Opcode::I64Mul: return binary(in, Kind::i64);
        default:             return gc_instruction(in, op);
    }
}

bool ConstExprReader::gc_instruction(Cursor& in, Opcode op) {
    TypeId type = kNoType;
    switch (op) {
        case Opcode::StructNew: {
            if (!read_type(in, DefinedType::Form::struct_, type)) return false;
            const std::vector<FieldType>& fields = defined_type(type).fields;
            for (std::size_t i = fields.size(); i-- > 0;) {
                if (!pop(in, fields[i].type)) return false;
            }
            break;
        }
        case Opcode::StructNewDefault:
            if (!read_type(in, DefinedType::Form::struct_, type)) return false;
            if (!std::ranges::all_of(defined_type(type).fields, [](const FieldType& field) { return field.type.defaultable(); })) {
                return in.fail(ErrorKind::invalid, "type mismatch: a field of the struct has no default value");
            }
            break;
        case Opcode::ArrayNew:
            if (!read_type(in, DefinedType::Form::array, type) || !pop(in, Kind::i32)) return false;
            if (!pop(in, defined_type(type).fields[0].type)) return false;
            break;
        case Opcode::ArrayNewDefault:
            if (!read_type(in, DefinedType::Form::array, type)) return false;
            if (!defined_type(type).fields[0].type.defaultable()) {
                return in.fail(ErrorKind::invalid, "type mismatch: the element has no default value");
            }
            if (!pop(in, Kind::i32)) return false;
            break;
        case Opcode::ArrayNewFixed: {
            std::uint32_t count = 0;
            if (!read_type(in, DefinedType::Form::array, type) || !in.read_u32(count)) return false;
            if (count > kMaxFixedArray) return in.fail(ErrorKind::resource, "array.new_fixed has too many elements");
            for (std::uint32_t i = 0; i < count; ++i) {
                if (!pop(in, defined_type(type).fields[0].type)) return false;
            }
            break;
        }
        case Opcode::RefI31:
            if (!pop(in, Kind::i32)) return false;
            stack_.push_back(ValType::ref(Heap::i31, false));
            return true;
        case Opcode::AnyConvertExtern:
        case Opcode::ExternConvertAny: {
            const bool to_any = op == Opcode::AnyConvertExtern;
            const bool nullable = stack_.empty() || stack_.back().nullable();
            if (!pop(in, ValType::ref(to_any ? Heap::extern_ : Heap::any, true))) return false;
            stack_.push_back(ValType::ref(to_any ? Heap::any : Heap::extern_, nullable));
            return true;
        }
        default: return in.fail(ErrorKind::invalid, "constant expression required, found " + std::string(text(op)));
    }
    stack_.push_back(ValType::ref(type, false));
    return true;
}

}  // namespace pollux::wasm
