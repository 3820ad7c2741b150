// Names of functions as programmers wrote them: C++ and Rust symbols are demangled.
#pragma once

#include <string>
#include <string_view>

namespace pollux {

/// `_ZN…` of C++ and of Rust (its `::h0123456789abcdef` is cut off), and Rust's `_R…` as far as paths go; anything else as it is.
[[nodiscard]] std::string demangle(std::string_view symbol);

}  // namespace pollux
