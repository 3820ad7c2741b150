// Framing: sections, streaming, counts, limits, and what the consumer is told.
#include "jit/wasm/decoder.h"

#include <gtest/gtest.h>

#include <string>

#include "jit/wasm/validate.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::wasm {
namespace {

using namespace test;

/// Writes down what it is told.
struct ModuleRecorder : ModuleConsumer {
    std::string log;
    std::shared_ptr<const Module> module;
    std::vector<std::span<const std::uint8_t>> bodies;
    Result<> on_header_complete(const std::shared_ptr<const Module>& header) override {
        log += "header(" + std::to_string(header->functions.size()) + ") ";
        module = header;
        return {};
    }
    Result<> on_function(std::uint32_t function, std::span<const std::uint8_t> body) override {
        log += std::to_string(function) + ":" + std::to_string(body.size()) + " ";
        bodies.push_back(body);
        return {};
    }
    Result<> on_end() override {
        log += "end";
        return {};
    }
};

Bytes two_functions() {
    return module_of({section(1, vec({{0x60, 0, 0}})), section(2, vec({join({name("m"), name("f"), {0, 0}})})), section(3, vec({{0}, {0}})),
                      section(7, vec({join({name("a"), {0, 1}}), join({name("b"), {0, 2}})})),
                      section(10, vec({{2, 0, kEnd}, {3, 0, 0x01, kEnd}})), section(11, vec({}))});
}

std::string error_of(const Bytes& bytes) {
    const auto module = decode_and_validate(bytes, FeatureSet::all());
    return module ? "valid" : module.error().message;
}

TEST(Decoder, WholeModuleIsDecodedInPlace) {
    const Bytes bytes = two_functions();
    ModuleRecorder recorder;
    const auto module = Decoder::decode_whole(bytes, FeatureSet::all(), recorder);
    ASSERT_TRUE(module.has_value()) << module.error().message;
    EXPECT_EQ(recorder.log, "header(3) 1:2 2:3 end");
    EXPECT_EQ((*module)->body(2).data(), recorder.bodies[1].data());
    EXPECT_GE((*module)->body(2).data(), bytes.data());
    EXPECT_LT((*module)->body(2).data(), bytes.data() + bytes.size());
    EXPECT_EQ((*module)->find_export("b")->index, 2U);
    EXPECT_EQ((*module)->find_export("c"), nullptr);
    EXPECT_EQ((*module)->code_section_bytes, 5U);
    EXPECT_EQ((*module)->imports[0].module, "m");
}

TEST(Decoder, BodiesAreHandedOnWithTheirLastByte) {
    const Bytes bytes = two_functions();
    ModuleRecorder recorder;
    Decoder decoder(FeatureSet::all(), recorder);
    const std::string complete = "header(3) 1:2 2:3 ";
    std::size_t fed = 0;
    while (recorder.log != complete) {
        ASSERT_LT(fed, bytes.size());
        ASSERT_TRUE(decoder.feed({&bytes[fed], 1}).has_value());
        ++fed;
    }
    EXPECT_EQ(bytes.size() - fed, 3U) << "only the data section is left";
    const std::span<const std::uint8_t> first = recorder.bodies[0];
    ASSERT_TRUE(decoder.feed(std::span(bytes).subspan(fed)).has_value());
    ASSERT_TRUE(decoder.finish().has_value());
    EXPECT_EQ(recorder.log, complete + "end");
    EXPECT_EQ(decoder.module()->body(1).data(), first.data()) << "bytes do not move";
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), decoder.module()->bytes.begin(), decoder.module()->bytes.end()));
}

TEST(Decoder, ChunksOfEverySizeGiveTheSame) {
    const Bytes bytes = two_functions();
    for (std::size_t chunk = 1; chunk <= bytes.size(); ++chunk) {
        ModuleRecorder recorder;
        Decoder decoder(FeatureSet::all(), recorder);
        for (std::size_t at = 0; at < bytes.size(); at += chunk) {
            ASSERT_TRUE(decoder.feed(std::span(bytes).subspan(at, std::min(chunk, bytes.size() - at))).has_value());
        }
        ASSERT_TRUE(decoder.finish().has_value());
        EXPECT_EQ(recorder.log, "header(3) 1:2 2:3 end");
    }
}

