// The C functions behind jit/abi/helpers.def.
#pragma once

#include <array>

#include "jit/abi/helper.h"

namespace pollux {

/// Their addresses, in the order of helpers.def.
[[nodiscard]] std::array<const void*, kHelperCount> helper_functions() noexcept;

}  // namespace pollux
