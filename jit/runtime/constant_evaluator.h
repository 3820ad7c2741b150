// Evaluates validated initialiser expressions (section 4.7.3): a stack machine over jit/wasm/const_expr.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/wasm/const_expr.h"
#include "jit/wasm/module.h"

namespace pollux {

class ConstantEvaluator {
public:
    using GetGlobal = std::function<wasm::V128(std::uint32_t)>;
    using GetFunction = std::function<FuncRef*(std::uint32_t)>;

    ConstantEvaluator(GetGlobal global, GetFunction function) : global_(std::move(global)), function_(std::move(function)) {}

    /// The value. Errors: io when the bytes are not what was validated; unsupported: it makes objects of the GC proposal.
    [[nodiscard]] Result<wasm::V128> evaluate(const wasm::Module& module, const wasm::ConstExpr& expression) {
        stack_.clear();
        unsupported_ = false;
        if (!wasm::visit_const_expr(module, expression, *this) || (!unsupported_ && stack_.size() != 1)) {
            return fail(ErrorKind::io, "the module's file changed while it was in use", expression.offset);
        }
        if (unsupported_)
            return fail(ErrorKind::unsupported, "an initialiser makes an object of the GC proposal, which is not supported yet",
                        expression.offset);
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
    void struct_new(wasm::TypeId /*type*/) { unsupported_ = true; }
    void struct_new_default(wasm::TypeId /*type*/) { unsupported_ = true; }
    void array_new(wasm::TypeId /*type*/) { unsupported_ = true; }
    void array_new_default(wasm::TypeId /*type*/) { unsupported_ = true; }
    void array_new_fixed(wasm::TypeId /*type*/, std::uint32_t /*count*/) { unsupported_ = true; }
    void ref_i31() { unsupported_ = true; }
    void any_convert_extern() { unsupported_ = true; }
    void extern_convert_any() { unsupported_ = true; }

private:
    void push(std::uint64_t bits) { stack_.push_back({bits, 0}); }

    template <class F>
    void binary(F function) {
        if (stack_.size() < 2) {  // only after an unsupported instruction, or in bytes that have changed
            stack_.clear();
            return;
        }
        const std::uint64_t right = stack_.back().low;
        stack_.pop_back();
        stack_.back() = {function(stack_.back().low, right), 0};
    }

    GetGlobal global_;
    GetFunction function_;
    std::vector<wasm::V128> stack_;
    bool unsupported_ = false;
};

}  // namespace pollux
