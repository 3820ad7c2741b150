// Canonical types: equality of recursion groups, subtyping, threads.
#include "jit/wasm/type_registry.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pollux::wasm {
namespace {

DefinedType struct_of(std::vector<FieldType> fields, TypeId supertype = kNoType, bool is_final = false) {
    DefinedType type;
    type.form = DefinedType::Form::struct_;
    type.fields = std::move(fields);
    type.supertype = supertype;
    type.is_final = is_final;
    return type;
}

TypeId add(std::vector<DefinedType> group) {
    const Result<TypeId> id = TypeRegistry::add(group);
    EXPECT_TRUE(id.has_value());
    return id.value_or(kNoType);
}

TEST(TypeRegistry, EqualFunctionTypesHaveOneId) {
    const FuncType type{{Kind::i32, kExternRef}, {Kind::f64}};
    const Result<TypeId> first = TypeRegistry::add(type);
    const Result<TypeId> second = TypeRegistry::add(type);
    const Result<TypeId> other = TypeRegistry::add(FuncType{{Kind::i32}, {kExternRef, Kind::f64}});
    ASSERT_TRUE(first && second && other);
    EXPECT_EQ(*first, *second);
    EXPECT_NE(*first, *other);
    EXPECT_EQ(func_type(*first), type);
    EXPECT_TRUE(defined_type(*first).is_final);
}

TEST(TypeRegistry, RecursionGroupsAreEqualByStructure) {
    const auto list = [](Kind element) {
        return struct_of(
            {{element, FieldType::Packed::no, true}, {ValType::ref(TypeRegistry::in_group(0), true), FieldType::Packed::no, false}});
    };
    const TypeId ints = add({list(Kind::i32)});
    EXPECT_EQ(ints, add({list(Kind::i32)}));
    EXPECT_NE(ints, add({list(Kind::i64)}));
    EXPECT_EQ(defined_type(ints).fields[1].type, ValType::ref(ints, true)) << "references into the group are resolved";

    // The same type unrolled once refers to the group from outside: another type.
    EXPECT_NE(ints, add({struct_of({{Kind::i32, FieldType::Packed::no, true}, {ValType::ref(ints, true), FieldType::Packed::no, false}})}));
    // In a larger group it is another type too.
    EXPECT_NE(ints, add({list(Kind::i32), list(Kind::i32)}));
}

TEST(TypeRegistry, SubtypesFollowTheirDeclarations) {
    const FieldType a{Kind::i32, FieldType::Packed::no, false};
    const FieldType b{Kind::f64, FieldType::Packed::no, false};
    const TypeId base = add({struct_of({a})});
    const TypeId middle = add({struct_of({a, b}, base)});
    const TypeId leaf = add({struct_of({a, b, a}, middle, true)});
    const TypeId stranger = add({struct_of({a, b, b})});
    EXPECT_TRUE(is_subtype(leaf, base));
    EXPECT_TRUE(is_subtype(leaf, middle));
    EXPECT_FALSE(is_subtype(base, leaf));
    EXPECT_FALSE(is_subtype(stranger, base)) << "structure alone is not enough";
    EXPECT_EQ(TypeRegistry::supertypes(leaf).size(), 2U);

    EXPECT_TRUE(TypeRegistry::check_supertype(leaf));
    EXPECT_FALSE(TypeRegistry::check_supertype(add({struct_of({a, b, a, a}, leaf)}))) << "the super type is final";
    EXPECT_FALSE(TypeRegistry::check_supertype(add({struct_of({b}, base)}))) << "the field differs";
    EXPECT_FALSE(TypeRegistry::check_supertype(add({struct_of({}, base)}))) << "the field is missing";
}

TEST(TypeRegistry, DepthOfSubtypingIsBounded) {
    std::vector<DefinedType> chain(200, struct_of({}));
    for (std::uint32_t i = 1; i < chain.size(); ++i) chain[i].supertype = TypeRegistry::in_group(i - 1);
    const Result<TypeId> id = TypeRegistry::add(chain);
    ASSERT_FALSE(id.has_value());
    EXPECT_EQ(id.error().kind, ErrorKind::invalid);
}

TEST(Matches, AbstractHeapTypes) {
    const auto ref = [](Heap heap) { return ValType::ref(heap, false); };
    const TypeId object = add({struct_of({})});
    const TypeId function = *TypeRegistry::add(FuncType{});
    EXPECT_TRUE(matches(ref(Heap::i31), ref(Heap::eq)));
    EXPECT_TRUE(matches(ref(Heap::none), ref(Heap::i31)));
    EXPECT_TRUE(matches(ValType::ref(object, false), ref(Heap::struct_)));
    EXPECT_TRUE(matches(ValType::ref(object, false), ref(Heap::any)));
    EXPECT_TRUE(matches(ref(Heap::none), ValType::ref(object, false)));
    EXPECT_TRUE(matches(ref(Heap::nofunc), ValType::ref(function, false)));
    EXPECT_TRUE(matches(ValType::ref(function, false), kFuncRef));
    EXPECT_TRUE(matches(ref(Heap::noexn), ref(Heap::exn)));
    EXPECT_FALSE(matches(ref(Heap::any), ref(Heap::eq)));
    EXPECT_FALSE(matches(ValType::ref(object, false), ref(Heap::array)));
    EXPECT_FALSE(matches(ValType::ref(function, false), ref(Heap::any)));
    EXPECT_FALSE(matches(ref(Heap::noextern), ref(Heap::any)));
    EXPECT_FALSE(matches(ref(Heap::none), ValType::ref(function, true)));
    EXPECT_FALSE(matches(ValType::ref(Heap::eq, true), ref(Heap::eq))) << "null";
    EXPECT_TRUE(matches(ref(Heap::eq), ValType::ref(Heap::eq, true)));
    EXPECT_TRUE(matches(ValType::bottom(), Kind::i32));
    EXPECT_FALSE(matches(Kind::i32, Kind::i64));
}

TEST(TypeRegistry, ThreadsAgreeOnIds) {
    constexpr std::size_t kThreads = 4;
    constexpr std::uint32_t kTypes = 3000;  // several chunks
    std::vector<std::vector<TypeId>> ids(kThreads);
    std::vector<std::thread> threads;
    for (auto& mine : ids) {
        threads.emplace_back([&mine] {
            for (std::uint32_t i = 0; i < kTypes; ++i) {
                std::vector<ValType> params;
                for (std::uint32_t bits = i + 1; bits != 0; bits >>= 1) params.push_back((bits & 1) != 0 ? Kind::f32 : Kind::f64);
                mine.push_back(TypeRegistry::add(FuncType{params, {Kind::v128}}).value_or(kNoType));
                EXPECT_EQ(func_type(mine.back()).params, params);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& mine : ids) EXPECT_EQ(mine, ids[0]);
}

}  // namespace
}  // namespace pollux::wasm
