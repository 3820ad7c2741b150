// Evaluates validated initialiser expressions (section 4.7.3): a stack machine over jit/wasm/const_expr.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/runtime/gc_object.h"
#include "jit/wasm/const_expr.h"
#include "jit/wasm/module.h"

namespace pollux {

class ConstantEvaluator {
public:
    using GetGlobal = std::function<wasm::V128(std::uint32_t)>;
    using GetFunction = std::function<FuncRef*(std::uint32_t)>;

    /// Objects go to `heap`, which must not collect meanwhile.
    ConstantEvaluator(GetGlobal global, GetFunction function, GcHeap& heap)
        : global_(std::move(global)), function_(std::move(function)), heap_(heap) {}

    /// The value. Errors: io when the bytes are not what was validated; resource: the heap is full.
    [[nodiscard]] Result<wasm::V128> evaluate(const wasm::Module& module, const wasm::ConstExpr& expression) {
        stack_.clear();
        changed_ = full_ = false;
        if (!wasm::visit_const_expr(module, expression, *this) || changed_ || stack_.size() != 1) {
            return fail(ErrorKind::io, "the module's file changed while it was in use", expression.offset);
        }
        if (full_) return fail(ErrorKind::resource, "an initialiser makes an object for which the heap has no room", expression.offset);
        return stack_.back();
    }

    // What visit_const_expr calls.
    void i32_const(std::int32_t value) { push(static_cast<std::uint32_t>(value)); }
    void i64_const(std::int64_t value) { push(static_cast<std::uint64_t>(value)); }
    void f32_const(std::uint32_t bits) { push(bits); }
    void f64_const(std::uint64_t bits) { push(bits); }
    void v128_const(wasm::V128 value) { stack_.push_back(value); }
    void global_get(std::uint32_t index) { stack_.push_back(global_(index)); }
    void ref_null(wasm::ValType /*type*/) { push(0); }
    void ref_func(std::uint32_t index) { push(reinterpret_cast<std::uint64_t>(function_(index))); }
    void i32_add() {
        binary([](std::uint64_t a, std::uint64_t b) { return (a + b) & 0xffff'ffff; });
    }
    void i32_sub() {
        binary([](std::uint64_t a, std::uint64_t b) { return (a - b) & 0xffff'ffff; });
    }
    void i32_mul() {
        binary([](std::uint64_t a, std::uint64_t b) { return (a * b) & 0xffff'ffff; });
    }
    void i64_add() {
        binary([](std::uint64_t a, std::uint64_t b) { return a + b; });
    }
    void i64_sub() {
        binary([](std::uint64_t a, std::uint64_t b) { return a - b; });
    }
    void i64_mul() {
        binary([](std::uint64_t a, std::uint64_t b) { return a * b; });
    }
    void struct_new(wasm::TypeId id) {
        const std::vector<wasm::FieldType>& fields = wasm::defined_type(id).fields;
        const wasm::ObjectType& type = wasm::TypeRegistry::object_type(id);
        auto* object = reinterpret_cast<std::uint8_t*>(heap_.allocate(type, type.bytes));
        for (std::size_t i = fields.size(); i-- > 0;) {
            const wasm::V128 value = pop();
            if (object != nullptr) store_storage(object + type.field_offsets[i], fields[i], value);
        }
        push_object(object);
    }
    void struct_new_default(wasm::TypeId id) {
        const wasm::ObjectType& type = wasm::TypeRegistry::object_type(id);
        push_object(heap_.allocate(type, type.bytes));
    }
    void array_new(wasm::TypeId id) {
        ArrayObject* array = heap_.allocate_array(wasm::TypeRegistry::object_type(id), static_cast<std::uint32_t>(pop().low));
        const wasm::V128 value = pop();
        if (array != nullptr) fill_elements(*array, 0, array->length, value);
        push_object(array);
    }
    void array_new_default(wasm::TypeId id) {
        push_object(heap_.allocate_array(wasm::TypeRegistry::object_type(id), static_cast<std::uint32_t>(pop().low)));
    }
    void array_new_fixed(wasm::TypeId id, std::uint32_t count) {
        ArrayObject* array = count <= stack_.size() ? heap_.allocate_array(wasm::TypeRegistry::object_type(id), count) : nullptr;
        for (std::uint32_t i = count; i-- > 0 && !changed_;) {
            const wasm::V128 value = pop();
            if (array != nullptr) fill_elements(*array, i, 1, value);
        }
        push_object(array);
    }
    void ref_i31() { push((pop().low << 1 | 1) & 0xffff'ffff); }
    void any_convert_extern() {}
    void extern_convert_any() {}

private:
    void push(std::uint64_t bits) { stack_.push_back({bits, 0}); }
    void push_object(const void* object) {
        full_ = full_ || object == nullptr;
        push(reinterpret_cast<std::uint64_t>(object));
    }

    /// Validated bytes have an operand for each instruction; others may have got here through a mapped file.
    wasm::V128 pop() {
        if (stack_.empty()) {
            changed_ = true;
            return {};
        }
        const wasm::V128 value = stack_.back();
        stack_.pop_back();
        return value;
    }

    template <class F>
    void binary(F function) {
        const std::uint64_t right = pop().low;
        push(function(pop().low, right));
    }

    GetGlobal global_;
    GetFunction function_;
    GcHeap& heap_;
    std::vector<wasm::V128> stack_;
    bool changed_ = false;
    bool full_ = false;
};

}  // namespace pollux