TEST(Decoder, LargeModulesDoNotMoveWhileTheyGrow) {
    const Bytes body(100'000, 0x01);
    Bytes sized_body = sized(join({{0}, body, {kEnd}}));
    const Bytes bytes = module_of({section(1, vec({{0x60, 0, 0}})), section(3, vec({{0}, {0}})), section(10, vec({sized_body, sized_body})),
                                   section(0, join({name("pad"), Bytes(1'000'000)}))});
    ModuleRecorder recorder;
    Decoder decoder(FeatureSet::all(), recorder);
    for (std::size_t at = 0; at < bytes.size(); at += 4096) {
        ASSERT_TRUE(decoder.feed(std::span(bytes).subspan(at, std::min<std::size_t>(4096, bytes.size() - at))).has_value());
    }
    ASSERT_TRUE(decoder.finish().has_value());
    EXPECT_EQ(recorder.bodies[0].data(), decoder.module()->body(0).data());
    EXPECT_EQ(recorder.bodies[1].data(), decoder.module()->body(1).data());
}

TEST(Decoder, ConsumersErrorStopsTheDecoderForGood) {
    struct Refuser : ModuleConsumer {
        Result<> on_function(std::uint32_t, std::span<const std::uint8_t>) override { return fail(ErrorKind::resource, "no"); }
    } refuser;
    const Bytes bytes = two_functions();
    Decoder decoder(FeatureSet::all(), refuser);
    const Result<> fed = decoder.feed(bytes);
    ASSERT_FALSE(fed.has_value());
    EXPECT_EQ(fed.error().message, "no");
    EXPECT_EQ(decoder.feed({}).error().message, "no");
    EXPECT_EQ(decoder.finish().error().message, "no");
}

TEST(Decoder, FramingErrors) {
    EXPECT_EQ(error_of(module_of({})), "valid");
    EXPECT_NE(error_of({}), "valid");
    EXPECT_NE(error_of({0, 'a', 's', 'm', 2, 0, 0, 0}).find("unknown binary version"), std::string::npos);
    EXPECT_NE(error_of({0, 'a', 's', 'm', 0x0D, 0, 1, 0}).find("component"), std::string::npos);
    EXPECT_NE(error_of({'#', '!', '/', 'b', 'i', 'n', '/', 's'}).find("magic header"), std::string::npos);
    EXPECT_NE(error_of(module_of({{14, 0}})).find("malformed section id"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(3, vec({})), section(1, vec({}))})).find("out of order"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(1, vec({})), section(1, vec({}))})).find("there twice"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(1, {0, 0})})).find("section size mismatch"), std::string::npos);
    EXPECT_NE(error_of(module_of({{1, 100, 0}})).find("unexpected end"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(1, vec({{0x60, 0, 0}})), section(3, vec({{0}}))})).find("inconsistent lengths"),
              std::string::npos);
    EXPECT_NE(error_of(module_of({section(10, vec({{2, 0, kEnd}}))})).find("inconsistent lengths"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(12, {1})})).find("inconsistent lengths"), std::string::npos);
    EXPECT_EQ(error_of(module_of({section(12, {0})})), "valid");
}

TEST(Decoder, ErrorsTellTheOffset) {
    const Bytes bytes = module_of({section(1, vec({{0x60, 1, 0x55, 0}}))});
    const auto module = decode_and_validate(bytes, FeatureSet::all());
    ASSERT_FALSE(module.has_value());
    EXPECT_EQ(module.error().offset, 13U);
    EXPECT_EQ(module.error().kind, ErrorKind::malformed);
    EXPECT_NE(module.error().message.find("malformed value type"), std::string::npos);
}

TEST(Decoder, CountsAreCheckedBeforeMemoryIsTaken) {
    const Bytes huge = {0xFF, 0xFF, 0xFF, 0xFF, 0x0F};
    for (const std::uint8_t id : Bytes{1, 2, 3, 4, 5, 6, 7, 9, 11, 13})
        EXPECT_NE(error_of(module_of({section(id, huge)})), "valid") << int{id};
    EXPECT_NE(error_of(module_of({section(1, join({{1, 0x4E}, huge}))})), "valid");
    EXPECT_NE(error_of(module_of({section(1, join({{1, 0x5F}, huge}))})), "valid");
    EXPECT_NE(error_of(module_of({section(1, join({{1, 0x60}, huge}))})), "valid");
    EXPECT_NE(error_of(module_with_body({}, {}, join({{1}, huge, {kI32, kEnd}}))).find("too many locals"), std::string::npos);
    EXPECT_NE(error_of(module_with_body({}, {}, {2, 0xA8, 0xC3, 0x01, kI32, 0xA9, 0xC3, 0x01, kI32, kEnd})).find("too many locals"),
              std::string::npos)
        << "25 000 and 25 001";
    EXPECT_EQ(error_of(module_with_body({}, {}, {2, 0xA8, 0xC3, 0x01, kI32, 0xA8, 0xC3, 0x01, kI32, kEnd})), "valid")
        << "50 000 are possible";
}

TEST(Decoder, ModuleRules) {
    const Bytes types = section(1, vec({{0x60, 0, 0}, {0x60, 1, kI32, 0}}));
    const Bytes functions = section(3, vec({{1}}));
    const Bytes code = section(10, vec({{2, 0, kEnd}}));
    EXPECT_NE(error_of(module_of({types, functions, section(8, {0}), code})).find("start function"), std::string::npos);
    EXPECT_NE(error_of(module_of({types, functions, section(8, {1}), code})).find("unknown function 1"), std::string::npos);
    EXPECT_NE(error_of(module_of({types, functions, section(7, vec({join({name("a"), {0, 0}}), join({name("a"), {0, 0}})})), code}))
                  .find("duplicate export name \"a\""),
              std::string::npos);
    EXPECT_NE(error_of(module_of({section(7, vec({join({{2, 0xC0, 0x80}, {0, 0}})}))})).find("UTF-8"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(5, vec({{1, 2, 1}}))})).find("minimum"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(5, vec({{0, 0x81, 0x80, 0x04}}))})).find("at most 65536 pages"), std::string::npos);
    EXPECT_NE(error_of(module_of({section(4, vec({{0x64, 0x70, 0, 1}}))})).find("non-nullable"), std::string::npos);
}

TEST(Decoder, FeaturesThatAreOffAreNamed) {
    const Bytes bytes = module_of({section(5, vec({{0, 0}, {0, 0}}))});
    const auto module = decode_and_validate(bytes, FeatureSet::mvp());
    ASSERT_FALSE(module.has_value());
    EXPECT_EQ(module.error().kind, ErrorKind::unsupported);
    EXPECT_NE(module.error().message.find("'multi-memory'"), std::string::npos);
    EXPECT_TRUE(decode_and_validate(bytes, FeatureSet::mvp().set(Feature::multi_memory)).has_value());
}

}  // namespace
}  // namespace pollux::wasm
