// The C functions behind jit/abi/helpers.def.
#pragma once

#include <array>
#include <cstdint>

#include "jit/abi/helper.h"

namespace pollux {

/// Whether [offset, offset + count) lies within [0, length), whatever the guest says.
[[nodiscard]] constexpr bool in_bounds(std::uint64_t offset, std::uint64_t count, std::uint64_t length) noexcept {
    return offset <= length && count <= length - offset;
}

/// Their addresses, in the order of helpers.def.
[[nodiscard]] std::array<const void*, kHelperCount> helper_functions() noexcept;

}  // namespace pollux
