// Functions compiled into buffers of any size: what does not fit is an error, and nothing is written beyond.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/compile/backend.h"
#include "jit/wasm/decoder.h"
#include "tests/unit/runtime/wasm_modules.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::test {
namespace {

struct Bodies : wasm::ModuleConsumer {
    std::shared_ptr<const wasm::Module> module;
    std::vector<std::pair<std::uint32_t, std::span<const std::uint8_t>>> functions;

    Result<> on_header_complete(const std::shared_ptr<const wasm::Module>& header) override {
        module = header;
        return {};
    }
    Result<> on_function(std::uint32_t function, std::span<const std::uint8_t> body) override {
        functions.emplace_back(function, body);
        return {};
    }
};

class SmallBuffer : public testing::TestWithParam<const char*> {
protected:
    static constexpr std::size_t kMost = 256 * 1024;
    static constexpr std::size_t kGuard = 128;

    /// Into the first `capacity` bytes of memory_: whether the code fits. Fails if it writes more.
    bool compile(const CompileEnvironment& environment, std::uint32_t function, std::span<const std::uint8_t> body, std::size_t capacity) {
        const std::vector<std::uint8_t> untouched(kGuard, 0xA5);
        std::uint8_t* const beyond = memory_.data() + capacity;
        std::memcpy(beyond, untouched.data(), kGuard);
        const CodeBuffer buffer{memory_.data(), capacity, reinterpret_cast<std::uint64_t>(memory_.data())};
        const Result<> compiled = compiler_->compile(environment, function, body, buffer, output_);
        EXPECT_EQ(std::memcmp(beyond, untouched.data(), kGuard), 0) << "beyond " << capacity;
        if (!compiled) {
            EXPECT_EQ(compiled.error().kind, ErrorKind::resource) << compiled.error().message;
        }
        return compiled.has_value();
    }

    void compile_into_every_size(std::span<const std::uint8_t> bytes) {
        Bodies bodies;
        ASSERT_TRUE(wasm::Decoder::decode_whole(bytes, wasm::FeatureSet::all(), bodies));
        const InstanceLayout layout(*bodies.module);
        const CompileEnvironment environment{.module = bodies.module.get(), .layout = &layout};
        for (const auto& [function, body] : bodies.functions) {
            ASSERT_TRUE(compile(environment, function, body, kMost / 2)) << function;
            const std::vector<std::uint8_t> code(memory_.begin(), memory_.begin() + output_.code_bytes);
            for (std::size_t capacity = 0; capacity < code.size(); capacity += 7 + code.size() / 512)
                EXPECT_FALSE(compile(environment, function, body, capacity)) << function << ": " << capacity;
            for (std::size_t capacity = code.size(); capacity < code.size() + 4096; capacity += 211) {
                if (!compile(environment, function, body, capacity)) continue;
                EXPECT_TRUE(std::ranges::equal(code, std::span(memory_).first(output_.code_bytes))) << function << ": " << capacity;
            }
        }
    }

private:
    std::vector<std::uint8_t> memory_ = std::vector<std::uint8_t>(kMost);
    std::unique_ptr<FunctionCompiler> compiler_ = find_backend(GetParam())->make_compiler();
    FunctionOutput output_;
};

TEST_P(SmallBuffer, NothingIsWrittenBeyond) {
    for (const std::span<const std::uint8_t> module :
         {std::span<const std::uint8_t>(kBasicModule), std::span<const std::uint8_t>(kBulkModule), std::span<const std::uint8_t>(kGcModule),
          std::span<const std::uint8_t>(kHintsModule), std::span<const std::uint8_t>(kShortCutsModule),
          std::span<const std::uint8_t>(kThreadsModule), std::span<const std::uint8_t>(kThrowerModule),
          std::span<const std::uint8_t>(kTrapsModule)}) {
        compile_into_every_size(module);
    }
}

/// What `item` gives for each number, one after the other.
template <class Item>
Bytes numbered(std::size_t count, const Item& item) {
    Bytes all;
    for (std::size_t i = 0; i < count; ++i) all = join({all, item(i)});
    return all;
}

/// Instructions that alone emit more than there may be room for: a call with hundreds of parameters and results, a br_table of hundreds.
TEST_P(SmallBuffer, NorByAnInstructionOfManyBytes) {
    constexpr std::size_t kMany = 900;
    const auto all = [](const Bytes& bytes) { return numbered(kMany, [&](std::size_t) { return bytes; }); };
    const Bytes many = join({leb(kMany), all({kI32})});
    const Bytes call = join({{0}, numbered(kMany, [](std::size_t i) { return join({{0x20}, leb(i)}); }), {0x10, 0, kEnd}});
    const Bytes branches = join({{0}, all({0x02, 0x40}), {0x20, 0, 0x0e}, leb(kMany), numbered(kMany, leb), {0}, all({kEnd}), {kEnd}});
    compile_into_every_size(module_of({section(1, vec({join({{0x60}, many, many}), {0x60, 1, kI32, 0}})), section(3, {2, 0, 1}),
                                       section(10, vec({sized(call), sized(branches)}))}));
}

INSTANTIATE_TEST_SUITE_P(Isa, SmallBuffer, testing::Values("x86_64", "aarch64"));

}  // namespace
}  // namespace pollux::test
