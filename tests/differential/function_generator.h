// Bodies of random functions: statements and expressions, each of which leaves the stack as it should.
//
// One class in several files: statements of WebAssembly 1.0 and calls (function_generator.cpp), expressions of numbers and vectors
// (expression_generator.cpp), memories (memory_generator.cpp), exceptions (exception_generator.cpp), references (reference_generator.cpp).
#pragma once

#include <optional>
#include <vector>

#include "jit/wasm/opcodes.h"
#include "tests/differential/module_shape.h"
#include "tests/differential/module_writer.h"

namespace pollux::differential {

class FunctionGenerator {
public:
    FunctionGenerator(const ModuleShape& module, std::uint32_t function, Random& random);
    /// Locals and code, as the code section has them, without the size.
    [[nodiscard]] ModuleWriter generate();

private:
    using Feature = wasm::Feature;
    using FieldType = wasm::FieldType;
    using Group = wasm::Group;
    using Heap = wasm::Heap;
    using Kind = wasm::Kind;
    using Opcode = wasm::Opcode;
    using TypeId = wasm::TypeId;
    using ValType = wasm::ValType;
    using Statement = void (FunctionGenerator::*)(unsigned depth);

    struct Label {
        bool plain = false;   ///< a branch to it takes no values
        bool caught = false;  ///< a legacy catch: rethrow may name it
    };

    // Statements leave nothing on the stack.
    void statements(unsigned depth);
    void statement(unsigned depth);
    [[nodiscard]] bool feature_statement(unsigned depth);
    void assign(ValType type, std::optional<std::uint32_t> local);
    void if_statement(unsigned depth);
    void block_statement(unsigned depth);
    void loop_statement(unsigned depth);
    void table_branch_statement(unsigned depth);
    void shaped_block_statement(unsigned depth);
    void call_statement(unsigned depth);
    void table_statement(unsigned depth);
    void leave_statement(unsigned depth);
    void wide_statement(unsigned depth);
    void set_results(const std::vector<ValType>& results);

    // Memory
    void store_statement(unsigned depth);
    void bulk_statement(unsigned depth);
    void atomic_statement(unsigned depth);
    void load(Opcode opcode, unsigned depth);
    void load_lane(unsigned depth);
    void atomic_access(Opcode opcode, unsigned depth);
    void memory_size();
    [[nodiscard]] std::uint32_t pick_memory();
    void address(std::uint32_t memory, unsigned depth);
    void memory_argument(Opcode opcode, std::uint32_t memory);
    void memory_argument(Opcode opcode, std::uint32_t memory, std::uint32_t align_log2, std::uint64_t offset);

    // Exceptions
    void try_table_statement(unsigned depth);
    void try_statement(unsigned depth);
    void throw_statement(unsigned depth);
    void throw_caught(unsigned depth);
    void try_body(unsigned depth);

    // References
    void reference_statement(unsigned depth);
    void null_branch_statement(unsigned depth);
    void cast_branch_statement(unsigned depth);
    void branch_on_cast(Opcode opcode, ValType operand, ValType target, unsigned depth);
    void object_statement(unsigned depth);
    void array_statement(TypeId array, unsigned depth);
    void typed_table_statement(unsigned depth);
    void reference(ValType type, unsigned depth);
    void reference_leaf(ValType type);
    void new_object(TypeId type, unsigned depth);
    void checked_cast(ValType type, unsigned depth);
    [[nodiscard]] bool get_field(ValType type, unsigned depth);
    void question(unsigned depth);
    void object(TypeId type, unsigned depth);
    void element_index(unsigned depth);
    void set_up_references();

    // Expressions leave one value. `exact`: the bits of a NaN will be seen.
    void expression(ValType type, unsigned depth, bool exact);
    void leaf(ValType type);
    void constant(Kind kind);
    void operation(Kind kind, unsigned depth, bool exact);
    [[nodiscard]] bool feature_operation(Kind kind, unsigned depth);
    void numeric(Opcode opcode, unsigned depth, bool exact);
    void relaxed(unsigned depth);
    void choice(ValType type, unsigned depth, bool exact);
    void single_call(ValType type, unsigned depth);
    void canonical_nan(Kind kind, bool double_lanes);
    void push_call(std::uint32_t function, unsigned depth, bool tail);
    void table_constant(std::int64_t index);
    void use_fuel();

    void open(Opcode opcode, Label label);  ///< block, loop, if, try without parameters and results
    void close();
    [[nodiscard]] bool has(Feature feature) const noexcept { return module_.has(feature); }
    [[nodiscard]] ValType random_type();
    [[nodiscard]] std::optional<std::uint32_t> local_for(ValType type);
    [[nodiscard]] std::uint32_t add_local(ValType type);
    [[nodiscard]] std::optional<std::uint32_t> label_without_values();

    const ModuleShape& module_;
    const FunctionShape& shape_;
    std::uint32_t function_;
    Random& random_;
    ModuleWriter code_;
    std::vector<ValType> locals_;            ///< parameters first
    std::size_t assignable_ = 0;             ///< of those; behind them counters and scratch
    std::vector<std::uint32_t> scratch_;     ///< by kind: for canonical_nan
    std::vector<std::uint32_t> free_counters_;
    std::vector<Label> labels_;              ///< innermost last
    int budget_ = 0;                         ///< instructions that may still be made; below 0 only leaves are
};

/// Opcodes of a group, with this result if it is given.
[[nodiscard]] std::vector<wasm::Opcode> opcodes(wasm::Group group, std::optional<wasm::Kind> result);

}  // namespace pollux::differential
