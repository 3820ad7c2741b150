// The function pass: what a sink is told, in reachable and in unreachable code, and errors.
#include "jit/wasm/function_pass.h"

#include <gtest/gtest.h>

#include <string>

#include "jit/wasm/validate.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::wasm {
namespace {

using namespace test;

/// Writes down the control structure, and the rest by names.
struct FunctionRecorder : ValidateSink {
    std::string log;
    const PassPosition* position = nullptr;
    void add(const std::string& text) { log += (log.empty() ? "" : " ") + text; }
    static std::string flag(bool reachable) { return reachable ? "" : "(dead)"; }

    void begin(const FuncType&, std::span<const ValType> locals, PassPosition& at) {
        position = &at;
        add("begin:" + std::to_string(locals.size()));
    }
    void finish() { add("finish"); }
    void i32_const(std::int32_t value) { add(std::to_string(value)); }
    template <Opcode op>
    void numeric() {
        add(std::string(text(op)));
    }
    template <Opcode op>
    void load(const MemArg& arg) {
        add(std::string(text(op)) + "+" + std::to_string(arg.offset));
    }
    void local_get(std::uint32_t local) { add("get" + std::to_string(local)); }
    void drop() { add("drop"); }
    void select(Kind kind) { add("select" + std::to_string(static_cast<int>(kind))); }
    void block(const BlockType& type) { add("block" + std::to_string(type.params.size()) + std::to_string(type.results.size())); }
    void loop(const BlockType&) { add("loop"); }
    void if_(const BlockType&) { add("if"); }
    void else_(bool reachable) { add("else" + flag(reachable)); }
    void end(bool reachable) { add("end" + flag(reachable)); }
    void br(std::uint32_t depth) { add("br" + std::to_string(depth)); }
    void br_if(std::uint32_t depth) { add("br_if" + std::to_string(depth)); }
    void br_table(std::span<const std::uint32_t> depths, std::uint32_t other) {
        add("br_table" + std::to_string(depths.size()) + "," + std::to_string(other));
    }
    void return_() { add("return"); }
    void unreachable() { add("unreachable"); }
    void branch_hint(bool likely) { add(likely ? "likely" : "unlikely"); }
};

struct Outcome {
    std::string log;
    std::string error;
    ErrorKind kind = ErrorKind::usage;
    std::uint64_t offset = 0;
};

Outcome run(const Bytes& bytes, FeatureSet features = FeatureSet::all()) {
    ModuleConsumer none;
    const auto module = Decoder::decode_whole(bytes, features, none);
    if (!module) return {"", module.error().message, module.error().kind, module.error().offset};
    FunctionPassState state;
    FunctionRecorder sink;
    FunctionPass pass(**module, features, state, sink);
    const Result<> result = pass.run(0, (*module)->body(0));
    if (!result)
        return {sink.log, result.error().message, result.error().kind, result.error().offset - (*module)->functions[0].body_offset};
    return {sink.log, "", ErrorKind::usage, 0};
}

Outcome run_body(const Bytes& results, const Bytes& body, const Bytes& params = {}) { return run(module_with_body(params, results, body)); }

TEST(FunctionPass, TellsTheSinkEachInstruction) {
    EXPECT_EQ(run_body({kI32}, {1, 2, kI64, 0x20, 0, 0x41, 1, 0x6A, kEnd}, {kI32}).log, "begin:3 get0 1 i32.add end finish");
    EXPECT_EQ(run_body({kI32}, {0, 0x41, 0, 0x28, 2, 0x80, 0x01, kEnd}).log, "begin:0 0 i32.load+128 end finish");
    EXPECT_EQ(run_body({}, {0, 0x41, 0, 0x41, 1, 0x41, 2, 0x1B, 0x1A, kEnd}).log, "begin:0 0 1 2 select0 drop end finish");
}

TEST(FunctionPass, UnreachableCodeIsCheckedButNotTold) {
    EXPECT_EQ(run_body({}, {0, 0x00, 0x41, 1, 0x1A, kEnd}).log, "begin:0 unreachable end(dead) finish");
    // A block in dead code does not reach the sink; code after a live block whose end is not reached does.
    EXPECT_EQ(run_body({}, {0, 0x00, 0x02, 0x40, 0x0C, 0, kEnd, kEnd}).log, "begin:0 unreachable end(dead) finish");
    EXPECT_EQ(run_body({}, {0, 0x02, 0x40, 0x0C, 0, 0x01, kEnd, 0x41, 1, 0x1A, kEnd}).log,
              "begin:0 block00 br0 end(dead) 1 drop end finish");
    EXPECT_EQ(run_body({}, {0, 0x41, 1, 0x04, 0x40, 0x0F, 0x05, 0x01, kEnd, kEnd}).log, "begin:0 1 if return else(dead) end end finish");
    // Operands that are missing in dead code may be of any type, wrong ones may not.
    EXPECT_EQ(run_body({kI32}, {0, 0x00, 0x6A, kEnd}).error, "");
    EXPECT_EQ(run_body({kI32}, {0, 0x00, 0x1B, kEnd}).error, "");
    EXPECT_NE(run_body({kI32}, {0, 0x00, 0x42, 1, 0x6A, kEnd}).error, "");
    EXPECT_NE(run_body({}, {0, 0x00, 0x41, 1, kEnd}).error, "") << "one operand too many";
    EXPECT_NE(run_body({}, {0, 0x00, 0x02, 0x40, 0x1A, kEnd, kEnd}).error, "") << "a block in dead code starts with no operands";
}

TEST(FunctionPass, BranchesAndTheirTypes) {
    EXPECT_EQ(run_body({kI32}, {0, 0x02, kI32, 0x41, 1, 0x41, 2, 0x0D, 0, kEnd, kEnd}).log, "begin:0 block01 1 2 br_if0 end end finish");
    EXPECT_EQ(run_body({kI32}, {0, 0x41, 1, 0x41, 2, 0x0E, 2, 0, 0, 0, kEnd}).log, "begin:0 1 2 br_table2,0 end(dead) finish");
    EXPECT_NE(run_body({kI32}, {0, 0x02, 0x40, 0x41, 1, 0x41, 2, 0x0E, 1, 1, 0, kEnd, kEnd}).error, "") << "arities differ";
    EXPECT_NE(run_body({}, {0, 0x0C, 1, kEnd}).error.find("unknown label 1"), std::string::npos);
    EXPECT_NE(run_body({}, {0, 0x41, 1, 0x0E, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, kEnd}).error, "");
    EXPECT_NE(run_body({kI32}, {0, 0x41, 1, 0x04, kI32, 0x41, 1, kEnd, kEnd}).error.find("if without else"), std::string::npos);
}

TEST(FunctionPass, ErrorsNameTheInstructionAndItsOffset) {
    const Outcome outcome = run_body({kI32}, {0, 0x41, 1, 0x42, 1, 0x6A, kEnd});
    EXPECT_EQ(outcome.error, "function 0, i32.add: type mismatch: expected i32, found i64");
    EXPECT_EQ(outcome.kind, ErrorKind::invalid);
    EXPECT_EQ(outcome.offset, 5U);
    EXPECT_EQ(outcome.log, "begin:0 1") << "the sink was told what came before";

    EXPECT_EQ(run_body({}, {0, 0x6A, kEnd}).error, "function 0, i32.add: type mismatch: expected i32, found nothing on the stack");
    EXPECT_EQ(run_body({}, {0, 0xFF, kEnd}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, 0xFC, 0xFF, 0x01, kEnd}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, 0x01}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, kEnd, 0x01}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, kEnd, kEnd}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, 0x05, kEnd}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {}).kind, ErrorKind::malformed);
    EXPECT_EQ(run_body({}, {0, 0xFB, 0x20, kEnd}).error,
              "function 0, struct.new_desc: this instruction needs the feature 'custom-descriptors', which is not supported");
}

