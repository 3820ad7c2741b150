// The single-pass compiler for AArch64.
#pragma once

#include <memory>

#include "jit/compile/backend.h"

namespace pollux::arm64 {

[[nodiscard]] std::unique_ptr<FunctionCompiler> make_compiler();

}  // namespace pollux::arm64
