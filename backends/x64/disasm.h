// Disassembly of x86-64 code by Zydis, which is opened when it is first needed: nothing that only runs programs loads it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "jit/compile/backend.h"

namespace pollux::x64 {

/// Every instruction of `code`, which runs at `address`. Bytes that are no instruction become ".byte". Error: Zydis is not installed.
Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address);

}  // namespace pollux::x64
