// The operations on objects that are too large for generated code: allocation beyond the fast path, and bulk operations on arrays.
//
// What makes an object returns its reference or a TrapCode: no object lies that low. Ranges are checked in 64-bit arithmetic before
// anything is written.
#include <algorithm>
#include <cstring>

#include "jit/abi/layout.h"
#include "jit/abi/trap_code.h"
#include "jit/runtime/gc_heap.h"
#include "jit/runtime/gc_helpers.h"
#include "jit/runtime/gc_object.h"
#include "jit/runtime/helpers.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/store.h"

namespace pollux {
namespace {

constexpr std::uint64_t code(TrapCode trap) noexcept { return static_cast<std::uint64_t>(trap); }

std::uint64_t reference(const Object* object) noexcept {
    return object != nullptr ? reinterpret_cast<std::uint64_t>(object) : code(TrapCode::out_of_memory);
}

const wasm::ObjectType& object_type(std::uint64_t address) noexcept { return *reinterpret_cast<const wasm::ObjectType*>(address); }

ArrayObject* array_at(std::uint64_t reference) noexcept { return reinterpret_cast<ArrayObject*>(reference); }

GcHeap& heap_of(InstanceHeader* header) noexcept { return Instance::of(header).store().heap(); }

/// A value as generated code passes it: in a register, or for 16 bytes the address of its slot.
wasm::V128 passed_value(const wasm::ObjectType& array, std::uint64_t value) noexcept {
    if (array.element_log2 < 4) return {value, 0};
    wasm::V128 whole;
    std::memcpy(&whole, reinterpret_cast<const void*>(value), sizeof whole);
    return whole;
}

/// Copies from a data segment; the caller has checked the array's bounds.
TrapCode copy_data(Instance& instance, ArrayObject& array, std::uint64_t index, std::uint64_t offset, std::uint64_t count,
                   std::uint64_t segment) {
    const std::span<const std::uint8_t> data = instance.data_segment(static_cast<std::uint32_t>(segment));
    const std::uint64_t bytes = count << array.type->element_log2;
    if (!in_bounds(offset, bytes, data.size())) return TrapCode::memory_out_of_bounds;
    if (bytes != 0) std::memcpy(array.elements() + (index << array.type->element_log2), data.data() + offset, bytes);
    return instance.compiled().file_changed() ? TrapCode::file_changed : TrapCode::none;
}

TrapCode copy_elements(Instance& instance, ArrayObject& array, std::uint64_t index, std::uint64_t offset, std::uint64_t count,
                       std::uint64_t segment) {
    const auto number = static_cast<std::uint32_t>(segment);
    if (!in_bounds(offset, count, instance.element_count(number))) return TrapCode::table_out_of_bounds;
    auto* to = reinterpret_cast<std::uint64_t*>(array.elements()) + index;
    for (std::uint64_t i = 0; i < count; ++i) to[i] = instance.element(number, offset + i);
    return TrapCode::none;
}

using Copy = TrapCode (*)(Instance&, ArrayObject&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t);

/// A new array out of a segment. The segment's bounds come first: an array of a length that it cannot fill is not made.
std::uint64_t new_from_segment(InstanceHeader* header, std::uint64_t offset, std::uint64_t length, const wasm::ObjectType& type,
                               std::uint64_t segment, std::uint64_t available, TrapCode out_of_bounds, Copy copy) {
    const std::uint8_t unit = copy == copy_data ? type.element_log2 : 0;
    if (!in_bounds(offset, length << unit, available)) return code(out_of_bounds);
    ArrayObject* array = heap_of(header).allocate_array(type, static_cast<std::uint32_t>(length));
    if (array == nullptr) return code(TrapCode::out_of_memory);
    const TrapCode trap = copy(Instance::of(header), *array, 0, offset, length, segment);
    return trap == TrapCode::none ? reference(array) : code(trap);
}

std::uint64_t init_from_segment(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t offset, std::uint64_t count,
                                std::uint64_t segment, Copy copy) {
    if (array == 0) return code(TrapCode::null_reference);
    if (!in_bounds(index, count, array_at(array)->length)) return code(TrapCode::array_out_of_bounds);
    return code(copy(Instance::of(header), *array_at(array), index, offset, count, segment));
}

}  // namespace

extern "C" {

std::uint64_t pollux_helper_object_new(InstanceHeader* header, std::uint64_t type, std::uint64_t length) {
    const wasm::ObjectType& wanted = object_type(type);
    if (wanted.form == wasm::ObjectType::Form::array) {
        return reference(heap_of(header).allocate_array(wanted, static_cast<std::uint32_t>(length)));
    }
    return reference(heap_of(header).allocate(wanted, wanted.bytes));
}

std::uint64_t pollux_helper_array_new(InstanceHeader* header, std::uint64_t value, std::uint64_t length, std::uint64_t type) {
    const wasm::ObjectType& wanted = object_type(type);
    ArrayObject* array = heap_of(header).allocate_array(wanted, static_cast<std::uint32_t>(length));
    if (array != nullptr) fill_elements(*array, 0, length, passed_value(wanted, value));
    return reference(array);
}

std::uint64_t pollux_helper_array_new_default(InstanceHeader* header, std::uint64_t length, std::uint64_t type) {
    return reference(heap_of(header).allocate_array(object_type(type), static_cast<std::uint32_t>(length)));
}

std::uint64_t pollux_helper_array_new_data(InstanceHeader* header, std::uint64_t offset, std::uint64_t length, std::uint64_t type,
                                           std::uint64_t segment) {
    const std::uint64_t available = Instance::of(header).data_segment(static_cast<std::uint32_t>(segment)).size();
    return new_from_segment(header, offset, length, object_type(type), segment, available, TrapCode::memory_out_of_bounds, copy_data);
}

std::uint64_t pollux_helper_array_new_elem(InstanceHeader* header, std::uint64_t offset, std::uint64_t length, std::uint64_t type,
                                           std::uint64_t segment) {
    const std::uint64_t available = Instance::of(header).element_count(static_cast<std::uint32_t>(segment));
    return new_from_segment(header, offset, length, object_type(type), segment, available, TrapCode::table_out_of_bounds, copy_elements);
}

std::uint64_t pollux_helper_array_fill(InstanceHeader* /*header*/, std::uint64_t array, std::uint64_t index, std::uint64_t value,
                                       std::uint64_t count) {
    if (array == 0) return code(TrapCode::null_reference);
    ArrayObject& target = *array_at(array);
    if (!in_bounds(index, count, target.length)) return code(TrapCode::array_out_of_bounds);
    fill_elements(target, index, count, passed_value(*target.type, value));
    return 0;
}

std::uint64_t pollux_helper_array_copy(InstanceHeader* /*header*/, std::uint64_t to, std::uint64_t to_index, std::uint64_t from,
                                       std::uint64_t from_index, std::uint64_t count) {
    if (to == 0 || from == 0) return code(TrapCode::null_reference);
    ArrayObject& target = *array_at(to);
    ArrayObject& source = *array_at(from);
    if (!in_bounds(to_index, count, target.length) || !in_bounds(from_index, count, source.length))
        return code(TrapCode::array_out_of_bounds);
    const std::uint8_t log2 = target.type->element_log2;
    std::memmove(target.elements() + (to_index << log2), source.elements() + (from_index << log2), count << log2);
    return 0;
}

std::uint64_t pollux_helper_array_init_data(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t offset,
                                            std::uint64_t count, std::uint64_t segment) {
    return init_from_segment(header, array, index, offset, count, segment, copy_data);
}

std::uint64_t pollux_helper_array_init_elem(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t offset,
                                            std::uint64_t count, std::uint64_t segment) {
    return init_from_segment(header, array, index, offset, count, segment, copy_elements);
}

}  // extern "C"

}  // namespace pollux
