#include "tests/differential/generator.h"

#include <utility>

#include "tests/differential/function_generator.h"
#include "tests/differential/hash_generator.h"
#include "tests/differential/module_shape.h"

namespace pollux::differential {
namespace {

using wasm::DefinedType;
using wasm::Feature;
using wasm::FieldType;
using wasm::Kind;
using wasm::Opcode;
using wasm::ValType;

constexpr std::int32_t kFuel = 300;

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
    data_count = 12,
    tag = 13
};

/// The types of an export's parameters for internal parameters: each i32 or i64 has one, v128 two, a reference none.
std::vector<Kind> export_params(const std::vector<ValType>& params) {
    std::vector<Kind> exported;
    for (const ValType type : params) {
        if (type.is_ref()) continue;
        exported.push_back(type == Kind::i32 || type == Kind::f32 ? Kind::i32 : Kind::i64);
        if (type == Kind::v128) exported.push_back(Kind::i64);
    }
    return exported;
}

/// The export of a function: fills the fuel, converts arguments, calls, and hashes the results into an i64.
ModuleWriter wrapper(const ModuleShape& module, std::uint32_t function, Random& random) {
    const FunctionShape& shape = module.functions[function];
    const auto params = static_cast<std::uint32_t>(export_params(shape.params).size());
    ModuleWriter code;
    code.unsigned_number(1 + shape.results.size());
    code.unsigned_number(1);
    code.type(Kind::i64);
    for (const ValType type : shape.results) {
        code.unsigned_number(1);
        code.type(type);
    }
    code.constant(kFuel);
    code.op(Opcode::GlobalSet, 0);
    std::uint32_t at = 0;
    for (const ValType type : shape.params) {
        if (type.is_ref()) {
            write_value(code, module, type, random);
            continue;
        }
        code.op(Opcode::LocalGet, at++);
        if (type == Kind::f32) code.op(Opcode::F32ReinterpretI32);
        if (type == Kind::f64) code.op(Opcode::F64ReinterpretI64);
        if (type == Kind::v128) {
            code.op(Opcode::I64x2Splat);
            code.op(Opcode::LocalGet, at++);
            code.op(Opcode::I64x2ReplaceLane);
            code.byte(1);
        }
    }
    code.op(Opcode::Call, function);
    for (auto i = static_cast<std::uint32_t>(shape.results.size()); i-- > 0;) code.op(Opcode::LocalSet, params + 1 + i);
    for (std::uint32_t i = 0; i < shape.results.size(); ++i) mix_local(code, module, shape.results[i], params + 1 + i, params);
    code.op(Opcode::LocalGet, params);
    code.op(Opcode::End);
    return code;
}

/// The export "state": a hash of all globals.
ModuleWriter state_function(const ModuleShape& module) {
    ModuleWriter code;
    code.unsigned_number(1 + module.globals.size());
    code.unsigned_number(1);
    code.type(Kind::i64);
    for (const ValType type : module.globals) {
        code.unsigned_number(1);
        code.type(type);
    }
    for (std::uint32_t i = 0; i < module.globals.size(); ++i) {
        code.op(Opcode::GlobalGet, i);
        code.op(Opcode::LocalSet, i + 1);
        mix_local(code, module, module.globals[i], i + 1, 0);
    }
    code.op(Opcode::LocalGet, 0);
    code.op(Opcode::End);
    return code;
}

template <class Type>
void write_types(ModuleWriter& out, const std::vector<Type>& types) {
    out.unsigned_number(types.size());
    for (const ValType type : types) out.type(type);
}

void write_function_type(ModuleWriter& out, const FunctionShape& type) {
    out.byte(0x60);
    write_types(out, type.params);
    write_types(out, type.results);
}

void write_object_type(ModuleWriter& out, const DefinedType& object) {
    const bool has_supertype = object.supertype != wasm::kNoType;
    if (has_supertype || !object.is_final) {
        out.byte(object.is_final ? 0x4f : 0x50);
        out.unsigned_number(has_supertype ? 1 : 0);
        if (has_supertype) out.unsigned_number(object.supertype);
    }
    const bool is_array = object.form == DefinedType::Form::array;
    out.byte(is_array ? 0x5e : 0x5f);
    if (!is_array) out.unsigned_number(object.fields.size());
    for (const FieldType& field : object.fields) {
        switch (field.packed) {
            case FieldType::Packed::i8:  out.byte(0x78); break;
            case FieldType::Packed::i16: out.byte(0x77); break;
            default:                     out.type(field.type);
        }
        out.byte(field.is_mutable ? 1 : 0);
    }
}

void write_type_section(ModuleWriter& out, const ModuleShape& shape) {
    ModuleWriter types;
    types.unsigned_number(shape.groups.size() + shape.functions.size() + shape.more_types.size());
    auto object = shape.objects.begin();
    for (const std::uint32_t size : shape.groups) {
        types.byte(0x4e);
        types.unsigned_number(size);
        for (std::uint32_t i = 0; i < size; ++i) write_object_type(types, *object++);
    }
    for (const FunctionShape& function : shape.functions) write_function_type(types, function);
    for (const FunctionShape& type : shape.more_types) write_function_type(types, type);
    out.section(Section::type, types);
}

void write_tables(ModuleWriter& out, const ModuleShape& shape) {
    const bool typed = shape.has(Feature::function_references);
    const std::uint32_t type = shape.function_type(shape.typed_function);
    ModuleWriter tables;
    tables.unsigned_number(typed ? 3 : 1);
    tables.byte(0x70);
    tables.byte(shape.table_64 ? 4 : 0);
    tables.unsigned_number(shape.table_size);
    if (typed) {
        tables.type(ValType::ref(type, true));
        for (const std::uint32_t number : {1U, 4U, 6U}) tables.unsigned_number(number);
        tables.byte(0x40);
        tables.byte(0);
        tables.type(ValType::ref(type, false));
        for (const std::uint32_t number : {0U, 4U}) tables.unsigned_number(number);
        tables.op(Opcode::RefFunc, shape.typed_function);
        tables.op(Opcode::End);
    }
    out.section(Section::table, tables);
}

void write_memories(ModuleWriter& out, const ModuleShape& shape) {
    ModuleWriter memories;
    memories.unsigned_number(shape.memories.size());
    for (const MemoryShape& memory : shape.memories) {
        memories.byte(1U | (memory.is_shared ? 2U : 0U) | (memory.is_64 ? 4U : 0U));
        memories.unsigned_number(1);
        memories.unsigned_number(3);
    }
    out.section(Section::memory, memories);
}

/// An i32 or i64 made of three constants.
void write_extended_constant(ModuleWriter& out, Kind kind, Random& random) {
    const bool wide = kind == Kind::i64;
    out.constant(kind, static_cast<std::int32_t>(random.bits()));
    for (int i = 0; i < 2; ++i) {
        out.constant(kind, static_cast<std::int32_t>(random.bits()));
        switch (random.below(3)) {
            case 0:  out.op(wide ? Opcode::I64Add : Opcode::I32Add); break;
            case 1:  out.op(wide ? Opcode::I64Sub : Opcode::I32Sub); break;
            default: out.op(wide ? Opcode::I64Mul : Opcode::I32Mul);
        }
    }
}

void write_globals(ModuleWriter& out, const ModuleShape& shape, Random& random) {
    ModuleWriter globals;
    globals.unsigned_number(shape.globals.size());
    for (const ValType type : shape.globals) {
        globals.type(type);
        globals.byte(1);
        if (type.is_ref() && random.percent(20)) {
            globals.null(type);
        } else if (shape.has(Feature::extended_const) && (type == Kind::i32 || type == Kind::i64)) {
            write_extended_constant(globals, type.kind(), random);
        } else {
            write_value(globals, shape, type, random);
        }
        globals.op(Opcode::End);
    }
    out.section(Section::global, globals);
}

void write_exports(ModuleWriter& out, const ModuleShape& shape) {
    const std::uint32_t functions = shape.count();
    ModuleWriter exports;
    exports.unsigned_number(functions + 1 + shape.memories.size());
    for (std::uint32_t i = 0; i < shape.memories.size(); ++i) {
        exports.name("memory" + std::to_string(i));
        exports.byte(2);
        exports.unsigned_number(i);
    }
    for (std::uint32_t i = 0; i <= functions; ++i) {
        exports.name(i == functions ? "state" : "f" + std::to_string(i));
        exports.byte(0);
        exports.unsigned_number(functions + i);
    }
    out.section(Section::exports, exports);
}

void write_elements(ModuleWriter& out, const ModuleShape& shape) {
    const std::uint32_t functions = shape.count();
    const bool typed = shape.has(Feature::function_references);
    ModuleWriter elements;
    elements.unsigned_number(typed ? 2 : 1);
    elements.unsigned_number(0);
    elements.constant(shape.table_64 ? Kind::i64 : Kind::i32, 0);
    elements.op(Opcode::End);
    elements.unsigned_number(2 * functions);
    for (std::uint32_t i = 0; i < 2 * functions; ++i) elements.unsigned_number(i % functions);
    if (typed) {  // expressions, into table 1
        const ValType type = ValType::ref(shape.function_type(shape.typed_function), true);
        for (const std::uint32_t number : {6U, 1U}) elements.unsigned_number(number);
        elements.constant(0);
        elements.op(Opcode::End);
        elements.type(type);
        elements.unsigned_number(3);
        for (int i = 0; i < 3; ++i) {
            elements.op(Opcode::RefFunc, shape.typed_function);
            elements.op(Opcode::End);
        }
    }
    out.section(Section::element, elements);
}

/// Everything but the code section and what follows it. Behind the functions come their exports, "state", and the hash function.
void write_header(ModuleWriter& out, ModuleShape& shape, Random& random) {
    const std::uint32_t functions = shape.count();
    out.byte(0);
    for (const char c : {'a', 's', 'm'}) out.byte(static_cast<unsigned char>(c));
    out.little_endian(1, 4);

    ModuleWriter declarations;
    declarations.unsigned_number(2 * functions + (shape.has(Feature::gc) ? 2 : 1));
    for (std::uint32_t i = 0; i < functions; ++i) declarations.unsigned_number(shape.function_type(i));
    for (std::uint32_t i = 0; i < functions; ++i) {
        const std::vector<Kind> params = export_params(shape.functions[i].params);
        declarations.unsigned_number(shape.add_type({{params.begin(), params.end()}, {Kind::i64}}));
    }
    declarations.unsigned_number(shape.add_type({{}, {Kind::i64}}));
    if (shape.has(Feature::gc)) declarations.unsigned_number(shape.add_type(hash_type()));

    write_type_section(out, shape);
    out.section(Section::function, declarations);
    write_tables(out, shape);
    write_memories(out, shape);
    if (!shape.tags.empty()) {
        ModuleWriter tags;
        tags.unsigned_number(shape.tags.size());
        for (const TagShape& tag : shape.tags) {
            tags.byte(0);
            tags.unsigned_number(tag.type);
        }
        out.section(Section::tag, tags);
    }
    write_globals(out, shape, random);
    write_exports(out, shape);
    write_elements(out, shape);

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
    ModuleShape shape = random_shape(random);
    ModuleWriter out;
    write_header(out, shape, random);

    GeneratedModule generated;
    generated.functions = 2 * shape.count() + (shape.has(Feature::gc) ? 2 : 1);
    generated.memories = static_cast<std::uint32_t>(shape.memories.size());
    ModuleWriter code;
    code.unsigned_number(generated.functions);
    for (std::uint32_t i = 0; i < shape.count(); ++i) code.sized(FunctionGenerator(shape, i, random).generate());
    for (std::uint32_t i = 0; i < shape.count(); ++i) code.sized(wrapper(shape, i, random));
    code.sized(state_function(shape));
    if (shape.has(Feature::gc)) code.sized(hash_function(shape));
    out.section(Section::code, code);

    ModuleWriter data;
    data.unsigned_number(1);
    data.unsigned_number(1);
    data.unsigned_number(kPassiveBytes);
    for (std::uint32_t i = 0; i < kPassiveBytes; ++i) data.byte(static_cast<std::uint32_t>(random.bits()) & 0xff);
    out.section(Section::data, data);

    generated.bytes = std::move(out.bytes);
    generated.calls = random_calls(shape, random);
    for (const Feature feature : families()) {
        if (shape.has(feature)) generated.families += (generated.families.empty() ? "" : ",") + std::string(wasm::feature_name(feature));
    }
    if (generated.families.empty()) generated.families = "none";
    return generated;
}

}  // namespace pollux::differential
