// Both widths, for tests that go through them.
#pragma once

#include <array>

#include "jit/compile/macro_assembler.h"

namespace pollux {

inline constexpr std::array kWidths = {Width::w32, Width::w64};

}  // namespace pollux
