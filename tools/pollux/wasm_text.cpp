#include "tools/pollux/wasm_text.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "jit/wasm/bytes.h"
#include "jit/wasm/opcodes.h"

namespace pollux::cli {
namespace {

using wasm::Immediate;

/// Reads the immediates of one instruction and appends them to its text. Every method is false at the end of the bytes.
class ImmediateReader {
public:
    ImmediateReader(wasm::Cursor& in, std::string& text, const FunctionNames& names) : in_(in), text_(text), names_(names) {}

    bool read(Immediate immediate) {
        using enum Immediate;
        switch (immediate) {
            case none:          return true;
            case zero_byte:     return skip_byte();
            case block_type:    return read_block_type();
            case label:
            case tag:
            case type:
            case local:
            case global:
            case data:
            case elem:          return index();
            case memory:
            case table:         return index_unless_zero();
            case function:      return read_function();
            case i32:           return number<std::int32_t>([this](auto& value) { return in_.read_s32(value); });
            case i64:           return number<std::int64_t>([this](auto& value) { return in_.read_s64(value); });
            case f32:           return read_float<float, std::uint32_t>();
            case f64:           return read_float<double, std::uint64_t>();
            case v128:
            case lanes:         return read_bytes16();
            case lane2:
            case lane4:
            case lane8:
            case lane16:        return lane();
            case heap_type:     return read_heap_type();
            case type_table:    return index() && index_unless_zero();
            case table_table:
            case memory_memory:
            case type_field:
            case type_count:
            case type_data:
            case type_elem:
            case type_type:     return index() && index();
            case elem_table:
            case data_memory:   return index() && index_unless_zero();
            case mem1:
            case mem2:
            case mem4:
            case mem8:
            case mem16:         return read_memory_argument();
            case mem1_lane:
            case mem2_lane:
            case mem4_lane:
            case mem8_lane:     return read_memory_argument() && lane();
            case br_table:      return read_indices(1);
            case types:         return read_types();
            case try_table:     return read_block_type() && read_catches();
            case cast:          return read_cast();
        }
        return false;
    }

private:
    bool skip_byte() {
        std::uint8_t byte = 0;
        return in_.read_u8(byte);
    }
    bool index() {
        std::uint32_t value = 0;
        if (!in_.read_u32(value)) return false;
        text_ += " " + std::to_string(value);
        return true;
    }
    bool index_unless_zero() {
        std::uint32_t value = 0;
        if (!in_.read_u32(value)) return false;
        if (value != 0) text_ += " " + std::to_string(value);
        return true;
    }
    bool lane() {
        std::uint8_t value = 0;
        if (!in_.read_u8(value)) return false;
        text_ += " " + std::to_string(value);
        return true;
    }
    template <class T, class Read>
    bool number(Read read) {
        T value = 0;
        if (!read(value)) return false;
        text_ += " " + std::to_string(value);
        return true;
    }
    template <class Float, class Bits>
    bool read_float() {
        Bits bits = 0;
        if (!in_.read_fixed(bits)) return false;
        std::array<char, 48> digits{};
        std::snprintf(digits.data(), digits.size(), " %.17g", static_cast<double>(std::bit_cast<Float>(bits)));
        text_ += digits.data();
        return true;
    }
    bool read_bytes16() {
        for (int i = 0; i < 16; ++i) {
            std::uint8_t byte = 0;
            if (!in_.read_u8(byte)) return false;
            std::array<char, 8> digits{};
            std::snprintf(digits.data(), digits.size(), " %02x", byte);
            text_ += digits.data();
        }
        return true;
    }
    bool read_function() {
        std::uint32_t function = 0;
        if (!in_.read_u32(function)) return false;
        text_ += " " + std::to_string(function);
        if (const std::string name = names_(function); !name.empty()) text_ += " <" + name + ">";
        return true;
    }
    bool read_memory_argument() {
        std::uint32_t flags = 0, memory = 0;
        std::uint64_t offset = 0;
        if (!in_.read_u32(flags) || ((flags & 64) != 0 && !in_.read_u32(memory)) || !in_.read_u64(offset)) return false;
        if (memory != 0) text_ += " " + std::to_string(memory);
        if (offset != 0) text_ += " offset=" + std::to_string(offset);
        return true;
    }
    bool read_indices(std::uint32_t more) {
        std::uint32_t count = 0;
        if (!in_.read_u32(count)) return false;
        for (std::uint64_t i = 0; i < std::uint64_t{count} + more; ++i) {
            if (!index()) return false;
        }
        return true;
    }

