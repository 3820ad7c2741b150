// Decodes and validates one section at a time into a Module; the code section is decoder.h's.
//
// In: a cursor over exactly the section's contents. Out: the module's vectors, or an error in the cursor. The caller
// keeps the sections' order; each method reads to the end of its section.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "jit/wasm/bytes.h"
#include "jit/wasm/const_expr.h"
#include "jit/wasm/features.h"
#include "jit/wasm/module.h"

namespace pollux::wasm {

enum class SectionId : std::uint8_t {
    custom,
    type,
    import,
    function,
    table,
    memory,
    global,
    export_,
    start,
    element,
    code,
    data,
    data_count,
    tag
};
inline constexpr std::uint8_t kSectionIds = 14;

/// The specification's name of a section.
[[nodiscard]] std::string_view section_name(SectionId id) noexcept;

class SectionDecoder {
public:
    SectionDecoder(Module& module, FeatureSet features) noexcept : module_(module), features_(features), const_exprs_(module, features) {}

    /// Every section but `code`. `before_code`: functions that initialisers name become declared.
    [[nodiscard]] bool decode(SectionId id, Cursor& in, bool before_code);

private:
    [[nodiscard]] bool custom(Cursor& in, bool before_code);
    [[nodiscard]] bool types(Cursor& in);
    [[nodiscard]] bool imports(Cursor& in);
    [[nodiscard]] bool functions(Cursor& in);
    [[nodiscard]] bool tables(Cursor& in);
    [[nodiscard]] bool memories(Cursor& in);
    [[nodiscard]] bool tags(Cursor& in);
    [[nodiscard]] bool globals(Cursor& in);
    [[nodiscard]] bool exports(Cursor& in);
    [[nodiscard]] bool start(Cursor& in);
    [[nodiscard]] bool elements(Cursor& in);
    [[nodiscard]] bool data_count(Cursor& in);
    [[nodiscard]] bool data(Cursor& in);

    // type_section.cpp
    [[nodiscard]] bool recursion_group(Cursor& in);
    [[nodiscard]] bool sub_type(Cursor& in, const TypeContext& context, std::uint32_t index, DefinedType& out);
    [[nodiscard]] bool composite_type(Cursor& in, const TypeContext& context, DefinedType& out);
    [[nodiscard]] bool field_type(Cursor& in, const TypeContext& context, FieldType& out);
    [[nodiscard]] bool val_types(Cursor& in, const TypeContext& context, std::uint32_t limit, std::string_view what,
                                 std::vector<ValType>& out);

    /// A number of things of which each takes at least a byte.
    [[nodiscard]] bool count(Cursor& in, std::uint64_t limit, std::string_view what, std::uint32_t& out);
    [[nodiscard]] bool index(Cursor& in, std::size_t size, std::string_view what, std::uint32_t& out);
    [[nodiscard]] bool function_type(Cursor& in, TypeId& out);
    [[nodiscard]] bool limits(Cursor& in, bool of_memory, Limits& out, bool& has_page_size);
    [[nodiscard]] bool table_type(Cursor& in, TableType& out);
    [[nodiscard]] bool memory_type(Cursor& in, MemoryType& out);
    [[nodiscard]] bool global_type(Cursor& in, GlobalType& out);
    [[nodiscard]] bool tag_type(Cursor& in, Tag& out);
    [[nodiscard]] bool add_table(Cursor& in, const Table& table);
    [[nodiscard]] bool add_memory(Cursor& in, const MemoryType& memory);
    [[nodiscard]] bool const_expr(Cursor& in, ValType expected, ConstExpr& out, bool before_code = true);
    [[nodiscard]] bool element_segment(Cursor& in, ElementSegment& out);
    [[nodiscard]] TypeContext type_context() const { return {module_.types, features_}; }

    Module& module_;
    FeatureSet features_;
    ConstExprReader const_exprs_;
};

}  // namespace pollux::wasm
