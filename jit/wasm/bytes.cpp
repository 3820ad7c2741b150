// UTF-8 checking of names; the rest of bytes.h is inline.
#include "jit/wasm/bytes.h"

namespace pollux::wasm {

bool is_utf8(std::span<const std::uint8_t> bytes) noexcept {
    const std::uint8_t* at = bytes.data();
    const std::uint8_t* const end = at + bytes.size();
    const auto continues = [](std::uint8_t byte) { return (byte & 0xC0) == 0x80; };
    while (at != end) {
        const std::uint8_t lead = *at++;
        if (lead < 0x80) continue;
        if (lead < 0xC2) return false;  // a continuation byte, or an overlong form of ASCII
        const auto left = end - at;
        if (lead < 0xE0) {
            if (left < 1 || !continues(at[0])) return false;
            at += 1;
        } else if (lead < 0xF0) {
            if (left < 2 || !continues(at[0]) || !continues(at[1])) return false;
            if (lead == 0xE0 && at[0] < 0xA0) return false;   // overlong
            if (lead == 0xED && at[0] >= 0xA0) return false;  // surrogates
            at += 2;
        } else if (lead < 0xF5) {
            if (left < 3 || !continues(at[0]) || !continues(at[1]) || !continues(at[2])) return false;
            if (lead == 0xF0 && at[0] < 0x90) return false;   // overlong
            if (lead == 0xF4 && at[0] >= 0x90) return false;  // above U+10FFFF
            at += 3;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace pollux::wasm
