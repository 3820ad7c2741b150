// A decoded module: indices, types and spans into the module's bytes. Immutable once decoded; shared between instances
// and threads. Function bodies are not copied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/wasm/types.h"

namespace pollux::wasm {

enum class ExternKind : std::uint8_t { func, table, memory, global, tag };

/// An initialiser expression: validated bytes, including the final `end`.
struct ConstExpr {
    std::uint32_t offset = 0;  ///< of its first byte in the module
    std::uint32_t size = 0;    ///< 0: there is none
};

struct Import {
    std::string module;
    std::string name;
    ExternKind kind = ExternKind::func;
    std::uint32_t index = 0;  ///< in the index space of its kind
};

struct Export {
    std::string name;
    ExternKind kind = ExternKind::func;
    std::uint32_t index = 0;
};

struct Function {
    TypeId type = kNoType;          ///< canonical
    std::uint32_t body_offset = 0;  ///< of the first byte after the size field; 0 for imports
    std::uint32_t body_size = 0;
};

struct Table {
    TableType type;
    ConstExpr init;
};

struct Global {
    GlobalType type;
    ConstExpr init;
};

struct Tag {
    TypeId type = kNoType;
};

enum class SegmentMode : std::uint8_t { passive, active, declarative };

struct ElementSegment {
    SegmentMode mode = SegmentMode::passive;
    std::uint32_t table = 0;
    ConstExpr offset;                          ///< active
    ValType type = kFuncRef;
    std::vector<std::uint32_t> functions;      ///< either function indices …
    std::vector<ConstExpr> expressions;        ///< … or expressions
    [[nodiscard]] std::size_t size() const noexcept { return functions.size() + expressions.size(); }
};

struct DataSegment {
    SegmentMode mode = SegmentMode::passive;
    std::uint32_t memory = 0;
    ConstExpr offset;                          ///< active
    std::uint32_t bytes_offset = 0;
    std::uint32_t bytes_size = 0;
};

/// A hint of the section metadata.code.branch_hint, sorted by function and offset.
struct BranchHint {
    std::uint32_t function = 0;
    std::uint32_t offset = 0;  ///< of the `if` or `br_if`, from the start of the body (Function::body_offset)
    bool likely = false;
};

struct Module {
    std::vector<TypeId> types;            ///< the type section: module index → canonical id
    std::vector<Import> imports;
    std::vector<Function> functions;      ///< imports first
    std::vector<Table> tables;
    std::vector<MemoryType> memories;
    std::vector<Global> globals;
    std::vector<Tag> tags;
    std::vector<Export> exports;
    std::vector<ElementSegment> elements;
    std::vector<DataSegment> data;
    std::optional<std::uint32_t> start;
    std::optional<std::uint32_t> data_count;
    std::uint32_t imported_functions = 0;
    std::uint32_t imported_tables = 0;
    std::uint32_t imported_memories = 0;
    std::uint32_t imported_globals = 0;
    std::uint32_t imported_tags = 0;
    std::uint64_t code_section_bytes = 0;  ///< of bodies
    std::vector<bool> declared_functions;  ///< those that a `ref.func` in a body may name
    std::vector<std::uint32_t> exports_by_name;  ///< indices into `exports`, sorted by name
    std::vector<BranchHint> branch_hints;
    std::uint32_t name_section_offset = 0;  ///< contents of the custom section "name" (name_section.h)
    std::uint32_t name_section_size = 0;

    /// The whole module; complete only once decoding has ended. Until then, threads use the bodies that the decoder gave them.
    std::span<const std::uint8_t> bytes;
    std::shared_ptr<const void> storage;   ///< keeps `bytes` alive, if this module owns them

    [[nodiscard]] const FuncType& func_type(std::uint32_t function) const;  ///< of a function index
    [[nodiscard]] const FuncType& type_at(std::uint32_t type_index) const;  ///< of an index of the type section
    [[nodiscard]] std::span<const std::uint8_t> body(std::uint32_t function) const noexcept {
        return bytes.subspan(functions[function].body_offset, functions[function].body_size);
    }
    [[nodiscard]] std::span<const std::uint8_t> expression(const ConstExpr& expr) const noexcept {
        return bytes.subspan(expr.offset, expr.size);
    }
    [[nodiscard]] const Export* find_export(std::string_view name) const noexcept;
};

}  // namespace pollux::wasm
