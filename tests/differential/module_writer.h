// Bytes of the binary format, and the random numbers that a generator decides by.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "jit/wasm/opcodes.h"
#include "jit/wasm/types.h"

namespace pollux::differential {

/// splitmix64: the same sequence on every host. Two draws are never arguments of one call, for compilers evaluate these in any order.
class Random {
public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
    [[nodiscard]] std::uint64_t bits() noexcept {
        std::uint64_t z = state_ += 0x9e37'79b9'7f4a'7c15;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    }
    /// Below `limit`, or 0.
    [[nodiscard]] std::uint32_t below(std::size_t limit) noexcept {
        return static_cast<std::uint32_t>(bits() % std::max<std::size_t>(limit, 1));
    }
    /// From `low` to `high`, both included.
    [[nodiscard]] std::uint32_t between(std::uint32_t low, std::uint32_t high) noexcept { return low + below(high - low + 1); }
    [[nodiscard]] bool percent(std::uint32_t chance) noexcept { return below(100) < chance; }
    template <class Range>
    [[nodiscard]] const auto& pick(const Range& range) noexcept {
        return range[below(std::size(range))];
    }

private:
    std::uint64_t state_;
};

class ModuleWriter {
public:
    std::vector<std::uint8_t> bytes;

    void byte(std::uint32_t value) { bytes.push_back(static_cast<std::uint8_t>(value)); }
    void unsigned_number(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint32_t>(value & 0x7f) | 0x80);
        byte(static_cast<std::uint32_t>(value));
    }
    void signed_number(std::int64_t value) {
        for (;;) {
            const auto low = static_cast<std::uint32_t>(value & 0x7f);
            value >>= 7;
            const bool done = (value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0);
            byte(done ? low : low | 0x80);
            if (done) return;
        }
    }
    void little_endian(std::uint64_t value, unsigned count) {
        for (unsigned i = 0; i < count; ++i) byte(static_cast<std::uint32_t>(value >> (8 * i)) & 0xff);
    }
    void name(std::string_view text) {
        unsigned_number(text.size());
        for (const char c : text) byte(static_cast<unsigned char>(c));
    }
    void op(wasm::Opcode opcode) {
        const wasm::OpcodeInfo& info = wasm::info(opcode);
        if (info.prefix == 0) return byte(info.code);
        byte(info.prefix);
        unsigned_number(info.code);
    }
    void op(wasm::Opcode opcode, std::uint64_t immediate) {
        op(opcode);
        unsigned_number(immediate);
    }
    /// The heap type of a reference type.
    void heap_type(wasm::ValType type) {
        static constexpr std::uint8_t kCodes[] = {0, 0x70, 0x6f, 0x6e, 0x6d, 0x6c, 0x6b, 0x6a, 0x69, 0x71, 0x73, 0x72, 0x74};
        if (type.heap() == wasm::Heap::concrete) return signed_number(type.type_id());
        byte(kCodes[static_cast<std::size_t>(type.heap())]);
    }
    void type(wasm::ValType type) {
        static constexpr std::uint8_t kCodes[] = {0x7f, 0x7e, 0x7d, 0x7c, 0x7b};
        if (!type.is_ref()) return byte(kCodes[static_cast<std::size_t>(type.kind())]);
        byte(type.nullable() ? 0x63 : 0x64);
        heap_type(type);
    }
    void constant(std::int32_t value) {
        op(wasm::Opcode::I32Const);
        signed_number(value);
    }
    /// A constant of type i32 or i64.
    void constant(wasm::Kind kind, std::int64_t value) {
        op(kind == wasm::Kind::i64 ? wasm::Opcode::I64Const : wasm::Opcode::I32Const);
        signed_number(value);
    }
    void null(wasm::ValType type) {
        op(wasm::Opcode::RefNull);
        heap_type(type);
    }
    /// A constant of a numeric kind with these bits; of v128: twice.
    void bits(wasm::Kind kind, std::uint64_t value) {
        switch (kind) {
            case wasm::Kind::i32:  return constant(static_cast<std::int32_t>(value));
            case wasm::Kind::f32:  op(wasm::Opcode::F32Const); return little_endian(value, 4);
            case wasm::Kind::f64:  op(wasm::Opcode::F64Const); return little_endian(value, 8);
            case wasm::Kind::v128: op(wasm::Opcode::V128Const); return little_endian(value, 8), little_endian(value, 8);
            default:               constant(kind, static_cast<std::int64_t>(value));
        }
    }
    void append(std::span<const std::uint8_t> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
    /// The contents of `part` with their size before them.
    void sized(const ModuleWriter& part) {
        unsigned_number(part.bytes.size());
        append(part.bytes);
    }
    void section(std::uint32_t id, const ModuleWriter& contents) {
        byte(id);
        sized(contents);
    }
};

}  // namespace pollux::differential
