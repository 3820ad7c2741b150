#include "tests/differential/function_generator.h"

#include <utility>

namespace pollux::differential {

using wasm::Kind;
using wasm::Opcode;

FunctionGenerator::FunctionGenerator(const ModuleShape& module, std::uint32_t function, Random& random)
    : module_(module), shape_(module.functions[function]), function_(function), random_(random) {}

std::uint32_t FunctionGenerator::add_local(ValType type) {
    locals_.push_back(type);
    return static_cast<std::uint32_t>(locals_.size() - 1);
}

ModuleWriter FunctionGenerator::generate() {
    locals_ = shape_.params;
    const std::uint32_t more = random_.percent(20) ? random_.between(10, 40) : random_.between(0, 8);
    for (std::uint32_t i = 0; i < more; ++i) static_cast<void>(add_local(random_type()));
    if (has(Feature::exceptions)) static_cast<void>(add_local(ValType::ref(Heap::exn, true)));
    assignable_ = locals_.size();
    for (const Kind kind : kKinds) scratch_.push_back(add_local(kind));
    for (int i = 0; i < 4; ++i) free_counters_.push_back(add_local(Kind::i32));

    budget_ = static_cast<int>(random_.percent(10) ? random_.between(300, 900) : random_.between(20, 250));
    labels_.push_back({.plain = shape_.results.empty()});
    use_fuel();
    set_up_references();
    statements(4);
    for (const ValType result : shape_.results) expression(result, 3, true);
    code_.op(Opcode::End);

    ModuleWriter body;
    body.unsigned_number(locals_.size() - shape_.params.size());
    for (std::size_t i = shape_.params.size(); i < locals_.size(); ++i) {
        body.unsigned_number(1);
        body.type(locals_[i]);
    }
    body.append(code_.bytes);
    return body;
}

void FunctionGenerator::use_fuel() {
    code_.op(Opcode::GlobalGet, 0);
    code_.op(Opcode::I32Eqz);
    code_.op(Opcode::If);
    code_.byte(0x40);
    code_.op(Opcode::Unreachable);
    code_.op(Opcode::End);
    code_.op(Opcode::GlobalGet, 0);
    code_.constant(1);
    code_.op(Opcode::I32Sub);
    code_.op(Opcode::GlobalSet, 0);
}

// --- statements ----------------------------------------------------------------------------------------------------------

void FunctionGenerator::statements(unsigned depth) {
    for (std::uint32_t left = random_.between(1, 6); left != 0 && budget_ > 0; --left) statement(depth);
}

void FunctionGenerator::statement(unsigned depth) {
    --budget_;
    if (depth != 0 && random_.percent(45) && feature_statement(depth)) return;
    const std::uint32_t choice = random_.below(100);
    const ValType type = random_type();
    if (depth == 0 || choice < 30) return assign(type, local_for(type));
    if (choice < 45) return store_statement(depth);
    if (choice < 55) return if_statement(depth);
    if (choice < 62) return block_statement(depth);
    if (choice < 70) return loop_statement(depth);
    if (choice < 75) return table_branch_statement(depth);
    if (choice < 80) return shaped_block_statement(depth);
    if (choice < 88) return call_statement(depth);
    if (choice < 92) return bulk_statement(depth);
    if (choice < 95) return table_statement(depth);
    leave_statement(depth);
}

/// A statement that a feature beyond WebAssembly 2.0 has; false: the module has none of these, and nothing was made.
bool FunctionGenerator::feature_statement(unsigned depth) {
    struct Choice {
        Feature feature;
        Statement statement;
    };
    static constexpr std::array kChoices = {
        Choice{Feature::tail_call, &FunctionGenerator::leave_statement},
        Choice{Feature::exceptions, &FunctionGenerator::try_table_statement},
        Choice{Feature::exceptions, &FunctionGenerator::try_table_statement},
        Choice{Feature::exceptions, &FunctionGenerator::throw_statement},
        Choice{Feature::exceptions, &FunctionGenerator::throw_caught},
        Choice{Feature::legacy_exceptions, &FunctionGenerator::try_statement},
        Choice{Feature::legacy_exceptions, &FunctionGenerator::throw_statement},
        Choice{Feature::legacy_exceptions, &FunctionGenerator::throw_caught},
        Choice{Feature::gc, &FunctionGenerator::reference_statement},
        Choice{Feature::gc, &FunctionGenerator::object_statement},
        Choice{Feature::function_references, &FunctionGenerator::reference_statement},
        Choice{Feature::function_references, &FunctionGenerator::typed_table_statement},
        Choice{Feature::function_references, &FunctionGenerator::call_statement},
        Choice{Feature::multi_memory, &FunctionGenerator::bulk_statement},
        Choice{Feature::memory64, &FunctionGenerator::bulk_statement},
        Choice{Feature::threads, &FunctionGenerator::atomic_statement},
        Choice{Feature::wide_arithmetic, &FunctionGenerator::wide_statement},
    };
    std::vector<Statement> possible;
    for (const Choice& choice : kChoices) {
        if (has(choice.feature)) possible.push_back(choice.statement);
    }
    if (possible.empty()) return false;
    (this->*random_.pick(possible))(depth);
    return true;
}

/// An expression into a local, or else a global of its type, or nowhere.
void FunctionGenerator::assign(ValType type, std::optional<std::uint32_t> local) {
    expression(type, 4, true);
    if (local && random_.percent(85)) return code_.op(Opcode::LocalSet, *local);
    for (std::uint32_t i = 1; i < module_.globals.size(); ++i) {
        if (module_.globals[i] == type && random_.percent(50)) return code_.op(Opcode::GlobalSet, i);
    }
    code_.op(Opcode::Drop);
}

void FunctionGenerator::if_statement(unsigned depth) {
    expression(Kind::i32, depth, false);
    open(Opcode::If, {.plain = true});
    statements(depth - 1);
    if (random_.percent(50)) {
        code_.op(Opcode::Else);
        statements(depth - 1);
    }
    close();
}

void FunctionGenerator::block_statement(unsigned depth) {
    open(Opcode::Block, {.plain = true});
    statements(depth - 1);
    if (const auto label = label_without_values()) {
        expression(Kind::i32, depth, false);
        code_.op(Opcode::BrIf, *label);
    }
    statements(depth - 1);
    close();
}

void FunctionGenerator::loop_statement(unsigned depth) {
    if (free_counters_.empty()) return;
    const std::uint32_t counter = free_counters_.back();
    free_counters_.pop_back();
    code_.constant(static_cast<std::int32_t>(random_.between(1, 6)));
    code_.op(Opcode::LocalSet, counter);
    open(Opcode::Loop, {.plain = true});
    use_fuel();
    statements(depth - 1);
    code_.op(Opcode::LocalGet, counter);
    code_.constant(1);
    code_.op(Opcode::I32Sub);
    code_.op(Opcode::LocalTee, counter);
    code_.op(Opcode::BrIf, 0);
    close();
    free_counters_.push_back(counter);
}

void FunctionGenerator::table_branch_statement(unsigned depth) {
    const std::uint32_t blocks = random_.between(1, 4);
    for (std::uint32_t i = 0; i < blocks; ++i) open(Opcode::Block, {.plain = true});
    expression(Kind::i32, depth, false);
    if (random_.percent(80)) {
        code_.constant(7);
        code_.op(Opcode::I32And);
    }
    const std::uint32_t entries = random_.percent(10) ? random_.between(20, 60) : random_.between(0, 6);
    code_.op(Opcode::BrTable, entries);
    for (std::uint32_t i = 0; i <= entries; ++i) code_.unsigned_number(random_.below(blocks));
    for (std::uint32_t i = 0; i < blocks; ++i) {
        close();
        if (i + 1 < blocks) statements(depth - 1);
    }
}

/// A block or if that takes and gives several values, with the type of a function.
void FunctionGenerator::shaped_block_statement(unsigned depth) {
    const std::uint32_t function = random_.below(module_.functions.size());
    const FunctionShape& shape = module_.functions[function];
    for (const ValType type : shape.params) expression(type, depth, true);
    const bool two_arms = random_.percent(50);
    if (two_arms) expression(Kind::i32, depth, false);
    code_.op(two_arms ? Opcode::If : Opcode::Block);
    code_.signed_number(module_.function_type(function));
    labels_.push_back({.plain = shape.results.empty()});
    for (int arm = 0; arm < (two_arms ? 2 : 1); ++arm) {
        if (arm == 1) code_.op(Opcode::Else);
        set_results(shape.params);
        statements(depth - 1);
        for (const ValType type : shape.results) expression(type, depth - 1, true);
        if (random_.percent(40)) {
            expression(Kind::i32, depth - 1, false);
            code_.op(Opcode::BrIf, 0);
        } else if (random_.percent(20)) {
            code_.op(Opcode::Br, 0);
        }
    }
    close();
    set_results(shape.results);
}

/// Pops values of these types into locals, or drops them.
void FunctionGenerator::set_results(const std::vector<ValType>& results) {
    for (std::size_t i = results.size(); i-- > 0;) {
        const auto local = local_for(results[i]);
        if (local && random_.percent(80)) {
            code_.op(Opcode::LocalSet, *local);
        } else {
            code_.op(Opcode::Drop);
        }
    }
}

void FunctionGenerator::call_statement(unsigned depth) {
    const auto count = static_cast<std::uint32_t>(module_.functions.size());
    // Rarely backwards: recursion uses fuel up.
    const std::uint32_t callee =
        random_.percent(90) && function_ + 1 < count ? random_.between(function_ + 1, count - 1) : random_.below(count);
    push_call(callee, depth, false);
    set_results(module_.functions[callee].results);
}

/// Arguments and a call: direct, through a reference, or through the table.
void FunctionGenerator::push_call(std::uint32_t function, unsigned depth, bool tail) {
    const std::uint32_t type = module_.function_type(function);
    for (const ValType param : module_.functions[function].params) expression(param, depth - 1, true);
    if (has(Feature::function_references) && random_.percent(50)) {
        expression(ValType::ref(type, random_.percent(10)), depth - 1, true);
        return code_.op(tail ? Opcode::ReturnCallRef : Opcode::CallRef, type);
    }
    if (random_.percent(60)) return code_.op(tail ? Opcode::ReturnCall : Opcode::Call, function);
    if (random_.percent(90)) {
        table_constant(random_.percent(50) ? function : function + module_.count());
    } else {
        expression(module_.table_64 ? Kind::i64 : Kind::i32, depth - 1, false);
    }
    code_.op(tail ? Opcode::ReturnCallIndirect : Opcode::CallIndirect, type);
    code_.byte(0);
}

/// An index of table 0.
void FunctionGenerator::table_constant(std::int64_t index) { code_.constant(module_.table_64 ? Kind::i64 : Kind::i32, index); }

void FunctionGenerator::table_statement(unsigned depth) {
    const std::int64_t behind_functions = 2 * std::int64_t{module_.count()};
    switch (random_.below(3)) {
        case 0:
            table_constant(behind_functions + random_.below(3));
            if (random_.percent(70)) {
                code_.op(Opcode::RefFunc, random_.below(module_.functions.size()));
            } else {
                code_.null(wasm::kFuncRef);
            }
            return code_.op(Opcode::TableSet, 0);
        case 1:
            expression(Kind::i32, depth - 1, false);
            code_.constant(15);
            code_.op(Opcode::I32And);
            if (module_.table_64) code_.op(Opcode::I64ExtendI32U);
            code_.op(Opcode::TableGet, 0);
            code_.op(Opcode::RefIsNull);
            return set_results({Kind::i32});
        default:
            table_constant(behind_functions + random_.below(2));
            table_constant(random_.below(module_.functions.size()));
            table_constant(random_.below(3));
            code_.op(Opcode::TableCopy, 0);
            return code_.byte(0);
    }
}

/// Wide arithmetic, whose results are two.
void FunctionGenerator::wide_statement(unsigned depth) {
    static constexpr std::array kWide = {Opcode::I64Add128, Opcode::I64Sub128, Opcode::I64MulWideS, Opcode::I64MulWideU};
    const Opcode opcode = random_.pick(kWide);
    for (const Kind kind : wasm::params(opcode)) expression(kind, depth, true);
    code_.op(opcode);
    set_results({Kind::i64, Kind::i64});
}

/// A return, tail call, trap or branch, behind a condition.
void FunctionGenerator::leave_statement(unsigned depth) {
    expression(Kind::i32, depth, false);
    open(Opcode::If, {.plain = true});
    const std::uint32_t which = random_.below(10);
    std::vector<std::uint32_t> same;
    for (std::uint32_t i = 0; i < module_.functions.size(); ++i) {
        if (module_.functions[i].results == shape_.results) same.push_back(i);
    }
    if (has(Feature::tail_call) && which < 5) {
        push_call(random_.pick(same), depth, true);
    } else if (which < 7) {
        for (const ValType type : shape_.results) expression(type, depth - 1, true);
        code_.op(Opcode::Return);
    } else if (const auto label = label_without_values(); which < 9 && label) {
        code_.op(Opcode::Br, *label);
    } else {
        code_.op(Opcode::Unreachable);
    }
    close();
}

// --- what there is ---------------------------------------------------------------------------------------------------------

void FunctionGenerator::open(Opcode opcode, Label label) {
    code_.op(opcode);
    code_.byte(0x40);
    labels_.push_back(label);
}

void FunctionGenerator::close() {
    labels_.pop_back();
    code_.op(Opcode::End);
}

wasm::ValType FunctionGenerator::random_type() {
    if (module_.references.empty() || random_.percent(75)) return random_.pick(kKinds);
    return random_.pick(module_.references);
}

/// A local that may be set to such a value.
std::optional<std::uint32_t> FunctionGenerator::local_for(ValType type) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < assignable_; ++i) {
        if (module_.matches(type, locals_[i])) found.push_back(i);
    }
    if (found.empty()) return std::nullopt;
    return random_.pick(found);
}

/// Depth of a random label that a branch without values may go to.
std::optional<std::uint32_t> FunctionGenerator::label_without_values() {
    std::vector<std::uint32_t> found;
    for (std::uint32_t depth = 0; depth < labels_.size(); ++depth) {
        if (labels_[labels_.size() - 1 - depth].plain) found.push_back(depth);
    }
    if (found.empty()) return std::nullopt;
    return random_.pick(found);
}

}  // namespace pollux::differential
