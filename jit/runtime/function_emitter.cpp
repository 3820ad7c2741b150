#include "jit/runtime/function_emitter.h"

#include <algorithm>

#include "jit/base/tuning.h"

namespace pollux {

void FunctionEmitter::skip(std::size_t bytes) noexcept {
    bytes = std::min(bytes, chunk_.capacity);
    chunk_.write += bytes;
    chunk_.execute += bytes;
    chunk_.capacity -= bytes;
}

void FunctionEmitter::pad(std::size_t bytes) noexcept {
    std::fill_n(chunk_.write, std::min(bytes, chunk_.capacity), std::uint8_t{0});
    skip(bytes);
}

void FunctionEmitter::finish() noexcept {
    constexpr std::size_t kWrittenBeyond = 64;  // the most that the last instruction may have written behind its end
    pad(kWrittenBeyond);
    memory_.clear_rest(chunk_);
}

void FunctionEmitter::align(std::uint32_t alignment) noexcept { pad((0 - chunk_.execute) & (alignment - 1)); }

Result<CodeBuffer> FunctionEmitter::emit(const CompileEnvironment& environment, std::uint32_t function,
                                         std::span<const std::uint8_t> body) {
    // More than any body of this size can need: if it does not fit there, something else is wrong.
    const std::size_t enough = body.size() * 512 + 64 * 1024;
    std::size_t wanted = std::max(tuning.code_chunk_bytes, body.size() * 16 + 4096);
    std::uint32_t alignment = 16;
    for (;;) {
        align(alignment);
        if (chunk_.capacity != 0) {
            Result<> compiled = compiler_->compile(environment, function, body, chunk_, output_);
            if (compiled) {
                if (output_.alignment > alignment && chunk_.execute % output_.alignment != 0) {
                    alignment = output_.alignment;
                    continue;
                }
                const CodeBuffer code{chunk_.write, output_.code_bytes, chunk_.execute};
                writer_.add(static_cast<std::uint32_t>(code.execute - memory_.begin()), output_.code_bytes, function,
                            environment.module->functions[function].body_offset, output_.sites);
                if (!output_.handlers.empty()) map_.add_handlers(function, output_.handlers);
                skip(output_.code_bytes);
                return code;
            }
            if (compiled.error().kind != ErrorKind::resource || chunk_.capacity > enough)
                return std::unexpected(std::move(compiled.error()));
        }
        pad(chunk_.capacity);
        auto next = memory_.take(wanted);
        if (!next) return std::unexpected(std::move(next.error()));
        chunk_ = *next;
        if (chunk_.execute == memory_.begin()) pad(16);  // offset 0 means "not compiled"
        wanted *= 2;
    }
}

}  // namespace pollux
