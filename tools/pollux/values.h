// Values of WebAssembly as words: arguments of --invoke, and its results.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jit/runtime/value.h"
#include "jit/wasm/types.h"

namespace pollux::cli {

/// i32, i64: decimal or 0x, from the smallest signed to the greatest unsigned; f32, f64: decimal, inf, nan; v128: 0x and up to 32 hex
/// digits; references: null.
[[nodiscard]] std::optional<Value> parse_value(wasm::ValType type, std::string_view text);

/// Integers signed and decimal; floats as short as reads back the same; v128 as 32 hex digits; references as null or their kind.
[[nodiscard]] std::string value_text(wasm::ValType type, const Value& value);

/// "i32", "externref", …
[[nodiscard]] std::string type_text(wasm::ValType type);

}  // namespace pollux::cli
