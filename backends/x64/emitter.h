// Bytes of x86-64 code into one fixed buffer: asmjit's Assembler for instructions, and our own labels and jumps.
//
// In: instructions by asmjit's methods on `as()`, jumps by ours. Out: the bytes in the CodeBuffer.
// The asmjit objects live as long as the Emitter and are pointed at one buffer after another. A label's unresolved uses are
// chained through their own rel32 fields, so labels cost 8 bytes and no allocation. Running out of space, or an operand that
// cannot be encoded, sets a flag that is tested once per function; nothing is written beyond the buffer.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <initializer_list>
#include <span>

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
    void dword(std::uint32_t value);
    void align(std::uint32_t alignment);  ///< with multi-byte nops
    [[nodiscard]] std::uint32_t dword_at(std::int32_t position) const noexcept;
    void set_dword(std::int32_t position, std::uint32_t value) noexcept;

private:
    struct Errors final : asmjit::ErrorHandler {
        bool overflow = false;
        bool encoding = false;
        void handleError(asmjit::Error error, const char* message, asmjit::BaseEmitter* origin) override;
    };

    [[nodiscard]] bool reserve(std::size_t bytes) noexcept;
    void branch(std::initializer_list<std::uint8_t> long_form, std::uint8_t short_form, Label& label);
    [[nodiscard]] bool reaches(std::uint64_t target) const noexcept;

    Errors errors_;
    asmjit::CodeHolder holder_;
    x86::Assembler assembler_;
    CodeBuffer buffer_;
};

}  // namespace pollux::x64