TEST(FunctionPass, FeaturesAreChecked) {
    const Bytes bytes = module_with_body({}, {}, {0, 0x41, 1, 0xC0, 0x1A, kEnd});
    EXPECT_EQ(run(bytes).error, "");
    const Outcome outcome = run(bytes, FeatureSet::mvp());
    EXPECT_EQ(outcome.kind, ErrorKind::unsupported);
    EXPECT_EQ(
        outcome.error,
        "function 0, i32.extend8_s: this instruction needs the feature 'sign-extension', which is off; -W sign-extension=y allows it");
}

TEST(FunctionPass, LocalsWithoutDefaultMustBeSet) {
    // (local (ref func)); ref.func 0; local.set 0; local.get 0
    const auto module = [](const Bytes& body) {
        return module_of({section(1, vec({{0x60, 0, 0}})), section(3, vec({{0}})), section(7, vec({join({name("f"), {0, 0}})})),
                          section(10, vec({sized(body)}))});
    };
    EXPECT_EQ(run(module({1, 1, 0x64, 0x70, 0xD2, 0, 0x21, 0, 0x20, 0, 0x1A, kEnd})).error, "");
    EXPECT_NE(run(module({1, 1, 0x64, 0x70, 0x20, 0, 0x1A, kEnd})).error.find("uninitialized local 0"), std::string::npos);
    EXPECT_NE(run(module({1, 1, 0x64, 0x70, 0x02, 0x40, 0xD2, 0, 0x21, 0, kEnd, 0x20, 0, 0x1A, kEnd})).error.find("uninitialized local 0"),
              std::string::npos)
        << "what a block sets is unset after it";
}

