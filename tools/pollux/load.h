// Loading modules for the commands: from a file or from standard input, with a warning for what is not compiled.
#pragma once

#include <memory>
#include <string>

#include "jit/base/error.h"
#include "jit/runtime/compiled_module.h"

namespace pollux::cli {

/// The module in a file; "-" is standard input, compiled while it arrives. `precompiled`: the file is native code, from `pollux compile`.
[[nodiscard]] Result<std::shared_ptr<CompiledModule>> load_module(const std::shared_ptr<Engine>& engine, const std::string& file,
                                                                  bool precompiled = false);

/// One line on standard error for each feature that functions use and that is not compiled, with the functions' names.
void warn_not_compiled(const CompiledModule& module);

}  // namespace pollux::cli
