// Objects as C++ sees them: fields and elements by their types, and what a host can do with a reference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/runtime/gc_heap.h"
#include "jit/runtime/value.h"
#include "jit/wasm/type_registry.h"

namespace pollux {

/// The field or element at `at`; a packed one zero-extended.
[[nodiscard]] wasm::V128 load_storage(const std::uint8_t* at, const wasm::FieldType& field) noexcept;
void store_storage(std::uint8_t* at, const wasm::FieldType& field, const wasm::V128& value) noexcept;
/// Elements [index, index + count), which must be in the array, become `value`.
void fill_elements(ArrayObject& array, std::uint64_t index, std::uint64_t count, const wasm::V128& value) noexcept;
/// The defined type of an object; kNoType for a host value.
[[nodiscard]] wasm::TypeId type_of(const Object& object) noexcept;

/// A struct or an array in a host's hands. Like every reference that is only in the host's memory, it must be in a GcRoot, or nothing may
/// be allocated or called while it is used; references in the frames of a host function that a guest called are safe.
class ObjectView {
public:
    /// Nothing if `reference` is no struct or array of this store.
    [[nodiscard]] static std::optional<ObjectView> of(Store& store, const Value& reference) noexcept;
    /// A new object: with these fields, or an array of these elements. Errors: usage: number or kinds of values are wrong; resource.
    [[nodiscard]] static Result<Value> make(Store& store, wasm::TypeId type, std::span<const Value> values);

    [[nodiscard]] wasm::TypeId type() const noexcept { return type_of(*object_); }
    [[nodiscard]] bool is_array() const noexcept { return object_->type->form == wasm::ObjectType::Form::array; }
    /// Fields or elements.
    [[nodiscard]] std::size_t size() const noexcept;
    /// index < size(). Packed values are zero-extended i32.
    [[nodiscard]] Value get(std::size_t index) const noexcept;
    /// The value must be of the field's type. Immutable fields are the caller's to respect.
    void set(std::size_t index, const Value& value) const noexcept;

private:
    explicit ObjectView(Object* object) noexcept : object_(object) {}
    [[nodiscard]] const wasm::FieldType& field(std::size_t index) const noexcept;
    [[nodiscard]] std::uint8_t* address(std::size_t index) const noexcept;

    Object* object_;
};

/// An i31 reference: the low 31 bits of `value`.
[[nodiscard]] constexpr Value make_i31(std::int32_t value) noexcept { return Value::ref(static_cast<std::uint32_t>(value) << 1 | 1); }
/// The number in an i31 reference, sign-extended; nothing for any other reference.
[[nodiscard]] constexpr std::optional<std::int32_t> i31_value(const Value& reference) noexcept {
    if ((reference.bits.low & 1) == 0) return std::nullopt;
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(reference.bits.low)) >> 1;
}

}  // namespace pollux
