// One instruction of a function body as text, as the specification writes it: "i32.load offset=8", "call 12 <malloc>".
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "jit/wasm/module.h"

namespace pollux::cli {

/// An instruction and where the next one begins.
struct InstructionText {
    std::string text;
    std::uint32_t next_offset = 0;  ///< in the module
};

/// The name of a function, or nothing.
using FunctionNames = std::function<std::string(std::uint32_t function)>;

/// The instruction at a byte offset in the module, which must be that of an opcode in a body of `module`.
/// Bytes that are no instruction give the text "?" and the offset of the next byte.
[[nodiscard]] InstructionText instruction_text(const wasm::Module& module, std::uint32_t offset, const FunctionNames& names);

}  // namespace pollux::cli
