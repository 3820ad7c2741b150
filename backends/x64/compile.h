// The single-pass compiler for x86-64.
#pragma once

#include <memory>

#include "jit/compile/backend.h"

namespace pollux::x64 {

[[nodiscard]] std::unique_ptr<FunctionCompiler> make_compiler();

}  // namespace pollux::x64
