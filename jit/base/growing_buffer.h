// Bytes that arrive bit by bit and never move: address space is reserved once, pages are made accessible as they fill.
//
// So spans into what has arrived stay valid while more comes, also in other threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "jit/base/error.h"
#include "jit/base/mapping.h"

namespace pollux {

class GrowingBuffer {
public:
    /// Reserves address space for up to `max_bytes`; less, if that much is not to be had.
    [[nodiscard]] static Result<std::shared_ptr<GrowingBuffer>> reserve(std::size_t max_bytes);
    /// Fails when the reservation or memory is used up; the buffer then is as before.
    [[nodiscard]] Result<> append(std::span<const std::uint8_t> bytes);
    /// Gives back the address space behind the bytes. No more can be appended.
    void seal() noexcept;

    [[nodiscard]] const std::uint8_t* data() const noexcept { return mapping_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    explicit GrowingBuffer(Mapping mapping) noexcept : mapping_(std::move(mapping)) {}

    Mapping mapping_;
    std::size_t committed_ = 0;
    std::size_t size_ = 0;
};

}  // namespace pollux
