// Bodies of random functions: statements and expressions, each of which leaves the stack as it should.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "tests/differential/module_writer.h"

namespace pollux::differential {

inline constexpr std::array kKinds = {wasm::Kind::i32, wasm::Kind::i64, wasm::Kind::f32, wasm::Kind::f64, wasm::Kind::v128};

struct FunctionShape {
    std::vector<wasm::Kind> params;
    std::vector<wasm::Kind> results;
    friend bool operator==(const FunctionShape&, const FunctionShape&) = default;
};

/// What bodies may refer to. Type i is that of function i; function i stands in the table at i, and again at i + functions.size().
struct ModuleShape {
    std::vector<FunctionShape> functions;
    std::vector<wasm::Kind> globals;  ///< mutable; global 0 is the fuel, which bodies leave alone
    std::uint32_t passive_data = 0;   ///< index of a data segment of 64 bytes
    std::uint32_t table_size = 0;
    bool tail_calls = false;
};

class FunctionGenerator {
public:
    FunctionGenerator(const ModuleShape& module, std::uint32_t function, Random& random);
    /// Locals and code, as the code section has them, without the size.
    [[nodiscard]] ModuleWriter generate();

private:
    using Kind = wasm::Kind;
    using Opcode = wasm::Opcode;

    // Statements leave nothing on the stack.
    void statements(unsigned depth);
    void statement(unsigned depth);
    void assign(Kind kind, std::optional<std::uint32_t> local);
    void store_statement(unsigned depth);
    void if_statement(unsigned depth);
    void block_statement(unsigned depth);
    void loop_statement(unsigned depth);
    void table_branch_statement(unsigned depth);
    void shaped_block_statement(unsigned depth);
    void call_statement(unsigned depth);
    void bulk_statement(unsigned depth);
    void table_statement(unsigned depth);
    void leave_statement(unsigned depth);
    void set_results(const std::vector<Kind>& results);

    // Expressions leave one value. `exact`: the bits of a NaN will be seen.
    void expression(Kind kind, unsigned depth, bool exact);
    void leaf(Kind kind);
    void constant(Kind kind);
    void operation(Kind kind, unsigned depth, bool exact);
    void numeric(Opcode opcode, unsigned depth, bool exact);
    void choice(Kind kind, unsigned depth, bool exact);
    void single_call(Kind kind, unsigned depth);
    void address(unsigned depth);
    void memory_argument(Opcode opcode);
    void canonical_nan(Kind kind, bool double_lanes);
    void push_call(std::uint32_t function, unsigned depth, bool tail);
    void use_fuel();

    [[nodiscard]] std::optional<std::uint32_t> local_of(Kind kind);
    [[nodiscard]] std::uint32_t add_local(Kind kind);
    [[nodiscard]] std::optional<std::uint32_t> label_without_values();

    const ModuleShape& module_;
    const FunctionShape& shape_;
    std::uint32_t function_;
    Random& random_;
    ModuleWriter code_;
    std::vector<Kind> locals_;               ///< parameters first
    std::size_t assignable_ = 0;             ///< of those; behind them counters and scratch
    std::vector<std::uint32_t> scratch_;     ///< by kind: for canonical_nan
    std::vector<std::uint32_t> free_counters_;
    std::vector<bool> labels_;               ///< innermost last: takes no values
    int budget_ = 0;                         ///< instructions that may still be made; below 0 only leaves are
};

}  // namespace pollux::differential
