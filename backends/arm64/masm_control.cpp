// Labels, branches, traps and calls of the AArch64 masm.
//
// A use of an unbound label holds in its own offset field the distance, in words, to the use before it; 0 ends the chain.
#include "backends/arm64/masm.h"

#include "jit/abi/layout.h"

namespace pollux::arm64 {

using namespace words;

namespace {

enum class Field { imm26, imm19, imm14 };

constexpr Field field_of(Word word) {
    if ((word & 0x7c00'0000U) == 0x1400'0000U) return Field::imm26;                                            // b, bl
    return (word & 0x7e00'0000U) == 0x3600'0000U ? Field::imm14 : Field::imm19;                                // tbz, tbnz
}

constexpr Word with_distance(Word word, std::int32_t words) {
    switch (field_of(word)) {
        case Field::imm26: return with_imm26(word, words);
        case Field::imm19: return with_imm19(word, words);
        case Field::imm14: return with_imm14(word, words);
    }
    return word;
}

/// The field as the unsigned number that a chain keeps in it.
constexpr std::int32_t distance_of(Word word) {
    switch (field_of(word)) {
        case Field::imm26: return static_cast<std::int32_t>(word & 0x03ff'ffff);
        case Field::imm19: return static_cast<std::int32_t>(word >> 5 & 0x0007'ffff);
        case Field::imm14: return static_cast<std::int32_t>(word >> 5 & 0x0000'3fff);
    }
    return 0;
}

/// The branch on the opposite condition; not for b.
constexpr Word inverted(Word word) { return word ^ ((word & 0xff00'0000U) == 0x5400'0000U ? 1U : 0x0100'0000U); }

constexpr bool reaches(Word word, std::int32_t words) {
    const std::int32_t limit = field_of(word) == Field::imm26 ? 1 << 25 : field_of(word) == Field::imm19 ? 1 << 18 : 1 << 13;
    return words >= -limit && words < limit;
}

}  // namespace

void Masm::bind(Label& label) {
    const auto here = static_cast<std::int32_t>(position());
    window_ = kNoWindow;
    std::int32_t use = label.link;
    while (use >= 0 && !overflowed()) {
        const Word word = load_word(asm_._bufferData + use);
        const std::int32_t back = distance_of(word) * 4;
        patch(static_cast<std::uint32_t>(use), with_distance(word, (here - use) / 4));
        use = back == 0 ? -1 : use - back;
    }
    label.position = here;
    label.link = -1;
}

/// Emits a branch to an unbound label, chained.
void Masm::link(Word word, Label& label) {
    const auto here = static_cast<std::int32_t>(position());
    put(label.link < 0 ? word : with_distance(word, (here - label.link) / 4));
    if (!overflowed_) label.link = here;
}

void Masm::jump(Label& label) {
    if (!label.bound()) return link(kB, label);
    put(with_imm26(kB, (label.position - static_cast<std::int32_t>(position())) / 4));
}

void Masm::put_branch(Word word, Label& label) {
    const std::int32_t words = (label.position - static_cast<std::int32_t>(position())) / 4;
    if (label.bound() ? reaches(word, words) : field_of(word) == Field::imm14 ? test_branches_ : short_branches_) {
        if (label.bound()) return put(with_distance(word, words));
        return link(word, label);
    }
    put(with_distance(inverted(word), 2));
    jump(label);
}

void Masm::jump_table(Reg index, std::span<Label* const> labels) {
    if (!has_space(labels.size() * 4 + 64)) {
        overflowed_ = true;
        return;
    }
    // A table of branches, not of distances: a jump lands in it and goes on, and code memory holds nothing but instructions.
    const auto last = static_cast<std::uint32_t>(labels.size() - 1);
    put_constant(Width::w32, x16(), last);
    put(arith(Arith::subs, Width::w32, kZr, index.number(), kX16));
    put(csel(Width::w32, index.number(), index.number(), kX16, Cond::lo));
    put(adr(kX16, 12));
    put(arith(Arith::add, Width::w64, kX16, kX16, index.number(), 2));
    put(br(kX16));
    for (Label* label : labels) jump(*label);
}

// --- traps -----------------------------------------------------------------------------------------------------------------------

void Masm::add_site(std::uint32_t at, Site::Kind kind, TrapCode trap) {
    if (output_ != nullptr) output_->sites.push_back({at, wasm_offset_, kind, trap});
}

void Masm::trap(TrapCode code) {
    site(Site::Kind::trap, code);
    put(udf(static_cast<std::uint32_t>(code)));
}

void Masm::trap_when(Word branch, TrapCode code, Reg status) {
    if (short_branches_) {
        if (!pending_traps_.empty()) {
            PendingTrap& last = pending_traps_.back();
            if (last.code == code && last.wasm_offset == wasm_offset_ && last.status == status) return link(branch, last.label);
        }
        pending_traps_.push_back({{}, code, wasm_offset_, status});
        return link(branch, pending_traps_.back().label);
    }
    const bool moves = status.valid() && status != kResultGp;
    put(with_distance(inverted(branch), moves ? 3 : 2));
    if (moves) put(words::mov(Width::w32, kResultGp.number(), status.number()));
    trap(code);
}

void Masm::trap_on_status(Reg status) { trap_when(cbnz(Width::w32, status.number()), TrapCode::status, status); }

// --- calls -----------------------------------------------------------------------------------------------------------------------

void Masm::reserve_stack_arguments(std::uint32_t bytes) { put_add(kSp, kSp, -std::int64_t{bytes}); }

/// x16 = the function's current code, from the module's table.
void Masm::load_callee_address(std::uint32_t function) {
    const std::uint64_t entry = environment_->function_table + std::uint64_t{function} * 8;
    const std::uint64_t pc = buffer_.execute + position();
    const auto pages = static_cast<std::int64_t>((entry >> 12) - (pc >> 12));
    if (pages >= -(1 << 20) && pages < 1 << 20) {
        put(adrp(x16(), static_cast<std::int32_t>(pages)));
        put(access(kLdrX, kX16, kX16, static_cast<std::int32_t>(entry & 0xfff)));
        return;
    }
    put_constant(Width::w64, x16(), entry);
    put(access(kLdrX, kX16, kX16, 0));
}

void Masm::call_function(std::uint32_t function) {
    window_ = kNoWindow;
    if (environment_->calls == CallMode::table) {
        load_callee_address(function);
        put(blr(kX16));
    } else {
        output_->relocations.push_back({position(), function});
        put(kBl);
    }
    site(Site::Kind::call);
}

void Masm::call_code(Reg code) {
    window_ = kNoWindow;
    put(blr(code.number()));
    site(Site::Kind::call);
}

void Masm::call_helper(Helper helper) {
    put(words::mov(Width::w64, 0, kX28));
    put(access(kLdrX, x16(), kX28, offsetof(InstanceHeader, helpers)));
    put(access(kLdrX, kX16, kX16, static_cast<std::int32_t>(helper) * 8));
    put(blr(kX16));
    site(Site::Kind::call);
}

void Masm::jump_function(std::uint32_t function) {
    if (environment_->calls == CallMode::table) {
        load_callee_address(function);
        put(br(kX16));
    } else {
        output_->relocations.push_back({position(), function});
        put(kB);
    }
    site(Site::Kind::framed);
}

void Masm::jump_code(Reg code) {
    put(br(code.number()));
    site(Site::Kind::framed);
}

void Masm::tail_frame(std::uint32_t own_area, std::uint32_t callee_area) {
    // Both areas end where this function's incoming area ends:
    //
    //   sp: callee's arguments … slots … x29: {x29, x30} [own area] end
    //                                     callee's arguments to ──► end
    //
    // The copy moves up by at least 16 bytes, so it goes from the last byte down, and sp follows when it is done.
    constexpr unsigned kFrom = 3, kCount = 4;
    put_add(x16(), kFp, kIncomingStackArea + std::int64_t{own_area});
    put(ldp(kFp, kLr, kFp, 0));
    site(Site::Kind::frameless);
    if (callee_area == 0) {
        put(mov_to_sp(kX16));
        return;
    }
    put_constant(Width::w64, kFrom, callee_area);
    put(arith_sp(Arith::add, kFrom, kSp, kFrom));
    if (callee_area <= 4 * 16) {
        for (std::uint32_t done = 0; done < callee_area; done += 16) {
            put(ldr_q_pre(kV31, kFrom, -16));
            put(str_q_pre(kV31, kX16, -16));
        }
    } else {
        put_constant(Width::w64, kCount, callee_area / 16);
        put(ldr_q_pre(kV31, kFrom, -16));
        put(str_q_pre(kV31, kX16, -16));
        put(arith_imm(Arith::sub, Width::w64, kCount, kCount, 1));
        put(with_imm19(cbnz(Width::w64, kCount), -3));
    }
    put(mov_to_sp(kX16));
}

void Masm::consume_fuel(std::uint32_t amount) {
    put(access(kLdrX, x16(), kX28, offsetof(InstanceHeader, store)));
    put(access(kLdrX, kX17, kX16, offsetof(StoreContext, fuel)));
    if (amount >> 24 != 0) {
        put_constant(Width::w64, kLr, amount);
        put(arith(Arith::subs, Width::w64, kX17, kX17, kLr));
    } else {
        if (amount >> 12 != 0) put(arith_imm(Arith::sub, Width::w64, kX17, kX17, amount >> 12, true));
        put(arith_imm(Arith::subs, Width::w64, kX17, kX17, amount & 0xfff));
    }
    put(access(kStrX, kX17, kX16, offsetof(StoreContext, fuel)));
    trap_when(b_cond(Cond::mi), TrapCode::fuel_exhausted);
}

}  // namespace pollux::arm64
