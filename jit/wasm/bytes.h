// Bounded reading of a module's bytes: LEB128 integers, fixed-width values, names.
//
// Nothing here reads outside the span that it is given. Encodings are checked strictly (WebAssembly 3.0, section 5.2.2):
// an integer with too many bytes or with unused bits set is malformed. `Cursor` remembers the first error, so that
// callers are chains of `if (!cursor.read_…(x)) return false`.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "jit/base/error.h"

namespace pollux::wasm {

static_assert(std::endian::native == std::endian::little, "fixed-width values are copied as they stand in the module");

enum class LebStatus : std::uint8_t { ok, truncated, too_long, too_large };

namespace detail {

template <class T, unsigned kBits>
[[gnu::noinline]] LebStatus read_leb_slow(const std::uint8_t*& next, const std::uint8_t* end, T& out) noexcept {
    using Unsigned = std::make_unsigned_t<T>;
    constexpr unsigned kBytes = (kBits + 6) / 7;
    constexpr unsigned kLastBits = kBits - 7 * (kBytes - 1);  // payload bits of the last possible byte
    Unsigned value = 0;
    const std::uint8_t* at = next;
    for (unsigned i = 0; i < kBytes; ++i) {
        if (at == end) return LebStatus::truncated;
        const std::uint8_t byte = *at++;
        const unsigned payload = byte & 0x7FU;
        value |= static_cast<Unsigned>(payload) << (7 * i);
        if (i + 1 == kBytes) {
            if ((byte & 0x80) != 0) return LebStatus::too_long;
            if constexpr (std::is_signed_v<T>) {
                const unsigned sign = payload >> (kLastBits - 1);
                if (sign != 0 && sign != (0x7FU >> (kLastBits - 1))) return LebStatus::too_large;
            } else {
                if (payload >> kLastBits != 0) return LebStatus::too_large;
            }
        }
        if ((byte & 0x80) == 0) {
            if constexpr (std::is_signed_v<T>) {
                const unsigned shift = 7 * (i + 1);
                if ((byte & 0x40) != 0 && shift < sizeof(T) * 8) value |= ~Unsigned{0} << shift;
            }
            out = static_cast<T>(value);
            next = at;
            return LebStatus::ok;
        }
    }
    return LebStatus::too_long;
}

}  // namespace detail

/// Reads a LEB128 integer of at most kBits bits, signed if T is. `next` moves only on success.
template <class T, unsigned kBits = sizeof(T) * 8>
[[nodiscard]] inline LebStatus read_leb(const std::uint8_t*& next, const std::uint8_t* end, T& out) noexcept {
    static_assert(kBits <= sizeof(T) * 8);
    if (next < end && *next < 0x80) [[likely]] {
        if constexpr (std::is_signed_v<T>) {
            out = static_cast<T>(static_cast<std::int8_t>(*next << 1) >> 1);
        } else {
            out = *next;
        }
        ++next;
        return LebStatus::ok;
    }
    return detail::read_leb_slow<T, kBits>(next, end, out);
}

/// The same where it cannot be foreseen how many bytes there are: up to four of them without a branch on that.
template <class T>
[[nodiscard]] inline LebStatus read_leb_of_any_length(const std::uint8_t*& next, const std::uint8_t* end, T& out) noexcept {
    static_assert(sizeof(T) == 4);
    std::uint32_t bytes = 0xffff'ffff;
    if (end - next >= 4) [[likely]]
        std::memcpy(&bytes, next, 4);
    const std::uint32_t stops = ~bytes & 0x8080'8080U;
    if (stops == 0) [[unlikely]]
        return read_leb(next, end, out);
    bytes &= stops ^ (stops - 1);
    const std::uint32_t value = (bytes & 0x7f) | (bytes >> 1 & 0x3f80) | (bytes >> 2 & 0x1f'c000) | (bytes >> 3 & 0xfe0'0000);
    const int length = (std::countr_zero(stops) + 1) / 8;
    next += length;
    const int unused = std::is_signed_v<T> ? 32 - 7 * length : 0;
    out = static_cast<T>(value << unused) >> unused;
    return LebStatus::ok;
}

/// The specification's words for what is wrong with an integer.
[[nodiscard]] constexpr std::string_view leb_error(LebStatus status) noexcept {
    switch (status) {
        case LebStatus::truncated: return "unexpected end of the bytes in an integer";
        case LebStatus::too_long:  return "integer representation too long";
        case LebStatus::too_large: return "integer too large: unused bits are set";
        case LebStatus::ok:        break;
    }
    return "";
}

/// Whether the bytes are UTF-8 as the specification has it: no surrogates, no overlong forms, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::span<const std::uint8_t> bytes) noexcept;

/// Reads a span of a module from front to back. After a failed read every method still is safe to call, and error()
/// tells the first thing that went wrong.
class Cursor {
public:
    /// `offset`: of the first byte in the module, for error messages.
    explicit Cursor(std::span<const std::uint8_t> bytes, std::uint64_t offset = 0) noexcept
        : begin_(bytes.data()), next_(bytes.data()), end_(bytes.data() + bytes.size()), base_(offset) {}

