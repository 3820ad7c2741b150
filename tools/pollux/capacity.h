// How many guests the system has room for at a time.
//
// Three things run out, and mostly without a good message: descriptors (RLIMIT_NOFILE), memory mappings (vm.max_map_count) and, with guard
// pages, address space (8 GiB for each memory).
#pragma once

#include <cstddef>
#include <string>

namespace pollux::cli {

/// What one guest needs.
struct GuestNeeds {
    std::size_t descriptors = 1;
    std::size_t memories = 1;
    bool guard_pages = true;  ///< each memory takes a slot of 8 GiB
};

struct Capacity {
    std::size_t guests = 0;
    std::string limit;  ///< what is short first, and how to have more of it
};

/// Raises the soft limit of descriptors to the hard one. Returns it.
std::size_t raise_descriptor_limit() noexcept;

/// With what the process already uses. To be called once the module is compiled.
[[nodiscard]] Capacity system_capacity(const GuestNeeds& needs, std::size_t descriptor_limit);

}  // namespace pollux::cli
