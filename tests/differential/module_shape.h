// What a random module consists of, before any function has a body: features, types, functions, globals, memories, tables, tags.
//
// Concrete reference types hold the index of the type in the module as their TypeId.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "jit/wasm/features.h"
#include "jit/wasm/types.h"
#include "tests/differential/module_writer.h"

namespace pollux::differential {

inline constexpr std::array kKinds = {wasm::Kind::i32, wasm::Kind::i64, wasm::Kind::f32, wasm::Kind::f64, wasm::Kind::v128};
inline constexpr std::uint32_t kPassiveBytes = 64;

struct FunctionShape {
    std::vector<wasm::ValType> params;
    std::vector<wasm::ValType> results;
    friend bool operator==(const FunctionShape&, const FunctionShape&) = default;
};

struct MemoryShape {
    bool is_64 = false;
    bool is_shared = false;
    [[nodiscard]] wasm::Kind address() const noexcept { return is_64 ? wasm::Kind::i64 : wasm::Kind::i32; }
};

/// A tag, and the types of blocks that its exceptions are caught in, without and with an exnref.
struct TagShape {
    std::vector<wasm::ValType> params;
    std::uint32_t type = 0;
    std::uint32_t caught = 0;
    std::uint32_t caught_ref = 0;
};

/// What bodies may refer to. Types: objects, then those of functions, then more_types. Function i stands in table 0 at i, and again at
/// i + functions.size(). With function references, table 1 holds nullable references to functions of the type of `typed_function`, and
/// table 2 references that are not null.
struct ModuleShape {
    wasm::FeatureSet features;
    std::vector<wasm::DefinedType> objects;  ///< structs and arrays; the first is a struct, the second an array
    std::vector<std::uint32_t> groups;       ///< sizes of the recursion groups that these are declared in
    std::vector<FunctionShape> functions;
    std::vector<FunctionShape> more_types;
    std::vector<wasm::ValType> references;   ///< that locals, parameters and globals may have; all nullable
    std::vector<wasm::ValType> globals;      ///< mutable; global 0 is the fuel, which bodies leave alone
    std::vector<MemoryShape> memories;
    std::vector<TagShape> tags;
    std::vector<wasm::ValType> branch_values;  ///< of a block that casts branch to: some numbers and an anyref
    std::uint32_t branch_type = 0;             ///< of this block: [] -> branch_values
    std::uint32_t passive_data = 0;          ///< index of a data segment of kPassiveBytes
    std::uint32_t table_size = 0;
    bool table_64 = false;
    std::uint32_t typed_function = 0;

    [[nodiscard]] bool has(wasm::Feature feature) const noexcept { return features.has(feature); }
    [[nodiscard]] std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(functions.size()); }
    [[nodiscard]] std::uint32_t function_type(std::uint32_t function) const noexcept {
        return static_cast<std::uint32_t>(objects.size()) + function;
    }
    [[nodiscard]] std::uint32_t more_type(std::uint32_t index) const noexcept { return function_type(count() + index); }
    [[nodiscard]] std::uint32_t add_type(FunctionShape type);
    /// The function that hashes an object: [anyref, depth] -> [i64]. Only with garbage collection.
    [[nodiscard]] std::uint32_t hash_function() const noexcept { return 2 * count() + 1; }

    [[nodiscard]] bool is_function_type(wasm::TypeId type) const noexcept { return type >= objects.size(); }
    /// Whether each value of type `sub` is one of type `super`. May say no where two declarations make one type.
    [[nodiscard]] bool matches(wasm::ValType sub, wasm::ValType super) const noexcept;
    /// Objects whose references match this reference type.
    [[nodiscard]] std::vector<wasm::TypeId> objects_of(wasm::ValType type) const;
};

/// The features that modules have or not, each with its name (wasm::feature_name).
[[nodiscard]] std::span<const wasm::Feature> families() noexcept;

[[nodiscard]] ModuleShape random_shape(Random& random);
/// A constant expression, without its end, that gives some value of this type: not null, but of exnref.
void write_value(ModuleWriter& out, const ModuleShape& module, wasm::ValType type, Random& random);

}  // namespace pollux::differential