    [[nodiscard]] bool at_end() const noexcept { return next_ == end_; }
    [[nodiscard]] std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - next_); }
    [[nodiscard]] std::uint64_t offset() const noexcept { return base_ + static_cast<std::uint64_t>(next_ - begin_); }
    [[nodiscard]] const std::uint8_t* next() const noexcept { return next_; }

    /// Records an error at `offset` (default: here) unless there is one already. Always false.
    bool fail(ErrorKind kind, std::string message, std::uint64_t offset = kNoOffset) {
        if (failed_) return false;
        failed_ = true;
        error_ = Error{kind, std::move(message), offset == kNoOffset ? this->offset() : offset};
        return false;
    }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] Error& error() noexcept { return error_; }

    [[nodiscard]] bool read_u8(std::uint8_t& out) {
        if (next_ == end_) [[unlikely]]
            return fail(ErrorKind::malformed, "unexpected end of the bytes");
        out = *next_++;
        return true;
    }
    [[nodiscard]] bool peek_u8(std::uint8_t& out) {
        if (next_ == end_) [[unlikely]]
            return fail(ErrorKind::malformed, "unexpected end of the bytes");
        out = *next_;
        return true;
    }
    [[nodiscard]] bool read_u32(std::uint32_t& out) { return leb(read_leb(next_, end_, out)); }
    [[nodiscard]] bool read_u64(std::uint64_t& out) { return leb(read_leb(next_, end_, out)); }
    [[nodiscard]] bool read_s32(std::int32_t& out) { return leb(read_leb(next_, end_, out)); }
    [[nodiscard]] bool read_s33(std::int64_t& out) { return leb(read_leb<std::int64_t, 33>(next_, end_, out)); }
    [[nodiscard]] bool read_s64(std::int64_t& out) { return leb(read_leb(next_, end_, out)); }
    /// Little endian, sizeof(T) bytes.
    template <class T>
    [[nodiscard]] bool read_fixed(T& out) {
        static_assert(std::is_trivially_copyable_v<T>);
        if (remaining() < sizeof(T)) [[unlikely]]
            return fail(ErrorKind::malformed, "unexpected end of the bytes");
        std::memcpy(&out, next_, sizeof(T));
        next_ += sizeof(T);
        return true;
    }
    [[nodiscard]] bool read_bytes(std::size_t count, std::span<const std::uint8_t>& out) {
        if (remaining() < count) [[unlikely]]
            return fail(ErrorKind::malformed, "unexpected end: a length is out of bounds");
        out = {next_, count};
        next_ += count;
        return true;
    }
    /// A length and that many bytes of UTF-8. The view points into the module.
    [[nodiscard]] bool read_name(std::string_view& out) {
        std::uint32_t size = 0;
        std::span<const std::uint8_t> bytes;
        const std::uint64_t at = offset();
        if (!read_u32(size) || !read_bytes(size, bytes)) return false;
        if (!is_utf8(bytes)) return fail(ErrorKind::malformed, "malformed UTF-8 encoding in a name", at);
        out = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        return true;
    }

private:
    [[nodiscard]] bool leb(LebStatus status) {
        if (status == LebStatus::ok) [[likely]]
            return true;
        return fail(ErrorKind::malformed, std::string(leb_error(status)));
    }

    const std::uint8_t* begin_;
    const std::uint8_t* next_;
    const std::uint8_t* end_;
    std::uint64_t base_;
    bool failed_ = false;
    Error error_;
};

}  // namespace pollux::wasm
