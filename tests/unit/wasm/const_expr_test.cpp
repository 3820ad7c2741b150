// Initialiser expressions: what validates, and what a visitor sees.
#include "jit/wasm/const_expr.h"

#include <gtest/gtest.h>

#include <string>

#include "jit/wasm/validate.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::wasm {
namespace {

using namespace test;

/// Writes down the calls.
struct ConstRecorder {
    std::string log;
    void add(const std::string& text) { log += (log.empty() ? "" : " ") + text; }
    void i32_const(std::int32_t v) { add("i32:" + std::to_string(v)); }
    void i64_const(std::int64_t v) { add("i64:" + std::to_string(v)); }
    void f32_const(std::uint32_t v) { add("f32:" + std::to_string(v)); }
    void f64_const(std::uint64_t v) { add("f64:" + std::to_string(v)); }
    void v128_const(V128 v) { add("v128:" + std::to_string(v.low) + "," + std::to_string(v.high)); }
    void global_get(std::uint32_t v) { add("global:" + std::to_string(v)); }
    void ref_null(ValType v) { add(v.heap() == Heap::func ? "null func" : "null"); }
    void ref_func(std::uint32_t v) { add("func:" + std::to_string(v)); }
    void i32_add() { add("i32+"); }
    void i32_sub() { add("i32-"); }
    void i32_mul() { add("i32*"); }
    void i64_add() { add("i64+"); }
    void i64_sub() { add("i64-"); }
    void i64_mul() { add("i64*"); }
    void struct_new(TypeId) { add("struct"); }
    void struct_new_default(TypeId) { add("struct default"); }
    void array_new(TypeId) { add("array"); }
    void array_new_default(TypeId) { add("array default"); }
    void array_new_fixed(TypeId, std::uint32_t count) { add("array fixed " + std::to_string(count)); }
    void ref_i31() { add("i31"); }
    void any_convert_extern() { add("any"); }
    void extern_convert_any() { add("extern"); }
};

/// A module with one function, types (func), (array i32), (struct i32), an immutable i32 global of value 5 and one with this initialiser.
Bytes module_with(const Bytes& type, const Bytes& expression) {
    const Bytes types = vec({{0x60, 0, 0}, {0x5E, kI32, 0}, {0x5F, 1, kI32, 0}});
    return module_of({section(1, types), section(3, vec({{0}})), section(6, vec({{kI32, 0, 0x41, 5, kEnd}, join({type, {0}, expression})})),
                      section(10, vec({{2, 0, kEnd}}))});
}

std::string visit(const Bytes& type, const Bytes& expression) {
    const Bytes bytes = module_with(type, expression);
    const auto module = decode_and_validate(bytes, FeatureSet::all());
    if (!module) return "error: " + module.error().message;
    ConstRecorder recorder;
    EXPECT_TRUE(visit_const_expr(**module, (*module)->globals[1].init, recorder));
    return recorder.log;
}

TEST(ConstExpr, VisitorSeesTheInstructionsInOrder) {
    EXPECT_EQ(visit({kI32}, {0x41, 0x7F, kEnd}), "i32:-1");
    EXPECT_EQ(visit({kI64}, {0x42, 0x02, 0x42, 0x03, 0x7E, kEnd}), "i64:2 i64:3 i64*");
    EXPECT_EQ(visit({kI32}, {0x23, 0, 0x41, 1, 0x6A, 0x41, 2, 0x6B, kEnd}), "global:0 i32:1 i32+ i32:2 i32-");
    EXPECT_EQ(visit({0x7D}, {0x43, 1, 0, 0, 0, kEnd}), "f32:1");
    EXPECT_EQ(visit({0x70}, {0xD0, 0x70, kEnd}), "null func");
    EXPECT_EQ(visit({0x70}, {0xD2, 0x00, kEnd}), "func:0");
    EXPECT_EQ(visit({0x7B}, {0xFD, 0x0C, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, kEnd}), "v128:1,2");
    EXPECT_EQ(visit({0x6C}, {0x41, 1, 0xFB, 0x1C, kEnd}), "i32:1 i31");
    EXPECT_EQ(visit({0x6A}, {0x41, 1, 0x41, 2, 0xFB, 0x08, 1, 2, kEnd}), "i32:1 i32:2 array fixed 2");
    EXPECT_EQ(visit({0x6B}, {0x41, 1, 0xFB, 0x00, 2, kEnd}), "i32:1 struct");
    EXPECT_EQ(visit({0x6F}, {0x41, 1, 0xFB, 0x1C, 0xFB, 0x1B, kEnd}), "i32:1 i31 extern");
}

TEST(ConstExpr, RejectsWhatIsNotConstantOrOfAnotherType) {
    EXPECT_TRUE(visit({kI32}, {0x42, 1, kEnd}).starts_with("error: type mismatch"));
    EXPECT_TRUE(visit({kI32}, {kEnd}).starts_with("error: type mismatch"));
    EXPECT_TRUE(visit({kI32}, {0x41, 1, 0x41, 1, kEnd}).starts_with("error: type mismatch"));
    EXPECT_TRUE(visit({kI32}, {0x01, 0x41, 1, kEnd}).starts_with("error: constant expression required"));
    EXPECT_TRUE(visit({kI32}, {0x41, 1, 0x67, kEnd}).starts_with("error: constant expression required"));
    EXPECT_TRUE(visit({kI32}, {0x23, 1, kEnd}).starts_with("error: unknown global 1"));
    EXPECT_TRUE(visit({kI32}, {0x41, 1, 0x6A, kEnd}).starts_with("error: type mismatch"));
    EXPECT_TRUE(visit({0x70}, {0xD2, 0x01, kEnd}).starts_with("error: unknown function 1"));
    EXPECT_TRUE(visit({kI32}, {0xFF, kEnd}).starts_with("error: illegal opcode"));
}

TEST(ConstExpr, VisitorStopsWhenTheBytesHaveChanged) {
    Bytes bytes = module_with({kI32}, {0x41, 0x01, kEnd});
    const auto module = decode_and_validate(bytes, FeatureSet::all());
    ASSERT_TRUE(module.has_value());
    const ConstExpr expression = (*module)->globals[1].init;
    ConstRecorder recorder;
    bytes[expression.offset + 1] = 0x80;
    EXPECT_FALSE(visit_const_expr(**module, expression, recorder));
    bytes[expression.offset] = 0x6E;
    EXPECT_FALSE(visit_const_expr(**module, expression, recorder));
}

}  // namespace
}  // namespace pollux::wasm
