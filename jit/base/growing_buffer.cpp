// GrowingBuffer: a reservation whose pages are made accessible in steps that double.
#include "jit/base/growing_buffer.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace pollux {

namespace {

constexpr std::size_t kFirstStep = std::size_t{64} << 10;
constexpr std::size_t kSmallestReservation = std::size_t{1} << 20;
constexpr const char* kPurpose = "bytes that come in";

}  // namespace

Result<std::shared_ptr<GrowingBuffer>> GrowingBuffer::reserve(std::size_t max_bytes) {
    for (std::size_t size = round_to_pages(std::max(max_bytes, kFirstStep));; size = round_to_pages(size / 2)) {
        Result<Mapping> mapping = Mapping::reserve(size, kPurpose);
        if (mapping) return std::shared_ptr<GrowingBuffer>(new GrowingBuffer(*std::move(mapping)));
        if (size <= kSmallestReservation) return std::unexpected(std::move(mapping.error()));
    }
}

Result<> GrowingBuffer::append(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > mapping_.size() - size_) {
        return fail(ErrorKind::resource,
                    "more than " + std::to_string(mapping_.size()) + " bytes came in, for which there is no address space");
    }
    if (size_ + bytes.size() > committed_) {
        const std::size_t wanted = std::min(mapping_.size(), round_to_pages(std::max({size_ + bytes.size(), 2 * committed_, kFirstStep})));
        if (Result<> result = mapping_.protect(committed_, wanted - committed_, PROT_READ | PROT_WRITE, kPurpose); !result) return result;
        committed_ = wanted;
    }
    std::memcpy(mapping_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return {};
}

void GrowingBuffer::seal() noexcept {
    if (size_ == 0) return;
    mapping_.shrink(round_to_pages(size_));
    committed_ = std::min(committed_, mapping_.size());
}

}  // namespace pollux
