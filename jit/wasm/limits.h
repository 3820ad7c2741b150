// Implementation limits of a module: those of the WebAssembly JavaScript interface, which other engines share, so that
// hostile modules take bounded memory and time.
#pragma once

#include <cstdint>

namespace pollux::wasm {

inline constexpr std::uint64_t kMaxModuleBytes = 0xFFFF'FFFF;  ///< offsets in a module are 32 bits
inline constexpr std::uint32_t kMaxTypes = 1'000'000;
inline constexpr std::uint32_t kMaxImports = 1'000'000;
inline constexpr std::uint32_t kMaxFunctions = 1'000'000;
inline constexpr std::uint32_t kMaxExports = 1'000'000;
inline constexpr std::uint32_t kMaxGlobals = 1'000'000;
inline constexpr std::uint32_t kMaxTags = 1'000'000;
inline constexpr std::uint32_t kMaxDataSegments = 100'000;
inline constexpr std::uint32_t kMaxElementSegments = 1'000'000;
inline constexpr std::uint32_t kMaxElements = 10'000'000;  ///< of one segment
inline constexpr std::uint32_t kMaxTables = 100'000;
inline constexpr std::uint32_t kMaxMemories = 100;
inline constexpr std::uint32_t kMaxFunctionBytes = 7'654'321;
inline constexpr std::uint32_t kMaxLocals = 50'000;
inline constexpr std::uint32_t kMaxParams = 1'000;
inline constexpr std::uint32_t kMaxResults = 1'000;
inline constexpr std::uint32_t kMaxFields = 10'000;       ///< of a struct
inline constexpr std::uint32_t kMaxFixedArray = 10'000;   ///< operands of array.new_fixed
inline constexpr std::uint32_t kMaxControlDepth = 131'072;  ///< blocks within blocks
inline constexpr std::uint32_t kMaxOperands = 1'000'000;  ///< on a function's operand stack

}  // namespace pollux::wasm
