// i32 division by constants, which is made of multiplications, against the same in C++.
#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/runtime/runtime_fixture.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::test {
namespace {

constexpr std::uint32_t kDivisors[] = {2,          3,          4,          5,          6,          7,          10,         11,
                                       16,         25,         60,         100,        127,        128,        250,        641,
                                       1000,       4096,       65535,      65537,      1000000007, 0x3fffffff, 0x40000000, 0x55555555,
                                       0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xaaaaaaab, 0xfffffffe, 0xffffffff};

Bytes signed_leb(std::uint32_t value) {
    Bytes out;
    auto rest = static_cast<std::int32_t>(value);
    for (;; rest >>= 7) {
        const auto byte = static_cast<std::uint8_t>(rest & 0x7f);
        if ((rest >> 6) == 0 || (rest >> 6) == -1) {
            out.push_back(byte);
            return out;
        }
        out.push_back(static_cast<std::uint8_t>(byte | 0x80));
    }
}

/// Exports d0, d1, …: (i32) -> (quotient, remainder) of each divisor, signed or unsigned. The operand of the first is a local that is read
/// again, that of the second on the stack only.
Bytes dividing_module(bool is_signed) {
    const std::uint8_t divide = is_signed ? 0x6d : 0x6e;
    const std::uint8_t remainder = is_signed ? 0x6f : 0x70;
    Bytes functions = leb(std::size(kDivisors));
    Bytes exports = leb(std::size(kDivisors));
    Bytes code = leb(std::size(kDivisors));
    for (std::size_t i = 0; i < std::size(kDivisors); ++i) {
        const Bytes divisor = join({{0x41}, signed_leb(kDivisors[i])});
        functions = join({functions, {0}});
        exports = join({exports, name("d" + std::to_string(i)), {0}, leb(i)});
        code = join({code, sized(join({{0, 0x20, 0}, divisor, {divide}, {0x20, 0, 0x41, 0, 0x6a}, divisor, {remainder, kEnd}}))});
    }
    return module_of({section(1, vec({{0x60, 1, kI32, 2, kI32, kI32}})), section(3, functions), section(7, exports), section(10, code)});
}

/// What lies around multiples of the divisor, at both ends of the range and near 0.
std::vector<std::uint32_t> interesting_dividends(std::uint32_t divisor) {
    std::vector<std::uint32_t> all;
    const std::uint32_t most = 0xffffffff / divisor * divisor;
    const std::uint32_t most_signed = 0x7fffffff / divisor * divisor;
    for (const std::uint32_t middle :
         {0U, divisor, 2 * divisor, most, most_signed, 0U - divisor, 0U - most_signed, 0x80000000U, 0x12345678U}) {
        for (std::uint32_t offset = 0; offset < 5; ++offset) all.push_back(middle - 2 + offset);
    }
    return all;
}

class Divide : public EveryMode {
protected:
    void expect(Instance& instance, std::size_t number, std::uint32_t dividend, std::uint32_t quotient, std::uint32_t remainder) {
        const auto results = call(instance, "d" + std::to_string(number), {Value::i32(static_cast<std::int32_t>(dividend))});
        ASSERT_TRUE(results);
        EXPECT_EQ(static_cast<std::uint32_t>((*results)[0].as_i32()), quotient) << dividend << " / " << kDivisors[number];
        EXPECT_EQ(static_cast<std::uint32_t>((*results)[1].as_i32()), remainder) << dividend << " % " << kDivisors[number];
    }
};

TEST_P(Divide, UnsignedByConstants) {
    Instance& instance = guest.instantiate(dividing_module(false));
    for (std::size_t i = 0; i < std::size(kDivisors); ++i) {
        for (const std::uint32_t a : interesting_dividends(kDivisors[i])) expect(instance, i, a, a / kDivisors[i], a % kDivisors[i]);
    }
}

TEST_P(Divide, SignedByConstants) {
    Instance& instance = guest.instantiate(dividing_module(true));
    for (std::size_t i = 0; i < std::size(kDivisors); ++i) {
        const std::int64_t divisor = static_cast<std::int32_t>(kDivisors[i]);
        for (const std::uint32_t a : interesting_dividends(kDivisors[i])) {
            const std::int64_t dividend = static_cast<std::int32_t>(a);
            if (divisor == -1 && dividend == INT32_MIN) continue;  // traps
            expect(instance, i, a, static_cast<std::uint32_t>(dividend / divisor), static_cast<std::uint32_t>(dividend % divisor));
        }
    }
}

POLLUX_IN_EVERY_MODE(Divide);

}  // namespace
}  // namespace pollux::test
