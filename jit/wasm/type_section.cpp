// The type section: recursion groups, subtypes, composite types (WebAssembly 3.0, section 5.3).
#include "jit/wasm/limits.h"
#include "jit/wasm/section_decoder.h"
#include "jit/wasm/type_reader.h"
#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

namespace {

constexpr std::uint8_t kRec = 0x4E;
constexpr std::uint8_t kSub = 0x50;
constexpr std::uint8_t kSubFinal = 0x4F;
constexpr std::uint8_t kFunc = 0x60;
constexpr std::uint8_t kStruct = 0x5F;
constexpr std::uint8_t kArray = 0x5E;
constexpr std::uint8_t kDescribes = 0x4C;
constexpr std::uint8_t kDescriptor = 0x4D;
constexpr std::uint8_t kI8 = 0x78;
constexpr std::uint8_t kI16 = 0x77;

}  // namespace

bool SectionDecoder::types(Cursor& in) {
    std::uint32_t groups = 0;
    if (!count(in, kMaxTypes, "types", groups)) return false;
    module_.types.reserve(groups);
    for (std::uint32_t i = 0; i < groups; ++i) {
        if (!recursion_group(in)) return false;
    }
    return true;
}

bool SectionDecoder::recursion_group(Cursor& in) {
    const std::uint64_t at = in.offset();
    std::uint8_t byte = 0;
    std::uint32_t size = 1;
    if (!in.peek_u8(byte)) return false;
    if (byte == kRec) {
        if (!require(in, features_, Feature::gc, "a recursion group") || !in.read_u8(byte)) return false;
        if (!count(in, kMaxTypes, "types", size)) return false;
    }
    if (size == 0) return true;
    if (size > kMaxTypes - module_.types.size())
        return in.fail(ErrorKind::resource, "more than " + std::to_string(kMaxTypes) + " types", at);

    std::vector<DefinedType> group(size);
    const TypeContext context{module_.types, features_, size};
    bool has_supertypes = false;
    for (std::uint32_t i = 0; i < size; ++i) {
        if (!sub_type(in, context, i, group[i])) return false;
        has_supertypes |= group[i].supertype != kNoType;
    }
    const Result<TypeId> base = TypeRegistry::add(group);
    if (!base) return in.fail(base.error().kind, base.error().message, at);
    for (std::uint32_t i = 0; i < size; ++i) {
        if (has_supertypes && !TypeRegistry::check_supertype(*base + i)) {
            return in.fail(ErrorKind::invalid, "sub type " + std::to_string(module_.types.size()) + " does not match its super type", at);
        }
        module_.types.push_back(*base + i);
    }
    return true;
}

bool SectionDecoder::sub_type(Cursor& in, const TypeContext& context, std::uint32_t index, DefinedType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (byte == kSub || byte == kSubFinal) {
        if (!require(in, features_, Feature::gc, "a sub type") || !in.read_u8(byte)) return false;
        out.is_final = byte == kSubFinal;
        std::uint32_t supertypes = 0;
        if (!in.read_u32(supertypes)) return false;
        if (supertypes > 1) return in.fail(ErrorKind::malformed, "a type has at most one super type");
        if (supertypes == 1) {
            const std::uint64_t at = in.offset();
            std::uint32_t super = 0;
            if (!in.read_u32(super)) return false;
            if (super >= context.types.size() + index) {
                return in.fail(ErrorKind::invalid,
                               "unknown type " + std::to_string(super) + ": a super type is declared before its sub types", at);
            }
            out.supertype = super < context.types.size() ? context.types[super]
                                                         : TypeRegistry::in_group(static_cast<std::uint32_t>(super - context.types.size()));
        }
    }
    return composite_type(in, context, out);
}

bool SectionDecoder::composite_type(Cursor& in, const TypeContext& context, DefinedType& out) {
    const std::uint64_t at = in.offset();
    std::uint8_t byte = 0;
    if (!in.read_u8(byte)) return false;
    switch (byte) {
        case kFunc:
            out.form = DefinedType::Form::func;
            if (!val_types(in, context, kMaxParams, "parameters", out.func.params)) return false;
            if (!val_types(in, context, kMaxResults, "results", out.func.results)) return false;
            return out.func.results.size() <= 1 || require(in, features_, Feature::multi_value, "a function type with several results");
        case kStruct: {
            out.form = DefinedType::Form::struct_;
            std::uint32_t fields = 0;
            if (!require(in, features_, Feature::gc, "a struct type") || !count(in, kMaxFields, "fields", fields)) return false;
            out.fields.resize(fields);
            for (FieldType& field : out.fields) {
                if (!field_type(in, context, field)) return false;
            }
            return true;
        }
        case kArray:
            out.form = DefinedType::Form::array;
            out.fields.resize(1);
            return require(in, features_, Feature::gc, "an array type") && field_type(in, context, out.fields[0]);
        case kDescribes:
        case kDescriptor: return in.fail(ErrorKind::unsupported, lacks_feature("this type", Feature::custom_descriptors), at);
        default:          return in.fail(ErrorKind::malformed, "malformed type: expected func, struct or array", at);
    }
}

bool SectionDecoder::field_type(Cursor& in, const TypeContext& context, FieldType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (byte == kI8 || byte == kI16) {
        out.packed = byte == kI8 ? FieldType::Packed::i8 : FieldType::Packed::i16;
        out.type = Kind::i32;
        if (!in.read_u8(byte)) return false;
    } else if (!read_val_type(in, context, out.type)) {
        return false;
    }
    if (!in.read_u8(byte)) return false;
    if (byte > 1) return in.fail(ErrorKind::malformed, "malformed mutability");
    out.is_mutable = byte == 1;
    return true;
}

bool SectionDecoder::val_types(Cursor& in, const TypeContext& context, std::uint32_t limit, std::string_view what,
                               std::vector<ValType>& out) {
    std::uint32_t size = 0;
    if (!count(in, limit, what, size)) return false;
    out.resize(size);
    for (ValType& type : out) {
        if (!read_val_type(in, context, type)) return false;
    }
    return true;
}

}  // namespace pollux::wasm
