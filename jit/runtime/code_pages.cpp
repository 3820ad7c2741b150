#include "jit/runtime/code_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "jit/base/tuning.h"

namespace pollux {

std::size_t CodePages::take(Mapping& region, std::size_t most, bool huge) noexcept {
    const std::scoped_lock lock(mutex_);
    Mapping& largest = *std::ranges::max_element(pieces_[huge ? 1 : 0], {}, &Mapping::size);
    const std::size_t bytes = std::min(most, largest.size());
    if (bytes == 0) return 0;
    if (largest.move_tail(bytes, region)) return bytes;
    refused_ = true;
    pieces_ = {};
    return 0;
}

void CodePages::give_back(Mapping pages, bool huge) noexcept {
    if (!pages || !pages.protect(0, pages.size(), PROT_READ | PROT_WRITE, "free code pages")) return;
    static_cast<void>(::madvise(pages.data(), pages.size(), MADV_FREE));  // a hint
    const std::scoped_lock lock(mutex_);
    if (refused_) return;
    const std::size_t unit = huge ? kHugePage : page_bytes();
    pages.shrink((tuning.pooled_code_bytes - std::min(count(), tuning.pooled_code_bytes)) / unit * unit);
    Mapping& smallest = *std::ranges::min_element(pieces_[huge ? 1 : 0], {}, &Mapping::size);
    if (pages.size() > smallest.size()) std::swap(pages, smallest);
}

std::size_t CodePages::bytes() noexcept {
    const std::scoped_lock lock(mutex_);
    return count();
}

std::size_t CodePages::count() const noexcept {
    std::size_t bytes = 0;
    for (const Pieces& pieces : pieces_) {
        for (const Mapping& piece : pieces) bytes += piece.size();
    }
    return bytes;
}

}  // namespace pollux
