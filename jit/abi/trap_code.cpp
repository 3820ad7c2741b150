#include "jit/abi/trap_code.h"

#include <array>

namespace pollux {

std::string_view trap_message(TrapCode code) noexcept {
    static constexpr std::array<std::string_view, 24> kMessages = {
        "no trap",
        "unreachable",
        "out of bounds memory access",
        "out of bounds table access",
        "uninitialized element",
        "indirect call type mismatch",
        "integer divide by zero",
        "integer overflow",
        "invalid conversion to integer",
        "call stack exhausted",
        "null reference",
        "cast failure",
        "out of bounds array access",
        "unaligned atomic",
        "expected shared memory",
        "uncaught exception",
        "out of memory",
        "function uses a feature that is not compiled",
        "all fuel consumed",
        "interrupted",
        "exit",
        "host function failed",
        "file changed while running",
        "status",
    };
    return kMessages[static_cast<std::size_t>(code)];
}

}  // namespace pollux
