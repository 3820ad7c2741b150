// Random valid modules whose every outcome is determined: the same on each ISA, in each mode, in each engine.
//
// In: a seed. Out: a module and calls of its exports. Results that the specification leaves open are avoided: arithmetic that can make a
// NaN is followed by a choice of the canonical one wherever its bits can be seen. Loops and calls end, for they use up a global, the fuel.
// Exports take and return i32 and i64 only, so that a JavaScript host sees every bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pollux::differential {

/// A call of an export, with i32 or i64 arguments by the export's type.
struct ExportCall {
    std::string name;
    std::vector<bool> is_i64;
    std::vector<std::uint64_t> arguments;
};

struct GeneratedModule {
    std::vector<std::uint8_t> bytes;
    std::vector<ExportCall> calls;
    std::uint32_t functions = 0;
    std::uint32_t memories = 0;  ///< exported as memory0, memory1 …
    std::string families;        ///< of features beyond WebAssembly 2.0, with commas between them; "none"
};

/// The module of a seed.
[[nodiscard]] GeneratedModule generate_module(std::uint64_t seed);

}  // namespace pollux::differential
