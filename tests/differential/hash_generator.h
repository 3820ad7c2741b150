// Code that makes one i64 of values of any type: of objects, of what their fields hold, two references deep.
#pragma once

#include "tests/differential/module_shape.h"

namespace pollux::differential {

/// hash = rotl(hash, 5) ^ value, for the value of a local; `hash` is a local of type i64.
void mix_local(ModuleWriter& code, const ModuleShape& module, wasm::ValType type, std::uint32_t local, std::uint32_t hash);

/// The type and the body of ModuleShape::hash_function.
[[nodiscard]] FunctionShape hash_type();
[[nodiscard]] ModuleWriter hash_function(const ModuleShape& module);

}  // namespace pollux::differential
