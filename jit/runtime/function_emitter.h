// One compiling thread's place in a module's code memory: functions one after another in a chunk, their sites in a code-map writer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "jit/base/error.h"
#include "jit/compile/backend.h"
#include "jit/runtime/code_map.h"
#include "jit/runtime/code_memory.h"

namespace pollux {

class FunctionEmitter {
public:
    FunctionEmitter(const Backend& backend, CodeMemory& memory, CodeMap& map)
        : memory_(memory), map_(map), writer_(map.make_writer()), compiler_(backend.make_compiler()) {}

    /// Compiles a function: the buffer that it fills, from its start. Relocations are in output().
    [[nodiscard]] Result<CodeBuffer> emit(const CompileEnvironment& environment, std::uint32_t function,
                                          std::span<const std::uint8_t> body);
    [[nodiscard]] FunctionOutput& output() noexcept { return output_; }
    /// Call after the last function, before the memory is sealed.
    void finish() noexcept;

private:
    void align(std::uint32_t alignment) noexcept;  ///< a power of two
    void skip(std::size_t bytes) noexcept;
    /// Skips bytes that belong to no function, and makes them zero: what the pages held before never becomes executable, and the same
    /// module gives the same bytes.
    void pad(std::size_t bytes) noexcept;

    CodeMemory& memory_;
    CodeMap& map_;
    CodeMap::Writer& writer_;
    std::unique_ptr<FunctionCompiler> compiler_;
    FunctionOutput output_;
    CodeBuffer chunk_;
};

}  // namespace pollux
