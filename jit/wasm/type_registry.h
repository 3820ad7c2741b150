// The process-wide registry of defined types: equal recursion groups get equal ids (iso-recursive equality), so that
// equality of types across modules is equality of TypeIds.
//
// In: recursion groups as the decoder reads them. Out: TypeIds, whose types never move and never change, and are read
// without a lock. Types live as long as the process; kMaxTypes bounds them. All functions are thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "jit/base/error.h"
#include "jit/wasm/object_type.h"
#include "jit/wasm/types.h"

namespace pollux::wasm {

class TypeRegistry {
public:
    static constexpr std::uint32_t kMaxTypes = 1U << 24;
    static constexpr std::uint32_t kMaxDepth = 63;  ///< of subtyping (implementation limit of the JavaScript API)

    /// In a group that is handed to `add`, the type with index i of the same group is referred to as `in_group(i)`.
    [[nodiscard]] static constexpr TypeId in_group(std::uint32_t index) noexcept { return index | kInGroup; }

    /// Registers a recursion group: the canonical id of its first type; the others follow consecutively. References to
    /// other groups are canonical ids. A supertype must have been declared before its subtype; whether it really is one is
    /// for check_supertypes to tell.
    [[nodiscard]] static Result<TypeId> add(std::span<const DefinedType> group);
    /// Registers a function type that stands alone, as `add` does; for host functions too.
    [[nodiscard]] static Result<TypeId> add(const FuncType& type);

    /// Whether `id` is a valid subtype of its declared supertype: not final, and its structure matches.
    [[nodiscard]] static bool check_supertype(TypeId id) noexcept;

    [[nodiscard]] static const DefinedType& type(TypeId id) noexcept { return entry(id).type; }
    /// The proper supertypes of a type, from the root of its hierarchy down to its direct supertype.
    [[nodiscard]] static std::span<const TypeId> supertypes(TypeId id) noexcept { return {entry(id).supertypes, entry(id).depth}; }
    /// Layout and display of the type's objects, at an address that stays.
    [[nodiscard]] static const ObjectType& object_type(TypeId id) noexcept { return entry(id).object; }
    /// A reference to the type, at an address that stays: what a BlockType's span can point to.
    [[nodiscard]] static const ValType& ref_to(TypeId id, bool nullable) noexcept { return entry(id).refs[nullable ? 1 : 0]; }

private:
    static constexpr std::uint32_t kInGroup = 1U << 31;
    static constexpr std::uint32_t kChunkBits = 6;  // 12 KiB: a process with few types touches few pages
    static constexpr std::uint32_t kChunkSize = 1U << kChunkBits;

    struct Entry {
        DefinedType type;
        const TypeId* supertypes = nullptr;
        std::uint32_t depth = 0;
        std::array<ValType, 2> refs;
        ObjectType object;
    };
    struct Storage;

    [[nodiscard]] static const Entry& entry(TypeId id) noexcept {
        return chunks_[id >> kChunkBits].load(std::memory_order_acquire)[id & (kChunkSize - 1)];
    }
    static Storage& storage();

    static constinit std::array<std::atomic<Entry*>, kMaxTypes / kChunkSize> chunks_;
};

[[nodiscard]] inline const DefinedType& defined_type(TypeId id) noexcept { return TypeRegistry::type(id); }
/// The function type with this id; `id` must be one.
[[nodiscard]] inline const FuncType& func_type(TypeId id) noexcept { return TypeRegistry::type(id).func; }

/// Whether defined type `sub` is `super` or one of its declared subtypes.
[[nodiscard]] inline bool is_subtype(TypeId sub, TypeId super) noexcept {
    if (sub == super) return true;
    const std::size_t depth = TypeRegistry::supertypes(super).size();
    const std::span<const TypeId> above = TypeRegistry::supertypes(sub);
    return depth < above.size() && above[depth] == super;
}

namespace detail {
[[nodiscard]] bool matches_slow(ValType sub, ValType super) noexcept;
}

/// Subtyping of value types (section 3.3.3). `bottom` matches everything.
[[nodiscard]] inline bool matches(ValType sub, ValType super) noexcept { return sub == super || detail::matches_slow(sub, super); }
[[nodiscard]] bool matches(const FieldType& sub, const FieldType& super) noexcept;

/// The abstract type that is on top of the hierarchy of a reference's heap type: any, func, extern or exn.
[[nodiscard]] Heap top_of(ValType reference) noexcept;
/// A concrete heap type's abstract supertype (func, struct or array); an abstract one itself.
[[nodiscard]] Heap abstract_heap(ValType reference) noexcept;

/// As the text format writes it, such as "i32" or "(ref null $7)".
[[nodiscard]] std::string to_string(ValType type);
[[nodiscard]] std::string to_string(std::span<const ValType> types);

}  // namespace pollux::wasm
