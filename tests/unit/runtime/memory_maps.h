// What /proc/self/maps says of an address.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

namespace pollux {

/// Permissions of the mapping that holds an address, such as "r-xp".
inline std::string permissions(const void* address) {
    std::ifstream maps("/proc/self/maps");
    const auto wanted = reinterpret_cast<std::uint64_t>(address);
    for (std::string line; std::getline(maps, line);) {
        char* end = nullptr;
        const std::uint64_t begin = std::strtoull(line.c_str(), &end, 16);
        const std::uint64_t limit = std::strtoull(end + 1, &end, 16);
        if (wanted >= begin && wanted < limit) return std::string(end + 1, 4);
    }
    return "none";
}

}  // namespace pollux
