#include "tests/differential/function_generator.h"

#include <bit>
#include <string_view>
#include <utility>

namespace pollux::differential {
namespace {

using wasm::Group;
using wasm::Kind;
using wasm::Opcode;

/// What the NaNs of an instruction's result can be.
enum class NanRule : std::uint8_t {
    none,       ///< the result is no float, or its bits are determined by the operands' bits
    inherited,  ///< the bits of an operand
    open,       ///< any: they must be made canonical
};

struct Operation {
    Opcode opcode;
    NanRule nan = NanRule::none;
    bool reads_nan_bits = false;  ///< operands must be exact, whatever becomes of the result
    bool may_trap = false;
};

bool ends_with_any(std::string_view text, std::initializer_list<std::string_view> endings) {
    for (const std::string_view ending : endings) {
        if (text.ends_with(ending)) return true;
    }
    return false;
}

Operation classify(Opcode opcode) {
    const std::string_view text = wasm::text(opcode);
    Operation operation{opcode};
    const bool floats = text.starts_with("f32") || text.starts_with("f64");
    const bool compares = ends_with_any(text, {".eq", ".ne", ".lt", ".gt", ".le", ".ge"});
    operation.may_trap =
        ends_with_any(text, {".div_s", ".div_u", ".rem_s", ".rem_u"}) ||
        (text.find(".trunc_f") != std::string_view::npos && text.starts_with("i") && text.find('x') == std::string_view::npos);
    if (floats && ends_with_any(text, {".add", ".sub", ".mul", ".div", ".sqrt", ".min", ".max", ".ceil", ".floor", ".trunc", ".nearest"}))
        operation.nan = NanRule::open;
    if (text.find("demote") != std::string_view::npos || text.find("promote") != std::string_view::npos) operation.nan = NanRule::open;
    if (floats && ends_with_any(text, {".abs", ".neg", ".pmin", ".pmax", ".splat", ".extract_lane", ".replace_lane"}))
        operation.nan = NanRule::inherited;
    const bool truncates = text.find("trunc_") != std::string_view::npos;
    operation.reads_nan_bits = operation.nan == NanRule::none && !(floats && compares) && !truncates;
    return operation;
}

/// Instructions by the kind of their one result.
const std::vector<Operation>& operations(Kind kind) {
    static const auto kAll = [] {
        std::array<std::vector<Operation>, 5> all;
        for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
            const auto opcode = static_cast<Opcode>(i);
            const wasm::Feature feature = wasm::feature(opcode);
            if (wasm::group(opcode) != Group::numeric && wasm::group(opcode) != Group::lane) continue;
            if (feature != wasm::Feature::mvp && feature != wasm::Feature::simd && feature != wasm::Feature::sign_extension &&
                feature != wasm::Feature::saturating_float_to_int) {
                continue;
            }
            all[static_cast<std::size_t>(wasm::results(opcode)[0])].push_back(classify(opcode));
        }
        return all;
    }();
    return kAll[static_cast<std::size_t>(kind)];
}

std::vector<Opcode> opcodes(Group group, std::optional<Kind> result) {
    std::vector<Opcode> found;
    for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
        const auto opcode = static_cast<Opcode>(i);
        if (wasm::group(opcode) == group && (!result || wasm::results(opcode)[0] == *result)) found.push_back(opcode);
    }
    return found;
}

const std::vector<Opcode>& loads(Kind kind) {
    static const std::array<std::vector<Opcode>, 5> kLoads = {opcodes(Group::load, Kind::i32), opcodes(Group::load, Kind::i64),
                                                              opcodes(Group::load, Kind::f32), opcodes(Group::load, Kind::f64),
                                                              opcodes(Group::load, Kind::v128)};
    return kLoads[static_cast<std::size_t>(kind)];
}

