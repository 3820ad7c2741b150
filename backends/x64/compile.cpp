// The single-pass compiler for x86-64: the template over our masm.
#include "backends/x64/compile.h"

#include "backends/x64/masm.h"
#include "jit/compile/compiler.h"

namespace pollux::x64 {

std::unique_ptr<FunctionCompiler> make_compiler() { return std::make_unique<SinglePassCompiler<Masm>>(); }

}  // namespace pollux::x64