TEST(FunctionPass, UndeclaredFunctionReferencesAreInvalid) {
    EXPECT_NE(run_body({}, {0, 0xD2, 0, 0x1A, kEnd}).error.find("undeclared function reference"), std::string::npos);
}

TEST(FunctionPass, BranchHintsReachTheirInstruction) {
    // The hint is for the br_if at offset 5 of the body; the if at 10 has none.
    const Bytes hints = section(0, join({name("metadata.code.branch_hint"), vec({join({leb(0), vec({{5, 1, 1}})})})}));
    const Bytes body = {0, 0x02, 0x40, 0x41, 0, 0x0D, 0, kEnd, 0x41, 0, 0x04, 0x40, kEnd, kEnd};
    const Bytes bytes = module_of({section(1, vec({{0x60, 0, 0}})), section(3, vec({{0}})), hints, section(10, vec({sized(body)}))});
    EXPECT_EQ(run(bytes).log, "begin:0 block00 0 likely br_if0 end 0 if end end finish");
    const Bytes broken = section(0, join({name("metadata.code.branch_hint"), vec({join({leb(0), vec({{5, 1, 2}})})})}));
    EXPECT_EQ(run(module_of({section(1, vec({{0x60, 0, 0}})), section(3, vec({{0}})), broken, section(10, vec({sized(body)}))})).log,
              "begin:0 block00 0 br_if0 end 0 if end end finish");
}

TEST(FunctionPass, StateIsReusedAcrossFunctionsAndErrors) {
    const Bytes good = module_with_body({}, {kI32}, {0, 0x41, 1, kEnd});
    const Bytes bad = module_with_body({}, {kI32}, {0, 0x02, 0x40, 0x42, 1, 0x42, 1, 0x6A, kEnd});
    ModuleConsumer none;
    const auto first = Decoder::decode_whole(good, FeatureSet::all(), none);
    const auto second = Decoder::decode_whole(bad, FeatureSet::all(), none);
    ASSERT_TRUE(first && second);
    FunctionPassState state;
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(validate_function(**first, FeatureSet::all(), state, 0, (*first)->body(0)).has_value());
        EXPECT_FALSE(validate_function(**second, FeatureSet::all(), state, 0, (*second)->body(0)).has_value());
    }
}

TEST(FunctionPass, NestingIsBounded) {
    const auto nested = [](std::size_t depth) {
        Bytes body = {0};
        for (std::size_t i = 0; i < depth; ++i) body.insert(body.end(), {0x02, 0x40});
        body.insert(body.end(), depth + 1, kEnd);
        return body;
    };
    EXPECT_TRUE(run_body({}, nested(100'000)).error.empty());
    EXPECT_EQ(run_body({}, nested(200'000)).kind, ErrorKind::resource);
}

TEST(FunctionPass, OperandStackGrowsAndIsBounded) {
    Bytes body = {0};
    for (int i = 0; i < 20'000; ++i) body.insert(body.end(), {0x41, 0});
    for (int i = 0; i < 20'000; ++i) body.push_back(0x1A);
    body.push_back(kEnd);
    EXPECT_EQ(run_body({}, body).error, "");

    // Blocks of 1000 results, without end.
    const Bytes results(1000, kI32);
    Bytes calls = {0};
    for (int i = 0; i < 2000; ++i) calls.insert(calls.end(), {0x10, 0});
    calls.insert(calls.end(), {0x00, kEnd});
    EXPECT_EQ(run_body(results, calls).kind, ErrorKind::resource);
}

}  // namespace
}  // namespace pollux::wasm
