// The opcodes, generated from opcodes.def, with everything that can be asked about one at compile time.
//
// An Opcode's value is the base of its prefix's page plus its code, so bytes turn into an Opcode by one addition.
// Everything here is constexpr: handlers templated on an Opcode ask these functions and pay nothing.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "jit/wasm/features.h"
#include "jit/wasm/types.h"

namespace pollux::wasm {

/// First Opcode value of each prefix's page: 256 codes for one-byte opcodes, FB, FC and FE; 512 for SIMD (FD).
[[nodiscard]] constexpr std::uint16_t opcode_page(std::uint8_t prefix) noexcept {
    switch (prefix) {
        case 0xFB: return 0x100;
        case 0xFC: return 0x200;
        case 0xFD: return 0x300;
        case 0xFE: return 0x500;
        default:   return 0;
    }
}
inline constexpr std::size_t kOpcodeLimit = 0x600;

enum class Opcode : std::uint16_t {
#define OPCODE(group, name, text, prefix, code, immediate, signature, feature) name = opcode_page(prefix) + code,
#include "jit/wasm/opcodes.def"
};

// clang-format off
/// What takes an opcode: numeric, lane, load, store, load_lane, store_lane, atomic, gc, cast are each a method template of a sink.
enum class Group : std::uint8_t {
    none,  ///< not an opcode
    control, parametric, variable, table, memory, constant, reference,
    numeric, lane, load, store, load_lane, store_lane, atomic, gc, cast,
    refused,  ///< known only to be refused by the name of its feature
};

/// What follows the opcode in the bytes.
enum class Immediate : std::uint8_t {
    none, zero_byte, block_type, label, br_table, try_table, tag, function, type, type_table, types, local, global, table, table_table,
    elem, elem_table, memory, memory_memory, data, data_memory, i32, i64, f32, f64, v128, lanes, heap_type, cast,
    type_field, type_count, type_data, type_elem, type_type,
    mem1, mem2, mem4, mem8, mem16,                  ///< a memory argument, by access width in bytes
    mem1_lane, mem2_lane, mem4_lane, mem8_lane,     ///< a memory argument and a lane
    lane2, lane4, lane8, lane16,                    ///< a lane index below that number
};
// clang-format on

/// Operands and results of an opcode whose types are fixed. An address operand or result (`a`) is listed as i32.
struct Signature {
    std::array<Kind, 4> param_kinds{};
    std::array<Kind, 2> result_kinds{};
    std::uint8_t param_count = 0;
    std::uint8_t result_count = 0;
    bool fixed = false;            ///< false: "*", the types depend on immediates or operands
    bool address_operand = false;  ///< param 0 is an address of the memory: i32, or i64 for a 64-bit memory
};

struct OpcodeInfo {
    std::uint16_t text_begin = 0;  ///< in detail::kOpcodeTexts
    std::uint8_t text_size = 0;
    std::uint8_t prefix = 0;
    std::uint16_t code = 0;
    Group group = Group::none;
    Immediate immediate = Immediate::none;
    Feature feature = Feature::mvp;
    Signature signature;
};

namespace detail {

void not_a_signature_letter();  // not constexpr: a call makes the table ill-formed

consteval Signature parse_signature(std::string_view text) {
    Signature signature;
    if (text == "*") return signature;
    signature.fixed = true;
    bool results = false;
    for (const char c : text) {
        if (c == ':') {
            results = true;
            continue;
        }
        Kind kind = Kind::i32;
        switch (c) {
            case 'i': kind = Kind::i32; break;
            case 'I': kind = Kind::i64; break;
            case 'f': kind = Kind::f32; break;
            case 'F': kind = Kind::f64; break;
            case 'v': kind = Kind::v128; break;
            case 'a':
                if (!results) signature.address_operand = true;
                break;
            default: not_a_signature_letter();
        }
        if (results) {
            signature.result_kinds[signature.result_count++] = kind;
        } else {
            signature.param_kinds[signature.param_count++] = kind;
        }
    }
    return signature;
}

/// The names of all opcodes, one behind the other: a table without pointers needs no relocation when the program starts.
inline constexpr char kOpcodeTexts[] =
#define OPCODE(group, name, text, prefix, code, immediate, signature, feature) text
#include "jit/wasm/opcodes.def"
    ;

consteval std::array<OpcodeInfo, kOpcodeLimit> make_opcode_table() {
    std::array<OpcodeInfo, kOpcodeLimit> table{};
    std::uint16_t begin = 0;
#define OPCODE(group, name, text, prefix, code, immediate, signature, feature)                                                    \
    table[static_cast<std::size_t>(Opcode::name)] = OpcodeInfo{                                                                   \
        begin, sizeof(text) - 1, prefix, code, Group::group, Immediate::immediate, Feature::feature, parse_signature(signature)}; \
    begin += sizeof(text) - 1;
#include "jit/wasm/opcodes.def"
    return table;
}

}  // namespace detail

inline constexpr std::array<OpcodeInfo, kOpcodeLimit> kOpcodeTable = detail::make_opcode_table();

[[nodiscard]] constexpr const OpcodeInfo& info(Opcode op) noexcept { return kOpcodeTable[static_cast<std::size_t>(op)]; }
[[nodiscard]] constexpr std::string_view text(const OpcodeInfo& opcode) noexcept {
    return {detail::kOpcodeTexts + opcode.text_begin, opcode.text_size};
}
[[nodiscard]] constexpr std::string_view text(Opcode op) noexcept { return text(info(op)); }
[[nodiscard]] constexpr Feature feature(Opcode op) noexcept { return info(op).feature; }
[[nodiscard]] constexpr Group group(Opcode op) noexcept { return info(op).group; }
[[nodiscard]] constexpr Immediate immediate(Opcode op) noexcept { return info(op).immediate; }
[[nodiscard]] constexpr const Signature& signature(Opcode op) noexcept { return info(op).signature; }
[[nodiscard]] constexpr std::span<const Kind> params(Opcode op) noexcept {
    return std::span(info(op).signature.param_kinds).first(info(op).signature.param_count);
}
[[nodiscard]] constexpr std::span<const Kind> results(Opcode op) noexcept {
    return std::span(info(op).signature.result_kinds).first(info(op).signature.result_count);
}
/// Whether these bytes are an opcode that this table knows (prefix 0: a one-byte opcode).
[[nodiscard]] constexpr bool is_opcode(std::uint8_t prefix, std::uint32_t code) noexcept {
    return code < (prefix == 0xFD ? 0x200U : 0x100U) && kOpcodeTable[opcode_page(prefix) + code].group != Group::none;
}

/// Bytes that a load, store, lane access or atomic reads or writes in memory; 0 for every other opcode.
[[nodiscard]] constexpr std::uint32_t access_bytes(Opcode op) noexcept {
    switch (immediate(op)) {
        case Immediate::mem1:
        case Immediate::mem1_lane: return 1;
        case Immediate::mem2:
        case Immediate::mem2_lane: return 2;
        case Immediate::mem4:
        case Immediate::mem4_lane: return 4;
        case Immediate::mem8:
        case Immediate::mem8_lane: return 8;
        case Immediate::mem16:     return 16;
        default:                   return 0;
    }
}
/// log2 of access_bytes: the largest alignment that a memory argument may give, and the one that an atomic must give.
[[nodiscard]] constexpr std::uint32_t natural_align_log2(Opcode op) noexcept {
    return static_cast<std::uint32_t>(std::countr_zero(access_bytes(op) | 16U));
}
/// Lanes of extract_lane and replace_lane, and of lane loads and stores; 0 for every other opcode.
[[nodiscard]] constexpr std::uint32_t lane_count(Opcode op) noexcept {
    switch (immediate(op)) {
        case Immediate::lane2:
        case Immediate::mem8_lane: return 2;
        case Immediate::lane4:
        case Immediate::mem4_lane: return 4;
        case Immediate::lane8:
        case Immediate::mem2_lane: return 8;
        case Immediate::lane16:
        case Immediate::mem1_lane: return 16;
        default:                   return 0;
    }
}

static_assert(text(Opcode::I32Add) == "i32.add" && params(Opcode::I32Add).size() == 2 && results(Opcode::I32Add)[0] == Kind::i32);
static_assert(access_bytes(Opcode::I64Load32S) == 4 && natural_align_log2(Opcode::V128Load) == 4);
static_assert(lane_count(Opcode::V128Store16Lane) == 8 && signature(Opcode::I64AtomicRmw8CmpxchgU).address_operand);

}  // namespace pollux::wasm