    static const char* type_name(std::int64_t code) {
        switch (code & 0x7f) {
            case 0x7f: return "i32";
            case 0x7e: return "i64";
            case 0x7d: return "f32";
            case 0x7c: return "f64";
            case 0x7b: return "v128";
            case 0x70: return "func";
            case 0x6f: return "extern";
            case 0x6e: return "any";
            case 0x6d: return "eq";
            case 0x6c: return "i31";
            case 0x6b: return "struct";
            case 0x6a: return "array";
            case 0x69: return "exn";
            case 0x71: return "none";
            case 0x72: return "noextern";
            case 0x73: return "nofunc";
            case 0x74: return "noexn";
            default:   return "?";
        }
    }
    /// A heap type: an abstract one by name, a concrete one by index.
    bool read_heap_type() {
        std::int64_t code = 0;
        if (!in_.read_s33(code)) return false;
        text_ += " " + (code < 0 ? std::string(type_name(code)) : std::to_string(code));
        return true;
    }
    bool read_value_type() {
        std::int64_t code = 0;
        if (!in_.read_s33(code)) return false;
        constexpr std::int64_t kRef = 0x64 - 0x80;
        constexpr std::int64_t kRefNull = 0x63 - 0x80;
        if (code != kRef && code != kRefNull) {
            text_ += std::string(" ") + type_name(code);
            return true;
        }
        text_ += code == kRef ? " ref" : " ref null";
        return read_heap_type();
    }
    bool read_block_type() {
        std::uint8_t first = 0;
        if (!in_.peek_u8(first)) return false;
        if (first == 0x40) return skip_byte();
        if (first == 0x63 || first == 0x64 || (first >= 0x69 && first < 0x80)) return read_value_type();
        std::int64_t type = 0;
        if (!in_.read_s33(type)) return false;
        text_ += " type " + std::to_string(type);
        return true;
    }
    bool read_types() {
        std::uint32_t count = 0;
        if (!in_.read_u32(count)) return false;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (!read_value_type()) return false;
        }
        return true;
    }
    bool read_catches() {
        static constexpr std::array<const char*, 4> kNames = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
        std::uint32_t count = 0;
        if (!in_.read_u32(count)) return false;
        for (std::uint32_t i = 0; i < count; ++i) {
            std::uint8_t clause = 0;
            if (!in_.read_u8(clause) || clause >= kNames.size()) return false;
            text_ += std::string(" (") + kNames.at(clause);
            if ((clause < 2 && !index()) || !index()) return false;
            text_ += ")";
        }
        return true;
    }
    bool read_cast() { return skip_byte() && index() && read_heap_type() && read_heap_type(); }

    wasm::Cursor& in_;
    std::string& text_;
    const FunctionNames& names_;
};

}  // namespace

InstructionText instruction_text(const wasm::Module& module, std::uint32_t offset, const FunctionNames& names) {
    if (offset >= module.bytes.size()) return {"?", offset + 1};
    wasm::Cursor in(module.bytes.subspan(offset), offset);
    std::uint8_t prefix = 0;
    std::uint32_t code = 0;
    if (!in.read_u8(prefix)) return {"?", offset + 1};
    if (prefix >= 0xFB && prefix <= 0xFE) {
        if (!in.read_u32(code)) return {"?", offset + 1};
    } else {
        code = prefix;
        prefix = 0;
    }
    if (!wasm::is_opcode(prefix, code)) return {"?", offset + 1};
    const auto op = static_cast<wasm::Opcode>(wasm::opcode_page(prefix) + code);
    std::string text(wasm::text(op));
    if (!ImmediateReader(in, text, names).read(wasm::immediate(op))) text += " ?";
    return {std::move(text), static_cast<std::uint32_t>(in.offset())};
}

}  // namespace pollux::cli
