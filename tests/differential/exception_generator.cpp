// Exceptions: thrown from calls of any depth, caught by try_table or, in other modules, by the legacy try.
#include "tests/differential/function_generator.h"

namespace pollux::differential {

/// What may throw: statements, mostly a call, sometimes a throw.
void FunctionGenerator::try_body(unsigned depth) {
    statements(depth);
    if (random_.percent(60)) call_statement(depth + 1);
    if (random_.percent(50)) throw_statement(depth);
    if (random_.percent(50)) statements(depth);
}

/// A throw, mostly behind a condition.
void FunctionGenerator::throw_statement(unsigned depth) {
    const auto tag = random_.below(module_.tags.size());
    const bool conditional = random_.percent(85);
    if (conditional) {
        expression(Kind::i32, depth, false);
        open(Opcode::If, {.plain = true});
    }
    for (const ValType type : module_.tags[tag].params) expression(type, depth == 0 ? 0 : depth - 1, true);
    code_.op(Opcode::Throw, tag);
    if (conditional) close();
}

/// throw_ref of an exception that was caught before, or rethrow within a legacy catch; if there is one.
void FunctionGenerator::throw_caught(unsigned depth) {
    if (has(Feature::exceptions)) {
        const auto local = local_for(ValType::ref(Heap::exn, true));
        if (!local) return;
        expression(Kind::i32, depth, false);
        if (random_.percent(95)) {
            code_.op(Opcode::LocalGet, *local);
            code_.op(Opcode::RefIsNull);
            code_.op(Opcode::I32Eqz);
            code_.op(Opcode::I32And);
        }
        open(Opcode::If, {.plain = true});
        code_.op(Opcode::LocalGet, *local);
        code_.op(Opcode::ThrowRef);
        return close();
    }
    std::vector<std::uint32_t> found;
    for (std::uint32_t label = 0; label < labels_.size(); ++label) {
        if (labels_[labels_.size() - 1 - label].caught) found.push_back(label);
    }
    if (found.empty()) return;
    expression(Kind::i32, depth, false);
    open(Opcode::If, {.plain = true});
    code_.op(Opcode::Rethrow, random_.pick(found) + 1);
    close();
}

/// Blocks around a try_table, one for each of its catches; all end behind the outermost.
void FunctionGenerator::try_table_statement(unsigned depth) {
    struct Catch {
        std::uint32_t tag;
        bool all;
        bool ref;
    };
    std::vector<Catch> catches;
    for (std::uint32_t left = random_.between(1, 3); left != 0; --left) {
        const std::uint32_t tag = random_.below(module_.tags.size());
        const std::uint32_t form = random_.below(100);
        catches.push_back({tag, form >= 70, form % 2 != 0});
    }
    const auto count = static_cast<std::uint32_t>(catches.size());
    open(Opcode::Block, {.plain = true});
    for (std::uint32_t i = count; i-- > 0;) {
        const Catch& caught = catches[i];
        if (caught.all && !caught.ref) {
            open(Opcode::Block, {.plain = true});
            continue;
        }
        code_.op(Opcode::Block);
        if (caught.all) {
            code_.type(ValType::ref(Heap::exn, true));
        } else {
            const TagShape& tag = module_.tags[caught.tag];
            code_.signed_number(caught.ref ? tag.caught_ref : tag.caught);
        }
        labels_.push_back({.plain = !caught.ref && module_.tags[caught.tag].params.empty()});
    }

    const bool shaped = random_.percent(30);
    const std::uint32_t function = random_.below(module_.functions.size());
    const FunctionShape& shape = module_.functions[function];
    if (shaped) {
        for (const ValType type : shape.params) expression(type, depth - 1, true);
    }
    code_.op(Opcode::TryTable);
    if (shaped) {
        code_.signed_number(module_.function_type(function));
    } else {
        code_.byte(0x40);
    }
    code_.unsigned_number(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        code_.byte((catches[i].all ? 2U : 0U) + (catches[i].ref ? 1U : 0U));
        if (!catches[i].all) code_.unsigned_number(catches[i].tag);
        code_.unsigned_number(i);
    }
    labels_.push_back({.plain = !shaped || shape.results.empty()});
    if (shaped) set_results(shape.params);
    try_body(depth - 1);
    if (shaped) {
        for (const ValType type : shape.results) expression(type, depth - 1, true);
    }
    close();
    if (shaped) set_results(shape.results);
    code_.op(Opcode::Br, count);

    for (std::uint32_t i = 0; i < count; ++i) {
        close();
        if (catches[i].ref) set_results({ValType::ref(Heap::exn, true)});
        if (!catches[i].all) set_results(module_.tags[catches[i].tag].params);
        statements(depth - 1);
        if (random_.percent(20)) throw_caught(depth - 1);
        if (i + 1 < count) code_.op(Opcode::Br, count - 1 - i);
    }
    close();
}

/// The legacy form: catches or a delegate.
void FunctionGenerator::try_statement(unsigned depth) {
    const bool shaped = random_.percent(30);
    const std::uint32_t function = random_.below(module_.functions.size());
    const FunctionShape& shape = module_.functions[function];
    const auto finish_arm = [&] {
        if (!shaped) return;
        for (const ValType type : shape.results) expression(type, depth - 1, true);
    };
    if (shaped) {
        for (const ValType type : shape.params) expression(type, depth - 1, true);
        code_.op(Opcode::Try);
        code_.signed_number(module_.function_type(function));
        labels_.push_back({.plain = shape.results.empty()});
        set_results(shape.params);
    } else {
        open(Opcode::Try, {.plain = true});
    }
    try_body(depth - 1);
    finish_arm();
    if (random_.percent(25)) {
        labels_.pop_back();
        code_.op(Opcode::Delegate, random_.below(labels_.size()));
    } else {
        labels_.back().caught = true;
        const std::uint32_t tags = random_.below(3);
        for (std::uint32_t i = 0; i < tags; ++i) {
            const std::uint32_t tag = random_.below(module_.tags.size());
            code_.op(Opcode::Catch, tag);
            set_results(module_.tags[tag].params);
            statements(depth - 1);
            if (random_.percent(25)) throw_caught(depth - 1);
            finish_arm();
        }
        if (tags == 0 || random_.percent(50)) {
            code_.op(Opcode::CatchAll);
            statements(depth - 1);
            if (random_.percent(25)) throw_caught(depth - 1);
            finish_arm();
        }
        close();
    }
    if (shaped) set_results(shape.results);
}

}  // namespace pollux::differential
