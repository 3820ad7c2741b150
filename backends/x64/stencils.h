// Bytes of the hot instructions, written without asmjit.
//
// Each stencil writes one instruction at `at` and returns its end. It may scribble on the bytes up to `at + kRoom`, which is what makes it
// free of branches: optional prefixes and displacements are always stored, and stepped over or not.
// tests/encoding compares every form with asmjit's for every tuple of registers, and decodes it with Zydis.
#pragma once

#include <cstdint>
#include <cstring>

#include "backends/x64/registers.h"
#include "jit/compile/macro_assembler.h"

namespace pollux::x64::stencil {

using Byte = std::uint8_t;

/// Bytes that a stencil may write.
inline constexpr std::size_t kRoom = 24;

/// [base + index << shift + offset]
struct Memory {
    static constexpr unsigned kNoIndex = 4;  ///< rsp cannot be an index
    unsigned base = 0;
    unsigned index = kNoIndex;
    unsigned shift = 0;
    std::int32_t offset = 0;

    constexpr Memory(Reg b, std::int32_t o) noexcept : base(b.number()), offset(o) {}
    constexpr Memory(Reg b, Reg i, unsigned s, std::int32_t o) noexcept : base(b.number()), index(i.number()), shift(s), offset(o) {
        if (index == kNoIndex) __builtin_unreachable();
    }
    constexpr explicit Memory(const Address& a) noexcept
        : base(a.base.number()), index(a.index.valid() ? a.index.number() : kNoIndex), offset(a.offset) {}
};

/// The /digit of an arithmetic instruction, and three bits of its opcode.
enum class Alu : std::uint8_t { add, or_, adc, sbb, and_, sub, xor_, cmp };
/// The /digit of a shift.
enum class Shift : std::uint8_t { rol, ror, rcl, rcr, shl, shr, sal, sar };

namespace detail {

template <class T>
[[gnu::always_inline]] inline Byte* put(Byte* at, T value) noexcept {
    std::memcpy(at, &value, sizeof(T));
    return at + sizeof(T);
}

/// REX, stepped over if it says nothing. `force`: spl, bpl, sil and dil need one.
[[gnu::always_inline]] inline Byte* rex(Byte* at, bool wide, unsigned reg, unsigned index, unsigned base, bool force = false) noexcept {
    const unsigned bits = (wide ? 8U : 0U) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
    *at = static_cast<Byte>(0x40 | bits);
    return at + (bits != 0 || force ? 1 : 0);
}

/// One byte, or 0x0f and one.
template <unsigned kOpcode>
[[gnu::always_inline]] inline Byte* opcode(Byte* at) noexcept {
    if constexpr (kOpcode > 0xff) *at++ = static_cast<Byte>(kOpcode >> 8);
    *at++ = static_cast<Byte>(kOpcode);
    return at;
}

[[gnu::always_inline]] inline Byte* modrm(Byte* at, unsigned reg, unsigned rm) noexcept {
    *at = static_cast<Byte>(0xc0 | (reg & 7) << 3 | (rm & 7));
    return at + 1;
}

/// ModRM, SIB and displacement. A base of rbp or r13 has no form without a displacement, one of rsp or r12 none without SIB.
[[gnu::always_inline]] inline Byte* modrm(Byte* at, unsigned reg, const Memory& m) noexcept {
    const unsigned base = m.base & 7;
    const unsigned is_long = m.offset != static_cast<std::int8_t>(m.offset) ? 1 : 0;
    const unsigned some = m.offset != 0 || base == 5 ? 1 : 0;
    const bool sib = m.index != Memory::kNoIndex || base == 4;
    at[0] = static_cast<Byte>((some + is_long) << 6 | (reg & 7) << 3 | (sib ? 4 : base));
    at[1] = static_cast<Byte>(m.shift << 6 | (m.index & 7) << 3 | base);
    at += sib ? 2 : 1;
    std::memcpy(at, &m.offset, 4);
    return at + (some + 3 * is_long);
}

template <unsigned kOpcode>
[[gnu::always_inline]] inline Byte* reg_reg(Byte* at, bool wide, unsigned reg, unsigned rm, bool force = false) noexcept {
    return modrm(opcode<kOpcode>(rex(at, wide, reg, 0, rm, force)), reg, rm);
}

template <unsigned kOpcode>
[[gnu::always_inline]] inline Byte* reg_mem(Byte* at, bool wide, unsigned reg, const Memory& m, bool force = false) noexcept {
    return modrm(opcode<kOpcode>(rex(at, wide, reg, m.index, m.base, force)), reg, m);
}

/// VEX of a scalar or vector instruction of map 0f, 128 bits wide: two bytes where they can say it.
[[gnu::always_inline]] inline Byte* vex(Byte* at, unsigned prefix, unsigned reg, unsigned source, unsigned index, unsigned base) noexcept {
    const unsigned low = (~source & 15) << 3 | prefix;
    const unsigned not_reg = (~reg & 8) << 4;
    const unsigned not_rest = (~index & 8) << 3 | (~base & 8) << 2;
    if (not_rest == 0x60) {
        at[0] = 0xc5;
        at[1] = static_cast<Byte>(not_reg | low);
        return at + 2;
    }
    at[0] = 0xc4;
    at[1] = static_cast<Byte>(not_reg | not_rest | 1);
    at[2] = static_cast<Byte>(low);
    return at + 3;
}

constexpr bool wide(Width width) noexcept { return width == Width::w64; }
/// Whether the low byte of a register needs a REX to be named.
constexpr bool byte_needs_rex(unsigned reg) noexcept { return reg >= 4; }
constexpr bool fits_byte(std::int32_t value) noexcept { return value == static_cast<std::int8_t>(value); }

}  // namespace detail

// --- moves -------------------------------------------------------------------------------------------------------------------

[[gnu::always_inline]] inline Byte* mov(Byte* at, Width width, Reg d, Reg s) noexcept {
    return detail::reg_reg<0x89>(at, detail::wide(width), s.number(), d.number());
}
/// Zero-extended.
inline Byte* mov_imm32(Byte* at, Reg d, std::uint32_t value) noexcept {
    at = detail::rex(at, false, 0, 0, d.number());
    *at++ = static_cast<Byte>(0xb8 | (d.number() & 7));
    return detail::put(at, value);
}
/// Sign-extended to 64 bits.
inline Byte* mov_imm32_signed(Byte* at, Reg d, std::int32_t value) noexcept {
    return detail::put(detail::reg_reg<0xc7>(at, true, 0, d.number()), value);
}
inline Byte* mov_imm64(Byte* at, Reg d, std::uint64_t value) noexcept {
    at = detail::rex(at, true, 0, 0, d.number());
    *at++ = static_cast<Byte>(0xb8 | (d.number() & 7));
    return detail::put(at, value);
}
inline Byte* extend(Byte* at, ExtendOp op, Reg d, Reg s) noexcept {
    const unsigned reg = d.number();
    const unsigned rm = s.number();
    switch (op) {
        case ExtendOp::s8_32:  return detail::reg_reg<0x0fbe>(at, false, reg, rm, detail::byte_needs_rex(rm));
        case ExtendOp::s16_32: return detail::reg_reg<0x0fbf>(at, false, reg, rm);
        case ExtendOp::s8_64:  return detail::reg_reg<0x0fbe>(at, true, reg, rm);
        case ExtendOp::s16_64: return detail::reg_reg<0x0fbf>(at, true, reg, rm);
        case ExtendOp::s32_64: return detail::reg_reg<0x63>(at, true, reg, rm);
        case ExtendOp::u32_64: break;
    }
    return detail::reg_reg<0x89>(at, false, rm, reg);
}
inline Byte* movzx8(Byte* at, Reg d, Reg s) noexcept {
    return detail::reg_reg<0x0fb6>(at, false, d.number(), s.number(), detail::byte_needs_rex(s.number()));
}
inline Byte* movzx16(Byte* at, Reg d, Reg s) noexcept { return detail::reg_reg<0x0fb7>(at, false, d.number(), s.number()); }

// --- arithmetic --------------------------------------------------------------------------------------------------------------

[[gnu::always_inline]] inline Byte* alu(Byte* at, Alu op, Width width, Reg d, Reg s) noexcept {
    at = detail::rex(at, detail::wide(width), s.number(), 0, d.number());
    *at++ = static_cast<Byte>(static_cast<unsigned>(op) << 3 | 1);
    return detail::modrm(at, s.number(), d.number());
}
[[gnu::always_inline]] inline Byte* alu_mem(Byte* at, Alu op, Width width, Reg d, const Memory& m) noexcept {
    at = detail::rex(at, detail::wide(width), d.number(), m.index, m.base);
    *at++ = static_cast<Byte>(static_cast<unsigned>(op) << 3 | 3);
    return detail::modrm(at, d.number(), m);
}
/// With a sign-extended immediate: one byte where it fits; eax has a form of its own.
inline Byte* alu_imm(Byte* at, Alu op, Width width, Reg d, std::int32_t value) noexcept {
    const unsigned number = d.number();
    at = detail::rex(at, detail::wide(width), 0, 0, number);
    if (detail::fits_byte(value)) {
        *at++ = 0x83;
        at = detail::modrm(at, static_cast<unsigned>(op), number);
        *at++ = static_cast<Byte>(value);
        return at;
    }
    if (number == 0) {
        *at++ = static_cast<Byte>(static_cast<unsigned>(op) << 3 | 5);
    } else {
        *at++ = 0x81;
        at = detail::modrm(at, static_cast<unsigned>(op), number);
    }
    return detail::put(at, value);
}
inline Byte* test(Byte* at, Width width, Reg a, Reg b) noexcept {
    return detail::reg_reg<0x85>(at, detail::wide(width), b.number(), a.number());
}
inline Byte* neg(Byte* at, Width width, Reg d) noexcept { return detail::reg_reg<0xf7>(at, detail::wide(width), 3, d.number()); }
inline Byte* not_(Byte* at, Width width, Reg d) noexcept { return detail::reg_reg<0xf7>(at, detail::wide(width), 2, d.number()); }
inline Byte* imul(Byte* at, Width width, Reg d, Reg s) noexcept {
    return detail::reg_reg<0x0faf>(at, detail::wide(width), d.number(), s.number());
}
inline Byte* imul_mem(Byte* at, Width width, Reg d, const Memory& m) noexcept {
    return detail::reg_mem<0x0faf>(at, detail::wide(width), d.number(), m);
}
inline Byte* imul_imm(Byte* at, Width width, Reg d, Reg s, std::int32_t value) noexcept {
    if (!detail::fits_byte(value)) return detail::put(detail::reg_reg<0x69>(at, detail::wide(width), d.number(), s.number()), value);
    at = detail::reg_reg<0x6b>(at, detail::wide(width), d.number(), s.number());
    *at++ = static_cast<Byte>(value);
    return at;
}
inline Byte* shift_imm(Byte* at, Shift op, Width width, Reg d, unsigned count) noexcept {
    at = detail::rex(at, detail::wide(width), 0, 0, d.number());
    *at++ = count == 1 ? 0xd1 : 0xc1;
    at = detail::modrm(at, static_cast<unsigned>(op), d.number());
    *at = static_cast<Byte>(count);
    return at + (count == 1 ? 0 : 1);
}
inline Byte* shift_cl(Byte* at, Shift op, Width width, Reg d) noexcept {
    return detail::reg_reg<0xd3>(at, detail::wide(width), static_cast<unsigned>(op), d.number());
}
/// shlx, shrx, sarx (BMI2).
inline Byte* shift_reg(Byte* at, Shift op, Width width, Reg d, Reg s, Reg count) noexcept {
    const unsigned prefix = op == Shift::shl ? 1 : op == Shift::sar ? 2 : 3;
    at[0] = 0xc4;
    at[1] = static_cast<Byte>((~d.number() & 8U) << 4 | 0x40U | (~s.number() & 8U) << 2 | 2U);
    at[2] = static_cast<Byte>((detail::wide(width) ? 0x80U : 0U) | (~count.number() & 15U) << 3 | prefix);
    at[3] = 0xf7;
    return detail::modrm(at + 4, d.number(), s.number());
}
inline Byte* lea(Byte* at, Width width, Reg d, const Memory& m) noexcept {
    return detail::reg_mem<0x8d>(at, detail::wide(width), d.number(), m);
}

// --- conditions: `condition` as encoded ---------------------------------------------------------------------------------------

inline Byte* setcc(Byte* at, unsigned condition, Reg d) noexcept {
    at = detail::rex(at, false, 0, 0, d.number(), detail::byte_needs_rex(d.number()));
    *at++ = 0x0f;
    *at++ = static_cast<Byte>(0x90 | condition);
    return detail::modrm(at, 0, d.number());
}
inline Byte* cmovcc(Byte* at, unsigned condition, Width width, Reg d, Reg s) noexcept {
    at = detail::rex(at, detail::wide(width), d.number(), 0, s.number());
    *at++ = 0x0f;
    *at++ = static_cast<Byte>(0x40 | condition);
    return detail::modrm(at, d.number(), s.number());
}

// --- memory -------------------------------------------------------------------------------------------------------------------

/// Whole general-purpose registers.
[[gnu::always_inline]] inline Byte* load_whole(Byte* at, Width width, Reg d, const Memory& m) noexcept {
    return detail::reg_mem<0x8b>(at, detail::wide(width), d.number(), m);
}
[[gnu::always_inline]] inline Byte* store_whole(Byte* at, Width width, const Memory& m, Reg s) noexcept {
    return detail::reg_mem<0x89>(at, detail::wide(width), s.number(), m);
}
/// Of general-purpose registers, by LoadOp.
[[gnu::always_inline]] inline Byte* load(Byte* at, LoadOp op, Reg d, const Memory& m) noexcept {
    struct Form {
        bool wide, two_bytes;
        Byte opcode;
    };
    constexpr Form kForms[] = {{false, true, 0xb6}, {false, true, 0xb7}, {false, false, 0x8b}, {false, true, 0xbe}, {false, true, 0xbf},
                               {true, true, 0xbe},  {true, true, 0xbf},  {true, false, 0x63},  {true, false, 0x8b}};
    const Form& form = kForms[static_cast<std::size_t>(op)];
    at = detail::rex(at, form.wide, d.number(), m.index, m.base);
    *at = 0x0f;
    at += form.two_bytes ? 1 : 0;
    *at = form.opcode;
    return detail::modrm(at + 1, d.number(), m);
}
[[gnu::always_inline]] inline Byte* store(Byte* at, StoreOp op, const Memory& m, Reg s) noexcept {
    const unsigned reg = s.number();
    *at = 0x66;
    at += op == StoreOp::b16 ? 1 : 0;
    at = detail::rex(at, op == StoreOp::b64, reg, m.index, m.base, op == StoreOp::b8 && detail::byte_needs_rex(reg));
    *at = op == StoreOp::b8 ? 0x88 : 0x89;
    return detail::modrm(at + 1, reg, m);
}
/// b8 … b64; sign-extended for b64.
[[gnu::always_inline]] inline Byte* store_imm(Byte* at, StoreOp op, const Memory& m, std::int32_t value) noexcept {
    switch (op) {
        case StoreOp::b8:
            at = detail::reg_mem<0xc6>(at, false, 0, m);
            *at++ = static_cast<Byte>(value);
            return at;
        case StoreOp::b16: *at = 0x66; return detail::put(detail::reg_mem<0xc7>(at + 1, false, 0, m), static_cast<std::int16_t>(value));
        default:           return detail::put(detail::reg_mem<0xc7>(at, op == StoreOp::b64, 0, m), value);
    }
}

// --- floats, with AVX ---------------------------------------------------------------------------------------------------------

/// The prefix of a VEX instruction: none, 66, F3, F2.
enum class Prefix : std::uint8_t { none, p66, f3, f2 };

inline constexpr Prefix scalar(Width width) noexcept { return width == Width::w32 ? Prefix::f3 : Prefix::f2; }

/// op d, a, b of three registers.
inline Byte* avx(Byte* at, Prefix prefix, Byte opcode, Reg d, Reg a, Reg b) noexcept {
    at = detail::vex(at, static_cast<unsigned>(prefix), d.number(), a.number(), 0, b.number());
    *at++ = opcode;
    return detail::modrm(at, d.number(), b.number());
}
/// op d, a, [m].
inline Byte* avx_mem(Byte* at, Prefix prefix, Byte opcode, Reg d, Reg a, const Memory& m) noexcept {
    at = detail::vex(at, static_cast<unsigned>(prefix), d.number(), a.number(), m.index, m.base);
    *at++ = opcode;
    return detail::modrm(at, d.number(), m);
}
/// vmovss, vmovsd, vmovups d, [m]; and the stores.
inline Byte* avx_load(Byte* at, LoadOp op, Reg d, const Memory& m) noexcept {
    const Prefix prefix = op == LoadOp::f32 ? Prefix::f3 : op == LoadOp::f64 ? Prefix::f2 : Prefix::none;
    return avx_mem(at, prefix, 0x10, d, fp(0), m);
}
inline Byte* avx_store(Byte* at, StoreOp op, const Memory& m, Reg s) noexcept {
    const Prefix prefix = op == StoreOp::f32 ? Prefix::f3 : op == StoreOp::f64 ? Prefix::f2 : Prefix::none;
    return avx_mem(at, prefix, 0x11, s, fp(0), m);
}
/// vmovaps d, s.
inline Byte* avx_mov(Byte* at, Reg d, Reg s) noexcept { return avx(at, Prefix::none, 0x28, d, fp(0), s); }

}  // namespace pollux::x64::stencil
