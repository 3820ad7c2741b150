// What objects of a defined type look like, and which types they have: the first word of each object points to its ObjectType.
//
//   struct      | ObjectType* | fields in order, each at its natural alignment …
//   array       | ObjectType* | length (u32) | – | elements …
//   exception   | ObjectType* | tag | arguments, 16 bytes each …         (its ObjectType is that of the tag's function type)
//   host value  | ObjectType* | the host's 64 bits
//
// A field's offset depends on the fields before it alone, so an object of a subtype reads as one of its supertypes. Casts to a defined
// type compare one entry of the display with an id: the type's supertypes from the root of its hierarchy down to itself.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "jit/wasm/types.h"

namespace pollux::wasm {

struct ObjectType {
    enum class Form : std::uint8_t { host, struct_, array, func };
    /// Display entries that every type has in place: a cast to a type of smaller depth needs no look at `depth`.
    static constexpr std::uint32_t kShortDisplay = 8;
    static constexpr std::uint32_t kHeaderBytes = 8;
    static constexpr std::uint32_t kArrayLength = 8;
    static constexpr std::uint32_t kArrayElements = 16;

    std::array<TypeId, kShortDisplay> display{};  ///< own id at [depth], kNoType beyond
    const TypeId* whole_display = nullptr;        ///< depth + 1 entries; null where `display` has them all
    std::uint32_t depth = 0;
    Form form = Form::host;
    std::uint8_t element_log2 = 0;                ///< array: log2 of an element's bytes
    bool has_references = false;                  ///< that the collector follows: all but those to functions
    std::uint32_t bytes = 2 * kHeaderBytes;       ///< of a whole object; array: without elements
    const std::uint32_t* field_offsets = nullptr; ///< struct
    std::uint64_t references = 0;                 ///< struct, exception: bit i: word i of the object is a reference
    const std::uint64_t* more_references = nullptr;  ///< … for words from 64 on; null: there are none

    [[nodiscard]] std::uint32_t words() const noexcept { return bytes / 8; }
};

/// Whether a value of this type may refer to something on the heap of a store: any reference but one to a function.
[[nodiscard]] bool is_collected(ValType type) noexcept;

/// Bytes that a field or an element takes.
[[nodiscard]] std::uint32_t storage_bytes(const FieldType& field) noexcept;

/// Fills in `out` for a type whose supertypes, root first, are `supertypes`. Allocated parts are never freed: types live as long as the
/// process. All types that fields refer to must be in the registry.
void make_object_type(const DefinedType& type, TypeId id, std::span<const TypeId> supertypes, ObjectType& out);

/// Of host values (externref), which have no defined type.
[[nodiscard]] const ObjectType& host_object_type() noexcept;

}  // namespace pollux::wasm
