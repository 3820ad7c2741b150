// Expressions of numbers and vectors, and how the bits of NaNs are kept determined.
#include <bit>
#include <string_view>

#include "tests/differential/function_generator.h"

namespace pollux::differential {
namespace {

using wasm::Group;
using wasm::Kind;
using wasm::Opcode;

/// What the NaNs of an instruction's result can be.
enum class NanRule : std::uint8_t {
    none,       ///< the result is no float, or its bits are determined by the operands' bits
    inherited,  ///< the bits of an operand
    open,       ///< any: they must be made canonical
};

struct Operation {
    Opcode opcode;
    NanRule nan = NanRule::none;
    bool reads_nan_bits = false;  ///< operands must be exact, whatever becomes of the result
    bool may_trap = false;
};

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> endings) {
    for (const std::string_view ending : endings) {
        if (text.ends_with(ending)) return true;
    }
    return false;
}

Operation classify(Opcode opcode) {
    const std::string_view text = wasm::text(opcode);
    Operation operation{opcode};
    const bool floats = text.starts_with("f32") || text.starts_with("f64");
    const bool compares = ends_with_any(text, {".eq", ".ne", ".lt", ".gt", ".le", ".ge"});
    operation.may_trap =
        ends_with_any(text, {".div_s", ".div_u", ".rem_s", ".rem_u"}) ||
        (text.find(".trunc_f") != std::string_view::npos && text.starts_with("i") && text.find('x') == std::string_view::npos);
    if (floats && ends_with_any(text, {".add", ".sub", ".mul", ".div", ".sqrt", ".min", ".max", ".ceil", ".floor", ".trunc", ".nearest"}))
        operation.nan = NanRule::open;
    if (text.find("demote") != std::string_view::npos || text.find("promote") != std::string_view::npos) operation.nan = NanRule::open;
    if (floats && ends_with_any(text, {".abs", ".neg", ".pmin", ".pmax", ".splat", ".extract_lane", ".replace_lane"}))
        operation.nan = NanRule::inherited;
    const bool truncates = text.find("trunc_") != std::string_view::npos;
    operation.reads_nan_bits = operation.nan == NanRule::none && !(floats && compares) && !truncates;
    return operation;
}

/// Instructions by the kind of their one result.
const std::vector<Operation>& operations(Kind kind) {
    static const auto kAll = [] {
        std::array<std::vector<Operation>, 5> all;
        for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
            const auto opcode = static_cast<Opcode>(i);
            const wasm::Feature feature = wasm::feature(opcode);
            if (wasm::group(opcode) != Group::numeric && wasm::group(opcode) != Group::lane) continue;
            if (feature != wasm::Feature::mvp && feature != wasm::Feature::simd && feature != wasm::Feature::sign_extension &&
                feature != wasm::Feature::saturating_float_to_int) {
                continue;
            }
            all[static_cast<std::size_t>(wasm::results(opcode)[0])].push_back(classify(opcode));
        }
        return all;
    }();
    return kAll[static_cast<std::size_t>(kind)];
}

const std::vector<Opcode>& loads(Kind kind) {
    static const std::array<std::vector<Opcode>, 5> kLoads = {opcodes(Group::load, Kind::i32), opcodes(Group::load, Kind::i64),
                                                              opcodes(Group::load, Kind::f32), opcodes(Group::load, Kind::f64),
                                                              opcodes(Group::load, Kind::v128)};
    return kLoads[static_cast<std::size_t>(kind)];
}

