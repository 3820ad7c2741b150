// The numbering of helpers.def.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux {

enum class Helper : std::uint8_t {
#define HELPER(name, result, ...) name,
#include "jit/abi/helpers.def"
#undef HELPER
    count
};

inline constexpr std::size_t kHelperCount = static_cast<std::size_t>(Helper::count);

}  // namespace pollux
