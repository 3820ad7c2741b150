// LEB128 at its limits, and UTF-8.
#include "jit/wasm/bytes.h"

#include <gtest/gtest.h>

#include <vector>

namespace pollux::wasm {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <class T, unsigned kBits = sizeof(T) * 8>
LebStatus read(const Bytes& bytes, T& out, std::size_t& used) {
    const std::uint8_t* next = bytes.data();
    const LebStatus status = read_leb<T, kBits>(next, bytes.data() + bytes.size(), out);
    used = static_cast<std::size_t>(next - bytes.data());
    return status;
}

template <class T, unsigned kBits = sizeof(T) * 8>
void expect_value(const Bytes& bytes, T value) {
    T out{};
    std::size_t used = 0;
    EXPECT_EQ((read<T, kBits>(bytes, out, used)), LebStatus::ok);
    EXPECT_EQ(out, value);
    EXPECT_EQ(used, bytes.size());
}

template <class T, unsigned kBits = sizeof(T) * 8>
void expect_error(const Bytes& bytes, LebStatus status) {
    T out{};
    std::size_t used = 0;
    EXPECT_EQ((read<T, kBits>(bytes, out, used)), status);
    EXPECT_EQ(used, 0U) << "a failed read does not move";
}

TEST(Leb, UnsignedValuesAndRedundantForms) {
    expect_value<std::uint32_t>({0x00}, 0);
    expect_value<std::uint32_t>({0x7F}, 127);
    expect_value<std::uint32_t>({0x80, 0x01}, 128);
    expect_value<std::uint32_t>({0x83, 0x80, 0x80, 0x80, 0x00}, 3);
    expect_value<std::uint32_t>({0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, 0xFFFF'FFFF);
    expect_value<std::uint64_t>({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}, ~std::uint64_t{0});
}

TEST(Leb, SignedValues) {
    expect_value<std::int32_t>({0x7F}, -1);
    expect_value<std::int32_t>({0x3F}, 63);
    expect_value<std::int32_t>({0x40}, -64);
    expect_value<std::int32_t>({0xC0, 0x00}, 64);
    expect_value<std::int32_t>({0x80, 0x80, 0x80, 0x80, 0x78}, INT32_MIN);
    expect_value<std::int32_t>({0xFF, 0xFF, 0xFF, 0xFF, 0x07}, INT32_MAX);
    expect_value<std::int64_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7F}, INT64_MIN);
    expect_value<std::int64_t, 33>({0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, 0xFFFF'FFFF);
    expect_value<std::int64_t, 33>({0x80, 0x80, 0x80, 0x80, 0x70}, -0x1'0000'0000);
}

TEST(Leb, TooLongTooLargeTruncated) {
    expect_error<std::uint32_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, LebStatus::too_long);
    expect_error<std::uint32_t>({0xFF, 0xFF, 0xFF, 0xFF, 0x1F}, LebStatus::too_large);
    expect_error<std::uint32_t>({0x80, 0x80}, LebStatus::truncated);
    expect_error<std::uint32_t>({}, LebStatus::truncated);
    expect_error<std::int32_t>({0xFF, 0xFF, 0xFF, 0xFF, 0x0F}, LebStatus::too_large);
    expect_error<std::int32_t>({0xFF, 0xFF, 0xFF, 0xFF, 0x4F}, LebStatus::too_large);
    expect_error<std::int64_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7E}, LebStatus::too_large);
    expect_error<std::uint64_t>({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02}, LebStatus::too_large);
}

template <class T>
void expect_same_at_any_length(Bytes bytes) {
    for (std::size_t behind = 0; behind < 5; ++behind) {  // other bytes
        const std::uint8_t* plain = bytes.data();
        const std::uint8_t* next = bytes.data();
        T expected{};
        T out{};
        EXPECT_EQ(read_leb_of_any_length(next, bytes.data() + bytes.size(), out), read_leb(plain, bytes.data() + bytes.size(), expected));
        EXPECT_EQ(next, plain);
        EXPECT_EQ(out, expected);
        bytes.push_back(static_cast<std::uint8_t>(0xFF - behind));
    }
}

TEST(Leb, TheReaderForAnyLengthSaysTheSame) {
    for (const std::uint8_t last : Bytes{0x00, 0x01, 0x0F, 0x3F, 0x40, 0x78, 0x7F, 0x80, 0xFF}) {
        for (const std::uint8_t first : Bytes{0x80, 0x81, 0xC0, 0xFF}) {
            for (std::size_t length = 0; length <= 6; ++length) {
                Bytes bytes(length, first);
                if (length != 0) bytes.back() = last;
                expect_same_at_any_length<std::uint32_t>(bytes);
                expect_same_at_any_length<std::int32_t>(bytes);
            }
        }
    }
}

TEST(Cursor, KeepsTheFirstErrorAndItsOffset) {
    const Bytes bytes = {0x01, 0x80};
    Cursor in(bytes, 100);
    std::uint32_t value = 0;
    std::uint8_t byte = 0;
    EXPECT_TRUE(in.read_u32(value));
    EXPECT_FALSE(in.read_u32(value));
    EXPECT_EQ(in.error().offset, 101U);
    EXPECT_EQ(in.error().kind, ErrorKind::malformed);
    EXPECT_TRUE(in.read_u8(byte));
    EXPECT_FALSE(in.read_u8(byte));
    EXPECT_EQ(in.error().offset, 101U) << "the first error stays";
}

bool utf8(std::string_view text) { return is_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); }

TEST(Utf8, AcceptsAndRejectsAsTheUnicodeStandard) {
    EXPECT_TRUE(utf8(""));
    EXPECT_TRUE(utf8(std::string_view("a\0b", 3)));
    EXPECT_TRUE(utf8("\xC2\x80"));
    EXPECT_TRUE(utf8("\xED\x9F\xBF"));
    EXPECT_TRUE(utf8("\xEF\xBF\xBF"));
    EXPECT_TRUE(utf8("\xF4\x8F\xBF\xBF"));
    EXPECT_FALSE(utf8("\x80"));
    EXPECT_FALSE(utf8("\xC1\xBF")) << "overlong";
    EXPECT_FALSE(utf8("\xE0\x9F\xBF")) << "overlong";
    EXPECT_FALSE(utf8("\xED\xA0\x80")) << "surrogate";
    EXPECT_FALSE(utf8("\xF0\x8F\xBF\xBF")) << "overlong";
    EXPECT_FALSE(utf8("\xF4\x90\x80\x80")) << "above U+10FFFF";
    EXPECT_FALSE(utf8("\xF5\x80\x80\x80"));
    EXPECT_FALSE(utf8("\xC2"));
    EXPECT_FALSE(utf8("\xE1\x80"));
    EXPECT_FALSE(utf8("\xF1\x80\x80"));
    EXPECT_FALSE(utf8("\xE1\x80\x40"));
}

}  // namespace
}  // namespace pollux::wasm
