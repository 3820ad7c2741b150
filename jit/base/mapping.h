// Owned mappings of address space: reservations, anonymous memory, files.
//
// In: sizes in bytes (rounded up to pages). Out: an address range that is unmapped exactly once. Errors are ErrorKind::resource with the
// system's reason, so that the user learns whether address space, memory or a limit was short.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "jit/base/error.h"

namespace pollux {

/// Size of the host's pages in bytes.
[[nodiscard]] std::size_t page_bytes() noexcept;

[[nodiscard]] inline std::size_t round_to_pages(std::size_t bytes) noexcept { return (bytes + page_bytes() - 1) & ~(page_bytes() - 1); }

class Mapping {
public:
    Mapping() noexcept = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    /// Address space without access or memory. `alignment`: a power of two, at least a page. `purpose` is for the error message.
    [[nodiscard]] static Result<Mapping> reserve(std::size_t bytes, const char* purpose, std::size_t alignment = 0);
    /// Zeroed private memory, readable and writable.
    [[nodiscard]] static Result<Mapping> anonymous(std::size_t bytes, const char* purpose);
    /// A view of a descriptor from its start. `flags`: MAP_PRIVATE or MAP_SHARED.
    [[nodiscard]] static Result<Mapping> file(int fd, std::size_t bytes, int protection, int flags, const char* purpose);

    [[nodiscard]] std::uint8_t* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t address() const noexcept { return reinterpret_cast<std::uint64_t>(data_); }
    [[nodiscard]] bool contains(std::uint64_t at) const noexcept { return at - address() < bytes_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

    /// Changes the access of a range of whole pages.
    [[nodiscard]] Result<> protect(std::size_t offset, std::size_t bytes, int protection, const char* purpose) const;
    /// Gives the memory of a range back to the system. It reads as zero again.
    void discard(std::size_t offset, std::size_t bytes) const noexcept;
    /// Maps part of a descriptor over a range of whole pages of this mapping.
    [[nodiscard]] Result<> map_over(std::size_t offset, std::size_t bytes, int protection, int flags, int fd, std::size_t fd_offset,
                                    const char* purpose) const;
    /// Moves the last `bytes`, whole pages of one mapping of the system, with what is in them over the first of `to`; this ends before
    /// them then. Says whether that worked. If not, `to` begins behind that range and never gives it back: the system may have unmapped it
    /// before it failed, and another thread may have mapped something there since.
    [[nodiscard]] bool move_tail(std::size_t bytes, Mapping& to) noexcept;
    /// What follows `bytes`, as a mapping of its own; this ends there.
    [[nodiscard]] Mapping split_off(std::size_t bytes) noexcept;
    /// Unmaps everything from `bytes` on.
    void shrink(std::size_t bytes) noexcept { static_cast<void>(split_off(bytes)); }

private:
    Mapping(std::uint8_t* data, std::size_t bytes) noexcept : data_(data), bytes_(bytes) {}

    std::uint8_t* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace pollux
