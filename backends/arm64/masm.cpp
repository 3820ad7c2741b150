// Frames, constants and integer operations of the AArch64 masm. Loads and stores: masm_memory.cpp; branches and calls:
// masm_control.cpp; floats: masm_float.cpp; vectors: masm_simd.cpp; atomics: masm_atomic.cpp.
#include "backends/arm64/masm.h"

#include <algorithm>
#include <cstring>

#include "jit/abi/layout.h"

namespace pollux::arm64 {

using namespace words;

namespace {

constexpr std::size_t kReachOfImm19 = std::size_t{1} << 20;  ///< b.cond, cbz
constexpr std::size_t kReachOfImm14 = std::size_t{1} << 15;  ///< tbz
/// No byte of wasm yields more code than this (a br_table entry that reloads every home).
constexpr std::size_t kWorstExpansion = 1024;
/// Bodies of this size are tried with short branches although a hostile one could outgrow their reach.
constexpr std::size_t kUsuallyShort = 48 * 1024;
/// A caller that offers more than this has been told that less is too little.
constexpr std::size_t kLargeBuffer = std::size_t{16} << 20;

}  // namespace

Masm::Masm(const CpuFeatures& features) : features_(features) {
    static_cast<void>(holder_.init(asmjit::Environment(asmjit::Arch::kAArch64)));
    holder_.setErrorHandler(&errors_);
    static_cast<void>(holder_.attach(&asm_));
    asmjit::CodeBuffer& text = holder_.textSection()->buffer();
    text._flags = asmjit::CodeBufferFlags::kIsExternal | asmjit::CodeBufferFlags::kIsFixed;
}

void Masm::store_word(std::uint8_t* at, Word word) {
    if constexpr (std::endian::native == std::endian::big) word = std::byteswap(word);
    std::memcpy(at, &word, sizeof word);
}

Word Masm::load_word(const std::uint8_t* at) {
    Word word = 0;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = std::byteswap(word);
    return word;
}

void Masm::start(CodeBuffer buffer, std::size_t limit) {
    buffer_ = buffer;
    limit_ = limit;
    asm_._bufferData = asm_._bufferPtr = buffer.write;
    asm_._bufferEnd = buffer.write + limit;
    // Fixed, and full as far as growing goes: past the end, asmjit reports an error.
    asmjit::CodeBuffer& text = holder_.textSection()->buffer();
    text._data = buffer.write;
    text._size = text._capacity = limit;
    clear_scratch(pending_traps_);
    clear_scratch(literals_);
    wasm_offset_ = 0;
    window_ = kNoWindow;
    frame_at_ = 0;
    clear_scratch(stack_restores_);
    overflowed_ = finished_ = false;
    errors_.full = errors_.not_encodable = false;
}

void Masm::begin(CodeBuffer buffer) {
    environment_ = nullptr;
    output_ = nullptr;
    const std::size_t limit = std::min(buffer.capacity, kReachOfImm19);
    short_branches_ = true;
    test_branches_ = limit <= kReachOfImm14;
    start(buffer, limit);
}

void Masm::begin(const CompileEnvironment& environment, CodeBuffer buffer, std::size_t body_bytes, FunctionOutput& output) {
    environment_ = &environment;
    output_ = &output;
    // Short branches where the size of the body or of the buffer proves their reach. A middling body gets them with the reach as its
    // limit; if that overflows, the caller comes again, and gets the long forms.
    const std::size_t worst = body_bytes * kWorstExpansion + 4096;
    std::size_t limit = buffer.capacity;
    const bool too_short = !finished_ && (limit_ < buffer_.capacity || !short_branches_);
    short_branches_ = !too_short && (std::min(limit, worst) <= kReachOfImm19 || (body_bytes <= kUsuallyShort && limit <= kLargeBuffer));
    if (short_branches_) limit = std::min(limit, kReachOfImm19);
    test_branches_ = short_branches_ && std::min(limit, worst) <= kReachOfImm14;
    if (test_branches_) limit = std::min(limit, kReachOfImm14);
    start(buffer, limit);
}

void Masm::finish(std::uint32_t frame_bytes) {
    for (PendingTrap& trap : pending_traps_) {
        bind(trap.label);
        wasm_offset_ = trap.wasm_offset;
        if (trap.status.valid() && trap.status != kResultGp) put(words::mov(Width::w32, kResultGp.number(), trap.status.number()));
        site(Site::Kind::trap, trap.code);
        put(udf(static_cast<std::uint32_t>(trap.code)));
    }
    pending_traps_.clear();
    if (!literals_.empty() && position() % sizeof(Literal::bits) != 0) put(kNop);
    for (Literal& literal : literals_) {
        bind(literal.label);
        put(static_cast<Word>(literal.bits));
        put(static_cast<Word>(literal.bits >> 32));
    }

    // x16 = base - frame, in two words; a frame that these cannot express is one that no stack holds.
    const std::uint64_t frame = (std::uint64_t{frame_bytes} + 15) & ~std::uint64_t{15};
    const auto patch_frame = [&](std::uint32_t at, auto base) {
        Word first = movz(Width::w64, kX16, 0);
        Word second = kNop;
        const auto low = static_cast<std::uint32_t>(frame & 0xfff);
        if (frame < 4096) {
            first = arith_imm(Arith::sub, Width::w64, kX16, base, low);
        } else if (frame >> 24 == 0) {
            first = arith_imm(Arith::sub, Width::w64, kX16, base, static_cast<std::uint32_t>(frame >> 12), true);
            if (low != 0) second = arith_imm(Arith::sub, Width::w64, kX16, kX16, low);
        }
        patch(at, first);
        patch(at + 4, second);
    };
    if (overflowed()) return;
    if (frame_at_ != 0) patch_frame(frame_at_, kSp);
    for (const std::uint32_t at : stack_restores_) patch_frame(at, kFp);
    if (output_ != nullptr) output_->code_bytes = position();
    finished_ = true;
}

void Masm::prologue() {
    site(Site::Kind::frameless);
    put(stp(kFp, kLr, kSp, -16, Pair::pre));
    put(mov_from_sp(kFp));
    site(Site::Kind::framed);
    // sp moves only once the room is known to be there: a signal handler writes below it.
    put(access(kLdrX, kX17, kX28, offsetof(InstanceHeader, stack_limit)));
    frame_at_ = position();
    put(kNop);
    put(kNop);
    put(arith(Arith::subs, Width::w64, kZr, x16(), kX17));
    trap_when(b_cond(Cond::lo), TrapCode::stack_overflow);
    put(mov_to_sp(kX16));
}

void Masm::restore_stack_pointer() {
    stack_restores_.push_back(position());
    put(kNop);
    put(kNop);
    put(mov_to_sp(x16()));
}

void Masm::epilogue(std::uint32_t stack_area) {
    put(mov_to_sp(kFp));
    const bool folds = stack_area + 16 <= 504;
    put(ldp(kFp, kLr, kSp, static_cast<std::int32_t>(folds ? stack_area + 16 : 16), Pair::post));
    site(Site::Kind::frameless);
    if (!folds) put_add(kSp, kSp, stack_area);
    put(ret());
    site(Site::Kind::framed);
}

// --- constants -------------------------------------------------------------------------------------------------------------------

void Masm::put_constant(Width width, unsigned d, std::uint64_t value) {
    if (d == kX16) window_ = kNoWindow;
    if (width == Width::w32) value &= 0xffff'ffff;
    // A value whose upper half is zero is a 32-bit one: those forms zero the rest.
    if (value >> 32 == 0) width = Width::w32;
    const unsigned halves = width == Width::w64 ? 4 : 2;
    unsigned zeros = 0;
    unsigned ones = 0;
    for (unsigned i = 0; i < halves; ++i) {
        const std::uint64_t half = value >> (16 * i) & 0xffff;
        zeros += half == 0 ? 1 : 0;
        ones += half == 0xffff ? 1 : 0;
    }
    if (zeros < halves - 1 && ones < halves - 1) {
        if (const auto fields = logical_immediate(width, value)) {
            put(logic_imm(Logic::orr, width, d, kZr, *fields));
            return;
        }
    }
    const bool inverted = ones > zeros;
    const std::uint64_t background = inverted ? 0xffff : 0;
    bool first = true;
    for (unsigned i = 0; i < halves; ++i) {
        const auto half = static_cast<std::uint32_t>(value >> (16 * i) & 0xffff);
        if (half == background) continue;
        if (!first) {
            put(movk(width, d, half, i));
        } else {
            put(inverted ? movn(width, d, half ^ 0xffff, i) : movz(width, d, half, i));
        }
        first = false;
    }
    if (first) put(inverted ? movn(width, d, 0) : movz(width, d, 0));
}

void Masm::put_add_registers(unsigned d, unsigned n, unsigned m) {
    put(d == kSp || n == kSp ? arith_sp(Arith::add, d, n, m) : arith(Arith::add, Width::w64, d, n, m));
}

void Masm::put_add(unsigned d, unsigned n, std::int64_t value) {
    if (d == kX16) window_ = kNoWindow;
    const Arith op = value < 0 ? Arith::sub : Arith::add;
    const std::uint64_t size = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    if (size >> 24 != 0) {
        put_constant(Width::w64, x16(), static_cast<std::uint64_t>(value));
        put_add_registers(d, n, kX16);
        return;
    }
    const auto high = static_cast<std::uint32_t>(size >> 12);
    const auto low = static_cast<std::uint32_t>(size & 0xfff);
    if (high != 0) put(arith_imm(op, Width::w64, d, n, high, true));
    if (low != 0 || (high == 0 && d != n)) put(arith_imm(op, Width::w64, d, high != 0 ? d : n, low));
}

void Masm::mov(Kind kind, Reg d, Reg s) {
    if (d == s) return;
    switch (kind) {
        case Kind::i32: put(words::mov(Width::w32, d.number(), s.number())); break;
        case Kind::i64:
        case Kind::ref:
            if (d == kStackPointer || s == kStackPointer) {
                put(arith_imm(Arith::add, Width::w64, d.number(), s.number(), 0));
            } else {
                put(words::mov(Width::w64, d.number(), s.number()));
            }
            break;
        case Kind::f32:  put(fp_one(FpOne::fmov, Width::w32, d.number(), s.number())); break;
        case Kind::f64:  put(fp_one(FpOne::fmov, Width::w64, d.number(), s.number())); break;
        case Kind::v128: put(mov_v(d.number(), s.number())); break;
    }
}

void Masm::mov_imm(Width width, Reg d, std::uint64_t value) { put_constant(width, d.number(), value); }
void Masm::gp_to_fp(Width width, Reg d, Reg s) { put(fmov_from_gp(width, d.number(), s.number())); }
void Masm::fp_to_gp(Width width, Reg d, Reg s) { put(fmov_to_gp(width, d.number(), s.number())); }

// --- integers --------------------------------------------------------------------------------------------------------------------

/// The register of an operand; x16, if it has to be loaded or made first.
unsigned Masm::register_of(Width width, const Operand& operand) {
    switch (operand.type) {
        case Operand::Type::reg: return operand.reg.number();
        case Operand::Type::immediate:
            if ((width == Width::w32 ? operand.immediate & 0xffff'ffff : operand.immediate) == 0) return kZr;
            put_constant(width, x16(), static_cast<std::uint64_t>(operand.immediate));
            return kX16;
        case Operand::Type::slot: {
            put_access(width == Width::w32 ? kLdrW : kLdrX, kX16, {kFramePointer, kNoReg, operand.slot});
            return x16();
        }
    }
    return kZr;
}

namespace {

/// What a 32-bit immediate means as a number.
std::int64_t signed_value(Width width, std::int64_t immediate) {
    return width == Width::w32 ? static_cast<std::int32_t>(immediate) : immediate;
}

bool fits_add(std::uint64_t size) { return size < 4096 || ((size & 0xfff) == 0 && size >> 24 == 0); }

std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

Word add_sub_imm(Arith op, Width width, unsigned d, unsigned n, std::uint64_t size) {
    const bool high = size >= 4096;
    return arith_imm(op, width, d, n, static_cast<std::uint32_t>(high ? size >> 12 : size), high);
}

}  // namespace

void Masm::put_logic(AluOp op, Width width, unsigned d, unsigned n, std::uint64_t value) {
    const std::uint64_t all = width == Width::w32 ? 0xffff'ffff : ~std::uint64_t{0};
    value &= all;
    if (value == 0 || value == all) {
        if (op == AluOp::and_ && value == 0) {
            put(movz(width, d, 0));
        } else if (op == AluOp::or_ && value == all) {
            put(movn(width, d, 0));
        } else if (op == AluOp::xor_ && value == all) {
            put(logic(Logic::orn, width, d, kZr, n));
        } else if (d != n) {
            put(words::mov(width, d, n));
        }
        return;
    }
    const Logic word = op == AluOp::and_ ? Logic::and_ : op == AluOp::or_ ? Logic::orr : Logic::eor;
    if (const auto fields = logical_immediate(width, value)) {
        put(logic_imm(word, width, d, n, *fields));
        return;
    }
    put_constant(width, x16(), value);
    put(logic(word, width, d, n, kX16));
}

void Masm::alu(AluOp op, Width width, Reg d, Reg a, Operand b) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    if (b.is_immediate()) {
        if (op != AluOp::add && op != AluOp::sub) {
            put_logic(op, width, rd, rn, static_cast<std::uint64_t>(b.immediate));
            return;
        }
        const std::int64_t value = signed_value(width, b.immediate);
        const std::uint64_t size = magnitude(value);
        const Arith word = (op == AluOp::add) == (value >= 0) ? Arith::add : Arith::sub;
        if (size == 0) {
            if (rd != rn) put(words::mov(width, rd, rn));
            return;
        }
        if (fits_add(size)) {
            put(add_sub_imm(word, width, rd, rn, size));
            return;
        }
        if (size >> 24 == 0) {
            put(add_sub_imm(word, width, rd, rn, size & ~std::uint64_t{0xfff}));
            put(add_sub_imm(word, width, rd, rd, size & 0xfff));
            return;
        }
    }
    const unsigned rm = register_of(width, b);
    switch (op) {
        case AluOp::add:  put(arith(Arith::add, width, rd, rn, rm)); break;
        case AluOp::sub:  put(arith(Arith::sub, width, rd, rn, rm)); break;
        case AluOp::and_: put(logic(Logic::and_, width, rd, rn, rm)); break;
        case AluOp::or_:  put(logic(Logic::orr, width, rd, rn, rm)); break;
        case AluOp::xor_: put(logic(Logic::eor, width, rd, rn, rm)); break;
    }
}

void Masm::mul(Width width, Reg d, Reg a, Operand b) {
    if (b.is_immediate()) {
        std::uint64_t value = static_cast<std::uint64_t>(signed_value(width, b.immediate));
        if (width == Width::w32) value &= 0xffff'ffff;
        if (std::has_single_bit(value)) {
            put(lsl(width, d.number(), a.number(), static_cast<unsigned>(std::countr_zero(value))));
            return;
        }
        if (value > 1 && std::has_single_bit(value - 1)) {
            put(arith(Arith::add, width, d.number(), a.number(), a.number(), static_cast<unsigned>(std::countr_zero(value - 1))));
            return;
        }
    }
    const unsigned rm = register_of(width, b);
    put(madd(width, d.number(), a.number(), rm, kZr));
}

void Masm::shift(ShiftOp op, Width width, Reg d, Reg a, Operand count) {
    const unsigned rd = d.number();
    const unsigned rn = a.number();
    if (count.is_immediate()) {
        const unsigned bits = width == Width::w64 ? 64 : 32;
        const auto by = static_cast<unsigned>(count.immediate & static_cast<std::int64_t>(bits - 1));
        if (by == 0) {
            if (rd != rn) put(words::mov(width, rd, rn));
            return;
        }
        switch (op) {
            case ShiftOp::shl:   put(lsl(width, rd, rn, by)); break;
            case ShiftOp::shr_s: put(asr(width, rd, rn, by)); break;
            case ShiftOp::shr_u: put(lsr(width, rd, rn, by)); break;
            case ShiftOp::rotl:  put(ror(width, rd, rn, bits - by)); break;
            case ShiftOp::rotr:  put(ror(width, rd, rn, by)); break;
        }
        return;
    }
    unsigned rm = register_of(width, count);
    TwoSource word = TwoSource::lslv;
    switch (op) {
        case ShiftOp::shl:   word = TwoSource::lslv; break;
        case ShiftOp::shr_s: word = TwoSource::asrv; break;
        case ShiftOp::shr_u: word = TwoSource::lsrv; break;
        case ShiftOp::rotr:  word = TwoSource::rorv; break;
        case ShiftOp::rotl:
            put(arith(Arith::sub, width, x16(), kZr, rm));
            rm = kX16;
            word = TwoSource::rorv;
            break;
    }
    put(two_source(word, width, rd, rn, rm));
}

void Masm::div(DivOp op, Width width, Reg d, Reg a, Reg b, bool check_zero, bool check_overflow) {
    const unsigned rn = a.number();
    const unsigned rm = b.number();
    if (check_zero) trap_when(cbz(width, rm), TrapCode::integer_divide_by_zero);
    if (op == DivOp::div_s && check_overflow) {
        // b == -1 ? a - 1 overflows : no. Only the least integer less one overflows.
        put(arith_imm(Arith::adds, width, kZr, rm, 1));
        put(ccmp_imm(width, rn, 1, 0, Cond::eq));
        trap_when(b_cond(Cond::vs), TrapCode::integer_overflow);
    }
    const bool is_signed = op == DivOp::div_s || op == DivOp::rem_s;
    const bool remainder = op == DivOp::rem_s || op == DivOp::rem_u;
    put(two_source(is_signed ? TwoSource::sdiv : TwoSource::udiv, width, remainder ? x16() : d.number(), rn, rm));
    if (remainder) put(msub(width, d.number(), kX16, rm, rn));
}

void Masm::add_wide(bool subtract, Reg low, Reg high, Reg b_low, Reg b_high) {
    put(arith(subtract ? Arith::subs : Arith::adds, Width::w64, low.number(), low.number(), b_low.number()));
    put(add_with_carry(subtract, high.number(), high.number(), b_high.number()));
}

void Masm::mul_wide(bool is_signed, Reg low, Reg high, Reg a, Reg b) {
    put(madd(Width::w64, low.number(), a.number(), b.number(), kZr));
    put(mul_high(is_signed, high.number(), a.number(), b.number()));
}

void Masm::bit_count(BitOp op, Width width, Reg d, Reg a) {
    switch (op) {
        case BitOp::clz: put(clz(width, d.number(), a.number())); break;
        case BitOp::ctz:
            put(rbit(width, d.number(), a.number()));
            put(clz(width, d.number(), d.number()));
            break;
        case BitOp::popcnt: {
            const asmjit::a64::Vec v = asmjit::a64::v(kV31);
            put(fmov_from_gp(width, kV31, a.number()));
            asm_.cnt(v.b8(), v.b8());
            asm_.addv(v.b(), v.b8());
            put(fmov_to_gp(Width::w32, d.number(), kV31));
            break;
        }
    }
}

void Masm::extend(ExtendOp op, Reg d, Reg a) {
    switch (op) {
        case ExtendOp::s8_32:  put(bitfield(true, Width::w32, d.number(), a.number(), 0, 7)); break;
        case ExtendOp::s16_32: put(bitfield(true, Width::w32, d.number(), a.number(), 0, 15)); break;
        case ExtendOp::s8_64:  put(bitfield(true, Width::w64, d.number(), a.number(), 0, 7)); break;
        case ExtendOp::s16_64: put(bitfield(true, Width::w64, d.number(), a.number(), 0, 15)); break;
        case ExtendOp::s32_64: put(bitfield(true, Width::w64, d.number(), a.number(), 0, 31)); break;
        case ExtendOp::u32_64: put(words::mov(Width::w32, d.number(), a.number())); break;
    }
}

void Masm::add_shifted(Width width, Reg d, Reg a, Reg b, std::uint8_t shift) {
    put(arith(Arith::add, width, d.number(), a.number(), b.number(), shift));
}

// --- comparisons -----------------------------------------------------------------------------------------------------------------

Cond Masm::put_compare(IntCond cond, Width width, Reg a, const Operand& b) {
    constexpr std::array kConds = {Cond::eq, Cond::ne, Cond::lt, Cond::lo, Cond::gt, Cond::hi, Cond::le, Cond::ls, Cond::ge, Cond::hs};
    const Cond result = kConds[static_cast<std::size_t>(cond)];
    if (b.is_immediate()) {
        const std::int64_t value = signed_value(width, b.immediate);
        const std::uint64_t size = magnitude(value);
        if (fits_add(size)) {
            // cmn with the negated value sets the same flags, except for zero.
            put(add_sub_imm(value < 0 ? Arith::adds : Arith::subs, width, kZr, a.number(), size));
            return result;
        }
    }
    const unsigned rm = register_of(width, b);
    put(arith(Arith::subs, width, kZr, a.number(), rm));
    return result;
}

namespace {

bool is_zero(Width width, const Operand& b) { return b.is_immediate() && signed_value(width, b.immediate) == 0; }

}  // namespace

void Masm::compare_set(IntCond cond, Width width, Reg d, Reg a, Operand b) {
    if (cond == IntCond::lt_s && is_zero(width, b)) {
        put(lsr(width, d.number(), a.number(), width == Width::w64 ? 63 : 31));
        return;
    }
    const Cond set = put_compare(cond, width, a, b);
    put(cset(d.number(), set));
}

void Masm::compare_branch(IntCond cond, Width width, Reg a, Operand b, Label& label) {
    if (is_zero(width, b)) {
        const unsigned sign = width == Width::w64 ? 63 : 31;
        if (cond == IntCond::eq || cond == IntCond::le_u) return put_branch(cbz(width, a.number()), label);
        if (cond == IntCond::ne || cond == IntCond::gt_u) return put_branch(cbnz(width, a.number()), label);
        if (test_branches_ && cond == IntCond::lt_s) return put_branch(tbnz(a.number(), sign), label);
        if (test_branches_ && cond == IntCond::ge_s) return put_branch(tbz(a.number(), sign), label);
    }
    put_branch(b_cond(put_compare(cond, width, a, b)), label);
}

void Masm::compare_trap(IntCond cond, Width width, Reg a, Operand b, TrapCode code) {
    if (is_zero(width, b) && (cond == IntCond::eq || cond == IntCond::le_u)) return trap_when(cbz(width, a.number()), code);
    if (is_zero(width, b) && (cond == IntCond::ne || cond == IntCond::gt_u)) return trap_when(cbnz(width, a.number()), code);
    trap_when(b_cond(put_compare(cond, width, a, b)), code);
}

void Masm::compare_select(IntCond cond, Width width, Reg a, Operand b, Kind kind, Reg d, Reg t, Reg f) {
    const Cond when = put_compare(cond, width, a, b);
    switch (kind) {
        case Kind::i32:  put(csel(Width::w32, d.number(), t.number(), f.number(), when)); return;
        case Kind::i64:
        case Kind::ref:  put(csel(Width::w64, d.number(), t.number(), f.number(), when)); return;
        case Kind::f32:  put(fcsel(Width::w32, d.number(), t.number(), f.number(), when)); return;
        case Kind::f64:  put(fcsel(Width::w64, d.number(), t.number(), f.number(), when)); return;
        case Kind::v128: break;
    }
    put(csetm(x16(), when));
    put(dup_2d(kV31, kX16));
    if (d == t) {
        put(bitwise(Bitwise::bif, d.number(), f.number(), kV31));
    } else if (d == f) {
        put(bitwise(Bitwise::bit, d.number(), t.number(), kV31));
    } else {
        put(bitwise(Bitwise::bsl, kV31, t.number(), f.number()));
        put(mov_v(d.number(), kV31));
    }
}

}  // namespace pollux::arm64