constexpr std::uint64_t kInteresting[] = {0,
                                          1,
                                          2,
                                          3,
                                          7,
                                          8,
                                          15,
                                          16,
                                          31,
                                          32,
                                          33,
                                          63,
                                          64,
                                          100,
                                          127,
                                          128,
                                          255,
                                          256,
                                          4095,
                                          4096,
                                          4097,
                                          32767,
                                          32768,
                                          65535,
                                          65536,
                                          0xffff'ff,
                                          0x7fff'ffff,
                                          0x8000'0000,
                                          0xffff'fffe,
                                          0xffff'ffff,
                                          0x1'0000'0000,
                                          0x5555'5555'5555'5555,
                                          0x7fff'ffff'ffff'ffff,
                                          0x8000'0000'0000'0000,
                                          0xffff'ffff'8000'0000,
                                          0xffff'ffff'ffff'ff80,
                                          0xffff'ffff'ffff'fff0,
                                          0xffff'ffff'ffff'ffff,
                                          0xff00'ff00'ff00'ff00,
                                          0xaaaa'aaaa'aaaa'aaaa};
constexpr std::uint32_t kFloats[] = {0x0000'0000, 0x8000'0000, 0x3f80'0000, 0xbf80'0000, 0x3f00'0000, 0x7f80'0000, 0xff80'0000,
                                     0x7fc0'0000, 0x0000'0001, 0x7f7f'ffff, 0x4f00'0000, 0x4f80'0000, 0xcf00'0000, 0x5f00'0000,
                                     0xdf00'0000, 0x3fc0'0000, 0xc020'0000, 0x42f7'0000, 0x7f80'0001, 0xffc1'2345};
constexpr std::uint64_t kDoubles[] = {0x0000'0000'0000'0000, 0x8000'0000'0000'0000, 0x3ff0'0000'0000'0000, 0xbff0'0000'0000'0000,
                                      0x3fe0'0000'0000'0000, 0x7ff0'0000'0000'0000, 0xfff0'0000'0000'0000, 0x7ff8'0000'0000'0000,
                                      0x0000'0000'0000'0001, 0x7fef'ffff'ffff'ffff, 0x41df'ffff'ffc0'0000, 0x41e0'0000'0000'0000,
                                      0xc1e0'0000'0020'0000, 0x43e0'0000'0000'0000, 0xc3e0'0000'0000'0000, 0x4004'0000'0000'0000,
                                      0xc05e'c000'0000'0000, 0x47ef'ffff'f000'0000, 0x7ff0'0000'0000'0001, 0xfff8'1234'5678'9abc};

constexpr std::uint64_t kCanonicalF32 = 0x7fc0'0000;
constexpr std::uint64_t kCanonicalF64 = 0x7ff8'0000'0000'0000;
constexpr std::uint64_t kCanonicalF32x2 = kCanonicalF32 << 32 | kCanonicalF32;

}  // namespace

FunctionGenerator::FunctionGenerator(const ModuleShape& module, std::uint32_t function, Random& random)
    : module_(module), shape_(module.functions[function]), function_(function), random_(random) {}

std::uint32_t FunctionGenerator::add_local(Kind kind) {
    locals_.push_back(kind);
    return static_cast<std::uint32_t>(locals_.size() - 1);
}

ModuleWriter FunctionGenerator::generate() {
    locals_ = shape_.params;
    const std::uint32_t more = random_.percent(20) ? random_.between(10, 40) : random_.between(0, 8);
    for (std::uint32_t i = 0; i < more; ++i) static_cast<void>(add_local(random_.pick(kKinds)));
    assignable_ = locals_.size();
    for (const Kind kind : kKinds) scratch_.push_back(add_local(kind));
    for (int i = 0; i < 4; ++i) free_counters_.push_back(add_local(Kind::i32));

    budget_ = static_cast<int>(random_.percent(10) ? random_.between(300, 900) : random_.between(20, 250));
    labels_.push_back(shape_.results.empty());
    use_fuel();
    statements(4);
    for (const Kind result : shape_.results) expression(result, 3, true);
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
    code_.op(Opcode::I32Const);
    code_.signed_number(1);
    code_.op(Opcode::I32Sub);
    code_.op(Opcode::GlobalSet, 0);
}

