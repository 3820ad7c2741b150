#include "tests/differential/generator.h"

#include <utility>

#include "tests/differential/function_generator.h"

namespace pollux::differential {
namespace {

using wasm::Kind;
using wasm::Opcode;

constexpr std::uint32_t kFuel = 300;
constexpr std::uint32_t kPassiveBytes = 64;

enum Section : std::uint8_t {
    type = 1,
    function = 3,
    table = 4,
    memory = 5,
    global = 6,
    exports = 7,
    element = 9,
    code = 10,
    data = 11,
    data_count = 12
};

/// The types of an export's parameters for internal parameters: each i32 or i64 has one, v128 two.
std::vector<Kind> export_params(const std::vector<Kind>& params) {
    std::vector<Kind> exported;
    for (const Kind kind : params) {
        exported.push_back(kind == Kind::i32 || kind == Kind::f32 ? Kind::i32 : Kind::i64);
        if (kind == Kind::v128) exported.push_back(Kind::i64);
    }
    return exported;
}

/// hash = rotl(hash, 5) ^ value, with the value on the stack and the hash in a local.
void mix(ModuleWriter& code, std::uint32_t hash) {
    code.op(Opcode::LocalGet, hash);
    code.op(Opcode::I64Const);
    code.signed_number(5);
    code.op(Opcode::I64Rotl);
    code.op(Opcode::I64Xor);
    code.op(Opcode::LocalSet, hash);
}

/// Mixes a value, in a local, into the hash.
void mix_local(ModuleWriter& code, Kind kind, std::uint32_t local, std::uint32_t hash) {
    for (std::uint32_t lane = 0; lane < (kind == Kind::v128 ? 2U : 1U); ++lane) {
        code.op(Opcode::LocalGet, local);
        if (kind == Kind::f32) code.op(Opcode::I32ReinterpretF32);
        if (kind == Kind::f64) code.op(Opcode::I64ReinterpretF64);
        if (kind == Kind::i32 || kind == Kind::f32) code.op(Opcode::I64ExtendI32U);
        if (kind == Kind::v128) {
            code.op(Opcode::I64x2ExtractLane);
            code.byte(lane);
        }
        mix(code, hash);
    }
}

/// The export of a function: fills the fuel, converts arguments, calls, and hashes the results into an i64.
ModuleWriter wrapper(const FunctionShape& shape, std::uint32_t function) {
    const auto params = static_cast<std::uint32_t>(export_params(shape.params).size());
    ModuleWriter code;
    code.unsigned_number(1 + shape.results.size());
    code.unsigned_number(1);
    code.type(Kind::i64);
    for (const Kind kind : shape.results) {
        code.unsigned_number(1);
        code.type(kind);
    }
    code.op(Opcode::I32Const);
    code.signed_number(kFuel);
    code.op(Opcode::GlobalSet, 0);
    std::uint32_t at = 0;
    for (const Kind kind : shape.params) {
        code.op(Opcode::LocalGet, at++);
        if (kind == Kind::f32) code.op(Opcode::F32ReinterpretI32);
        if (kind == Kind::f64) code.op(Opcode::F64ReinterpretI64);
        if (kind == Kind::v128) {
            code.op(Opcode::I64x2Splat);
            code.op(Opcode::LocalGet, at++);
            code.op(Opcode::I64x2ReplaceLane);
            code.byte(1);
        }
    }
    code.op(Opcode::Call, function);
    for (auto i = static_cast<std::uint32_t>(shape.results.size()); i-- > 0;) code.op(Opcode::LocalSet, params + 1 + i);
    for (std::uint32_t i = 0; i < shape.results.size(); ++i) mix_local(code, shape.results[i], params + 1 + i, params);
    code.op(Opcode::LocalGet, params);
    code.op(Opcode::End);
    return code;
}

/// The export "state": a hash of all globals.
ModuleWriter state_function(const std::vector<Kind>& globals) {
    ModuleWriter code;
    code.unsigned_number(1 + globals.size());
    code.unsigned_number(1);
    code.type(Kind::i64);
    for (const Kind kind : globals) {
        code.unsigned_number(1);
        code.type(kind);
    }
    for (std::uint32_t i = 0; i < globals.size(); ++i) {
        code.op(Opcode::GlobalGet, i);
        code.op(Opcode::LocalSet, i + 1);
        mix_local(code, globals[i], i + 1, 0);
    }
    code.op(Opcode::LocalGet, 0);
    code.op(Opcode::End);
    return code;
}

void write_type(ModuleWriter& out, const std::vector<Kind>& params, const std::vector<Kind>& results) {
    out.byte(0x60);
    out.unsigned_number(params.size());
    for (const Kind kind : params) out.type(kind);
    out.unsigned_number(results.size());
    for (const Kind kind : results) out.type(kind);
}

void write_zero(ModuleWriter& out, Kind kind) {
    switch (kind) {
        case Kind::i32: out.op(Opcode::I32Const, 0); break;
        case Kind::i64: out.op(Opcode::I64Const, 0); break;
        case Kind::f32:
            out.op(Opcode::F32Const);
            out.little_endian(0, 4);
            break;
        case Kind::f64:
            out.op(Opcode::F64Const);
            out.little_endian(0, 8);
            break;
        default:
            out.op(Opcode::V128Const);
            out.little_endian(0, 8);
            out.little_endian(0, 8);
    }
    out.op(Opcode::End);
}

ModuleShape random_shape(Random& random, bool tail_calls) {
    ModuleShape shape;
    shape.tail_calls = tail_calls;
    const std::uint32_t functions = random.between(3, 8);
    for (std::uint32_t i = 0; i < functions; ++i) {
        FunctionShape function;
        const std::uint32_t params = random.percent(10) ? random.between(10, 24) : random.between(0, 6);
        const std::uint32_t results = random.percent(10) ? random.between(4, 8) : random.between(0, 2);
        for (std::uint32_t p = 0; p < params; ++p) function.params.push_back(random.pick(kKinds));
        for (std::uint32_t r = 0; r < results; ++r) function.results.push_back(random.pick(kKinds));
        shape.functions.push_back(std::move(function));
    }
    shape.globals.push_back(Kind::i32);
    for (const Kind kind : kKinds) shape.globals.push_back(kind);
    shape.table_size = 2 * functions + 16;
    return shape;
}

/// Everything but the code section and what follows it.
void write_header(ModuleWriter& out, const ModuleShape& shape) {
    const auto functions = static_cast<std::uint32_t>(shape.functions.size());
    out.byte(0);
    for (const char c : {'a', 's', 'm'}) out.byte(static_cast<unsigned char>(c));
    out.little_endian(1, 4);

    // The types of the functions, of their exports, of "state".
    ModuleWriter types;
    types.unsigned_number(2 * functions + 1);
    for (const FunctionShape& function : shape.functions) write_type(types, function.params, function.results);
    for (const FunctionShape& function : shape.functions) write_type(types, export_params(function.params), {Kind::i64});
    write_type(types, {}, {Kind::i64});
    out.section(Section::type, types);

    ModuleWriter declarations;
    declarations.unsigned_number(2 * functions + 1);
    for (std::uint32_t i = 0; i <= 2 * functions; ++i) declarations.unsigned_number(i);
    out.section(Section::function, declarations);

    ModuleWriter table;
    table.unsigned_number(1);
    table.byte(0x70);
    table.byte(0);
    table.unsigned_number(shape.table_size);
    out.section(Section::table, table);

    ModuleWriter memory;
    for (const std::uint32_t number : {1U, 1U, 1U, 3U}) memory.unsigned_number(number);
    out.section(Section::memory, memory);

    ModuleWriter globals;
    globals.unsigned_number(shape.globals.size());
    for (const Kind kind : shape.globals) {
        globals.type(kind);
        globals.byte(1);
        write_zero(globals, kind);
    }
    out.section(Section::global, globals);

    ModuleWriter exports;
    exports.unsigned_number(functions + 2);
    exports.name("memory");
    exports.byte(2);
    exports.unsigned_number(0);
    for (std::uint32_t i = 0; i <= functions; ++i) {
        exports.name(i == functions ? "state" : "f" + std::to_string(i));
        exports.byte(0);
        exports.unsigned_number(functions + i);
    }
    out.section(Section::exports, exports);

    ModuleWriter elements;
    elements.unsigned_number(1);
    elements.unsigned_number(0);
    elements.op(Opcode::I32Const, 0);
    elements.op(Opcode::End);
    elements.unsigned_number(2 * functions);
    for (std::uint32_t i = 0; i < 2 * functions; ++i) elements.unsigned_number(i % functions);
    out.section(Section::element, elements);

    ModuleWriter data_count;
    data_count.unsigned_number(1);
    out.section(Section::data_count, data_count);
}

std::vector<ExportCall> random_calls(const ModuleShape& shape, Random& random) {
    static constexpr std::uint64_t kArguments[] = {0,
                                                   1,
                                                   2,
                                                   0xff,
                                                   0x7fff'ffff,
                                                   0x8000'0000,
                                                   0xffff'ffff,
                                                   0x3f80'0000,
                                                   0x7fc0'0000,
                                                   0x4b00'0000'0000,
                                                   0x3ff0'0000'0000'0000,
                                                   0x7ff8'0000'0000'0000,
                                                   ~std::uint64_t{0}};
    std::vector<ExportCall> calls;
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < shape.functions.size(); ++i) {
            ExportCall call;
            call.name = "f" + std::to_string(i);
            for (const Kind kind : export_params(shape.functions[i].params)) {
                const bool wide = kind == Kind::i64;
                const std::uint64_t value = random.percent(50) ? random.pick(kArguments) : random.bits();
                call.is_i64.push_back(wide);
                call.arguments.push_back(wide ? value : value & 0xffff'ffff);
            }
            calls.push_back(std::move(call));
        }
    }
    calls.push_back({"state", {}, {}});
    return calls;
}

}  // namespace

GeneratedModule generate_module(std::uint64_t seed) {
    Random random(seed);
    const ModuleShape shape = random_shape(random, seed % 4 == 0);
    ModuleWriter out;
    write_header(out, shape);

    ModuleWriter code;
    code.unsigned_number(2 * shape.functions.size() + 1);
    for (std::uint32_t i = 0; i < shape.functions.size(); ++i) code.sized(FunctionGenerator(shape, i, random).generate());
    for (std::uint32_t i = 0; i < shape.functions.size(); ++i) code.sized(wrapper(shape.functions[i], i));
    code.sized(state_function(shape.globals));
    out.section(Section::code, code);

    ModuleWriter data;
    data.unsigned_number(1);
    data.unsigned_number(1);
    data.unsigned_number(kPassiveBytes);
    for (std::uint32_t i = 0; i < kPassiveBytes; ++i) data.byte(static_cast<std::uint32_t>(random.bits()) & 0xff);
    out.section(Section::data, data);

    return {std::move(out.bytes), random_calls(shape, random), static_cast<std::uint32_t>(2 * shape.functions.size() + 1)};
}

}  // namespace pollux::differential
