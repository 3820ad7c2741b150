// Types in the binary format, WebAssembly 3.0 section 5.3.
#include "jit/wasm/type_reader.h"

#include <array>

#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

namespace {

/// One-byte codes of abstract heap types, 0x69 to 0x74.
struct AbstractHeap {
    Heap heap;
    Feature feature;
};
constexpr std::uint8_t kFirstHeap = 0x69;
constexpr std::array<AbstractHeap, 12> kAbstractHeaps = {{
    {Heap::exn, Feature::exceptions},            // 0x69
    {Heap::array, Feature::gc},                  // 0x6A
    {Heap::struct_, Feature::gc},                // 0x6B
    {Heap::i31, Feature::gc},                    // 0x6C
    {Heap::eq, Feature::gc},                     // 0x6D
    {Heap::any, Feature::gc},                    // 0x6E
    {Heap::extern_, Feature::reference_types},   // 0x6F
    {Heap::func, Feature::reference_types},      // 0x70
    {Heap::none, Feature::gc},                   // 0x71
    {Heap::noextern, Feature::gc},               // 0x72
    {Heap::nofunc, Feature::gc},                 // 0x73
    {Heap::noexn, Feature::exceptions},          // 0x74
}};
constexpr std::uint8_t kExact = 0x62;
constexpr std::uint8_t kRefNull = 0x63;
constexpr std::uint8_t kRef = 0x64;
constexpr std::uint8_t kEmptyBlock = 0x40;

bool is_abstract_heap(std::uint8_t byte) { return byte >= kFirstHeap && byte < kFirstHeap + kAbstractHeaps.size(); }

bool read_abstract_heap(Cursor& in, const TypeContext& context, bool nullable, ValType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    const AbstractHeap& entry = kAbstractHeaps[static_cast<std::size_t>(byte - kFirstHeap)];
    out = ValType::ref(entry.heap, nullable);
    return require(in, context.features, entry.feature, "this reference type") && in.read_u8(byte);
}

/// Every one-element block type, so that spans can point at them.
constexpr auto kBlockResults = [] {
    constexpr std::size_t kHeaps = static_cast<std::size_t>(Heap::noexn) + 1;
    std::array<ValType, 5 + 2 * kHeaps> types;
    for (std::uint8_t i = 0; i < 5; ++i) types[i] = ValType(static_cast<Kind>(i));
    for (std::uint8_t i = 0; i < 2 * kHeaps; ++i) types[5U + i] = ValType::ref(static_cast<Heap>(i / 2), i % 2 != 0);
    return types;
}();

const ValType& stable(ValType type) {
    if (!type.is_ref()) return kBlockResults[static_cast<std::size_t>(type.kind())];
    if (type.heap() == Heap::concrete) return TypeRegistry::ref_to(type.type_id(), type.nullable());
    return kBlockResults[5 + 2 * static_cast<std::size_t>(type.heap()) + (type.nullable() ? 1 : 0)];
}

}  // namespace

std::string lacks_feature(std::string_view what, Feature feature) {
    const std::string name(feature_name(feature));
    const std::string why = feature == Feature::custom_descriptors ? "which is not supported" : "which is off; -W " + name + "=y allows it";
    return std::string(what) + " needs the feature '" + name + "', " + why;
}

bool require(Cursor& in, FeatureSet features, Feature feature, std::string_view what) {
    if (features.has(feature)) [[likely]]
        return true;
    return in.fail(ErrorKind::unsupported, lacks_feature(what, feature));
}

bool read_heap_type(Cursor& in, const TypeContext& context, bool nullable, ValType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (is_abstract_heap(byte)) return read_abstract_heap(in, context, nullable, out);
    if (byte == kExact) {
        return in.fail(ErrorKind::unsupported, lacks_feature("an exact heap type", Feature::custom_descriptors));
    }

    const std::uint64_t at = in.offset();
    std::int64_t index = 0;
    if (!in.read_s33(index)) return false;
    if (index < 0) return in.fail(ErrorKind::malformed, "malformed heap type", at);
    const auto position = static_cast<std::uint64_t>(index);
    if (position >= context.types.size() + context.group_size) {
        return in.fail(
            ErrorKind::invalid,
            "unknown type " + std::to_string(index) + ": the module has " + std::to_string(context.types.size() + context.group_size), at);
    }
    const TypeId id = position < context.types.size() ? context.types[position]
                                                      : TypeRegistry::in_group(static_cast<std::uint32_t>(position - context.types.size()));
    out = ValType::ref(id, nullable);
    return true;
}

bool read_ref_type(Cursor& in, const TypeContext& context, ValType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (is_abstract_heap(byte)) return read_abstract_heap(in, context, true, out);
    if (byte == kRef || byte == kRefNull) {
        return require(in, context.features, Feature::function_references, "a typed reference") && in.read_u8(byte) &&
               read_heap_type(in, context, byte == kRefNull, out);
    }
    return in.fail(ErrorKind::malformed, "malformed reference type");
}

bool read_val_type(Cursor& in, const TypeContext& context, ValType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (byte >= 0x7C && byte <= 0x7F) {
        out = ValType(static_cast<Kind>(0x7F - byte));
        return in.read_u8(byte);
    }
    if (byte == 0x7B) {
        out = Kind::v128;
        return require(in, context.features, Feature::simd, "v128") && in.read_u8(byte);
    }
    if (byte == kRef || byte == kRefNull || is_abstract_heap(byte)) return read_ref_type(in, context, out);
    return in.fail(ErrorKind::malformed, "malformed value type");
}

bool read_block_type(Cursor& in, const TypeContext& context, BlockType& out) {
    std::uint8_t byte = 0;
    if (!in.peek_u8(byte)) return false;
    if (byte == kEmptyBlock) {
        out = {};
        return in.read_u8(byte);
    }
    if ((byte & 0xC0) == 0x40) {
        ValType result;
        if (!read_val_type(in, context, result)) return false;
        out = {{}, std::span(&stable(result), 1)};
        return true;
    }
    const std::uint64_t at = in.offset();
    std::int64_t index = 0;
    if (!in.read_s33(index)) return false;
    if (index < 0) return in.fail(ErrorKind::malformed, "malformed block type", at);
    if (static_cast<std::uint64_t>(index) >= context.types.size()) {
        return in.fail(ErrorKind::invalid, "unknown type " + std::to_string(index) + " of a block", at);
    }
    if (!require(in, context.features, Feature::multi_value, "a block type with an index")) return false;
    const DefinedType& type = defined_type(context.types[static_cast<std::size_t>(index)]);
    if (type.form != DefinedType::Form::func) return in.fail(ErrorKind::invalid, "a block's type must be a function type", at);
    out = {type.func.params, type.func.results};
    return true;
}

}  // namespace pollux::wasm
