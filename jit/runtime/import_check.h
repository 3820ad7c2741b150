// Whether what is given fits what a module imports (section 3.5.7, external subtyping).
#pragma once

#include <string>

#include "jit/base/error.h"
#include "jit/runtime/extern.h"
#include "jit/wasm/module.h"

namespace pollux {

/// Error: link, naming the import and both types.
[[nodiscard]] Result<> check_import(const wasm::Module& module, const wasm::Import& import, const Extern& given);

/// What must be imported, for messages: "function [i32] -> []" and the like.
[[nodiscard]] std::string describe_import(const wasm::Module& module, const wasm::Import& import);

}  // namespace pollux
