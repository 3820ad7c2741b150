#include "tests/differential/module_shape.h"

#include <utility>

namespace pollux::differential {
namespace {

using wasm::DefinedType;
using wasm::Feature;
using wasm::FieldType;
using wasm::Heap;
using wasm::Kind;
using wasm::Opcode;
using wasm::TypeId;
using wasm::ValType;

constexpr std::array kFamilies = {Feature::tail_call,           Feature::exceptions,   Feature::legacy_exceptions, Feature::gc,
                                  Feature::function_references, Feature::multi_memory, Feature::memory64,          Feature::threads,
                                  Feature::extended_const,      Feature::relaxed_simd, Feature::wide_arithmetic};

wasm::FeatureSet random_features(Random& random) {
    // As often as they have things to go wrong.
    static constexpr std::array kChoices = {Feature::tail_call,
                                            Feature::tail_call,
                                            Feature::exceptions,
                                            Feature::exceptions,
                                            Feature::exceptions,
                                            Feature::legacy_exceptions,
                                            Feature::legacy_exceptions,
                                            Feature::gc,
                                            Feature::gc,
                                            Feature::gc,
                                            Feature::gc,
                                            Feature::function_references,
                                            Feature::function_references,
                                            Feature::multi_memory,
                                            Feature::memory64,
                                            Feature::memory64,
                                            Feature::threads,
                                            Feature::threads,
                                            Feature::extended_const,
                                            Feature::relaxed_simd};
    auto features = wasm::FeatureSet::mvp();
    if (random.percent(25)) return features;
    for (std::uint32_t left = random.between(1, 4); left != 0; --left) features.set(random.pick(kChoices));
    if (random.percent(5)) features.set(Feature::wide_arithmetic);
    // Engines refuse modules with both ways of catching.
    if (features.has(Feature::exceptions)) features.set(Feature::legacy_exceptions, false);
    return features;
}

ValType shifted(ValType type, TypeId by) {
    if (!type.is_ref() || type.heap() != Heap::concrete) return type;
    return ValType::ref(type.type_id() + by, type.nullable());
}

/// A field that refers to no object type behind `limit`. `element`: of an array, whose default value is needed.
FieldType random_field(Random& random, TypeId limit, bool element) {
    static constexpr std::array kHeaps = {Heap::any, Heap::eq, Heap::i31, Heap::extern_};
    FieldType field;
    field.is_mutable = element || random.percent(80);
    const std::uint32_t which = random.below(100);
    if (which < 25) {
        field.type = Kind::i32;
        field.packed = random.percent(50) ? FieldType::Packed::i8 : FieldType::Packed::i16;
    } else if (which < 65) {
        field.type = random.pick(kKinds);
    } else if (which < 70 && !element) {
        field.type = ValType::ref(Heap::i31, false);
    } else if (which < 80) {
        field.type = ValType::ref(random.pick(kHeaps), true);
    } else {
        field.type = ValType::ref(random.below(limit), true);
    }
    return field;
}

DefinedType random_object(const ModuleShape& shape, TypeId limit, Random& random) {
    const auto index = static_cast<TypeId>(shape.objects.size());
    DefinedType object;
    object.is_final = index > 1 && random.percent(30);
    if (index > 1 && random.percent(60)) {
        const TypeId parent = random.below(index);
        if (!shape.objects[parent].is_final) {
            object.supertype = parent;
            object.form = shape.objects[parent].form;
            object.fields = shape.objects[parent].fields;
        }
    }
    if (object.supertype == wasm::kNoType) {
        const bool is_array = index == 1 || (index != 0 && random.percent(40));
        object.form = is_array ? DefinedType::Form::array : DefinedType::Form::struct_;
        object.fields.push_back(random_field(random, limit, is_array));
    }
    if (object.form == DefinedType::Form::struct_) {
        for (std::uint32_t more = random.below(4); more != 0; --more) object.fields.push_back(random_field(random, limit, false));
    }
    return object;
}

void add_objects(ModuleShape& shape, Random& random) {
    for (std::uint32_t groups = random.between(1, 3); groups != 0; --groups) {
        const std::uint32_t size = random.between(2, 4);
        const auto limit = static_cast<TypeId>(shape.objects.size()) + size;
        while (shape.objects.size() < limit) shape.objects.push_back(random_object(shape, limit, random));
        shape.groups.push_back(size);
    }
    if (random.percent(25)) {  // the first group once more: the same types
        const auto by = static_cast<TypeId>(shape.objects.size());
        for (std::uint32_t i = 0; i < shape.groups[0]; ++i) {
            DefinedType object = shape.objects[i];
            if (object.supertype != wasm::kNoType) object.supertype += by;
            for (FieldType& field : object.fields) field.type = shifted(field.type, by);
            shape.objects.push_back(std::move(object));
        }
        shape.groups.push_back(shape.groups[0]);
    }
    for (const Heap heap : {Heap::any, Heap::eq, Heap::i31, Heap::struct_, Heap::array, Heap::extern_})
        shape.references.push_back(ValType::ref(heap, true));
    for (TypeId i = 0; i < shape.objects.size(); ++i) shape.references.push_back(ValType::ref(i, true));
}

void add_functions(ModuleShape& shape, Random& random) {
    const auto type = [&] {
        if (shape.references.empty() || random.percent(75)) return ValType(random.pick(kKinds));
        const ValType reference = random.pick(shape.references);
        return reference.with_null(reference.heap() == Heap::exn || random.percent(70));
    };
    const std::uint32_t functions = random.between(3, 8);
    for (std::uint32_t i = 0; i < functions; ++i) {
        FunctionShape function;
        const std::uint32_t params = random.percent(10) ? random.between(10, 24) : random.between(0, 6);
        const std::uint32_t results = random.percent(10) ? random.between(4, 8) : random.between(0, 2);
        for (std::uint32_t p = 0; p < params; ++p) function.params.push_back(type());
        for (std::uint32_t r = 0; r < results; ++r) function.results.push_back(type());
        shape.functions.push_back(std::move(function));
        // The types of later functions may refer to this one's.
        if (shape.has(Feature::function_references)) shape.references.push_back(ValType::ref(shape.function_type(i), true));
    }
    shape.typed_function = random.below(functions);
    shape.table_size = 2 * functions + 16;
}

void add_tags(ModuleShape& shape, Random& random) {
    for (std::uint32_t left = random.between(1, 4); left != 0; --left) {
        TagShape tag;
        for (std::uint32_t params = random.percent(10) ? random.between(5, 9) : random.below(4); params != 0; --params) {
            tag.params.push_back(shape.references.empty() || random.percent(75) ? ValType(random.pick(kKinds))
                                                                                : random.pick(shape.references));
        }
        tag.type = shape.add_type({tag.params, {}});
        tag.caught = shape.add_type({{}, tag.params});
        if (shape.has(Feature::exceptions)) {
            FunctionShape with_reference{{}, tag.params};
            with_reference.results.push_back(ValType::ref(Heap::exn, true));
            tag.caught_ref = shape.add_type(std::move(with_reference));
        }
        shape.tags.push_back(std::move(tag));
    }
}

void add_memories(ModuleShape& shape, Random& random) {
    const std::uint32_t memories = shape.has(Feature::multi_memory) ? random.between(2, 3) : 1;
    for (std::uint32_t i = 0; i < memories; ++i) {
        MemoryShape memory;
        memory.is_64 = shape.has(Feature::memory64) && (memories == 1 || random.percent(50));
        memory.is_shared = shape.has(Feature::threads) && random.percent(70);
        shape.memories.push_back(memory);
    }
}

bool abstract_matches(Heap sub, Heap super) noexcept {
    const bool is_eq = sub == Heap::i31 || sub == Heap::struct_ || sub == Heap::array;
    return sub == super || (is_eq && super == Heap::eq) || ((is_eq || sub == Heap::eq) && super == Heap::any);
}

}  // namespace

std::span<const Feature> families() noexcept { return kFamilies; }

std::uint32_t ModuleShape::add_type(FunctionShape type) {
    more_types.push_back(std::move(type));
    return more_type(static_cast<std::uint32_t>(more_types.size() - 1));
}

bool ModuleShape::matches(ValType sub, ValType super) const noexcept {
    if (!sub.is_ref() || !super.is_ref()) return sub == super;
    if (sub.nullable() && !super.nullable()) return false;
    if (sub.heap() != Heap::concrete) return super.heap() != Heap::concrete && abstract_matches(sub.heap(), super.heap());
    if (super.heap() == Heap::concrete) {
        TypeId type = sub.type_id();
        while (type != super.type_id() && type < objects.size()) type = objects[type].supertype;
        return type == super.type_id();
    }
    if (is_function_type(sub.type_id())) return super.heap() == Heap::func;
    const bool is_array = objects[sub.type_id()].form == DefinedType::Form::array;
    return abstract_matches(is_array ? Heap::array : Heap::struct_, super.heap());
}

std::vector<TypeId> ModuleShape::objects_of(ValType type) const {
    std::vector<TypeId> found;
    for (TypeId i = 0; i < objects.size(); ++i) {
        if (matches(ValType::ref(i, false), type)) found.push_back(i);
    }
    return found;
}

ModuleShape random_shape(Random& random) {
    ModuleShape shape;
    shape.features = random_features(random);
    if (shape.has(Feature::gc)) add_objects(shape, random);
    if (shape.has(Feature::function_references)) shape.references.push_back(wasm::kFuncRef);
    if (shape.has(Feature::exceptions)) shape.references.push_back(ValType::ref(Heap::exn, true));
    add_functions(shape, random);

    shape.globals.emplace_back(Kind::i32);
    for (const Kind kind : kKinds) shape.globals.emplace_back(kind);
    for (std::uint32_t i = 0; i < 4 && !shape.references.empty(); ++i) shape.globals.push_back(random.pick(shape.references));
    add_memories(shape, random);
    shape.table_64 = shape.has(Feature::memory64) && random.percent(40);
    if (shape.has(Feature::exceptions) || shape.has(Feature::legacy_exceptions)) add_tags(shape, random);
    if (shape.has(Feature::gc)) {
        for (std::uint32_t left = random.between(1, 3); left != 0; --left) shape.branch_values.emplace_back(random.pick(kKinds));
        shape.branch_values.push_back(ValType::ref(Heap::any, true));
        shape.branch_type = shape.add_type({{}, shape.branch_values});
    }
    return shape;
}

void write_value(ModuleWriter& out, const ModuleShape& module, ValType type, Random& random) {
    if (!type.is_ref()) return out.bits(type.kind(), random.percent(20) ? 0 : random.bits());
    const auto i31 = [&] {
        out.constant(static_cast<std::int32_t>(random.percent(50) ? random.below(8) : random.bits()));
        out.op(Opcode::RefI31);
    };
    switch (type.heap()) {
        case Heap::exn:     return out.null(type);
        case Heap::func:    return out.op(Opcode::RefFunc, random.below(module.count()));
        case Heap::extern_: write_value(out, module, ValType::ref(Heap::any, false), random); return out.op(Opcode::ExternConvertAny);
        case Heap::i31:     return i31();
        case Heap::any:
        case Heap::eq:
            if (random.percent(40)) return i31();
            break;
        default: break;
    }
    if (type.heap() == Heap::concrete && module.is_function_type(type.type_id())) {
        return out.op(Opcode::RefFunc, type.type_id() - module.function_type(0));
    }
    const TypeId chosen = random.pick(module.objects_of(type));
    const DefinedType& object = module.objects[chosen];
    if (object.form == DefinedType::Form::array) {
        const bool by_default = object.fields[0].type.is_ref() || random.percent(20);
        if (!by_default) write_value(out, module, object.fields[0].type, random);
        out.constant(static_cast<std::int32_t>(random.between(4, 12)));
        return out.op(by_default ? Opcode::ArrayNewDefault : Opcode::ArrayNew, chosen);
    }
    for (const FieldType& field : object.fields) {
        if (field.type.is_ref() && field.type.nullable()) {
            out.null(field.type);
        } else {
            write_value(out, module, field.type, random);
        }
    }
    out.op(Opcode::StructNew, chosen);
}

}  // namespace pollux::differential
