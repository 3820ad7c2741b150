// References: objects and their fields, casts, typed function references. Most casts succeed and most references are not null.
#include "tests/differential/function_generator.h"

namespace pollux::differential {

using wasm::DefinedType;
using wasm::Heap;
using wasm::Opcode;

namespace {

constexpr auto kAny = wasm::ValType::ref(Heap::any, true);

bool is_defaultable(const DefinedType& object) {
    for (const wasm::FieldType& field : object.fields) {
        if (!field.type.defaultable()) return false;
    }
    return true;
}

}  // namespace

/// Most locals that could be null get a value at the function's start.
void FunctionGenerator::set_up_references() {
    for (std::uint32_t i = static_cast<std::uint32_t>(shape_.params.size()); i < assignable_; ++i) {
        if (!locals_[i].is_ref() || locals_[i].heap() == Heap::exn || random_.percent(15)) continue;
        write_value(code_, module_, locals_[i], random_);
        code_.op(Opcode::LocalSet, i);
    }
}

// --- references as expressions ----------------------------------------------------------------------------------------------

void FunctionGenerator::reference_leaf(ValType type) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < assignable_; ++i) {
        if (module_.matches(locals_[i], type)) found.push_back(i);
    }
    if (!found.empty() && random_.percent(65)) return code_.op(Opcode::LocalGet, random_.pick(found));
    if (!type.nullable()) {  // a local that might be null
        const ValType nullable = type.with_null(true);
        for (std::uint32_t i = 0; i < assignable_; ++i) {
            if (!module_.matches(locals_[i], nullable) || !random_.percent(20)) continue;
            code_.op(Opcode::LocalGet, i);
            return code_.op(Opcode::RefAsNonNull);
        }
    }
    for (std::uint32_t i = 0; i < module_.globals.size(); ++i) {
        if (module_.matches(module_.globals[i], type) && random_.percent(25)) return code_.op(Opcode::GlobalGet, i);
    }
    if (type.nullable() && random_.percent(15)) return code_.null(type);
    write_value(code_, module_, type, random_);
}

void FunctionGenerator::reference(ValType type, unsigned depth) {
    const bool is_object = module_.matches(type, kAny);
    const std::uint32_t which = random_.below(100);
    if (which < 15) return choice(type, depth, true);
    if (which < 20) {
        const auto local = local_for(type);
        if (!local || locals_[*local] != type) return reference_leaf(type);
        expression(type, depth, true);
        return code_.op(Opcode::LocalTee, *local);
    }
    if (which < 25) return single_call(type, depth);
    if (which < 35 && has(Feature::function_references)) {  // not null any more
        code_.op(Opcode::Block);
        code_.type(type);
        labels_.push_back({});
        expression(type.with_null(true), depth, true);
        code_.op(Opcode::BrOnNonNull, 0);
        write_value(code_, module_, type, random_);
        return close();
    }
    if (type == ValType::ref(module_.function_type(module_.typed_function), type.nullable()) && which < 60) {
        expression(Kind::i32, depth, false);
        code_.constant(3);
        code_.op(Opcode::I32And);
        return code_.op(Opcode::TableGet, type.nullable() ? 1 : 2);
    }
    if (type.heap() == Heap::extern_ && type.nullable()) {
        expression(kAny, depth, true);
        return code_.op(Opcode::ExternConvertAny);
    }
    if (!is_object) return reference_leaf(type);
    if (which < 40 && type == kAny) {
        expression(ValType::ref(Heap::extern_, true), depth, true);
        return code_.op(Opcode::AnyConvertExtern);
    }
    if (which < 50 && get_field(type, depth)) return;
    if (which < 65) return checked_cast(type, depth);
    const auto objects = module_.objects_of(type.with_null(false));
    if (!objects.empty() && random_.percent(80)) return new_object(random_.pick(objects), depth);
    if (!module_.matches(ValType::ref(Heap::i31, false), type)) return reference_leaf(type);
    expression(Kind::i32, depth, false);
    code_.op(Opcode::RefI31);
}

void FunctionGenerator::new_object(TypeId type, unsigned depth) {
    const DefinedType& object = module_.objects[type];
    const FieldType& first = object.fields[0];
    const std::uint32_t which = random_.below(10);
    if (object.form == DefinedType::Form::struct_) {
        if (which < 2 && is_defaultable(object)) return code_.op(Opcode::StructNewDefault, type);
        for (const FieldType& field : object.fields) expression(field.type, depth, true);
        return code_.op(Opcode::StructNew, type);
    }
    const auto length = [&] {
        code_.constant(static_cast<std::int32_t>(random_.between(4, 8)));
        if (random_.percent(70)) return;
        expression(Kind::i32, depth, false);
        code_.constant(15);
        code_.op(Opcode::I32And);
        code_.op(Opcode::I32Add);
    };
    if (which < 2) {
        length();
        return code_.op(Opcode::ArrayNewDefault, type);
    }
    if (which < 5) {
        const std::uint32_t count = random_.between(4, 6);
        for (std::uint32_t i = 0; i < count; ++i) expression(first.type, depth == 0 ? 0 : depth - 1, true);
        code_.op(Opcode::ArrayNewFixed, type);
        return code_.unsigned_number(count);
    }
    if (which < 7 && !first.type.is_ref()) {
        const bool is_wide = first.type == Kind::v128;
        code_.constant(static_cast<std::int32_t>(is_wide ? 0 : random_.below(33)));
        code_.constant(random_.percent(97) ? 4 : 65);
        code_.op(Opcode::ArrayNewData, type);
        return code_.unsigned_number(module_.passive_data);
    }
    expression(first.type, depth, true);
    length();
    code_.op(Opcode::ArrayNew, type);
}

