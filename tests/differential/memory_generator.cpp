// Statements and expressions on memories: any of the module's, with 32-bit or 64-bit addresses, shared or not.
#include "tests/differential/function_generator.h"

namespace pollux::differential {

using wasm::Kind;
using wasm::Opcode;

namespace {

/// Atomic accesses with this result; without: stores.
std::vector<Opcode> atomics(std::optional<Kind> result) {
    std::vector<Opcode> found;
    for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
        const auto opcode = static_cast<Opcode>(i);
        if (wasm::group(opcode) != wasm::Group::atomic || opcode == Opcode::MemoryAtomicWait32 || opcode == Opcode::MemoryAtomicWait64)
            continue;
        const auto results = wasm::results(opcode);
        if (result ? !results.empty() && results[0] == *result : results.empty()) found.push_back(opcode);
    }
    return found;
}

}  // namespace

std::uint32_t FunctionGenerator::pick_memory() { return random_.below(module_.memories.size()); }

/// An address that is mostly in bounds.
void FunctionGenerator::address(std::uint32_t memory, unsigned depth) {
    const Kind kind = module_.memories[memory].address();
    const std::uint32_t which = random_.below(100);
    if (which < 15) return code_.constant(kind, which < 14 ? random_.below(65536) : random_.between(65520, 65536));
    expression(kind, depth == 0 ? 0 : depth - 1, false);
    if (which >= 98) return;
    code_.constant(kind, random_.percent(90) ? 0x7fff : 0xfff8);
    code_.op(kind == Kind::i64 ? Opcode::I64And : Opcode::I32And);
}

void FunctionGenerator::memory_argument(Opcode opcode, std::uint32_t memory) {
    static constexpr std::uint64_t kFar[] = {0x1'0000'0000, 0x1'0000'0010, 0xffff'ffff'0000'0000, 0xffff'ffff'ffff'fff0};
    const std::uint32_t align = random_.below(wasm::natural_align_log2(opcode) + 1);
    const std::uint32_t which = random_.below(100);
    std::uint64_t offset = 0xffff'fff0U;
    if (which < 50) {
        offset = 0;
    } else if (which < 90) {
        offset = random_.below(256);
    } else if (which < 99) {
        offset = random_.below(32768);
    } else if (module_.memories[memory].is_64 && random_.percent(70)) {
        offset = random_.pick(kFar);
    }
    memory_argument(opcode, memory, align, offset);
}

void FunctionGenerator::memory_argument(Opcode opcode, std::uint32_t memory, std::uint32_t align_log2, std::uint64_t offset) {
    code_.op(opcode);
    code_.unsigned_number(align_log2 | (memory == 0 ? 0 : 0x40U));
    if (memory != 0) code_.unsigned_number(memory);
    code_.unsigned_number(offset);
}

void FunctionGenerator::load(Opcode opcode, unsigned depth) {
    const std::uint32_t memory = pick_memory();
    address(memory, depth);
    memory_argument(opcode, memory);
}

void FunctionGenerator::load_lane(unsigned depth) {
    static const std::vector<Opcode> kLaneLoads = opcodes(Group::load_lane, std::nullopt);
    const Opcode opcode = random_.pick(kLaneLoads);
    const std::uint32_t memory = pick_memory();
    address(memory, depth);
    expression(Kind::v128, depth, true);
    memory_argument(opcode, memory);
    code_.byte(random_.below(wasm::lane_count(opcode)));
}

void FunctionGenerator::store_statement(unsigned depth) {
    static const std::vector<Opcode> kStores = opcodes(Group::store, std::nullopt);
    static const std::vector<Opcode> kLaneStores = opcodes(Group::store_lane, std::nullopt);
    const bool lane = random_.percent(15);
    const Opcode opcode = random_.pick(lane ? kLaneStores : kStores);
    const std::uint32_t memory = pick_memory();
    address(memory, depth);
    expression(wasm::params(opcode)[1], depth, true);
    memory_argument(opcode, memory);
    if (lane) code_.byte(random_.below(wasm::lane_count(opcode)));
}

/// Mostly aligned. What is not is in bounds: engines differ in what they check first.
void FunctionGenerator::atomic_access(Opcode opcode, unsigned depth) {
    const std::uint32_t memory = pick_memory();
    const Kind kind = module_.memories[memory].address();
    const bool aligned = random_.percent(97);
    const bool near = !aligned || random_.percent(97);
    expression(kind, depth == 0 ? 0 : depth - 1, false);
    code_.constant(kind, aligned ? (near ? 0x7ff8 : 0x1'fff8) : 0x7fff);
    code_.op(kind == Kind::i64 ? Opcode::I64And : Opcode::I32And);
    for (const Kind operand : wasm::params(opcode).subspan(1)) expression(operand, depth, true);
    memory_argument(opcode, memory, wasm::natural_align_log2(opcode), aligned ? 8 * random_.below(32) : random_.below(256));
}

void FunctionGenerator::atomic_statement(unsigned depth) {
    static const std::vector<Opcode> kStores = atomics(std::nullopt);
    if (random_.percent(10)) {
        code_.op(Opcode::AtomicFence);
        return code_.byte(0);
    }
    atomic_access(random_.pick(kStores), depth);
}

/// An expression of this kind that a feature beyond WebAssembly 2.0 has; false: there is none, and nothing was made.
bool FunctionGenerator::feature_operation(Kind kind, unsigned depth) {
    static const std::array kAtomics = {atomics(Kind::i32), atomics(Kind::i64)};
    if (has(Feature::gc) && random_.percent(60)) {
        if (kind == Kind::i32 && random_.percent(60)) return question(depth), true;
        return get_field(kind, depth);
    }
    if (has(Feature::threads) && (kind == Kind::i32 || kind == Kind::i64)) {
        atomic_access(random_.pick(kAtomics[static_cast<std::size_t>(kind)]), depth);
        return true;
    }
    if (has(Feature::relaxed_simd) && kind == Kind::v128) return relaxed(depth), true;
    return false;
}

void FunctionGenerator::bulk_statement(unsigned depth) {
    const auto length = [&](Kind kind) {
        expression(kind, depth - 1, false);
        if (random_.percent(2)) return;
        code_.constant(kind, 63);
        code_.op(kind == Kind::i64 ? Opcode::I64And : Opcode::I32And);
    };
    const std::uint32_t memory = pick_memory();
    const Kind kind = module_.memories[memory].address();
    switch (random_.below(4)) {
        case 0:
            address(memory, depth);
            expression(Kind::i32, depth - 1, false);
            length(kind);
            return code_.op(Opcode::MemoryFill, memory);
        case 1: {
            const std::uint32_t source = pick_memory();
            address(memory, depth);
            address(source, depth);
            length(module_.memories[source].is_64 ? kind : Kind::i32);
            code_.op(Opcode::MemoryCopy, memory);
            return code_.unsigned_number(source);
        }
        case 2:
            address(memory, depth);
            code_.constant(0);
            length(Kind::i32);
            code_.op(Opcode::MemoryInit, module_.passive_data);
            return code_.unsigned_number(memory);
        default:
            if (random_.percent(10)) {
                constant(kind);
            } else {
                code_.constant(kind, random_.percent(80) ? 0 : 1);
            }
            code_.op(Opcode::MemoryGrow, memory);
            set_results({kind});
    }
}

/// memory.size as an i32.
void FunctionGenerator::memory_size() {
    const std::uint32_t memory = pick_memory();
    code_.op(Opcode::MemorySize, memory);
    if (module_.memories[memory].is_64) code_.op(Opcode::I32WrapI64);
}

}  // namespace pollux::differential
