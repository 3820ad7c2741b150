// Vectors that a compiler fills for each function anew: they keep their memory from one to the next, but not what a huge one needed.
#pragma once

#include <cstddef>
#include <vector>

namespace pollux {

inline constexpr std::size_t kKeptScratchBytes = std::size_t{16} << 10;

/// Empties the vector. (shrink_to_fit() does nothing where exceptions are off.)
template <class T>
void clear_scratch(std::vector<T>& vector) {
    vector.clear();
    if (vector.capacity() * sizeof(T) > kKeptScratchBytes) std::vector<T>().swap(vector);
}

}  // namespace pollux