/// A reference of any type, cast to this one. One form in four traps if it is of another.
void FunctionGenerator::checked_cast(ValType type, unsigned depth) {
    const std::uint32_t form = random_.below(4);
    if (form == 0) {
        if (random_.percent(70)) {
            expression(type, depth, true);
        } else {
            expression(kAny, depth, true);
        }
        code_.op(type.nullable() ? Opcode::RefCastNull : Opcode::RefCast);
        return code_.heap_type(type);
    }
    const ValType operand = random_.percent(50) ? type.with_null(true) : kAny;
    code_.op(Opcode::Block);
    code_.type(type);
    labels_.push_back({});
    if (form == 1) {
        branch_on_cast(Opcode::BrOnCast, operand, type, depth);
        code_.op(Opcode::Drop);
    } else {
        code_.op(Opcode::Block);
        code_.type(kAny.with_null(!type.nullable()));
        labels_.push_back({});
        branch_on_cast(Opcode::BrOnCastFail, operand, type, depth);
        code_.op(Opcode::Br, 1);
        close();
        code_.op(Opcode::Drop);
    }
    write_value(code_, module_, type, random_);
    close();
}

// --- what is asked of objects ------------------------------------------------------------------------------------------------

/// An object of this type: now and then null.
void FunctionGenerator::object(TypeId type, unsigned depth) {
    expression(ValType::ref(type, random_.percent(8)), depth == 0 ? 0 : depth - 1, true);
}

/// Mostly below 4.
void FunctionGenerator::element_index(unsigned depth) {
    expression(Kind::i32, depth == 0 ? 0 : depth - 1, false);
    if (random_.percent(1)) return;
    code_.constant(random_.percent(97) ? 3 : 31);
    code_.op(Opcode::I32And);
}

/// An operand and a branch to the innermost label if it is, or is not, a `target`.
void FunctionGenerator::branch_on_cast(Opcode opcode, ValType operand, ValType target, unsigned depth) {
    expression(operand, depth, true);
    code_.op(opcode);
    code_.byte(1U | (target.nullable() ? 2U : 0U));
    code_.unsigned_number(0);
    code_.heap_type(kAny);
    code_.heap_type(target);
}

/// A field or an element of this type, or of a subtype. False: there is none, and nothing was made.
bool FunctionGenerator::get_field(ValType type, unsigned depth) {
    struct Place {
        TypeId object;
        std::uint32_t field;
    };
    std::vector<Place> places;
    for (TypeId i = 0; i < module_.objects.size(); ++i) {
        for (std::uint32_t f = 0; f < module_.objects[i].fields.size(); ++f) {
            if (module_.matches(module_.objects[i].fields[f].type, type)) places.push_back({i, f});
        }
    }
    if (places.empty()) return false;
    const Place& place = random_.pick(places);
    const bool is_array = module_.objects[place.object].form == DefinedType::Form::array;
    const bool is_packed = module_.objects[place.object].fields[place.field].packed != FieldType::Packed::no;
    const bool is_signed = random_.percent(50);
    object(place.object, depth);
    if (is_array) {
        element_index(depth);
        code_.op(!is_packed ? Opcode::ArrayGet : is_signed ? Opcode::ArrayGetS : Opcode::ArrayGetU, place.object);
    } else {
        code_.op(!is_packed ? Opcode::StructGet : is_signed ? Opcode::StructGetS : Opcode::StructGetU, place.object);
        code_.unsigned_number(place.field);
    }
    return true;
}

/// An i32 that says something about references.
void FunctionGenerator::question(unsigned depth) {
    const std::uint32_t which = random_.below(5);
    if (which == 0) {
        expression(random_.pick(module_.references), depth, true);
        return code_.op(Opcode::RefIsNull);
    }
    if (which == 1) {
        const ValType type = random_.percent(50) ? ValType::ref(Heap::eq, true) : ValType::ref(random_.below(module_.objects.size()), true);
        expression(type, depth, true);
        expression(type, depth, true);
        return code_.op(Opcode::RefEq);
    }
    if (which == 2) {
        expression(ValType::ref(Heap::i31, random_.percent(8)), depth, true);
        return code_.op(random_.percent(50) ? Opcode::I31GetS : Opcode::I31GetU);
    }
    if (which == 3) {
        expression(ValType::ref(Heap::array, random_.percent(8)), depth, true);
        return code_.op(Opcode::ArrayLen);
    }
    ValType type = random_.pick(module_.references);
    if (!module_.matches(type, kAny)) type = ValType::ref(0, true);
    expression(kAny, depth, true);
    code_.op(random_.percent(50) ? Opcode::RefTest : Opcode::RefTestNull);
    code_.heap_type(type);
}

