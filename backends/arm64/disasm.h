// Disassembly of AArch64 code, for objdump and tests.
#pragma once

#include <span>
#include <vector>

#include "jit/compile/backend.h"

namespace pollux::arm64 {

Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address);

}  // namespace pollux::arm64
