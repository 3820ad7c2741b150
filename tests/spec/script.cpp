#include "tests/spec/script.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

namespace pollux::spec {
namespace {

using nlohmann::json;

std::uint32_t bits_of(std::string_view type) {
    if (type == "i8") return 8;
    if (type == "i16") return 16;
    if (type == "i32" || type == "f32") return 32;
    if (type == "i64" || type == "f64") return 64;
    return 0;
}

Lane read_lane(const std::string& text) {
    if (text == "nan:canonical") return {Lane::Match::canonical_nan, 0};
    if (text == "nan:arithmetic") return {Lane::Match::arithmetic_nan, 0};
    return {Lane::Match::bits, std::stoull(text)};
}

Pattern read_pattern(const json& value) {
    Pattern pattern;
    pattern.type = value.at("type");
    if (pattern.type == "v128") {
        pattern.lane_bits = bits_of(value.at("lane_type").get<std::string>());
        for (const json& lane : value.at("value")) pattern.lanes.push_back(read_lane(lane));
    } else if (pattern.type == "either") {
        for (const json& alternative : value.at("values")) pattern.either.push_back(read_pattern(alternative));
    } else if (const std::uint32_t bits = bits_of(pattern.type); bits != 0) {
        pattern.lane_bits = bits;
        pattern.lanes.push_back(read_lane(value.at("value")));
    } else if (value.contains("value")) {
        pattern.value = value.at("value");
    }
    return pattern;
}

std::optional<std::string> optional_string(const json& object, const char* key) {
    if (!object.contains(key)) return std::nullopt;
    return object.at(key).get<std::string>();
}

Action read_action(const json& value) {
    Action action;
    action.kind = value.at("type") == "get" ? Action::Kind::get : Action::Kind::invoke;
    action.module = optional_string(value, "module");
    action.field = value.at("field");
    if (value.contains("args")) {
        for (const json& argument : value.at("args")) action.arguments.push_back(read_pattern(argument));
    }
    return action;
}

Command read_command(const json& value) {
    Command command;
    command.type = value.at("type");
    command.line = value.at("line");
    command.filename = value.value("filename", "");
    command.is_text = value.value("module_type", "binary") == "text";
    command.name = optional_string(value, "name");
    command.as = optional_string(value, "as");
    command.text = value.value("text", "");
    command.unless_feature = value.value("unless_feature", "");
    const json& target = value.contains("instantiate") ? value.at("instantiate") : value;
    command.instantiates_definition = value.contains("instantiate");
    if (target.contains("module") && target.at("module").is_string()) command.module = target.at("module");
    command.instance = optional_string(target, "instance");
    if (value.contains("action")) command.action = read_action(value.at("action"));
    if (value.contains("expected")) {
        for (const json& pattern : value.at("expected")) command.expected.push_back(read_pattern(pattern));
    }
    return command;
}

bool matches_lane(const Lane& lane, std::uint32_t lane_bits, std::uint64_t bits) {
    if (lane.match == Lane::Match::bits) return bits == lane.bits;
    const std::uint64_t exponent = lane_bits == 32 ? 0x7f80'0000 : 0x7ff0'0000'0000'0000;
    const std::uint64_t quiet = lane_bits == 32 ? 0x40'0000 : 0x8'0000'0000'0000;
    const std::uint64_t sign = lane_bits == 32 ? 0x8000'0000 : 0x8000'0000'0000'0000;
    if (lane.match == Lane::Match::canonical_nan) return (bits & ~sign) == (exponent | quiet);
    return (bits & (exponent | quiet)) == (exponent | quiet);
}

std::uint64_t lane_of(const wasm::V128& bits, std::uint32_t lane_bits, std::size_t index) {
    const std::size_t at = index * lane_bits;
    const std::uint64_t half = at < 64 ? bits.low : bits.high;
    if (lane_bits == 64) return half;
    return half >> (at % 64) & ((std::uint64_t{1} << lane_bits) - 1);
}

}  // namespace

Script read_script(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    const json document = json::parse(file);
    Script script;
    script.group = document.value("group", "");
    script.folder = std::filesystem::path(path).parent_path().string();
    for (const json& command : document.at("commands")) script.commands.push_back(read_command(command));
    return script;
}

wasm::V128 pattern_bits(const Pattern& pattern) {
    std::array<std::uint64_t, 2> halves{};
    for (std::size_t i = 0; i < pattern.lanes.size(); ++i) {
        const std::size_t at = i * pattern.lane_bits;
        halves.at(at / 64) |= pattern.lanes[i].bits << (at % 64);
    }
    return {halves[0], halves[1]};
}

bool matches_bits(const Pattern& pattern, const wasm::V128& bits) {
    for (std::size_t i = 0; i < pattern.lanes.size(); ++i) {
        if (!matches_lane(pattern.lanes[i], pattern.lane_bits, lane_of(bits, pattern.lane_bits, i))) return false;
    }
    return true;
}

wasm::Kind pattern_kind(const Pattern& pattern) {
    static constexpr std::array<std::pair<std::string_view, wasm::Kind>, 5> kKinds = {{
        {"i32", wasm::Kind::i32},
        {"i64", wasm::Kind::i64},
        {"f32", wasm::Kind::f32},
        {"f64", wasm::Kind::f64},
        {"v128", wasm::Kind::v128},
    }};
    for (const auto& [name, kind] : kKinds) {
        if (pattern.type == name) return kind;
    }
    return wasm::Kind::ref;
}

std::string describe(const Pattern& pattern) {
    std::string text = pattern.type;
    for (const Pattern& alternative : pattern.either) text += " | " + describe(alternative);
    if (pattern.value) text += " " + *pattern.value;
    for (const Lane& lane : pattern.lanes) {
        if (lane.match == Lane::Match::canonical_nan) {
            text += " nan:canonical";
        } else if (lane.match == Lane::Match::arithmetic_nan) {
            text += " nan:arithmetic";
        } else {
            std::array<char, 24> hex{};
            std::snprintf(hex.data(), hex.size(), " 0x%" PRIx64, lane.bits);
            text += hex.data();
        }
    }
    return text;
}

std::string describe(wasm::Kind kind, const wasm::V128& bits) {
    static constexpr std::array<const char*, 6> kNames = {"i32", "i64", "f32", "f64", "v128", "ref"};
    std::array<char, 64> text{};
    const char* name = kNames.at(static_cast<std::size_t>(kind));
    if (kind == wasm::Kind::v128) {
        std::snprintf(text.data(), text.size(), "%s 0x%016" PRIx64 "'%016" PRIx64, name, bits.high, bits.low);
    } else {
        std::snprintf(text.data(), text.size(), "%s 0x%" PRIx64, name, bits.low);
    }
    return text.data();
}

}  // namespace pollux::spec
