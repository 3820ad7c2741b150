// Layout of objects.
#include "jit/wasm/object_type.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include "jit/wasm/type_registry.h"

namespace pollux::wasm {
namespace {

constexpr std::uint32_t kExceptionArguments = 16;
constexpr std::uint32_t kArgumentBytes = 16;

/// Memory for as long as the process lives.
template <class T>
const T* keep(std::span<const T> values) {
    auto copy = std::make_unique<T[]>(values.size());
    std::ranges::copy(values, copy.get());
    return copy.release();
}

/// Collects which words of an object are references.
class ReferenceMap {
public:
    void add(std::uint32_t offset) {
        const std::size_t word = offset / 8;
        if (word / 64 >= bits_.size()) bits_.resize(word / 64 + 1);
        bits_[word / 64] |= std::uint64_t{1} << word % 64;
    }
    void store(ObjectType& out) {
        if (bits_.empty()) return;
        out.has_references = true;
        out.references = bits_[0];
        if (bits_.size() == 1) return;
        bits_.resize((out.words() + 63) / 64);
        out.more_references = keep(std::span<const std::uint64_t>(bits_).subspan(1));
    }

private:
    std::vector<std::uint64_t> bits_;
};

void make_struct(const DefinedType& type, ObjectType& out) {
    std::vector<std::uint32_t> offsets;
    ReferenceMap map;
    std::uint32_t end = ObjectType::kHeaderBytes;
    for (const FieldType& field : type.fields) {
        const std::uint32_t bytes = storage_bytes(field);
        const std::uint32_t at = (end + bytes - 1) & ~(bytes - 1);
        offsets.push_back(at);
        if (is_collected(field.type)) map.add(at);
        end = at + bytes;
    }
    out.form = ObjectType::Form::struct_;
    out.bytes = (end + 7) & ~std::uint32_t{7};
    out.field_offsets = keep(std::span<const std::uint32_t>(offsets));
    map.store(out);
}

void make_exception(const DefinedType& type, ObjectType& out) {
    ReferenceMap map;
    std::uint32_t at = kExceptionArguments;
    for (const ValType param : type.func.params) {
        if (is_collected(param)) map.add(at);
        at += kArgumentBytes;
    }
    out.form = ObjectType::Form::func;
    out.bytes = at;
    map.store(out);
}

}  // namespace

bool is_collected(ValType type) noexcept { return type.is_ref() && top_of(type) != Heap::func; }

std::uint32_t storage_bytes(const FieldType& field) noexcept {
    if (field.packed != FieldType::Packed::no) return field.packed == FieldType::Packed::i8 ? 1 : 2;
    switch (field.type.kind()) {
        case Kind::i32:
        case Kind::f32:  return 4;
        case Kind::v128: return 16;
        default:         return 8;
    }
}

void make_object_type(const DefinedType& type, TypeId id, std::span<const TypeId> supertypes, ObjectType& out) {
    std::vector<TypeId> display(supertypes.begin(), supertypes.end());
    display.push_back(id);
    out.depth = static_cast<std::uint32_t>(supertypes.size());
    out.display.fill(kNoType);
    std::copy_n(display.begin(), std::min<std::size_t>(display.size(), ObjectType::kShortDisplay), out.display.begin());
    if (display.size() > ObjectType::kShortDisplay) out.whole_display = keep(std::span<const TypeId>(display));
    switch (type.form) {
        case DefinedType::Form::func:    make_exception(type, out); break;
        case DefinedType::Form::struct_: make_struct(type, out); break;
        case DefinedType::Form::array:
            out.form = ObjectType::Form::array;
            out.bytes = ObjectType::kArrayElements;
            out.element_log2 = static_cast<std::uint8_t>(std::countr_zero(storage_bytes(type.fields[0])));
            out.has_references = is_collected(type.fields[0].type);
            break;
    }
}

const ObjectType& host_object_type() noexcept {
    static constexpr ObjectType kHost = [] {
        ObjectType type;
        type.display.fill(kNoType);
        return type;
    }();
    return kHost;
}

}  // namespace pollux::wasm
