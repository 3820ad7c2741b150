// Bytes of x86-64 code into one fixed buffer: asmjit's Assembler for instructions, and our own labels and jumps.
//
// In: instructions by asmjit's methods on `as()`, jumps by ours. Out: the bytes in the CodeBuffer.
// The asmjit objects live as long as the Emitter and are pointed at one buffer after another. A label's unresolved uses are
// chained through their own rel32 fields, so labels cost 8 bytes and no allocation. Running out of space, or an operand that
// cannot be encoded, sets a flag that is tested once per function; nothing is written beyond the buffer.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

#include "backends/x64/stencils.h"
#include "jit/compile/backend.h"
#include "jit/compile/macro_assembler.h"

namespace pollux::x64 {

namespace x86 = asmjit::x86;
using Condition = x86::CondCode;

[[nodiscard]] constexpr Condition negate(Condition condition) noexcept {
    return static_cast<Condition>(static_cast<std::uint8_t>(condition) ^ 1);
}

[[nodiscard]] constexpr x86::Gp gp64(Reg reg) noexcept { return x86::gpq(reg.number()); }
[[nodiscard]] constexpr x86::Gp gp32(Reg reg) noexcept { return x86::gpd(reg.number()); }
[[nodiscard]] constexpr x86::Gp gp16(Reg reg) noexcept { return x86::gpw(reg.number()); }
[[nodiscard]] constexpr x86::Gp gp8(Reg reg) noexcept { return x86::gpb_lo(reg.number()); }
[[nodiscard]] constexpr x86::Gp sized(Width width, Reg reg) noexcept { return width == Width::w32 ? gp32(reg) : gp64(reg); }
[[nodiscard]] constexpr x86::Xmm xmm(Reg reg) noexcept { return x86::xmm(reg.number()); }

class Emitter {
public:
    Emitter();
    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;
    ~Emitter();

    /// Starts over, at the start of `buffer`.
    void attach(CodeBuffer buffer);

    [[nodiscard]] x86::Assembler& as() noexcept { return assembler_; }
    [[nodiscard]] std::int32_t position() const noexcept { return static_cast<std::int32_t>(assembler_.offset()); }
    [[nodiscard]] std::size_t remaining() const noexcept { return assembler_.remainingSpace(); }
    [[nodiscard]] std::uint64_t execute_address() const noexcept { return buffer_.execute; }
    [[nodiscard]] bool overflowed() const noexcept { return errors_.overflow; }
    /// Some instruction could not be encoded: a mistake of ours, never of the guest's.
    [[nodiscard]] bool failed() const noexcept { return errors_.encoding; }

    /// Writes one instruction by a stencil (stencils.h).
    template <auto kStencil, class... Arguments>
    [[gnu::always_inline]] void put(const Arguments&... arguments) {
        if (remaining() < stencil::kRoom) [[unlikely]] {
            errors_.overflow = true;
            return;
        }
        assembler_._bufferPtr = kStencil(assembler_._bufferPtr, arguments...);
    }

    // Labels. A use that is not yet bound takes a rel32 field; uses of bound labels take the short form when it reaches.
    void bind(Label& label);
    void jump(Label& label);
    void jump_if(Condition condition, Label& label);
    /// A 32-bit field at the current position that will hold the label's distance from the field's end.
    void label_field(Label& label);

    /// A forward jump over less than 128 bytes: returns what bind_short takes.
    [[nodiscard]] std::int32_t jump_short_if(Condition condition);
    [[nodiscard]] std::int32_t jump_short();
    void bind_short(std::int32_t use);

    /// call or jmp to an absolute address: rel32 when it reaches, else through `scratch`.
    void call_absolute(const void* target, Reg scratch);
    void jump_absolute(const void* target, Reg scratch);

    void bytes(std::initializer_list<std::uint8_t> values);
    void bytes(std::span<const std::uint8_t> values);
    void byte(std::uint8_t value) { put<write_byte>(value); }
    void dword(std::uint32_t value);
    void byte_and_dword(std::uint8_t first, std::uint32_t rest) { put<write_byte_and_dword>(first, rest); }
    void align(std::uint32_t alignment);  ///< of where the code executes, with multi-byte nops
    [[nodiscard]] std::uint32_t dword_at(std::int32_t position) const noexcept {
        std::uint32_t value = 0;
        std::memcpy(&value, buffer_.write + position, 4);
        return value;
    }
    void set_dword(std::int32_t position, std::uint32_t value) noexcept { std::memcpy(buffer_.write + position, &value, 4); }

private:
    struct Errors final : asmjit::ErrorHandler {
        bool overflow = false;
        bool encoding = false;
        void handleError(asmjit::Error error, const char* message, asmjit::BaseEmitter* origin) override;
    };

    using Byte = stencil::Byte;
    static Byte* write_byte(Byte* at, Byte value) noexcept {
        *at = value;
        return at + 1;
    }
    static Byte* write_byte_and_dword(Byte* at, Byte first, std::uint32_t rest) noexcept {
        *at = first;
        std::memcpy(at + 1, &rest, 4);
        return at + 5;
    }

    [[nodiscard]] bool reserve(std::size_t bytes) noexcept;
    void branch(std::uint16_t long_form, std::uint32_t long_bytes, Byte short_form, Label& label);
    [[nodiscard]] bool reaches(std::uint64_t target) const noexcept;

    Errors errors_;
    asmjit::CodeHolder holder_;
    x86::Assembler assembler_;
    CodeBuffer buffer_;
};

inline void Emitter::bind(Label& label) {
    const std::int32_t here = position();
    label.position = here;
    std::int32_t use = label.link;
    while (use >= 0) {
        const auto next = static_cast<std::int32_t>(dword_at(use));
        set_dword(use, static_cast<std::uint32_t>(here - (use + 4)));
        use = next;
    }
    label.link = -1;
}

/// `long_form`: the one or two bytes before a rel32.
inline void Emitter::branch(std::uint16_t long_form, std::uint32_t long_bytes, Byte short_form, Label& label) {
    if (remaining() < stencil::kRoom) [[unlikely]] {
        errors_.overflow = true;
        return;
    }
    Byte* at = assembler_._bufferPtr;
    const std::int32_t here = position();
    std::int32_t field = label.link;
    if (label.bound()) {
        const std::int32_t distance = label.position - (here + 2);
        if (distance >= -128) {
            at[0] = short_form;
            at[1] = static_cast<Byte>(distance);
            assembler_._bufferPtr = at + 2;
            return;
        }
        field = distance + 2 - static_cast<std::int32_t>(long_bytes + 4);
    } else {
        label.link = here + static_cast<std::int32_t>(long_bytes);
    }
    std::memcpy(at, &long_form, 2);
    std::memcpy(at + long_bytes, &field, 4);
    assembler_._bufferPtr = at + long_bytes + 4;
}

inline void Emitter::jump(Label& label) { branch(0xe9, 1, 0xeb, label); }

inline void Emitter::jump_if(Condition condition, Label& label) {
    const auto code = static_cast<std::uint8_t>(condition);
    branch(static_cast<std::uint16_t>(0x800f | code << 8), 2, static_cast<Byte>(0x70 | code), label);
}

}  // namespace pollux::x64
