// The checks of instructions that are not hot: select, indirect calls, bulk memory, tables, references, exceptions, GC.
//
// Each reads its immediates, then pops and pushes by the typing rule that the specification's section 3.4 gives for it.
#include <algorithm>

#include "jit/wasm/function_pass_base.h"
#include "jit/wasm/limits.h"

namespace pollux::wasm {

namespace {

bool all_match(std::span<const ValType> from, std::span<const ValType> to) {
    return std::ranges::equal(from, to, [](ValType a, ValType b) { return matches(a, b); });
}

}  // namespace

bool FunctionPassBase::check_initialised(std::uint32_t local) {
    if (!tracks_init_ || state_.initialised_[local]) return true;
    return fail(ErrorKind::invalid, "uninitialized local " + std::to_string(local) + " of type " + to_string(locals_[local]));
}

bool FunctionPassBase::check_select(bool typed, Kind& kind) {
    ValType type;
    if (typed) {
        std::uint32_t count = 0;
        if (!read_u32(count)) return false;
        if (count != 1) return fail(ErrorKind::invalid, "invalid result arity: select gives one value, not " + std::to_string(count));
        if (!read_val_type(type) || !pop(Kind::i32) || !pop(type) || !pop(type)) return false;
    } else {
        ValType other;
        if (!pop(Kind::i32) || !pop_any(type) || !pop_any(other)) return false;
        if (type.is_ref() || other.is_ref()) return fail(ErrorKind::invalid, "type mismatch: select without a type takes numbers only");
        if (type.is_bottom()) {
            type = other;
        } else if (!other.is_bottom() && other != type) {
            return fail(ErrorKind::invalid, "type mismatch: the alternatives are " + to_string(other) + " and " + to_string(type));
        }
    }
    push(type);
    if (!type.is_bottom()) kind = type.kind();
    return true;
}

// --- calls and exceptions --------------------------------------------------------------------------------------------

bool FunctionPassBase::check_call_indirect(TypeId& type, std::uint32_t& table) {
    if (!read_type(DefinedType::Form::func, type) || !read_table(table)) return false;
    const TableType& called = module_.tables[table].type;
    if (!matches(called.element, kFuncRef)) {
        return fail(ErrorKind::invalid,
                    "type mismatch: table " + std::to_string(table) + " holds " + to_string(called.element) + ", not functions");
    }
    return pop(called.address_kind());
}

bool FunctionPassBase::check_callee_reference(TypeId& type) {
    return read_type(DefinedType::Form::func, type) && pop(ValType::ref(type, true));
}

bool FunctionPassBase::check_tail_call(const FuncType& type) {
    if (!pop_all(type.params)) return false;
    return all_match(type.results, type_->results) ||
           fail(ErrorKind::invalid, "type mismatch: the callee returns " + to_string(type.results) + ", but this function returns " +
                                        to_string(type_->results));
}

bool FunctionPassBase::check_throw(std::uint32_t& tag) {
    if (!read_u32(tag)) return false;
    if (tag >= module_.tags.size()) return fail_index("tag", tag, module_.tags.size());
    return pop_all(func_type(module_.tags[tag].type).params);
}

// --- bulk memory and tables ------------------------------------------------------------------------------------------

bool FunctionPassBase::read_data_segment(std::uint32_t& segment) {
    if (!read_u32(segment)) return false;
    if (!module_.data_count) return fail(ErrorKind::malformed, "data count section required");
    return segment < *module_.data_count || fail_index("data segment", segment, *module_.data_count);
}

bool FunctionPassBase::read_element_segment(std::uint32_t& segment) {
    return read_u32(segment) && (segment < module_.elements.size() || fail_index("element segment", segment, module_.elements.size()));
}

bool FunctionPassBase::check_memory_op(Opcode op, TwoIndices& out) {
    ValType address;
    switch (op) {
        case Opcode::MemorySize:
            if (!read_memory(out.first, address)) return false;
            push(address);
            return true;
        case Opcode::MemoryGrow:
            if (!read_memory(out.first, address) || !pop(address)) return false;
            push(address);
            return true;
        case Opcode::MemoryInit:
            return read_data_segment(out.first) && read_memory(out.second, address) && pop(Kind::i32) && pop(Kind::i32) && pop(address);
        case Opcode::DataDrop:   return read_data_segment(out.first);
        case Opcode::MemoryCopy: {
            ValType from;
            if (!read_memory(out.first, address) || !read_memory(out.second, from)) return false;
            const ValType length = address == from ? address : ValType(Kind::i32);
            return pop(length) && pop(from) && pop(address);
        }
        default: return read_memory(out.first, address) && pop(address) && pop(Kind::i32) && pop(address);  // memory.fill
    }
}

bool FunctionPassBase::check_table_op(Opcode op, TwoIndices& out) {
    if (op == Opcode::ElemDrop) return read_element_segment(out.first);
    if (op == Opcode::TableInit) {
        if (!read_element_segment(out.first) || !read_table(out.second)) return false;
        const TableType& table = module_.tables[out.second].type;
        const ValType type = module_.elements[out.first].type;
        if (!matches(type, table.element)) {
            return fail(ErrorKind::invalid,
                        "type mismatch: the segment holds " + to_string(type) + ", the table " + to_string(table.element));
        }
        return pop(Kind::i32) && pop(Kind::i32) && pop(table.address_kind());
    }
    if (!read_table(out.first)) return false;
    const TableType& table = module_.tables[out.first].type;
    const ValType address = table.address_kind();
    switch (op) {
        case Opcode::TableGet:
            if (!pop(address)) return false;
            push(table.element);
            return true;
        case Opcode::TableSet:  return pop(table.element) && pop(address);
        case Opcode::TableSize: push(address); return true;
        case Opcode::TableGrow:
            if (!pop(address) || !pop(table.element)) return false;
            push(address);
            return true;
        case Opcode::TableFill: return pop(address) && pop(table.element) && pop(address);
        default:                break;  // table.copy
    }
    if (!read_table(out.second)) return false;
    const TableType& source = module_.tables[out.second].type;
    if (!matches(source.element, table.element)) {
        return fail(ErrorKind::invalid,
                    "type mismatch: cannot copy " + to_string(source.element) + " to a table of " + to_string(table.element));
    }
    const ValType from = source.address_kind();
    return pop(from == address ? address : ValType(Kind::i32)) && pop(from) && pop(address);
}

// --- references ------------------------------------------------------------------------------------------------------

bool FunctionPassBase::check_ref_func(std::uint32_t& function) {
    if (!read_function(function)) return false;
    if (!module_.declared_functions[function]) {
        return fail(ErrorKind::invalid, "undeclared function reference: function " + std::to_string(function) +
                                            " is in no export, element segment or initialiser");
    }
    push(ValType::ref(module_.functions[function].type, false));
    return true;
}

bool FunctionPassBase::check_br_on_null(std::uint32_t& depth) {
    ValType reference;
    if (!read_label(depth) || !pop_reference(reference) || !convert_top(label(depth).label_types())) return false;
    push(reference.is_bottom() ? reference : reference.with_null(false));
    return true;
}

bool FunctionPassBase::check_br_on_non_null(std::uint32_t& depth) {
    ValType reference;
    if (!read_label(depth) || !pop_reference(reference)) return false;
    const std::span<const ValType> types = label(depth).label_types();
    if (types.empty() || !types.back().is_ref() || !matches(reference.is_bottom() ? reference : reference.with_null(false), types.back())) {
        return fail(ErrorKind::invalid,
                    "type mismatch: the label takes " + to_string(types) + ", the branch brings " + to_string(reference));
    }
    return convert_top(types.first(types.size() - 1));
}

// --- garbage collection ----------------------------------------------------------------------------------------------

bool FunctionPassBase::check_gc(Opcode op, GcImmediates& out) {
    switch (op) {
        case Opcode::StructNew:
        case Opcode::StructNewDefault:
        case Opcode::StructGet:
        case Opcode::StructGetS:
        case Opcode::StructGetU:
        case Opcode::StructSet:        return check_struct_op(op, out);
        case Opcode::ArrayNewData:
        case Opcode::ArrayNewElem:
        case Opcode::ArrayInitData:
        case Opcode::ArrayInitElem:    return check_array_segment_op(op, out);
        case Opcode::ArrayLen:
            if (!pop(ValType::ref(Heap::array, true))) return false;
            push(Kind::i32);
            return true;
        case Opcode::AnyConvertExtern: return check_conversion(ValType::ref(Heap::extern_, true), Heap::any);
        case Opcode::ExternConvertAny: return check_conversion(ValType::ref(Heap::any, true), Heap::extern_);
        case Opcode::RefI31:
            if (!pop(Kind::i32)) return false;
            push(ValType::ref(Heap::i31, false));
            return true;
        case Opcode::I31GetS:
        case Opcode::I31GetU:
            if (!pop(ValType::ref(Heap::i31, true))) return false;
            push(Kind::i32);
            return true;
        default: return check_array_op(op, out);
    }
}

bool FunctionPassBase::check_conversion(ValType from, Heap to) {
    ValType reference;
    if (!pop_reference(reference)) return false;
    if (!matches(reference, from)) {
        return fail(ErrorKind::invalid, "type mismatch: expected " + to_string(from) + ", found " + to_string(reference));
    }
    push(ValType::ref(to, !reference.is_bottom() && reference.nullable()));
    return true;
}

bool FunctionPassBase::check_packing(Opcode plain, Opcode op, const FieldType& field) {
    if ((op == plain) == (field.packed == FieldType::Packed::no)) return true;
    return fail(ErrorKind::invalid, op == plain ? "type mismatch: the field is packed, so it needs the _s or _u form"
                                                : "type mismatch: the field is not packed, so it has no _s or _u form");
}

bool FunctionPassBase::check_struct_op(Opcode op, GcImmediates& out) {
    if (!read_type(DefinedType::Form::struct_, out.type)) return false;
    const std::vector<FieldType>& fields = defined_type(out.type).fields;
    if (op == Opcode::StructNew) {
        for (std::size_t i = fields.size(); i-- > 0;) {
            if (!pop(fields[i].type)) return false;
        }
        push(ValType::ref(out.type, false));
        return true;
    }
    if (op == Opcode::StructNewDefault) {
        if (!std::ranges::all_of(fields, [](const FieldType& field) { return field.type.defaultable(); })) {
            return fail(ErrorKind::invalid, "type mismatch: a field of the struct has no default value");
        }
        push(ValType::ref(out.type, false));
        return true;
    }
    if (!read_u32(out.operand)) return false;
    if (out.operand >= fields.size()) return fail_index("field", out.operand, fields.size());
    const FieldType& field = fields[out.operand];
    if (op == Opcode::StructSet) {
        if (!field.is_mutable) return fail(ErrorKind::invalid, "immutable field " + std::to_string(out.operand));
        return pop(field.type) && pop(ValType::ref(out.type, true));
    }
    if (!check_packing(Opcode::StructGet, op, field) || !pop(ValType::ref(out.type, true))) return false;
    push(field.type);
    return true;
}

bool FunctionPassBase::check_array_op(Opcode op, GcImmediates& out) {
    if (!read_type(DefinedType::Form::array, out.type)) return false;
    const FieldType& element = defined_type(out.type).fields[0];
    const ValType array = ValType::ref(out.type, true);
    switch (op) {
        case Opcode::ArrayNew:
            if (!pop(Kind::i32) || !pop(element.type)) return false;
            push(ValType::ref(out.type, false));
            return true;
        case Opcode::ArrayNewDefault:
            if (!element.type.defaultable()) return fail(ErrorKind::invalid, "type mismatch: the element has no default value");
            if (!pop(Kind::i32)) return false;
            push(ValType::ref(out.type, false));
            return true;
        case Opcode::ArrayNewFixed:
            if (!read_u32(out.operand)) return false;
            if (out.operand > kMaxFixedArray) {
                return fail(ErrorKind::resource, "more than " + std::to_string(kMaxFixedArray) + " elements");
            }
            for (std::uint32_t i = 0; i < out.operand; ++i) {
                if (!pop(element.type)) return false;
            }
            push(ValType::ref(out.type, false));
            return true;
        case Opcode::ArrayGet:
        case Opcode::ArrayGetS:
        case Opcode::ArrayGetU:
            if (!check_packing(Opcode::ArrayGet, op, element) || !pop(Kind::i32) || !pop(array)) return false;
            push(element.type);
            return true;
        default: break;
    }
    if (!element.is_mutable) return fail(ErrorKind::invalid, "immutable array");
    if (op == Opcode::ArraySet) return pop(element.type) && pop(Kind::i32) && pop(array);
    if (op == Opcode::ArrayFill) return pop(Kind::i32) && pop(element.type) && pop(Kind::i32) && pop(array);

    if (!read_type(DefinedType::Form::array, out.source)) return false;  // array.copy
    const FieldType& from = defined_type(out.source).fields[0];
    if (from.packed != element.packed || !matches(from.type, element.type)) {
        return fail(ErrorKind::invalid, "array types do not match: the elements differ");
    }
    return pop(Kind::i32) && pop(Kind::i32) && pop(ValType::ref(out.source, true)) && pop(Kind::i32) && pop(array);
}

bool FunctionPassBase::check_array_segment_op(Opcode op, GcImmediates& out) {
    if (!read_type(DefinedType::Form::array, out.type)) return false;
    const FieldType& element = defined_type(out.type).fields[0];
    if (op == Opcode::ArrayNewData || op == Opcode::ArrayInitData) {
        if (!read_data_segment(out.operand)) return false;
        if (element.type.is_ref()) return fail(ErrorKind::invalid, "array type is not numeric or vector, so data cannot initialise it");
    } else {
        if (!read_element_segment(out.operand)) return false;
        const ValType type = module_.elements[out.operand].type;
        if (!matches(type, element.type)) {
            return fail(ErrorKind::invalid,
                        "type mismatch: the segment holds " + to_string(type) + ", the array " + to_string(element.type));
        }
    }
    if (!pop(Kind::i32) || !pop(Kind::i32)) return false;
    if (op == Opcode::ArrayNewData || op == Opcode::ArrayNewElem) {
        push(ValType::ref(out.type, false));
        return true;
    }
    if (!element.is_mutable) return fail(ErrorKind::invalid, "immutable array");
    return pop(Kind::i32) && pop(ValType::ref(out.type, true));
}

bool FunctionPassBase::check_ref_test_or_cast(Opcode op, ValType& source, ValType& target) {
    if (!read_heap_type(op == Opcode::RefTestNull || op == Opcode::RefCastNull, target)) return false;
    const ValType top = ValType::ref(top_of(target), true);
    if (!pop_reference(source)) return false;
    if (!matches(source, top)) {
        return fail(ErrorKind::invalid, "type mismatch: expected " + to_string(top) + ", found " + to_string(source));
    }
    push(op == Opcode::RefTest || op == Opcode::RefTestNull ? ValType(Kind::i32) : target);
    return true;
}

bool FunctionPassBase::check_br_on_cast(Opcode op, std::uint32_t& depth, ValType& source, ValType& target) {
    std::uint8_t flags = 0;
    if (!read_byte(flags)) return false;
    if (flags > 3) return fail(ErrorKind::malformed, "malformed cast flags " + std::to_string(flags));
    if (!read_label(depth) || !read_heap_type((flags & 1) != 0, source) || !read_heap_type((flags & 2) != 0, target)) return false;
    if (!matches(target, source)) {
        return fail(ErrorKind::invalid, "type mismatch: " + to_string(target) + " is no subtype of " + to_string(source));
    }
    const ValType rest = target.nullable() ? source.with_null(false) : source;
    const ValType brought = op == Opcode::BrOnCast ? target : rest;
    const std::span<const ValType> types = label(depth).label_types();
    if (types.empty() || !matches(brought, types.back())) {
        return fail(ErrorKind::invalid, "type mismatch: the label takes " + to_string(types) + ", the branch brings " + to_string(brought));
    }
    if (!pop(source) || !convert_top(types.first(types.size() - 1))) return false;
    push(op == Opcode::BrOnCast ? rest : target);
    return true;
}

}  // namespace pollux::wasm
