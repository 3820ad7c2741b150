// The helpers of gc_helpers.cpp, for the table of helpers.
#pragma once

#include <cstdint>

#include "jit/abi/layout.h"

namespace pollux {

extern "C" {
std::uint64_t pollux_helper_object_new(InstanceHeader* header, std::uint64_t type, std::uint64_t length);
std::uint64_t pollux_helper_array_new(InstanceHeader* header, std::uint64_t value, std::uint64_t length, std::uint64_t type);
std::uint64_t pollux_helper_array_new_default(InstanceHeader* header, std::uint64_t length, std::uint64_t type);
std::uint64_t pollux_helper_array_new_data(InstanceHeader* header, std::uint64_t offset, std::uint64_t length, std::uint64_t type,
                                           std::uint64_t segment);
std::uint64_t pollux_helper_array_new_elem(InstanceHeader* header, std::uint64_t offset, std::uint64_t length, std::uint64_t type,
                                           std::uint64_t segment);
std::uint64_t pollux_helper_array_fill(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t value,
                                       std::uint64_t count);
std::uint64_t pollux_helper_array_copy(InstanceHeader* header, std::uint64_t to, std::uint64_t to_index, std::uint64_t from,
                                       std::uint64_t from_index, std::uint64_t count);
std::uint64_t pollux_helper_array_init_data(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t offset,
                                            std::uint64_t count, std::uint64_t segment);
std::uint64_t pollux_helper_array_init_elem(InstanceHeader* header, std::uint64_t array, std::uint64_t index, std::uint64_t offset,
                                            std::uint64_t count, std::uint64_t segment);
}

}  // namespace pollux
