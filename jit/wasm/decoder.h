// The streaming decoder: bytes in chunks of any size become a Module, and each function body is handed on as soon as its
// last byte is in.
//
// In: chunks (feed, finish), which are accumulated in memory that never moves; or a whole module in memory, which is not
// copied (decode_whole). Out: calls to a ModuleConsumer, in this order: on_header_complete, on_function for each body,
// on_end. Sections are decoded and validated here; bodies are not: run a FunctionPass over each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "jit/base/error.h"
#include "jit/base/growing_buffer.h"
#include "jit/wasm/features.h"
#include "jit/wasm/module.h"
#include "jit/wasm/section_decoder.h"

namespace pollux::wasm {

/// What is told about a module while it is being decoded. An error that a method returns stops the decoder.
class ModuleConsumer {
public:
    virtual ~ModuleConsumer() = default;
    /// Everything before the code section is decoded: all that bodies refer to. From here on those parts of the module
    /// do not change; its data segments, name section and `bytes` are still to come. Called once, even without a code section.
    virtual Result<> on_header_complete(const std::shared_ptr<const Module>& /*module*/) { return {}; }
    /// A body has arrived. The span stays valid as long as the module; other threads may read it, and Function::body_offset
    /// of this function, from now on.
    virtual Result<> on_function(std::uint32_t /*function*/, std::span<const std::uint8_t> /*body*/) { return {}; }
    /// All is decoded, and the module complete.
    virtual Result<> on_end() { return {}; }
};

class Decoder {
public:
    /// For feed and finish. The consumer outlives the decoder.
    Decoder(FeatureSet features, ModuleConsumer& consumer);

    /// Takes the next bytes of the module. After an error, every further call returns the same error.
    [[nodiscard]] Result<> feed(std::span<const std::uint8_t> chunk);
    /// The module ends here.
    [[nodiscard]] Result<> finish();

    /// The module; complete after a finish that succeeded.
    [[nodiscard]] std::shared_ptr<const Module> module() const noexcept { return module_; }
    /// Bytes taken so far.
    [[nodiscard]] std::uint64_t bytes_taken() const noexcept { return available_; }

    /// Decodes a module that is all there, without copying it. `bytes` outlive the module; `storage`, if given, sees to that.
    [[nodiscard]] static Result<std::shared_ptr<const Module>> decode_whole(std::span<const std::uint8_t> bytes, FeatureSet features,
                                                                            ModuleConsumer& consumer,
                                                                            std::shared_ptr<const void> storage = nullptr);

private:
    enum class State : std::uint8_t { magic, section_header, section, code_count, body_size, body };

    /// Takes as many steps as the bytes allow.
    [[nodiscard]] Result<> advance();
    [[nodiscard]] Result<> step();
    [[nodiscard]] Result<> magic();
    [[nodiscard]] Result<> section_header();
    [[nodiscard]] Result<> section();
    [[nodiscard]] Result<> code_count();
    [[nodiscard]] Result<> body_size();
    [[nodiscard]] Result<> body();
    [[nodiscard]] Result<> complete_header();
    [[nodiscard]] Result<> end_of_module();
    /// Reads a u32 that may not all be there yet: then `out` is left alone, and the next step waits for one byte more.
    [[nodiscard]] Result<bool> read_u32(std::uint64_t end, std::uint32_t& out);
    /// The next step is `state`, once `bytes` are there.
    void wait_for(State state, std::uint64_t bytes) noexcept {
        state_ = state;
        needed_ = at_ + bytes;
    }

    ModuleConsumer& consumer_;
    std::shared_ptr<Module> module_;
    SectionDecoder sections_;
    std::shared_ptr<GrowingBuffer> buffer_;  ///< when streaming
    const std::uint8_t* bytes_ = nullptr;
    std::uint64_t available_ = 0;  ///< bytes that are there
    std::uint64_t at_ = 0;         ///< the next to be decoded
    std::uint64_t needed_ = 8;     ///< `available_` at which the next step can be taken
    std::uint64_t section_end_ = 0;
    std::uint32_t bodies_left_ = 0;
    std::uint32_t next_function_ = 0;
    State state_ = State::magic;
    SectionId section_id_ = SectionId::custom;
    std::uint8_t last_rank_ = 0;  ///< of the sections so far, for their order
    bool header_complete_ = false;
    Result<> status_;
};

}  // namespace pollux::wasm
