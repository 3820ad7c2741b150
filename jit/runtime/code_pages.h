// Pages of machine code that outlive their module, for the next one of the engine: it pays no page faults and no zeroing for them.
//
// In: writable pages of a CodeMemory that ends or does not need them. Out: the same pages at the start of another reservation, by a move
// of page tables (mremap). Here they are never executable, and the kernel may take them back at any time (MADV_FREE). Who gets them must
// not rely on what is in them: zeros, or code of before.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>

#include "jit/base/mapping.h"

namespace pollux {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Thread-safe.
class CodePages {
public:
    /// Moves up to `most` bytes of pages to the start of `region`, writable. Returns how many. `huge`: of huge pages, `region` and `most`
    /// being aligned to them. If the system refuses the move: 0, the region begins behind the place, and nothing is kept from then on.
    [[nodiscard]] std::size_t take(Mapping& region, std::size_t most, bool huge) noexcept;
    /// Keeps as many of these pages as tuning.pooled_code_bytes allows; they must all be of one origin: take() or the system.
    void give_back(Mapping pages, bool huge) noexcept;
    /// That are kept now.
    [[nodiscard]] std::size_t bytes() noexcept;

private:
    using Pieces = std::array<Mapping, 4>;  ///< some empty

    [[nodiscard]] std::size_t count() const noexcept;

    std::mutex mutex_;
    std::array<Pieces, 2> pieces_;  ///< of small pages, of huge ones
    bool refused_ = false;
};

}  // namespace pollux