// --- statements ----------------------------------------------------------------------------------------------------------

void FunctionGenerator::statements(unsigned depth) {
    for (std::uint32_t left = random_.between(1, 6); left != 0 && budget_ > 0; --left) statement(depth);
}

void FunctionGenerator::statement(unsigned depth) {
    --budget_;
    const std::uint32_t choice = random_.below(100);
    const Kind kind = random_.pick(kKinds);
    if (depth == 0 || choice < 30) return assign(kind, local_of(kind));
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

/// An expression into a local, or else a global of its kind, or nowhere.
void FunctionGenerator::assign(Kind kind, std::optional<std::uint32_t> local) {
    expression(kind, 4, true);
    if (local && random_.percent(85)) return code_.op(Opcode::LocalSet, *local);
    for (std::uint32_t i = 1; i < module_.globals.size(); ++i) {
        if (module_.globals[i] == kind && random_.percent(50)) return code_.op(Opcode::GlobalSet, i);
    }
    code_.op(Opcode::Drop);
}

void FunctionGenerator::store_statement(unsigned depth) {
    static const std::vector<Opcode> kStores = opcodes(Group::store, std::nullopt);
    static const std::vector<Opcode> kLaneStores = opcodes(Group::store_lane, std::nullopt);
    const bool lane = random_.percent(15);
    const Opcode opcode = random_.pick(lane ? kLaneStores : kStores);
    address(depth);
    expression(wasm::params(opcode)[1], depth, true);
    memory_argument(opcode);
    if (lane) code_.byte(random_.below(wasm::lane_count(opcode)));
}

void FunctionGenerator::if_statement(unsigned depth) {
    expression(Kind::i32, depth, false);
    code_.op(Opcode::If);
    code_.byte(0x40);
    labels_.push_back(true);
    statements(depth - 1);
    if (random_.percent(50)) {
        code_.op(Opcode::Else);
        statements(depth - 1);
    }
    labels_.pop_back();
    code_.op(Opcode::End);
}

void FunctionGenerator::block_statement(unsigned depth) {
    code_.op(Opcode::Block);
    code_.byte(0x40);
    labels_.push_back(true);
    statements(depth - 1);
    if (const auto label = label_without_values()) {
        expression(Kind::i32, depth, false);
        code_.op(Opcode::BrIf, *label);
    }
    statements(depth - 1);
    labels_.pop_back();
    code_.op(Opcode::End);
}

void FunctionGenerator::loop_statement(unsigned depth) {
    if (free_counters_.empty()) return;
    const std::uint32_t counter = free_counters_.back();
    free_counters_.pop_back();
    code_.op(Opcode::I32Const);
    code_.signed_number(random_.between(1, 6));
    code_.op(Opcode::LocalSet, counter);
    code_.op(Opcode::Loop);
    code_.byte(0x40);
    labels_.push_back(true);
    use_fuel();
    statements(depth - 1);
    code_.op(Opcode::LocalGet, counter);
    code_.op(Opcode::I32Const);
    code_.signed_number(1);
    code_.op(Opcode::I32Sub);
    code_.op(Opcode::LocalTee, counter);
    code_.op(Opcode::BrIf, 0);
    labels_.pop_back();
    code_.op(Opcode::End);
    free_counters_.push_back(counter);
}

void FunctionGenerator::table_branch_statement(unsigned depth) {
    const std::uint32_t blocks = random_.between(1, 4);
    for (std::uint32_t i = 0; i < blocks; ++i) {
        code_.op(Opcode::Block);
        code_.byte(0x40);
        labels_.push_back(true);
    }
    expression(Kind::i32, depth, false);
    if (random_.percent(80)) {
        code_.op(Opcode::I32Const);
        code_.signed_number(7);
        code_.op(Opcode::I32And);
    }
    const std::uint32_t entries = random_.percent(10) ? random_.between(20, 60) : random_.between(0, 6);
    code_.op(Opcode::BrTable, entries);
    for (std::uint32_t i = 0; i <= entries; ++i) code_.unsigned_number(random_.below(blocks));
    for (std::uint32_t i = 0; i < blocks; ++i) {
        labels_.pop_back();
        code_.op(Opcode::End);
        if (i + 1 < blocks) statements(depth - 1);
    }
}

/// A block or if that takes and gives several values, with the type of a function.
void FunctionGenerator::shaped_block_statement(unsigned depth) {
    const std::uint32_t type = random_.below(module_.functions.size());
    const FunctionShape& shape = module_.functions[type];
    for (const Kind kind : shape.params) expression(kind, depth, true);
    const bool two_arms = random_.percent(50);
    if (two_arms) expression(Kind::i32, depth, false);
    code_.op(two_arms ? Opcode::If : Opcode::Block);
    code_.signed_number(type);
    labels_.push_back(shape.results.empty());
    for (int arm = 0; arm < (two_arms ? 2 : 1); ++arm) {
        if (arm == 1) code_.op(Opcode::Else);
        set_results(shape.params);
        statements(depth - 1);
        for (const Kind kind : shape.results) expression(kind, depth - 1, true);
        if (random_.percent(40)) {
            expression(Kind::i32, depth - 1, false);
            code_.op(Opcode::BrIf, 0);
        } else if (random_.percent(20)) {
            code_.op(Opcode::Br, 0);
        }
    }
    labels_.pop_back();
    code_.op(Opcode::End);
    set_results(shape.results);
}

/// Pops values of these kinds into locals, or drops them.
void FunctionGenerator::set_results(const std::vector<Kind>& results) {
    for (std::size_t i = results.size(); i-- > 0;) {
        const auto local = local_of(results[i]);
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

/// Arguments and a call, direct or through the table.
void FunctionGenerator::push_call(std::uint32_t function, unsigned depth, bool tail) {
    for (const Kind kind : module_.functions[function].params) expression(kind, depth - 1, true);
    if (random_.percent(60)) return code_.op(tail ? Opcode::ReturnCall : Opcode::Call, function);
    if (random_.percent(90)) {
        const auto count = static_cast<std::uint32_t>(module_.functions.size());
        code_.op(Opcode::I32Const);
        code_.signed_number(random_.percent(50) ? function : function + count);
    } else {
        expression(Kind::i32, depth - 1, false);
    }
    code_.op(tail ? Opcode::ReturnCallIndirect : Opcode::CallIndirect, function);
    code_.byte(0);
}

void FunctionGenerator::bulk_statement(unsigned depth) {
    const std::uint32_t which = random_.below(4);
    const auto length = [&] {
        expression(Kind::i32, depth - 1, false);
        code_.op(Opcode::I32Const);
        code_.signed_number(63);
        code_.op(Opcode::I32And);
    };
    switch (which) {
        case 0:
            address(depth);
            expression(Kind::i32, depth - 1, false);
            length();
            code_.op(Opcode::MemoryFill);
            code_.byte(0);
            return;
        case 1:
            address(depth);
            address(depth);
            length();
            code_.op(Opcode::MemoryCopy);
            code_.byte(0);
            code_.byte(0);
            return;
        case 2:
            address(depth);
            code_.op(Opcode::I32Const);
            code_.signed_number(0);
            length();
            code_.op(Opcode::MemoryInit, module_.passive_data);
            code_.byte(0);
            return;
        default:
            code_.op(Opcode::I32Const);
            code_.signed_number(random_.percent(80) ? 0 : 1);
            code_.op(Opcode::MemoryGrow);
            code_.byte(0);
            code_.op(Opcode::Drop);
            return;
    }
}

void FunctionGenerator::table_statement(unsigned depth) {
    const auto index = [&](std::uint32_t limit) {
        code_.op(Opcode::I32Const);
        code_.signed_number(random_.below(limit));
    };
    switch (random_.below(3)) {
        case 0:  // behind the functions
            index(3);
            code_.op(Opcode::I32Const);
            code_.signed_number(static_cast<std::int64_t>(2 * module_.functions.size()));
            code_.op(Opcode::I32Add);
            if (random_.percent(70)) {
                code_.op(Opcode::RefFunc, random_.below(module_.functions.size()));
            } else {
                code_.op(Opcode::RefNull);
                code_.byte(0x70);
            }
            code_.op(Opcode::TableSet, 0);
            return;
        case 1:
            expression(Kind::i32, depth - 1, false);
            code_.op(Opcode::I32Const);
            code_.signed_number(15);
            code_.op(Opcode::I32And);
            code_.op(Opcode::TableGet, 0);
            code_.op(Opcode::RefIsNull);
            if (const auto local = local_of(Kind::i32)) return code_.op(Opcode::LocalSet, *local);
            code_.op(Opcode::Drop);
            return;
        default:
            index(2);
            code_.op(Opcode::I32Const);
            code_.signed_number(static_cast<std::int64_t>(2 * module_.functions.size()));
            code_.op(Opcode::I32Add);
            index(static_cast<std::uint32_t>(module_.functions.size()));
            index(3);
            code_.op(Opcode::TableCopy);
            code_.byte(0);
            code_.byte(0);
            return;
    }
}

/// A return, tail call, trap or branch, behind a condition.
void FunctionGenerator::leave_statement(unsigned depth) {
    expression(Kind::i32, depth, false);
    code_.op(Opcode::If);
    code_.byte(0x40);
    labels_.push_back(true);
    const std::uint32_t which = random_.below(10);
    std::vector<std::uint32_t> same;
    for (std::uint32_t i = 0; i < module_.functions.size(); ++i) {
        if (module_.functions[i].results == shape_.results) same.push_back(i);
    }
    if (module_.tail_calls && which < 5) {
        push_call(random_.pick(same), depth, true);
    } else if (which < 7) {
        for (const Kind kind : shape_.results) expression(kind, depth - 1, true);
        code_.op(Opcode::Return);
    } else if (const auto label = label_without_values(); which < 9 && label) {
        code_.op(Opcode::Br, *label);
    } else {
        code_.op(Opcode::Unreachable);
    }
    labels_.pop_back();
    code_.op(Opcode::End);
}

// --- expressions ---------------------------------------------------------------------------------------------------------

void FunctionGenerator::expression(Kind kind, unsigned depth, bool exact) {
    --budget_;
    if (depth == 0 || budget_ < 0 || random_.percent(15)) return leaf(kind);
    operation(kind, depth - 1, exact);
}

void FunctionGenerator::leaf(Kind kind) {
    const auto local = local_of(kind);
    if (local && random_.percent(65)) return code_.op(Opcode::LocalGet, *local);
    for (std::uint32_t i = 1; i < module_.globals.size(); ++i) {
        if (module_.globals[i] == kind && random_.percent(25)) return code_.op(Opcode::GlobalGet, i);
    }
    constant(kind);
}

void FunctionGenerator::constant(Kind kind) {
    const std::uint64_t number = random_.percent(70) ? random_.pick(kInteresting) : random_.bits();
    switch (kind) {
        case Kind::i32: code_.op(Opcode::I32Const); return code_.signed_number(static_cast<std::int32_t>(number));
        case Kind::i64: code_.op(Opcode::I64Const); return code_.signed_number(static_cast<std::int64_t>(number));
        case Kind::f32:
            code_.op(Opcode::F32Const);
            return code_.little_endian(random_.percent(70) ? random_.pick(kFloats) : random_.bits(), 4);
        case Kind::f64:
            code_.op(Opcode::F64Const);
            return code_.little_endian(random_.percent(70) ? random_.pick(kDoubles) : random_.bits(), 8);
        default:
            code_.op(Opcode::V128Const);
            for (int half = 0; half < 2; ++half) {
                const std::uint64_t floats = std::uint64_t{random_.pick(kFloats)} << 32 | random_.pick(kFloats);
                code_.little_endian(random_.percent(30) ? floats : random_.percent(30) ? random_.pick(kDoubles) : number, 8);
            }
    }
}

void FunctionGenerator::operation(Kind kind, unsigned depth, bool exact) {
    const std::uint32_t which = random_.below(100);
    if (which < 60) {
        const auto& all = operations(kind);
        const Operation* chosen = &random_.pick(all);
        // Few instructions that may trap, or little would come after them.
        for (int i = 0; i < 3 && chosen->may_trap; ++i) chosen = &random_.pick(all);
        numeric(chosen->opcode, depth, exact);
    } else if (which < 75) {
        const Opcode opcode = random_.pick(loads(kind));
        address(depth);
        memory_argument(opcode);
    } else if (which < 85) {
        choice(kind, depth, exact);
    } else if (which < 89) {
        single_call(kind, depth);
    } else if (which < 94) {
        const auto local = local_of(kind);
        expression(kind, depth, exact || local.has_value());
        if (local) code_.op(Opcode::LocalTee, *local);
    } else if (kind == Kind::v128) {
        static const std::vector<Opcode> kLaneLoads = opcodes(Group::load_lane, std::nullopt);
        if (random_.percent(50)) {
            const Opcode opcode = random_.pick(kLaneLoads);
            address(depth);
            expression(kind, depth, true);
            memory_argument(opcode);
            return code_.byte(random_.below(wasm::lane_count(opcode)));
        }
        expression(kind, depth, true);
        expression(kind, depth, true);
        code_.op(Opcode::I8x16Shuffle);
        const std::uint32_t start = random_.below(32);
        const bool run = random_.percent(30);
        for (std::uint32_t i = 0; i < 16; ++i) code_.byte(run ? (start + i) % 32 : random_.below(32));
    } else if (kind == Kind::i32 && random_.percent(50)) {
        code_.op(random_.percent(50) ? Opcode::MemorySize : Opcode::TableSize, 0);
    } else {
        leaf(kind);
    }
}

void FunctionGenerator::numeric(Opcode opcode, unsigned depth, bool exact) {
    const Operation operation = classify(opcode);
    const bool operands_exact = operation.reads_nan_bits || (operation.nan == NanRule::inherited && exact);
    for (const Kind kind : wasm::params(opcode)) expression(kind, depth, operands_exact);
    const bool divides = operation.may_trap && wasm::params(opcode).size() == 2;
    if (divides && random_.percent(80)) {
        const bool wide = wasm::params(opcode)[1] == Kind::i64;
        code_.op(wide ? Opcode::I64Const : Opcode::I32Const);
        code_.signed_number(1);
        code_.op(wide ? Opcode::I64Or : Opcode::I32Or);
    }
    code_.op(opcode);
    if (wasm::lane_count(opcode) != 0) code_.byte(random_.below(wasm::lane_count(opcode)));
    if (operation.nan == NanRule::open && exact) canonical_nan(wasm::results(opcode)[0], wasm::text(opcode).starts_with("f64x2"));
}

/// Replaces a NaN on the stack (of v128: each) by the canonical one.
void FunctionGenerator::canonical_nan(Kind kind, bool double_lanes) {
    const std::uint32_t scratch = scratch_[static_cast<std::size_t>(kind)];
    code_.op(Opcode::LocalTee, scratch);
    switch (kind) {
        case Kind::f32:
            code_.op(Opcode::F32Const);
            code_.little_endian(kCanonicalF32, 4);
            break;
        case Kind::f64:
            code_.op(Opcode::F64Const);
            code_.little_endian(kCanonicalF64, 8);
            break;
        default:
            code_.op(Opcode::V128Const);
            for (int half = 0; half < 2; ++half) code_.little_endian(double_lanes ? kCanonicalF64 : kCanonicalF32x2, 8);
    }
    code_.op(Opcode::LocalGet, scratch);
    code_.op(Opcode::LocalGet, scratch);
    if (kind == Kind::v128) {
        code_.op(double_lanes ? Opcode::F64x2Eq : Opcode::F32x4Eq);
        code_.op(Opcode::V128Bitselect);
    } else {
        code_.op(kind == Kind::f32 ? Opcode::F32Eq : Opcode::F64Eq);
        code_.op(Opcode::Select);
    }
}

/// select, an if or a block with a value.
void FunctionGenerator::choice(Kind kind, unsigned depth, bool exact) {
    const std::uint32_t which = random_.below(3);
    if (which == 0) {
        expression(kind, depth, exact);
        expression(kind, depth, exact);
        expression(Kind::i32, depth, false);
        if (random_.percent(30)) {
            code_.op(Opcode::SelectT, 1);
            return code_.type(kind);
        }
        return code_.op(Opcode::Select);
    }
    if (which == 1) expression(Kind::i32, depth, false);
    code_.op(which == 1 ? Opcode::If : Opcode::Block);
    code_.type(kind);
    labels_.push_back(false);
    if (depth > 0 && random_.percent(30)) statement(depth - 1);
    expression(kind, depth, exact);
    if (which == 1) {
        code_.op(Opcode::Else);
        expression(kind, depth, exact);
    } else {
        expression(Kind::i32, depth, false);
        code_.op(Opcode::BrIf, 0);
        code_.op(Opcode::Drop);
        expression(kind, depth, exact);
    }
    labels_.pop_back();
    code_.op(Opcode::End);
}

void FunctionGenerator::single_call(Kind kind, unsigned depth) {
    for (std::uint32_t i = function_ + 1; i < module_.functions.size(); ++i) {
        if (depth > 0 && module_.functions[i].results == std::vector{kind}) return push_call(i, depth, false);
    }
    leaf(kind);
}

/// An address that is mostly in bounds.
void FunctionGenerator::address(unsigned depth) {
    const std::uint32_t which = random_.below(100);
    if (which < 15) {
        code_.op(Opcode::I32Const);
        return code_.signed_number(which < 14 ? random_.below(65536) : random_.between(65520, 65536));
    }
    expression(Kind::i32, depth == 0 ? 0 : depth - 1, false);
    if (which >= 98) return;
    code_.op(Opcode::I32Const);
    code_.signed_number(random_.percent(90) ? 0x7fff : 0xfff8);
    code_.op(Opcode::I32And);
}

void FunctionGenerator::memory_argument(Opcode opcode) {
    code_.op(opcode);
    code_.unsigned_number(random_.below(wasm::natural_align_log2(opcode) + 1));
    const std::uint32_t which = random_.below(100);
    code_.unsigned_number(which < 50 ? 0 : which < 90 ? random_.below(256) : which < 99 ? random_.below(32768) : 0xffff'fff0U);
}

// --- what there is ---------------------------------------------------------------------------------------------------------

std::optional<std::uint32_t> FunctionGenerator::local_of(Kind kind) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 0; i < assignable_; ++i) {
        if (locals_[i] == kind) found.push_back(i);
    }
    if (found.empty()) return std::nullopt;
    return random_.pick(found);
}

/// Depth of a random label that a branch without values may go to.
std::optional<std::uint32_t> FunctionGenerator::label_without_values() {
    std::vector<std::uint32_t> found;
    for (std::uint32_t depth = 0; depth < labels_.size(); ++depth) {
        if (labels_[labels_.size() - 1 - depth]) found.push_back(depth);
    }
    if (found.empty()) return std::nullopt;
    return random_.pick(found);
}

}  // namespace pollux::differential
