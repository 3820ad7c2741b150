#include "tools/pollux/values.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pollux::cli {
namespace {

using wasm::Kind;
using wasm::ValType;

/// What a word becomes when it is read and printed again; "-" if it is no value of the type.
std::string round_trip(ValType type, std::string_view text) {
    const auto value = parse_value(type, text);
    return value ? value_text(type, *value) : "-";
}

TEST(Values, Integers) {
    EXPECT_EQ(round_trip(Kind::i32, "-2147483648"), "-2147483648");
    EXPECT_EQ(round_trip(Kind::i32, "4294967295"), "-1");
    EXPECT_EQ(round_trip(Kind::i32, "0xff"), "255");
    EXPECT_EQ(round_trip(Kind::i32, "-0x1"), "-1");
    EXPECT_EQ(round_trip(Kind::i32, "+5"), "5");
    EXPECT_EQ(round_trip(Kind::i64, "18446744073709551615"), "-1");
    EXPECT_EQ(round_trip(Kind::i64, "-9223372036854775808"), "-9223372036854775808");
    for (const char* wrong : {"", "-", "0x", "4294967296", "-2147483649", "1.0", "1 ", " 1", "--1", "ten"}) {
        EXPECT_EQ(round_trip(Kind::i32, wrong), "-") << wrong;
    }
    EXPECT_EQ(round_trip(Kind::i64, "18446744073709551616"), "-");
}

TEST(Values, Floats) {
    EXPECT_EQ(round_trip(Kind::f32, "0.1"), "0.1");
    EXPECT_EQ(round_trip(Kind::f64, "0.1"), "0.1");
    EXPECT_EQ(round_trip(Kind::f64, "-1e300"), "-1e+300");
    EXPECT_EQ(round_trip(Kind::f64, "-inf"), "-inf");
    EXPECT_EQ(round_trip(Kind::f32, "nan"), "nan");
    EXPECT_EQ(round_trip(Kind::f64, "-0"), "-0");
    for (const char* wrong : {"", "-", "1.0x", "--1", "0.5 "}) EXPECT_EQ(round_trip(Kind::f64, wrong), "-") << wrong;
}

TEST(Values, Vectors) {
    EXPECT_EQ(round_trip(Kind::v128, "0x1"), "0x00000000000000000000000000000001");
    EXPECT_EQ(round_trip(Kind::v128, "0x0123456789abcdef0011223344556677"), "0x0123456789abcdef0011223344556677");
    for (const char* wrong : {"1", "0x", "0x0123456789abcdef00112233445566778", "0xg"})
        EXPECT_EQ(round_trip(Kind::v128, wrong), "-") << wrong;
}

TEST(Values, References) {
    EXPECT_EQ(round_trip(wasm::kFuncRef, "null"), "null");
    EXPECT_EQ(round_trip(wasm::kExternRef, "7"), "-");
    EXPECT_EQ(round_trip(ValType::ref(wasm::Heap::func, false), "null"), "-");
    EXPECT_EQ(value_text(wasm::kFuncRef, Value::ref(16)), "funcref");
    EXPECT_EQ(type_text(ValType::ref(wasm::Heap::nofunc, true)), "nullfuncref");
}

}  // namespace
}  // namespace pollux::cli
