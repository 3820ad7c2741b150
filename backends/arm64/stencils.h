// Instruction words of the hot forms. Register fields of AArch64 are linear, so a stencil is a constant and its fields:
// one word, one store. tests/codegen/arm64 compares each with asmjit's encoding for every register tuple.
//
// Arguments are register numbers in assembly order (d, n, m, a). Immediates must be encodable: callers test with the fits_… functions.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include "backends/arm64/registers.h"
#include "jit/compile/macro_assembler.h"

namespace pollux::arm64 {

using Word = std::uint32_t;

/// Condition codes as encoded; the inverse differs in the low bit.
enum class Cond : std::uint8_t { eq, ne, hs, lo, mi, pl, vs, vc, hi, ls, ge, lt, gt, le };
[[nodiscard]] constexpr Cond invert(Cond cond) noexcept { return static_cast<Cond>(static_cast<std::uint8_t>(cond) ^ 1U); }

namespace words {

[[nodiscard]] constexpr Word sf(Width w) noexcept { return w == Width::w64 ? 0x8000'0000U : 0U; }
[[nodiscard]] constexpr Word fp_type(Width w) noexcept { return w == Width::w64 ? 0x0040'0000U : 0U; }
[[nodiscard]] constexpr Word rd(unsigned d, unsigned n) noexcept { return n << 5 | d; }
[[nodiscard]] constexpr Word rrr(unsigned d, unsigned n, unsigned m) noexcept { return m << 16 | n << 5 | d; }
[[nodiscard]] constexpr Word cc(Cond c) noexcept { return static_cast<Word>(c) << 12; }

// --- add, subtract, logic: shifted registers, immediates ---------------------------------------------------------------------
enum class Arith : Word { add = 0x0B00'0000, adds = 0x2B00'0000, sub = 0x4B00'0000, subs = 0x6B00'0000 };
enum class Logic : Word {
    and_ = 0x0A00'0000,
    orr = 0x2A00'0000,
    eor = 0x4A00'0000,
    ands = 0x6A00'0000,
    bic = 0x0A20'0000,
    orn = 0x2A20'0000
};

[[nodiscard]] constexpr Word arith(Arith op, Width w, unsigned d, unsigned n, unsigned m, unsigned lsl = 0) noexcept {
    return static_cast<Word>(op) | sf(w) | rrr(d, n, m) | lsl << 10;
}
/// `n` and `d` (of add and sub) may be the stack pointer: the extended form with uxtx.
[[nodiscard]] constexpr Word arith_sp(Arith op, unsigned d, unsigned n, unsigned m) noexcept {
    return static_cast<Word>(op) | sf(Width::w64) | 0x0020'6000U | rrr(d, n, m);
}
/// Compares x(n) with w(m) extended: `cmp xn, wm, sxtw` or uxtw.
[[nodiscard]] constexpr Word cmp_extended(bool is_signed, unsigned n, unsigned m) noexcept {
    return static_cast<Word>(Arith::subs) | sf(Width::w64) | 0x0020'0000U | (is_signed ? 6U : 2U) << 13 | rrr(kZr, n, m);
}
[[nodiscard]] constexpr Word arith_imm(Arith op, Width w, unsigned d, unsigned n, std::uint32_t imm12, bool lsl12 = false) noexcept {
    return (static_cast<Word>(op) ^ 0x1A00'0000U) | sf(w) | (lsl12 ? 0x0040'0000U : 0U) | imm12 << 10 | rd(d, n);
}
[[nodiscard]] constexpr Word logic(Logic op, Width w, unsigned d, unsigned n, unsigned m, unsigned lsl = 0) noexcept {
    return static_cast<Word>(op) | sf(w) | rrr(d, n, m) | lsl << 10;
}

/// The N, immr and imms fields of a logical immediate, in place; nothing if `value` is not one.
[[nodiscard]] constexpr std::optional<Word> logical_immediate(Width w, std::uint64_t value) noexcept {
    if (w == Width::w32) value = (value & 0xffff'ffff) | value << 32;
    if (value == 0 || value == ~std::uint64_t{0}) return std::nullopt;
    // A run of ones, rotated within an element that repeats. Rotating the value until the run starts at bit 0 finds all three.
    unsigned size = 64;
    while (size > 2) {
        const unsigned half = size / 2;
        const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
        if ((value & mask) != (value >> half & mask)) break;
        size = half;
    }
    const std::uint64_t mask = size == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    const std::uint64_t element = value & mask;
    const auto ones = static_cast<unsigned>(std::popcount(element));
    // Where the run starts: a set bit whose lower neighbour, cyclically, is clear.
    const std::uint64_t neighbours = (element << 1 | element >> (size - 1)) & mask;
    const std::uint64_t starts = element & ~neighbours;
    if (std::popcount(starts) != 1) return std::nullopt;
    const auto start = static_cast<unsigned>(std::countr_zero(starts));
    const unsigned immr = (size - start) % size;
    const unsigned imms = ((0U - 2 * size) & 0x3f) | (ones - 1);
    return (size == 64 ? 1U : 0U) << 22 | immr << 16 | imms << 10;
}
[[nodiscard]] constexpr Word logic_imm(Logic op, Width w, unsigned d, unsigned n, Word fields) noexcept {
    return (static_cast<Word>(op) ^ 0x1800'0000U) | sf(w) | fields | rd(d, n);
}

// --- moves --------------------------------------------------------------------------------------------------------------------
[[nodiscard]] constexpr Word mov(Width w, unsigned d, unsigned m) noexcept { return logic(Logic::orr, w, d, kZr, m); }
[[nodiscard]] constexpr Word mov_from_sp(unsigned d) noexcept { return arith_imm(Arith::add, Width::w64, d, kSp, 0); }
[[nodiscard]] constexpr Word mov_to_sp(unsigned n) noexcept { return arith_imm(Arith::add, Width::w64, kSp, n, 0); }
[[nodiscard]] constexpr Word movz(Width w, unsigned d, std::uint32_t imm16, unsigned half = 0) noexcept {
    return 0x5280'0000U | sf(w) | half << 21 | imm16 << 5 | d;
}
[[nodiscard]] constexpr Word movn(Width w, unsigned d, std::uint32_t imm16, unsigned half = 0) noexcept {
    return 0x1280'0000U | sf(w) | half << 21 | imm16 << 5 | d;
}
[[nodiscard]] constexpr Word movk(Width w, unsigned d, std::uint32_t imm16, unsigned half = 0) noexcept {
    return 0x7280'0000U | sf(w) | half << 21 | imm16 << 5 | d;
}

// --- multiply, divide, shift, bits --------------------------------------------------------------------------------------------
[[nodiscard]] constexpr Word madd(Width w, unsigned d, unsigned n, unsigned m, unsigned a) noexcept {
    return 0x1B00'0000U | sf(w) | a << 10 | rrr(d, n, m);
}
[[nodiscard]] constexpr Word msub(Width w, unsigned d, unsigned n, unsigned m, unsigned a) noexcept {
    return 0x1B00'8000U | sf(w) | a << 10 | rrr(d, n, m);
}
/// The high 64 bits of a product.
[[nodiscard]] constexpr Word mul_high(bool is_signed, unsigned d, unsigned n, unsigned m) noexcept {
    return (is_signed ? 0x9B40'7C00U : 0x9BC0'7C00U) | rrr(d, n, m);
}
/// adc, sbc on 64 bits.
[[nodiscard]] constexpr Word add_with_carry(bool subtract, unsigned d, unsigned n, unsigned m) noexcept {
    return (subtract ? 0xDA00'0000U : 0x9A00'0000U) | rrr(d, n, m);
}
enum class TwoSource : Word {
    udiv = 0x1AC0'0800,
    sdiv = 0x1AC0'0C00,
    lslv = 0x1AC0'2000,
    lsrv = 0x1AC0'2400,
    asrv = 0x1AC0'2800,
    rorv = 0x1AC0'2C00
};
[[nodiscard]] constexpr Word two_source(TwoSource op, Width w, unsigned d, unsigned n, unsigned m) noexcept {
    return static_cast<Word>(op) | sf(w) | rrr(d, n, m);
}
[[nodiscard]] constexpr Word bitfield(bool is_signed, Width w, unsigned d, unsigned n, unsigned immr, unsigned imms) noexcept {
    return (is_signed ? 0x1300'0000U : 0x5300'0000U) | sf(w) | (w == Width::w64 ? 0x0040'0000U : 0U) | immr << 16 | imms << 10 | rd(d, n);
}
[[nodiscard]] constexpr Word lsl(Width w, unsigned d, unsigned n, unsigned shift) noexcept {
    const unsigned bits = w == Width::w64 ? 64 : 32;
    return bitfield(false, w, d, n, (bits - shift) % bits, bits - 1 - shift);
}
[[nodiscard]] constexpr Word lsr(Width w, unsigned d, unsigned n, unsigned shift) noexcept {
    return bitfield(false, w, d, n, shift, w == Width::w64 ? 63 : 31);
}
[[nodiscard]] constexpr Word asr(Width w, unsigned d, unsigned n, unsigned shift) noexcept {
    return bitfield(true, w, d, n, shift, w == Width::w64 ? 63 : 31);
}
[[nodiscard]] constexpr Word ror(Width w, unsigned d, unsigned n, unsigned shift) noexcept {
    return 0x1380'0000U | sf(w) | (w == Width::w64 ? 0x0040'0000U : 0U) | shift << 10 | rrr(d, n, n);
}
[[nodiscard]] constexpr Word clz(Width w, unsigned d, unsigned n) noexcept { return 0x5AC0'1000U | sf(w) | rd(d, n); }
[[nodiscard]] constexpr Word rbit(Width w, unsigned d, unsigned n) noexcept { return 0x5AC0'0000U | sf(w) | rd(d, n); }

// --- conditions ---------------------------------------------------------------------------------------------------------------
[[nodiscard]] constexpr Word csel(Width w, unsigned d, unsigned n, unsigned m, Cond c) noexcept {
    return 0x1A80'0000U | sf(w) | cc(c) | rrr(d, n, m);
}
[[nodiscard]] constexpr Word cset(unsigned d, Cond c) noexcept { return 0x1A80'0400U | cc(invert(c)) | rrr(d, kZr, kZr); }
[[nodiscard]] constexpr Word csetm(unsigned d, Cond c) noexcept { return 0x5A80'0000U | sf(Width::w64) | cc(invert(c)) | rrr(d, kZr, kZr); }
[[nodiscard]] constexpr Word ccmp(Width w, unsigned n, unsigned m, unsigned nzcv, Cond c) noexcept {
    return 0x7A40'0000U | sf(w) | cc(c) | m << 16 | n << 5 | nzcv;
}
[[nodiscard]] constexpr Word ccmp_imm(Width w, unsigned n, unsigned imm5, unsigned nzcv, Cond c) noexcept {
    return 0x7A40'0800U | sf(w) | cc(c) | imm5 << 16 | n << 5 | nzcv;
}

// --- branches, with a field of zero -------------------------------------------------------------------------------------------
inline constexpr Word kB = 0x1400'0000, kBl = 0x9400'0000;
[[nodiscard]] constexpr Word b_cond(Cond c) noexcept { return 0x5400'0000U | static_cast<Word>(c); }
[[nodiscard]] constexpr Word cbz(Width w, unsigned t) noexcept { return 0x3400'0000U | sf(w) | t; }
[[nodiscard]] constexpr Word cbnz(Width w, unsigned t) noexcept { return 0x3500'0000U | sf(w) | t; }
[[nodiscard]] constexpr Word tbz(unsigned t, unsigned bit) noexcept { return 0x3600'0000U | (bit >> 5) << 31 | (bit & 31) << 19 | t; }
[[nodiscard]] constexpr Word tbnz(unsigned t, unsigned bit) noexcept { return tbz(t, bit) | 0x0100'0000U; }
/// Puts a distance in words into a b or bl, a b.cond, cbz or cbnz, a tbz or tbnz.
[[nodiscard]] constexpr Word with_imm26(Word word, std::int32_t words) noexcept {
    return (word & ~0x03ff'ffffU) | (static_cast<Word>(words) & 0x03ff'ffffU);
}
[[nodiscard]] constexpr Word with_imm19(Word word, std::int32_t words) noexcept {
    return (word & ~0x00ff'ffe0U) | (static_cast<Word>(words) & 0x0007'ffffU) << 5;
}
[[nodiscard]] constexpr Word with_imm14(Word word, std::int32_t words) noexcept {
    return (word & ~0x0007'ffe0U) | (static_cast<Word>(words) & 0x0000'3fffU) << 5;
}
[[nodiscard]] constexpr Word br(unsigned n) noexcept { return 0xD61F'0000U | n << 5; }
[[nodiscard]] constexpr Word blr(unsigned n) noexcept { return 0xD63F'0000U | n << 5; }
[[nodiscard]] constexpr Word ret(unsigned n = kLr) noexcept { return 0xD65F'0000U | n << 5; }
[[nodiscard]] constexpr Word adr(unsigned d, std::int32_t bytes) noexcept {
    const auto bits = static_cast<Word>(bytes);
    return 0x1000'0000U | (bits & 3) << 29 | (bits >> 2 & 0x7'ffff) << 5 | d;
}
[[nodiscard]] constexpr Word adrp(unsigned d, std::int32_t pages) noexcept { return adr(d, pages) | 0x8000'0000U; }
[[nodiscard]] constexpr Word udf(std::uint32_t imm16) noexcept { return imm16; }
inline constexpr Word kNop = 0xD503'201F;

// --- loads and stores ---------------------------------------------------------------------------------------------------------
/// A load or store: the word of its unsigned-offset form, and log2 of its bytes.
struct Access {
    Word word;
    unsigned log2;
};
inline constexpr Access kLdrb{0x3940'0000, 0}, kLdrsbW{0x39C0'0000, 0}, kLdrsbX{0x3980'0000, 0}, kStrb{0x3900'0000, 0};
inline constexpr Access kLdrh{0x7940'0000, 1}, kLdrshW{0x79C0'0000, 1}, kLdrshX{0x7980'0000, 1}, kStrh{0x7900'0000, 1};
inline constexpr Access kLdrW{0xB940'0000, 2}, kLdrsw{0xB980'0000, 2}, kStrW{0xB900'0000, 2};
inline constexpr Access kLdrX{0xF940'0000, 3}, kStrX{0xF900'0000, 3};
inline constexpr Access kLdrS{0xBD40'0000, 2}, kStrS{0xBD00'0000, 2};
inline constexpr Access kLdrD{0xFD40'0000, 3}, kStrD{0xFD00'0000, 3};
inline constexpr Access kLdrQ{0x3DC0'0000, 4}, kStrQ{0x3D80'0000, 4};

[[nodiscard]] constexpr bool fits_scaled(unsigned log2, std::int64_t offset) noexcept {
    return offset >= 0 && (offset & ((std::int64_t{1} << log2) - 1)) == 0 && offset >> log2 < 4096;
}
[[nodiscard]] constexpr bool fits_unscaled(std::int64_t offset) noexcept { return offset >= -256 && offset < 256; }
[[nodiscard]] constexpr bool fits_offset(unsigned log2, std::int64_t offset) noexcept {
    return fits_scaled(log2, offset) || fits_unscaled(offset);
}

[[nodiscard]] constexpr Word access(Access op, unsigned t, unsigned n, std::int32_t offset) noexcept {
    if (fits_scaled(op.log2, offset)) return op.word | static_cast<Word>(offset) >> op.log2 << 10 | rd(t, n);
    return (op.word ^ 0x0100'0000U) | (static_cast<Word>(offset) & 0x1ff) << 12 | rd(t, n);
}
[[nodiscard]] constexpr Word access_indexed(Access op, unsigned t, unsigned n, unsigned m) noexcept {
    return (op.word ^ 0x0100'0000U) | 0x0020'6800U | rrr(t, n, m);
}

enum class Pair : Word { offset = 0x0100'0000, pre = 0x0180'0000, post = 0x0080'0000 };
[[nodiscard]] constexpr Word pair_fields(Pair mode, unsigned t, unsigned t2, unsigned n, std::int32_t scaled) noexcept {
    return static_cast<Word>(mode) | (static_cast<Word>(scaled) & 0x7f) << 15 | t2 << 10 | rd(t, n);
}
[[nodiscard]] constexpr Word stp(unsigned t, unsigned t2, unsigned n, std::int32_t offset, Pair mode = Pair::offset) noexcept {
    return 0xA800'0000U | pair_fields(mode, t, t2, n, offset / 8);
}
[[nodiscard]] constexpr Word ldp(unsigned t, unsigned t2, unsigned n, std::int32_t offset, Pair mode = Pair::offset) noexcept {
    return 0xA840'0000U | pair_fields(mode, t, t2, n, offset / 8);
}
[[nodiscard]] constexpr Word stp_d(unsigned t, unsigned t2, unsigned n, std::int32_t offset) noexcept {
    return 0x6C00'0000U | pair_fields(Pair::offset, t, t2, n, offset / 8);
}
[[nodiscard]] constexpr Word ldp_d(unsigned t, unsigned t2, unsigned n, std::int32_t offset) noexcept {
    return 0x6C40'0000U | pair_fields(Pair::offset, t, t2, n, offset / 8);
}
[[nodiscard]] constexpr Word stp_q(unsigned t, unsigned t2, unsigned n, std::int32_t offset) noexcept {
    return 0xAC00'0000U | pair_fields(Pair::offset, t, t2, n, offset / 16);
}
[[nodiscard]] constexpr Word ldp_q(unsigned t, unsigned t2, unsigned n, std::int32_t offset) noexcept {
    return 0xAC40'0000U | pair_fields(Pair::offset, t, t2, n, offset / 16);
}
/// ldr q, [n, #offset]! and str q with post-increment are not needed; these pre-index by -16.
[[nodiscard]] constexpr Word ldr_q_pre(unsigned t, unsigned n, std::int32_t offset) noexcept {
    return 0x3CC0'0C00U | (static_cast<Word>(offset) & 0x1ff) << 12 | rd(t, n);
}
[[nodiscard]] constexpr Word str_q_pre(unsigned t, unsigned n, std::int32_t offset) noexcept {
    return 0x3C80'0C00U | (static_cast<Word>(offset) & 0x1ff) << 12 | rd(t, n);
}

// --- atomics: acquire and release; log2 of the bytes, then registers in assembly order --------------------------------------------
[[nodiscard]] constexpr Word ldar(unsigned log2, unsigned t, unsigned n) noexcept { return 0x08DF'FC00U | log2 << 30 | rd(t, n); }
[[nodiscard]] constexpr Word stlr(unsigned log2, unsigned t, unsigned n) noexcept { return 0x089F'FC00U | log2 << 30 | rd(t, n); }
[[nodiscard]] constexpr Word ldaxr(unsigned log2, unsigned t, unsigned n) noexcept { return 0x085F'FC00U | log2 << 30 | rd(t, n); }
[[nodiscard]] constexpr Word stlxr(unsigned log2, unsigned s, unsigned t, unsigned n) noexcept {
    return 0x0800'FC00U | log2 << 30 | rrr(t, n, s);
}
/// The Large System Extensions: `t` receives what was there.
enum class AtomicRmw : Word {
    ldaddal = 0x38E0'0000,
    ldclral = 0x38E0'1000,
    ldeoral = 0x38E0'2000,
    ldsetal = 0x38E0'3000,
    swpal = 0x38E0'8000,
    casal = 0x08E0'FC00  ///< here `s` is compared, and receives; `t` is stored
};
[[nodiscard]] constexpr Word atomic_rmw(AtomicRmw op, unsigned log2, unsigned s, unsigned t, unsigned n) noexcept {
    return static_cast<Word>(op) | log2 << 30 | rrr(t, n, s);
}
inline constexpr Word kDmbIsh = 0xD503'3BBF;

// --- floats -------------------------------------------------------------------------------------------------------------------
enum class FpTwo : Word {
    fmul = 0x1E20'0800,
    fdiv = 0x1E20'1800,
    fadd = 0x1E20'2800,
    fsub = 0x1E20'3800,
    fmax = 0x1E20'4800,
    fmin = 0x1E20'5800
};
enum class FpOne : Word {
    fmov = 0x1E20'4000,
    fabs = 0x1E20'C000,
    fneg = 0x1E21'4000,
    fsqrt = 0x1E21'C000,
    frintn = 0x1E24'4000,
    frintp = 0x1E24'C000,
    frintm = 0x1E25'4000,
    frintz = 0x1E25'C000
};
[[nodiscard]] constexpr Word fp_two(FpTwo op, Width w, unsigned d, unsigned n, unsigned m) noexcept {
    return static_cast<Word>(op) | fp_type(w) | rrr(d, n, m);
}
[[nodiscard]] constexpr Word fp_one(FpOne op, Width w, unsigned d, unsigned n) noexcept {
    return static_cast<Word>(op) | fp_type(w) | rd(d, n);
}
[[nodiscard]] constexpr Word fcmp(Width w, unsigned n, unsigned m) noexcept { return 0x1E20'2000U | fp_type(w) | rrr(0, n, m); }
[[nodiscard]] constexpr Word fcsel(Width w, unsigned d, unsigned n, unsigned m, Cond c) noexcept {
    return 0x1E20'0C00U | fp_type(w) | cc(c) | rrr(d, n, m);
}
/// ldr of an s or d register from the label that with_imm19 says.
[[nodiscard]] constexpr Word ldr_literal(Width w, unsigned d) noexcept { return (w == Width::w64 ? 0x5C00'0000U : 0x1C00'0000U) | d; }
[[nodiscard]] constexpr Word fmov_from_gp(Width w, unsigned d, unsigned n) noexcept {
    return (w == Width::w64 ? 0x9E67'0000U : 0x1E27'0000U) | rd(d, n);
}
[[nodiscard]] constexpr Word fmov_to_gp(Width w, unsigned d, unsigned n) noexcept {
    return (w == Width::w64 ? 0x9E66'0000U : 0x1E26'0000U) | rd(d, n);
}
[[nodiscard]] constexpr Word fcvt_promote(unsigned d, unsigned n) noexcept { return 0x1E22'C000U | rd(d, n); }
[[nodiscard]] constexpr Word fcvt_demote(unsigned d, unsigned n) noexcept { return 0x1E62'4000U | rd(d, n); }
/// Conversions between a GP register of width `i` and an FP register of width `f`.
[[nodiscard]] constexpr Word to_float(bool is_signed, Width f, Width i, unsigned d, unsigned n) noexcept {
    return (is_signed ? 0x1E22'0000U : 0x1E23'0000U) | sf(i) | fp_type(f) | rd(d, n);
}
[[nodiscard]] constexpr Word to_int(bool is_signed, Width i, Width f, unsigned d, unsigned n) noexcept {
    return (is_signed ? 0x1E38'0000U : 0x1E39'0000U) | sf(i) | fp_type(f) | rd(d, n);
}
/// The 8-bit immediate of fmov for the float with these bits; nothing if there is none.
[[nodiscard]] constexpr std::optional<Word> fmov_immediate(Width w, std::uint64_t bits) noexcept {
    // a Bbbb…b cdefgh 0…0: sign, then an exponent whose high bit is the complement of the bits that follow it.
    const unsigned repeated = w == Width::w64 ? 8 : 5;
    const unsigned zeros = w == Width::w64 ? 48 : 19;
    const std::uint64_t exponent_high = bits >> (zeros + 6) & ((1U << (repeated + 1)) - 1);
    if ((bits & ((std::uint64_t{1} << zeros) - 1)) != 0) return std::nullopt;
    const std::uint64_t all_b = (1U << repeated) - 1;
    if (exponent_high != all_b && exponent_high != all_b + 1) return std::nullopt;
    const std::uint64_t sign = bits >> (w == Width::w64 ? 63 : 31) & 1;
    return static_cast<Word>(sign << 7 | (exponent_high & 1) << 6 | (bits >> zeros & 0x3f));
}
[[nodiscard]] constexpr Word fmov_imm(Width w, unsigned d, Word imm8) noexcept { return 0x1E20'1000U | fp_type(w) | imm8 << 13 | d; }

// --- whole vectors ------------------------------------------------------------------------------------------------------------
enum class Bitwise : Word {
    and_ = 0x4E20'1C00,
    bic = 0x4E60'1C00,
    orr = 0x4EA0'1C00,
    orn = 0x4EE0'1C00,
    eor = 0x6E20'1C00,
    bsl = 0x6E60'1C00,
    bit = 0x6EA0'1C00,
    bif = 0x6EE0'1C00
};
[[nodiscard]] constexpr Word bitwise(Bitwise op, unsigned d, unsigned n, unsigned m) noexcept {
    return static_cast<Word>(op) | rrr(d, n, m);
}
[[nodiscard]] constexpr Word mov_v(unsigned d, unsigned n) noexcept { return bitwise(Bitwise::orr, d, n, n); }
[[nodiscard]] constexpr Word zero_v(unsigned d) noexcept { return 0x6F00'E400U | d; }  ///< movi d.2d, #0
/// movi d.16b, #imm8; movi d.2d with a byte of ones for each bit of `mask`.
[[nodiscard]] constexpr Word movi_16b(unsigned d, Word imm8) noexcept { return 0x4F00'E400U | (imm8 >> 5) << 16 | (imm8 & 31) << 5 | d; }
[[nodiscard]] constexpr Word movi_2d(unsigned d, Word mask) noexcept { return 0x6F00'E400U | (mask >> 5) << 16 | (mask & 31) << 5 | d; }
[[nodiscard]] constexpr Word ins_high(unsigned d, unsigned n) noexcept { return 0x4E18'1C00U | rd(d, n); }  ///< mov d.d[1], xn
[[nodiscard]] constexpr Word dup_2d(unsigned d, unsigned n) noexcept { return 0x4E08'0C00U | rd(d, n); }  ///< dup d.2d, xn

}  // namespace words
}  // namespace pollux::arm64