constexpr std::uint64_t kInteresting[] = {0,
                                          1,
                                          2,
                                          3,
                                          7,
                                          8,
                                          15,
                                          16,
                                          31,
                                          32,
                                          33,
                                          63,
                                          64,
                                          100,
                                          127,
                                          128,
                                          255,
                                          256,
                                          4095,
                                          4096,
                                          4097,
                                          32767,
                                          32768,
                                          65535,
                                          65536,
                                          0xffff'ff,
                                          0x7fff'ffff,
                                          0x8000'0000,
                                          0xffff'fffe,
                                          0xffff'ffff,
                                          0x1'0000'0000,
                                          0x5555'5555'5555'5555,
                                          0x7fff'ffff'ffff'ffff,
                                          0x8000'0000'0000'0000,
                                          0xffff'ffff'8000'0000,
                                          0xffff'ffff'ffff'ff80,
                                          0xffff'ffff'ffff'fff0,
                                          0xffff'ffff'ffff'ffff,
                                          0xff00'ff00'ff00'ff00,
                                          0xaaaa'aaaa'aaaa'aaaa};
constexpr std::uint32_t kFloats[] = {0x0000'0000, 0x8000'0000, 0x3f80'0000, 0xbf80'0000, 0x3f00'0000, 0x7f80'0000, 0xff80'0000,
                                     0x7fc0'0000, 0x0000'0001, 0x7f7f'ffff, 0x4f00'0000, 0x4f80'0000, 0xcf00'0000, 0x5f00'0000,
                                     0xdf00'0000, 0x3fc0'0000, 0xc020'0000, 0x42f7'0000, 0x7f80'0001, 0xffc1'2345};
constexpr std::uint64_t kDoubles[] = {0x0000'0000'0000'0000, 0x8000'0000'0000'0000, 0x3ff0'0000'0000'0000, 0xbff0'0000'0000'0000,
                                      0x3fe0'0000'0000'0000, 0x7ff0'0000'0000'0000, 0xfff0'0000'0000'0000, 0x7ff8'0000'0000'0000,
                                      0x0000'0000'0000'0001, 0x7fef'ffff'ffff'ffff, 0x41df'ffff'ffc0'0000, 0x41e0'0000'0000'0000,
                                      0xc1e0'0000'0020'0000, 0x43e0'0000'0000'0000, 0xc3e0'0000'0000'0000, 0x4004'0000'0000'0000,
                                      0xc05e'c000'0000'0000, 0x47ef'ffff'f000'0000, 0x7ff0'0000'0000'0001, 0xfff8'1234'5678'9abc};

constexpr std::uint64_t kCanonicalF32 = 0x7fc0'0000;
constexpr std::uint64_t kCanonicalF64 = 0x7ff8'0000'0000'0000;
constexpr std::uint64_t kCanonicalF32x2 = kCanonicalF32 << 32 | kCanonicalF32;

}  // namespace

std::vector<Opcode> opcodes(Group group, std::optional<Kind> result) {
    std::vector<Opcode> found;
    for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
        const auto opcode = static_cast<Opcode>(i);
        if (wasm::group(opcode) == group && (!result || wasm::results(opcode)[0] == *result)) found.push_back(opcode);
    }
    return found;
}

void FunctionGenerator::expression(ValType type, unsigned depth, bool exact) {
    --budget_;
    if (depth == 0 || budget_ < 0 || random_.percent(15)) return leaf(type);
    if (type.is_ref()) return reference(type, depth - 1);
    operation(type.kind(), depth - 1, exact);
}

void FunctionGenerator::leaf(ValType type) {
    if (type.is_ref()) return reference_leaf(type);
    const auto local = local_for(type);
    if (local && random_.percent(65)) return code_.op(Opcode::LocalGet, *local);
    for (std::uint32_t i = 1; i < module_.globals.size(); ++i) {
        if (module_.globals[i] == type && random_.percent(25)) return code_.op(Opcode::GlobalGet, i);
    }
    constant(type.kind());
}

