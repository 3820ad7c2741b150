#include "tools/pollux/values.h"

#include <array>
#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <type_traits>

namespace pollux::cli {
namespace {

template <class T>
std::optional<T> parse_whole(std::string_view text, int base) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Signed or unsigned, in the bits of T.
template <class T>
std::optional<T> parse_integer(std::string_view text) {
    using Unsigned = std::make_unsigned_t<T>;
    const bool negative = text.starts_with('-');
    std::string_view digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
    const int base = digits.starts_with("0x") || digits.starts_with("0X") ? 16 : 10;
    if (base == 16) digits.remove_prefix(2);
    const auto magnitude = parse_whole<Unsigned>(digits, base);
    if (!magnitude) return std::nullopt;
    constexpr Unsigned kMostNegative = Unsigned{1} << (sizeof(T) * 8 - 1);
    if (negative && *magnitude > kMostNegative) return std::nullopt;
    return static_cast<T>(negative ? Unsigned{0} - *magnitude : *magnitude);
}

template <class T>
std::optional<T> parse_float(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
    if (digits.empty() || digits[0] == '-') return std::nullopt;
    T value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return negative ? -value : value;
}

std::optional<wasm::V128> parse_vector(std::string_view text) {
    if (!text.starts_with("0x") || text.size() == 2 || text.size() > 34) return std::nullopt;
    text.remove_prefix(2);
    const std::size_t high_digits = text.size() > 16 ? text.size() - 16 : 0;
    const auto high = high_digits == 0 ? std::optional<std::uint64_t>(0) : parse_whole<std::uint64_t>(text.substr(0, high_digits), 16);
    const auto low = parse_whole<std::uint64_t>(text.substr(high_digits), 16);
    if (!high || !low) return std::nullopt;
    return wasm::V128{*low, *high};
}

template <class T>
std::string float_text(T value) {
    std::array<char, 64> text{};
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
    return {text.data(), result.ptr};
}

}  // namespace

std::optional<Value> parse_value(wasm::ValType type, std::string_view text) {
    const auto as = [](const auto& parsed, auto make) { return parsed ? std::optional<Value>(make(*parsed)) : std::nullopt; };
    switch (type.kind()) {
        case wasm::Kind::i32:  return as(parse_integer<std::int32_t>(text), Value::i32);
        case wasm::Kind::i64:  return as(parse_integer<std::int64_t>(text), Value::i64);
        case wasm::Kind::f32:  return as(parse_float<float>(text), Value::f32);
        case wasm::Kind::f64:  return as(parse_float<double>(text), Value::f64);
        case wasm::Kind::v128: return as(parse_vector(text), Value::v128);
        case wasm::Kind::ref:  break;
    }
    return text == "null" && type.nullable() ? std::optional(Value::ref(0)) : std::nullopt;
}

std::string value_text(wasm::ValType type, const Value& value) {
    switch (type.kind()) {
        case wasm::Kind::i32:  return std::to_string(value.as_i32());
        case wasm::Kind::i64:  return std::to_string(value.as_i64());
        case wasm::Kind::f32:  return float_text(value.as_f32());
        case wasm::Kind::f64:  return float_text(value.as_f64());
        case wasm::Kind::v128: {
            std::array<char, 40> text{};
            std::snprintf(text.data(), text.size(), "0x%016" PRIx64 "%016" PRIx64, value.bits.high, value.bits.low);
            return text.data();
        }
        case wasm::Kind::ref: break;
    }
    return value.bits.low == 0 ? "null" : type_text(type);
}

std::string type_text(wasm::ValType type) {
    static constexpr std::array<const char*, 5> kNumbers = {"i32", "i64", "f32", "f64", "v128"};
    if (type.kind() != wasm::Kind::ref) return kNumbers.at(static_cast<std::size_t>(type.kind()));
    static constexpr std::array<const char*, 13> kHeaps = {
        "a typed reference", "funcref", "externref", "anyref",      "eqref",         "i31ref",    "structref",
        "arrayref",          "exnref",  "nullref",   "nullfuncref", "nullexternref", "nullexnref"};
    return kHeaps.at(static_cast<std::size_t>(type.heap()));
}

}  // namespace pollux::cli
