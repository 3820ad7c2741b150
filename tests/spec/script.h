// Scripts of the WebAssembly test suite, converted to JSON: how they are read, and how values are matched with patterns.
//
// In: a JSON file. Out: Commands in order. The format stands in the suite's README; fields that a command lacks are empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jit/wasm/types.h"

namespace pollux::spec {

/// One lane of a number or vector pattern; numbers have one.
struct Lane {
    enum class Match : std::uint8_t { bits, canonical_nan, arithmetic_nan };
    Match match = Match::bits;
    std::uint64_t bits = 0;
};

/// An argument or an expected result.
struct Pattern {
    std::string type;                  ///< "i32" … "v128", "externref", "ref", "either", …
    std::uint32_t lane_bits = 0;       ///< of numbers and vectors
    std::vector<Lane> lanes;           ///< of numbers and vectors
    std::optional<std::string> value;  ///< of references: "null", or a number
    std::vector<Pattern> either;
};

struct Action {
    enum class Kind : std::uint8_t { none, invoke, get };
    Kind kind = Kind::none;
    std::optional<std::string> module;
    std::string field;
    std::vector<Pattern> arguments;
};

struct Command {
    std::string type;
    std::uint64_t line = 0;
    std::string filename;
    bool is_text = false;  ///< the file is text
    std::optional<std::string> name;
    std::optional<std::string> as;
    std::optional<std::string> module;    ///< of module_instance: the definition
    std::optional<std::string> instance;  ///< of module_instance: the new instance's name
    std::string text;                     ///< the reference interpreter's message
    std::string unless_feature;
    bool instantiates_definition = false;  ///< assert_uninstantiable of a definition, not of a file
    Action action;
    std::vector<Pattern> expected;
};

struct Script {
    std::string group;
    std::string folder;  ///< where its modules are
    std::vector<Command> commands;
};

/// Reads a script. Throws std::runtime_error (also for JSON that is not as described).
[[nodiscard]] Script read_script(const std::string& path);

/// A number or vector as an argument.
[[nodiscard]] wasm::V128 pattern_bits(const Pattern& pattern);

/// Whether a number or vector matches; `pattern` is not of a reference.
[[nodiscard]] bool matches_bits(const Pattern& pattern, const wasm::V128& bits);

/// The kind of an argument or result of that type.
[[nodiscard]] wasm::Kind pattern_kind(const Pattern& pattern);

[[nodiscard]] std::string describe(const Pattern& pattern);
[[nodiscard]] std::string describe(wasm::Kind kind, const wasm::V128& bits);

}  // namespace pollux::spec
