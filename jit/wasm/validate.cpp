// The validator: a function pass whose sink does nothing.
#include "jit/wasm/validate.h"

#include "jit/wasm/function_pass.h"

namespace pollux::wasm {

Result<> validate_function(const Module& module, FeatureSet features, FunctionPassState& state, std::uint32_t function,
                           std::span<const std::uint8_t> body) {
    ValidateSink sink;
    FunctionPass pass(module, features, state, sink);
    return pass.run(function, body);
}

Result<> ValidatingConsumer::on_header_complete(const std::shared_ptr<const Module>& module) {
    module_ = module;
    return {};
}

Result<> ValidatingConsumer::on_function(std::uint32_t function, std::span<const std::uint8_t> body) {
    return validate_function(*module_, features_, state_, function, body);
}

Result<std::shared_ptr<const Module>> decode_and_validate(std::span<const std::uint8_t> bytes, FeatureSet features,
                                                          std::shared_ptr<const void> storage) {
    ValidatingConsumer consumer(features);
    return Decoder::decode_whole(bytes, features, consumer, std::move(storage));
}

}  // namespace pollux::wasm