// --- statements --------------------------------------------------------------------------------------------------------------

void FunctionGenerator::reference_statement(unsigned depth) {
    const ValType type = random_.pick(module_.references);
    const std::uint32_t which = random_.below(100);
    if (which < 50 || (which < 75 && !has(Feature::gc))) return assign(type, local_for(type));
    if (which < 65) return object_statement(depth);
    if (which < 85 && has(Feature::gc)) return cast_branch_statement(depth);
    null_branch_statement(depth);
}

/// A block that a cast leaves, or that is left at its end, with several values.
void FunctionGenerator::cast_branch_statement(unsigned depth) {
    const TypeId target = random_.below(module_.objects.size());
    code_.op(Opcode::Block);
    code_.signed_number(module_.branch_type);
    labels_.push_back({});
    for (const ValType below : std::span(module_.branch_values).first(module_.branch_values.size() - 1)) expression(below, depth - 1, true);
    const ValType type = ValType::ref(target, random_.percent(50));
    branch_on_cast(random_.percent(50) ? Opcode::BrOnCast : Opcode::BrOnCastFail, kAny, type, depth);
    statements(depth - 1);
    close();
    set_results(module_.branch_values);
}

/// A block of the type of a function, left if a reference is null.
void FunctionGenerator::null_branch_statement(unsigned depth) {
    const ValType type = random_.pick(module_.references);
    const std::uint32_t function = random_.below(module_.functions.size());
    const FunctionShape& shape = module_.functions[function];
    for (const ValType param : shape.params) expression(param, depth - 1, true);
    code_.op(Opcode::Block);
    code_.signed_number(module_.function_type(function));
    labels_.push_back({.plain = shape.results.empty()});
    set_results(shape.params);
    for (const ValType result : shape.results) expression(result, depth - 1, true);
    expression(type, depth, true);
    code_.op(Opcode::BrOnNull, 0);
    set_results({type.with_null(false)});
    statements(depth - 1);
    close();
    set_results(shape.results);
}

/// A field is set, or what array_statement does.
void FunctionGenerator::object_statement(unsigned depth) {
    const TypeId type = random_.below(module_.objects.size());
    const DefinedType& object_type = module_.objects[type];
    if (object_type.form == DefinedType::Form::array) return array_statement(type, depth);
    for (std::uint32_t i = 0; i < object_type.fields.size(); ++i) {
        if (!object_type.fields[i].is_mutable || random_.percent(40)) continue;
        object(type, depth);
        expression(object_type.fields[i].type, depth, true);
        code_.op(Opcode::StructSet, type);
        return code_.unsigned_number(i);
    }
}

/// Sets one element or several.
void FunctionGenerator::array_statement(TypeId array, unsigned depth) {
    const FieldType& element = module_.objects[array].fields[0];
    const auto length = [&] {
        const bool fits = random_.percent(97);
        code_.constant(fits ? static_cast<std::int32_t>(random_.below(2)) : random_.percent(50) ? 9 : -1);
    };
    object(array, depth);
    element_index(depth);
    switch (random_.below(element.type.is_ref() ? 3 : 4)) {
        case 0: expression(element.type, depth, true); return code_.op(Opcode::ArraySet, array);
        case 1:
            expression(element.type, depth, true);
            length();
            return code_.op(Opcode::ArrayFill, array);
        case 2:  // the source is not null: engines differ in what they check first
            expression(ValType::ref(array, false), depth == 0 ? 0 : depth - 1, true);
            element_index(depth);
            length();
            code_.op(Opcode::ArrayCopy, array);
            return code_.unsigned_number(array);
        default:
            code_.constant(static_cast<std::int32_t>(random_.below(33)));
            length();
            code_.op(Opcode::ArrayInitData, array);
            return code_.unsigned_number(module_.passive_data);
    }
}

/// On the tables of typed function references.
void FunctionGenerator::typed_table_statement(unsigned depth) {
    const auto index = [&] {
        expression(Kind::i32, depth - 1, false);
        code_.constant(random_.percent(97) ? 3 : 7);
        code_.op(Opcode::I32And);
    };
    const std::uint32_t table = random_.between(1, 2);
    const ValType type = ValType::ref(module_.function_type(module_.typed_function), table == 1);
    switch (random_.below(4)) {
        case 0:
            index();
            expression(type, depth - 1, true);
            return code_.op(Opcode::TableSet, table);
        case 1:
            index();
            expression(type, depth - 1, true);
            code_.constant(1);
            return code_.op(Opcode::TableFill, table);
        case 2:
            for (int i = 0; i < 2; ++i) index();
            code_.constant(1);
            code_.op(Opcode::TableCopy, 1);
            return code_.unsigned_number(table);
        default:
            expression(type, depth - 1, true);
            code_.constant(static_cast<std::int32_t>(random_.below(2)));
            code_.op(Opcode::TableGrow, table);
            return set_results({Kind::i32});
    }
}

}  // namespace pollux::differential
