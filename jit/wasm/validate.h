// Decoding and validating a module at one go: for validate-only uses, tests and fuzzing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "jit/base/error.h"
#include "jit/wasm/decoder.h"
#include "jit/wasm/features.h"
#include "jit/wasm/function_pass_base.h"
#include "jit/wasm/module.h"

namespace pollux::wasm {

/// Validates one body. The module is decoded up to its code section.
[[nodiscard]] Result<> validate_function(const Module& module, FeatureSet features, FunctionPassState& state, std::uint32_t function,
                                         std::span<const std::uint8_t> body);

/// A consumer that validates each body when it arrives, on the thread that feeds the decoder.
class ValidatingConsumer : public ModuleConsumer {
public:
    explicit ValidatingConsumer(FeatureSet features) noexcept : features_(features) {}
    Result<> on_header_complete(const std::shared_ptr<const Module>& module) override;
    Result<> on_function(std::uint32_t function, std::span<const std::uint8_t> body) override;

private:
    FeatureSet features_;
    std::shared_ptr<const Module> module_;
    FunctionPassState state_;
};

/// Decodes and validates a module that is all there; as Decoder::decode_whole.
[[nodiscard]] Result<std::shared_ptr<const Module>> decode_and_validate(std::span<const std::uint8_t> bytes, FeatureSet features,
                                                                        std::shared_ptr<const void> storage = nullptr);

}  // namespace pollux::wasm
