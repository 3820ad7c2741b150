// Errors as values: every fallible function below the command line returns Result<T>.
//
// In: what went wrong, where (a byte offset in a module, when there is one).
// Out: one sentence for the user: what was being done, where, what was expected, what can be done.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace pollux {

enum class ErrorKind : std::uint8_t {
    malformed,    ///< the bytes are not a WebAssembly binary
    invalid,      ///< decodes, but does not validate
    unsupported,  ///< needs a feature that is switched off or not compiled
    link,         ///< imports do not match
    instantiate,  ///< a segment or the start function trapped
    resource,     ///< out of memory, address space, descriptors or a limit
    io,           ///< a system call failed
    usage,        ///< wrong command line or wrong arguments of an API call
};

inline constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

struct Error {
    ErrorKind kind = ErrorKind::malformed;
    std::string message;               ///< a sentence without a final full stop
    std::uint64_t offset = kNoOffset;  ///< byte offset in the module, or kNoOffset
};

template <class T = void>
using Result = std::expected<T, Error>;

/// For `return fail(ErrorKind::link, "…")` in a function that returns Result<T>.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string message, std::uint64_t offset = kNoOffset) {
    return std::unexpected(Error{kind, std::move(message), offset});
}

}  // namespace pollux
