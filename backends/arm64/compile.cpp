// The single-pass compiler for AArch64: the template over our masm.
#include "backends/arm64/compile.h"

#include "backends/arm64/masm.h"
#include "jit/compile/compiler.h"

namespace pollux::arm64 {

std::unique_ptr<FunctionCompiler> make_compiler() { return std::make_unique<SinglePassCompiler<Masm>>(); }

}  // namespace pollux::arm64
