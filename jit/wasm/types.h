// Value, reference, function and composite types, laid out for WebAssembly 3.0.
//
// Concrete heap types hold *canonical* type ids of the process-wide TypeRegistry (type_registry.h), so that equality of
// ValType is equality of types across modules. Kind is what code generation needs: how a value is stored.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pollux::wasm {

/// Index of a type in the process-wide registry. Two types are equal exactly when their ids are.
using TypeId = std::uint32_t;
inline constexpr TypeId kNoType = ~TypeId{0};
/// "No index", where an index is optional.
inline constexpr std::uint32_t kNoIndex = ~std::uint32_t{0};

/// How a value is stored: register class and width. Reference values are 64 bits, null is 0.
enum class Kind : std::uint8_t { i32, i64, f32, f64, v128, ref };

[[nodiscard]] constexpr bool is_fp(Kind kind) noexcept { return kind == Kind::f32 || kind == Kind::f64 || kind == Kind::v128; }
/// Bytes that a spill slot of this kind takes.
[[nodiscard]] constexpr std::uint32_t slot_bytes(Kind kind) noexcept { return kind == Kind::v128 ? 16 : 8; }
/// The first place for a slot of this kind at or above `offset`, a multiple of 8.
[[nodiscard]] constexpr std::uint32_t align_slot(std::uint32_t offset, Kind kind) noexcept {
    return kind == Kind::v128 ? (offset + 15) & ~15U : offset;
}

/// Abstract heap types; `concrete` means a TypeId.
enum class Heap : std::uint8_t { concrete, func, extern_, any, eq, i31, struct_, array, exn, none, nofunc, noextern, noexn };

/// A value type in 64 bits: kind, and for references nullability and heap type. `bottom` is validation's unknown type.
class ValType {
public:
    enum class Code : std::uint8_t { i32, i64, f32, f64, v128, ref, bottom };

    constexpr ValType() noexcept = default;
    constexpr ValType(Kind numeric) noexcept : bits_(static_cast<std::uint64_t>(numeric)) {}  // NOLINT(google-explicit-constructor)
    [[nodiscard]] static constexpr ValType ref(Heap heap, bool nullable) noexcept { return {Code::ref, heap, nullable, kNoType}; }
    [[nodiscard]] static constexpr ValType ref(TypeId id, bool nullable) noexcept { return {Code::ref, Heap::concrete, nullable, id}; }
    [[nodiscard]] static constexpr ValType bottom() noexcept { return {Code::bottom, Heap::concrete, false, kNoType}; }

    [[nodiscard]] constexpr Code code() const noexcept { return static_cast<Code>(bits_ & 0xFF); }
    [[nodiscard]] constexpr bool is_ref() const noexcept { return code() == Code::ref; }
    [[nodiscard]] constexpr bool is_bottom() const noexcept { return code() == Code::bottom; }
    [[nodiscard]] constexpr bool nullable() const noexcept { return (bits_ & kNullable) != 0; }
    [[nodiscard]] constexpr Heap heap() const noexcept { return static_cast<Heap>(bits_ >> 8 & 0xFF); }
    [[nodiscard]] constexpr TypeId type_id() const noexcept { return ~static_cast<TypeId>(bits_ >> 32); }  ///< of a concrete heap type
    [[nodiscard]] constexpr Kind kind() const noexcept { return static_cast<Kind>(code()); }               ///< not for bottom
    /// A local of this type has a default value (zero or null).
    [[nodiscard]] constexpr bool defaultable() const noexcept { return !is_ref() || nullable(); }
    /// The same reference type, nullable or not.
    [[nodiscard]] constexpr ValType with_null(bool nullable) const noexcept {
        ValType type = *this;
        type.bits_ = nullable ? bits_ | kNullable : bits_ & ~kNullable;
        return type;
    }
    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }  ///< equal exactly when the types are

    friend constexpr bool operator==(const ValType&, const ValType&) noexcept = default;

private:
    static constexpr std::uint64_t kNullable = 1U << 16;

    constexpr ValType(Code code, Heap heap, bool nullable, TypeId id) noexcept
        : bits_(static_cast<std::uint64_t>(code) | static_cast<std::uint64_t>(heap) << 8 | (nullable ? kNullable : 0) |
                static_cast<std::uint64_t>(~id) << 32) {}

    // Numeric types are the small numbers 0 to 4, so that validation compares with an immediate: the id is stored
    // inverted (none is 0), above code, heap type and nullability.
    std::uint64_t bits_ = 0;
};

inline constexpr ValType kFuncRef = ValType::ref(Heap::func, true);
inline constexpr ValType kExternRef = ValType::ref(Heap::extern_, true);

struct FuncType {
    std::vector<ValType> params;
    std::vector<ValType> results;
    friend bool operator==(const FuncType&, const FuncType&) = default;
};

/// Storage type of a struct field or an array element: a value type, or packed i8 / i16, whose `type` then is i32.
struct FieldType {
    enum class Packed : std::uint8_t { no, i8, i16 };
    ValType type;
    Packed packed = Packed::no;
    bool is_mutable = false;
    friend bool operator==(const FieldType&, const FieldType&) = default;
};

/// A defined type of WebAssembly 3.0: function, struct or array, with its place in the subtype hierarchy.
struct DefinedType {
    enum class Form : std::uint8_t { func, struct_, array };
    Form form = Form::func;
    bool is_final = true;
    TypeId supertype = kNoType;
    FuncType func;                   ///< Form::func
    std::vector<FieldType> fields;   ///< struct: all fields; array: one
};

/// Parameters and results of a block. The memory behind the spans is stable until the block's `end`.
struct BlockType {
    std::span<const ValType> params;
    std::span<const ValType> results;
};

/// Limits of a memory (in pages) or table (in elements).
struct Limits {
    std::uint64_t min = 0;
    std::uint64_t max = 0;   ///< when has_max
    bool has_max = false;
    bool shared = false;
    bool is_64 = false;      ///< address type is i64
    friend bool operator==(const Limits&, const Limits&) = default;
};

struct MemoryType {
    Limits limits;
    std::uint8_t page_bits = 16;  ///< log2 of the page size; 0 or 16
    [[nodiscard]] constexpr Kind address_kind() const noexcept { return limits.is_64 ? Kind::i64 : Kind::i32; }
};

struct TableType {
    ValType element;
    Limits limits;
    [[nodiscard]] constexpr Kind address_kind() const noexcept { return limits.is_64 ? Kind::i64 : Kind::i32; }
};

struct GlobalType {
    ValType type;
    bool is_mutable = false;
};

struct V128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend constexpr bool operator==(const V128&, const V128&) noexcept = default;
};

/// Immediate of a memory access. `align_log2` is a hint; `offset` is unsigned 64 bits for 64-bit memories.
struct MemArg {
    std::uint64_t offset = 0;
    std::uint32_t memory = 0;
    std::uint8_t align_log2 = 0;
};

}  // namespace pollux::wasm
