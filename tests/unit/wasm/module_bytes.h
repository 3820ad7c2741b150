// Makes modules byte by byte, for tests.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace pollux::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes leb(std::uint64_t value) {
    Bytes out;
    do {
        const auto byte = static_cast<std::uint8_t>(value & 0x7F);
        value >>= 7;
        out.push_back(value != 0 ? static_cast<std::uint8_t>(byte | 0x80) : byte);
    } while (value != 0);
    return out;
}

inline Bytes join(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

/// A size and that many bytes.
inline Bytes sized(const Bytes& contents) { return join({leb(contents.size()), contents}); }
inline Bytes name(std::string_view text) { return sized(Bytes(text.begin(), text.end())); }
inline Bytes section(std::uint8_t id, const Bytes& contents) { return join({{id}, sized(contents)}); }
/// A count and the items.
inline Bytes vec(std::initializer_list<Bytes> items) { return join({leb(items.size()), join(items)}); }

/// A module of these sections.
inline Bytes module_of(std::initializer_list<Bytes> sections) {
    return join({{0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00}, join(sections)});
}

/// A module with one function of the type [params] -> [results] with this body (locals and `end` included).
inline Bytes module_with_body(const Bytes& params, const Bytes& results, const Bytes& body) {
    return module_of({section(1, vec({join({{0x60}, sized(params), sized(results)})})), section(3, vec({{0}})),
                      section(5, vec({{0x00, 0x01}})), section(10, vec({sized(body)}))});
}

inline constexpr std::uint8_t kI32 = 0x7F;
inline constexpr std::uint8_t kI64 = 0x7E;
inline constexpr std::uint8_t kEnd = 0x0B;

}  // namespace pollux::test
