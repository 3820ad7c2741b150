#include "jit/runtime/gc_object.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "jit/runtime/store.h"

namespace pollux {

wasm::V128 load_storage(const std::uint8_t* at, const wasm::FieldType& field) noexcept {
    wasm::V128 value;
    std::memcpy(&value, at, wasm::storage_bytes(field));
    return value;
}

void store_storage(std::uint8_t* at, const wasm::FieldType& field, const wasm::V128& value) noexcept {
    std::memcpy(at, &value, wasm::storage_bytes(field));
}

void fill_elements(ArrayObject& array, std::uint64_t index, std::uint64_t count, const wasm::V128& value) noexcept {
    const std::uint8_t log2 = array.type->element_log2;
    std::uint8_t* const at = array.elements() + (index << log2);
    const auto fill = [&]<class T>(T element) { std::fill_n(reinterpret_cast<T*>(at), count, element); };
    switch (log2) {
        case 0:  std::memset(at, static_cast<int>(value.low & 0xff), count); break;
        case 1:  fill(static_cast<std::uint16_t>(value.low)); break;
        case 2:  fill(static_cast<std::uint32_t>(value.low)); break;
        case 3:  fill(value.low); break;
        default: fill(value); break;
    }
}

wasm::TypeId type_of(const Object& object) noexcept {
    const wasm::ObjectType& type = *object.type;
    return type.whole_display != nullptr ? type.whole_display[type.depth] : type.display[type.depth];
}

std::optional<ObjectView> ObjectView::of(Store& store, const Value& reference) noexcept {
    Object* object = store.heap().find(reference.bits.low);
    if (reference.kind != wasm::Kind::ref || reinterpret_cast<std::uint64_t>(object) != reference.bits.low || object == nullptr)
        return std::nullopt;
    const wasm::ObjectType::Form form = object->type->form;
    if (form != wasm::ObjectType::Form::struct_ && form != wasm::ObjectType::Form::array) return std::nullopt;
    return ObjectView(object);
}

Result<Value> ObjectView::make(Store& store, wasm::TypeId type, std::span<const Value> values) {
    const wasm::DefinedType& defined = wasm::defined_type(type);
    const bool is_array = defined.form == wasm::DefinedType::Form::array;
    const auto field = [&](std::size_t i) -> const wasm::FieldType& { return defined.fields[is_array ? 0 : i]; };
    bool fits = defined.form != wasm::DefinedType::Form::func && values.size() <= 0xffff'ffff &&
                (is_array || values.size() == defined.fields.size());
    for (std::size_t i = 0; i < values.size() && fits; ++i) fits = values[i].kind == field(i).type.kind();
    if (!fits) return fail(ErrorKind::usage, "the values do not fit the type of the object that is to be made");
    const wasm::ObjectType& object_type = wasm::TypeRegistry::object_type(type);
    // The values may be in no root.
    const GcHeap::Pause pause(store.heap());
    Object* object = is_array ? store.heap().allocate_array(object_type, static_cast<std::uint32_t>(values.size()))
                              : store.heap().allocate(object_type, object_type.bytes);
    if (object == nullptr)
        return fail(ErrorKind::resource, "the heap has no room for an object of " + std::to_string(values.size()) + " values");
    const ObjectView view(object);
    for (std::size_t i = 0; i < values.size(); ++i) view.set(i, values[i]);
    return Value::ref(reinterpret_cast<std::uint64_t>(object));
}

std::size_t ObjectView::size() const noexcept {
    return is_array() ? static_cast<const ArrayObject*>(object_)->length : wasm::defined_type(type()).fields.size();
}

const wasm::FieldType& ObjectView::field(std::size_t index) const noexcept {
    return wasm::defined_type(type()).fields[is_array() ? 0 : index];
}

std::uint8_t* ObjectView::address(std::size_t index) const noexcept {
    if (is_array()) return static_cast<ArrayObject*>(object_)->elements() + (index << object_->type->element_log2);
    return reinterpret_cast<std::uint8_t*>(object_) + object_->type->field_offsets[index];
}

Value ObjectView::get(std::size_t index) const noexcept { return {field(index).type.kind(), load_storage(address(index), field(index))}; }

void ObjectView::set(std::size_t index, const Value& value) const noexcept { store_storage(address(index), field(index), value.bits); }

}  // namespace pollux