void FunctionGenerator::constant(Kind kind) {
    const std::uint64_t number = random_.percent(70) ? random_.pick(kInteresting) : random_.bits();
    switch (kind) {
        case Kind::i32: return code_.constant(static_cast<std::int32_t>(number));
        case Kind::i64: return code_.constant(kind, static_cast<std::int64_t>(number));
        case Kind::f32:
            code_.op(Opcode::F32Const);
            return code_.little_endian(random_.percent(70) ? random_.pick(kFloats) : random_.bits(), 4);
        case Kind::f64:
            code_.op(Opcode::F64Const);
            return code_.little_endian(random_.percent(70) ? random_.pick(kDoubles) : random_.bits(), 8);
        default:
            code_.op(Opcode::V128Const);
            for (int half = 0; half < 2; ++half) {
                const std::uint64_t floats = std::uint64_t{random_.pick(kFloats)} << 32 | random_.pick(kFloats);
                code_.little_endian(random_.percent(30) ? floats : random_.percent(30) ? random_.pick(kDoubles) : number, 8);
            }
    }
}

void FunctionGenerator::operation(Kind kind, unsigned depth, bool exact) {
    if (random_.percent(30) && feature_operation(kind, depth)) return;
    const std::uint32_t which = random_.below(100);
    if (which < 60) {
        const auto& all = operations(kind);
        const Operation* chosen = &random_.pick(all);
        // Few instructions that may trap, or little would come after them.
        for (int i = 0; i < 3 && chosen->may_trap; ++i) chosen = &random_.pick(all);
        numeric(chosen->opcode, depth, exact);
    } else if (which < 75) {
        load(random_.pick(loads(kind)), depth);
    } else if (which < 85) {
        choice(kind, depth, exact);
    } else if (which < 89) {
        single_call(kind, depth);
    } else if (which < 94) {
        const auto local = local_for(kind);
        expression(kind, depth, exact || local.has_value());
        if (local) code_.op(Opcode::LocalTee, *local);
    } else if (kind == Kind::v128) {
        if (random_.percent(50)) return load_lane(depth);
        expression(kind, depth, true);
        expression(kind, depth, true);
        code_.op(Opcode::I8x16Shuffle);
        const std::uint32_t start = random_.below(32);
        const bool run = random_.percent(30);
        for (std::uint32_t i = 0; i < 16; ++i) code_.byte(run ? (start + i) % 32 : random_.below(32));
    } else if (kind == Kind::i32 && random_.percent(50)) {
        if (random_.percent(50)) return memory_size();
        code_.op(Opcode::TableSize, 0);
        if (module_.table_64) code_.op(Opcode::I32WrapI64);
    } else {
        leaf(kind);
    }
}

void FunctionGenerator::numeric(Opcode opcode, unsigned depth, bool exact) {
    const Operation operation = classify(opcode);
    const bool operands_exact = operation.reads_nan_bits || (operation.nan == NanRule::inherited && exact);
    // What is a NaN in f32x4 can be part of a number in f64x2.
    for (const Kind kind : wasm::params(opcode)) expression(kind, depth, operands_exact || kind == Kind::v128);
    const bool divides = operation.may_trap && wasm::params(opcode).size() == 2;
    if (divides && random_.percent(80)) {
        const Kind kind = wasm::params(opcode)[1];
        code_.constant(kind, 1);
        code_.op(kind == Kind::i64 ? Opcode::I64Or : Opcode::I32Or);
    }
    code_.op(opcode);
    if (wasm::lane_count(opcode) != 0) code_.byte(random_.below(wasm::lane_count(opcode)));
    if (operation.nan == NanRule::open && exact) canonical_nan(wasm::results(opcode)[0], wasm::text(opcode).starts_with("f64x2"));
}

