// Checked access to a guest's memory. Nothing in wasi/ touches guest memory by another way.
//
// A GuestMemory is a view of the memory as it was when the call began: memories never move and never shrink, so it stays
// valid while the call is parked. GuestPtr<T> is an address and cannot be dereferenced; addresses need no alignment. Other
// threads of the guest may write at any time: values are copied out once, then checked.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "wasi/status.h"

namespace pollux::wasi {

template <class T>
struct GuestPtr {
    static_assert(std::is_trivially_copyable_v<T>);
    GuestAddress address = 0;

    /// Address of the element `index` elements further; nothing is checked, and it may wrap: use it for ranges that GuestMemory::has()
    /// approved.
    [[nodiscard]] constexpr GuestPtr at(std::uint32_t index) const noexcept {
        return {static_cast<GuestAddress>(address + index * std::uint32_t{sizeof(T)})};
    }
};

class GuestMemory {
public:
    constexpr GuestMemory() noexcept = default;
    constexpr GuestMemory(std::uint8_t* base, std::uint64_t bytes) noexcept : base_(base), bytes_(bytes) {}
    explicit constexpr GuestMemory(std::span<std::uint8_t> memory) noexcept : base_(memory.data()), bytes_(memory.size()) {}

    [[nodiscard]] constexpr std::uint64_t size() const noexcept { return bytes_; }

    /// Whether `count` elements from `pointer` on lie in memory.
    template <class T>
    [[nodiscard]] constexpr bool has(GuestPtr<T> pointer, std::uint64_t count = 1) const noexcept {
        return count <= std::numeric_limits<std::uint32_t>::max() && in_bounds(pointer.address, count * sizeof(T));
    }

    /// `length` bytes at `address`, or `fault`.
    [[nodiscard]] Expected<std::span<std::uint8_t>> bytes(GuestAddress address, std::uint64_t length) const noexcept {
        if (!in_bounds(address, length)) return std::unexpected(Errno::fault);
        if (length == 0) return std::span<std::uint8_t>{};
        return std::span(base_ + address, static_cast<std::size_t>(length));
    }

    template <class T>
    [[nodiscard]] Expected<T> read(GuestPtr<T> pointer) const noexcept {
        if (!has(pointer)) return std::unexpected(Errno::fault);
        T value;
        std::memcpy(&value, base_ + pointer.address, sizeof(T));
        return value;
    }

    template <class T>
    [[nodiscard]] Errno write(GuestPtr<T> pointer, const std::type_identity_t<T>& value) const noexcept {
        if (!has(pointer)) return Errno::fault;
        std::memcpy(base_ + pointer.address, &value, sizeof(T));
        return Errno::success;
    }

    /// Copies `source` to `address`, all or nothing.
    [[nodiscard]] Errno write_bytes(GuestAddress address, std::span<const std::uint8_t> source) const noexcept {
        if (!in_bounds(address, source.size())) return Errno::fault;
        if (!source.empty()) std::memcpy(base_ + address, source.data(), source.size());
        return Errno::success;
    }

private:
    [[nodiscard]] constexpr bool in_bounds(std::uint64_t address, std::uint64_t length) const noexcept {
        return length <= bytes_ && address <= bytes_ - length;
    }

    std::uint8_t* base_ = nullptr;
    std::uint64_t bytes_ = 0;
};

}  // namespace pollux::wasi
