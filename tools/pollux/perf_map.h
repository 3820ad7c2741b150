// Names of guest functions for the `perf` profiler.
#pragma once

#include "jit/base/error.h"
#include "jit/runtime/compiled_module.h"

namespace pollux::cli {

/// Appends the compiled functions of a module to /tmp/perf-PID.map, where perf looks for the symbols of code that was made at run time.
[[nodiscard]] Result<> write_perf_map(const CompiledModule& module);

}  // namespace pollux::cli
