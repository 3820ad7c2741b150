#include "tools/pollux/wasm_text.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace pollux::cli {
namespace {

/// The text of the instruction that the bytes are, or "?!" if its length is not theirs.
std::string text_of(std::initializer_list<std::uint8_t> bytes) {
    const std::vector<std::uint8_t> all(bytes);
    wasm::Module module;
    module.bytes = all;
    const auto names = [](std::uint32_t function) { return function == 3 ? std::string("three") : std::string(); };
    const InstructionText instruction = instruction_text(module, 0, names);
    return instruction.next_offset == all.size() ? instruction.text : instruction.text + " ?!";
}

TEST(WasmText, Immediates) {
    EXPECT_EQ(text_of({0x6a}), "i32.add");
    EXPECT_EQ(text_of({0x41, 0x7f}), "i32.const -1");
    EXPECT_EQ(text_of({0x42, 0x80, 0x01}), "i64.const 128");
    EXPECT_EQ(text_of({0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f}), "f64.const 1.5");
    EXPECT_EQ(text_of({0x10, 0x03}), "call 3 <three>");
    EXPECT_EQ(text_of({0x10, 0x04}), "call 4");
    EXPECT_EQ(text_of({0x28, 0x02, 0x08}), "i32.load offset=8");
    EXPECT_EQ(text_of({0x28, 0x02, 0x00}), "i32.load");
    EXPECT_EQ(text_of({0x28, 0x42, 0x01, 0x08}), "i32.load 1 offset=8");
    EXPECT_EQ(text_of({0x02, 0x40}), "block");
    EXPECT_EQ(text_of({0x03, 0x7e}), "loop i64");
    EXPECT_EQ(text_of({0x04, 0x05}), "if type 5");
    EXPECT_EQ(text_of({0x0e, 0x02, 0x00, 0x01, 0x02}), "br_table 0 1 2");
    EXPECT_EQ(text_of({0x11, 0x04, 0x00}), "call_indirect 4");
    EXPECT_EQ(text_of({0xd0, 0x70}), "ref.null func");
    EXPECT_EQ(text_of({0xfc, 0x0b, 0x00}), "memory.fill");
    EXPECT_EQ(text_of({0xfd, 0x15, 0x03}), "i8x16.extract_lane_s 3");
}

TEST(WasmText, WhatIsNoInstruction) {
    EXPECT_EQ(text_of({0xff}), "?");
    EXPECT_EQ(text_of({0x41}), "i32.const ?");
    EXPECT_EQ(text_of({}), "? ?!");
}

}  // namespace
}  // namespace pollux::cli
