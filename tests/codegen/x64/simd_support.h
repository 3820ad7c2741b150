// Vectors for tests: their lanes, edge cases of every lane type, and how they print.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/codegen/x64/runner.h"

namespace pollux::x64::test {

using wasm::Opcode;
using wasm::V128;

using S8 = std::int8_t;
using S16 = std::int16_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

inline constexpr std::array kVectorRegs = {fp(0), fp(1), fp(6), fp(13)};
inline constexpr std::array kLaneGpRegs = {kRax, kRsi, kR13};

template <class T>
using Lanes = std::array<T, 16 / sizeof(T)>;

template <class T>
Lanes<T> lanes(V128 value) {
    return std::bit_cast<Lanes<T>>(value);
}
template <class T>
V128 pack(const Lanes<T>& values) {
    return std::bit_cast<V128>(values);
}

template <class T>
T nan_of() {
    return std::numeric_limits<T>::quiet_NaN();
}

// --- inputs --------------------------------------------------------------------------------------------------------------------

/// Vectors whose lanes go through the edge cases of T, at different distances from each other.
template <class T>
void add_vectors(std::vector<V128>& to, const std::vector<T>& edges, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        Lanes<T> values;
        for (std::size_t lane = 0; lane < values.size(); ++lane) values[lane] = edges[(i * 3 + lane * (i + 1)) % edges.size()];
        to.push_back(pack<T>(values));
    }
}

inline std::vector<V128> integer_vectors() {
    std::vector<V128> result = {{0, 0},
                                {~std::uint64_t{0}, ~std::uint64_t{0}},
                                {0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908},
                                {0x1211'100f'f0f1'8001, 0x7f80'ff00'1f20'2122}};
    add_vectors<std::uint8_t>(result, {0, 1, 2, 15, 16, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff}, 4);
    add_vectors<std::uint16_t>(result, {0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x1234}, 4);
    add_vectors<std::uint32_t>(result, {0, 1, 0xffff, 0x1'0000, 0x7fff'ffff, 0x8000'0000, 0x8000'0001, 0xffff'ffff, 0xff80'0001}, 4);
    add_vectors<std::uint64_t>(
        result, {0, 1, 0xffff'ffff, 0x7fff'ffff'ffff'ffff, 0x8000'0000'0000'0000, ~std::uint64_t{0}, 0x1234'5678'9abc'def0}, 4);
    return result;
}
inline const std::vector<V128> kInts = integer_vectors();

template <class F>
std::vector<F> float_edges() {
    using L = std::numeric_limits<F>;
    std::vector<F> edges = {
        0,           1,         F(1.5),    F(2.5),          F(0.3),          L::infinity(),   L::max(),        L::min(),  L::denorm_min(),
        nan_of<F>(), F(0x1p31), F(0x1p32), F(2147483647.0), F(2147483520.0), F(4294967040.0), F(4294967295.0), F(0x1p63), F(123456.75)};
    const std::size_t positive = edges.size();
    for (std::size_t i = 0; i < positive; ++i) edges.push_back(-edges[i]);
    const auto signalling = [](std::uint64_t bits) {
        return std::bit_cast<F>(static_cast<std::conditional_t<sizeof(F) == 4, std::uint32_t, std::uint64_t>>(bits));
    };
    edges.push_back(signalling(sizeof(F) == 4 ? 0x7f80'0001 : 0x7ff0'0000'0000'0001));
    return edges;
}

template <class F>
std::vector<V128> float_vectors() {
    std::vector<V128> result;
    add_vectors<F>(result, float_edges<F>(), 24);
    return result;
}

inline std::string hex(V128 value) {
    char text[40];
    std::snprintf(text, sizeof text, "%016llx'%016llx", static_cast<unsigned long long>(value.high),
                  static_cast<unsigned long long>(value.low));
    return text;
}

}  // namespace pollux::x64::test
