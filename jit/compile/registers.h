// Registers as the ISA-neutral compiler sees them: a number, a class, sets of them. GP registers are 0–31, FP/SIMD 32–63.
#pragma once

#include <bit>
#include <cstdint>

#include "jit/wasm/types.h"

namespace pollux {

struct Reg {
    std::uint8_t code = 0xff;

    [[nodiscard]] constexpr bool valid() const noexcept { return code != 0xff; }
    [[nodiscard]] constexpr bool is_fp() const noexcept { return code >= 32; }
    [[nodiscard]] constexpr std::uint8_t number() const noexcept { return code & 31; }  ///< as the ISA numbers it
    friend constexpr bool operator==(Reg, Reg) noexcept = default;
};

inline constexpr Reg kNoReg{};
[[nodiscard]] constexpr Reg gp(std::uint8_t number) noexcept { return Reg{number}; }
[[nodiscard]] constexpr Reg fp(std::uint8_t number) noexcept { return Reg{static_cast<std::uint8_t>(32 + number)}; }

class RegSet {
public:
    constexpr RegSet() noexcept = default;
    constexpr explicit RegSet(std::uint64_t bits) noexcept : bits_(bits) {}
    template <class... R>
    [[nodiscard]] static constexpr RegSet of(R... regs) noexcept {
        return RegSet(((std::uint64_t{1} << regs.code) | ... | 0));
    }

    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    [[nodiscard]] constexpr bool has(Reg reg) const noexcept { return (bits_ >> reg.code & 1) != 0; }
    constexpr void add(Reg reg) noexcept { bits_ |= std::uint64_t{1} << reg.code; }
    constexpr void remove(Reg reg) noexcept { bits_ &= ~(std::uint64_t{1} << reg.code); }
    [[nodiscard]] constexpr Reg first() const noexcept {
        return Reg{static_cast<std::uint8_t>(std::countr_zero(bits_))};
    }  ///< not when empty
    [[nodiscard]] constexpr int count() const noexcept { return std::popcount(bits_); }

    friend constexpr RegSet operator|(RegSet a, RegSet b) noexcept { return RegSet(a.bits_ | b.bits_); }
    friend constexpr RegSet operator&(RegSet a, RegSet b) noexcept { return RegSet(a.bits_ & b.bits_); }
    friend constexpr RegSet operator-(RegSet a, RegSet b) noexcept { return RegSet(a.bits_ & ~b.bits_); }
    friend constexpr bool operator==(RegSet, RegSet) noexcept = default;

private:
    std::uint64_t bits_ = 0;
};

inline constexpr RegSet kAllGp{0x0000'0000'ffff'ffff};
inline constexpr RegSet kAllFp{0xffff'ffff'0000'0000};

}  // namespace pollux
