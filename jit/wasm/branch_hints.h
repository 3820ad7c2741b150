// The custom section metadata.code.branch_hint of the branch hinting proposal, which is part of WebAssembly 3.0.
#pragma once

#include <vector>

#include "jit/wasm/bytes.h"
#include "jit/wasm/module.h"

namespace pollux::wasm {

/// The hints in the section's contents, sorted; none at all if the contents are not as they should be.
[[nodiscard]] std::vector<BranchHint> read_branch_hints(Cursor in);

}  // namespace pollux::wasm