/// Replaces a NaN on the stack (of v128: each) by the canonical one.
void FunctionGenerator::canonical_nan(Kind kind, bool double_lanes) {
    const std::uint32_t scratch = scratch_[static_cast<std::size_t>(kind)];
    code_.op(Opcode::LocalTee, scratch);
    switch (kind) {
        case Kind::f32:
            code_.op(Opcode::F32Const);
            code_.little_endian(kCanonicalF32, 4);
            break;
        case Kind::f64:
            code_.op(Opcode::F64Const);
            code_.little_endian(kCanonicalF64, 8);
            break;
        default:
            code_.op(Opcode::V128Const);
            for (int half = 0; half < 2; ++half) code_.little_endian(double_lanes ? kCanonicalF64 : kCanonicalF32x2, 8);
    }
    code_.op(Opcode::LocalGet, scratch);
    code_.op(Opcode::LocalGet, scratch);
    if (kind == Kind::v128) {
        code_.op(double_lanes ? Opcode::F64x2Eq : Opcode::F32x4Eq);
        code_.op(Opcode::V128Bitselect);
    } else {
        code_.op(kind == Kind::f32 ? Opcode::F32Eq : Opcode::F64Eq);
        code_.op(Opcode::Select);
    }
}

/// select, an if or a block with a value.
void FunctionGenerator::choice(ValType type, unsigned depth, bool exact) {
    const std::uint32_t which = random_.below(3);
    if (which == 0) {
        expression(type, depth, exact);
        expression(type, depth, exact);
        expression(Kind::i32, depth, false);
        if (type.is_ref() || random_.percent(30)) {
            code_.op(Opcode::SelectT, 1);
            return code_.type(type);
        }
        return code_.op(Opcode::Select);
    }
    if (which == 1) expression(Kind::i32, depth, false);
    code_.op(which == 1 ? Opcode::If : Opcode::Block);
    code_.type(type);
    labels_.push_back({});
    if (depth > 0 && random_.percent(30)) statement(depth - 1);
    expression(type, depth, exact);
    if (which == 1) {
        code_.op(Opcode::Else);
        expression(type, depth, exact);
    } else {
        expression(Kind::i32, depth, false);
        code_.op(Opcode::BrIf, 0);
        code_.op(Opcode::Drop);
        expression(type, depth, exact);
    }
    close();
}

void FunctionGenerator::single_call(ValType type, unsigned depth) {
    for (std::uint32_t i = function_ + 1; i < module_.functions.size(); ++i) {
        if (depth > 0 && module_.functions[i].results == std::vector{type}) return push_call(i, depth, false);
    }
    leaf(type);
}

/// Relaxed vector instructions, with operands for which all engines must give the same.
void FunctionGenerator::relaxed(unsigned depth) {
    const auto masked = [&](std::uint64_t mask) {
        expression(Kind::v128, depth, true);
        code_.op(Opcode::V128Const);
        for (int half = 0; half < 2; ++half) code_.little_endian(mask, 8);
        code_.op(Opcode::V128And);
    };
    const auto small_floats = [&] {
        expression(Kind::v128, depth, true);
        code_.op(Opcode::I32x4ExtendLowI16x8S);
        code_.op(Opcode::F32x4ConvertI32x4S);
    };
    switch (random_.below(6)) {
        case 0:
            expression(Kind::v128, depth, true);
            masked(0x0f0f'0f0f'0f0f'0f0f);
            return code_.op(Opcode::I8x16RelaxedSwizzle);
        case 1:
            for (int i = 0; i < 4; ++i) expression(Kind::v128, depth, true);
            code_.op(Opcode::I32x4LtS);
            return code_.op(random_.percent(50) ? Opcode::I32x4RelaxedLaneselect : Opcode::I8x16RelaxedLaneselect);
        case 2:
            expression(Kind::v128, depth, true);
            masked(0x7fff'7fff'7fff'7fff);
            return code_.op(Opcode::I16x8RelaxedQ15mulrS);
        case 3:
            expression(Kind::v128, depth, true);
            masked(0x7f7f'7f7f'7f7f'7f7f);
            return code_.op(Opcode::I16x8RelaxedDotI8x16I7x16S);
        case 4: small_floats(); return code_.op(Opcode::I32x4RelaxedTruncF32x4S);
        default:
            small_floats();
            small_floats();
            code_.op(random_.percent(50) ? Opcode::F32x4RelaxedMin : Opcode::F32x4RelaxedMax);
    }
}

}  // namespace pollux::differential
