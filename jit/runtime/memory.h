// A linear memory and where its bytes lie.
//
//   guard_pages:      | accessible: length | no access …                              8 GiB | guard |   a slot of the pool
//   explicit_checks:  | accessible: length | no access … up to what was reserved |
//
// A memory never moves: it grows by making more of its reservation accessible. A shared memory is one object in all the stores of its
// threads. Memories are owned through std::shared_ptr.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/base/mapping.h"
#include "jit/compile/backend.h"
#include "jit/wasm/types.h"

namespace pollux {

/// Bytes or elements that the memories or tables of a store may take together. Thread-safe.
class Budget {
public:
    explicit Budget(std::uint64_t limit) noexcept : limit_(limit) {}
    [[nodiscard]] bool take(std::uint64_t amount) noexcept;
    void give_back(std::uint64_t amount) noexcept { used_.fetch_sub(amount, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> used_{0};
    std::uint64_t limit_;
};

/// Slots of 8 GiB and a guard, kept for reuse. Thread-safe.
class MemoryPool {
public:
    static constexpr std::uint64_t kSlotBytes = std::uint64_t{8} << 30;
    static constexpr std::uint64_t kGuardBytes = 64 * 1024;

    /// A slot without any access.
    [[nodiscard]] Result<Mapping> take();
    /// Takes back a slot of which the first `used` bytes were accessible.
    void give_back(Mapping slot, std::size_t used) noexcept;
    /// Whether the system grants a slot now; the slot is kept.
    [[nodiscard]] bool probe();

private:
    std::mutex mutex_;
    std::vector<Mapping> free_;
};

/// How the bytes of memories are reserved.
struct MemoryOptions {
    BoundsMode bounds = BoundsMode::guard_pages;
    std::uint64_t max_reservation = std::uint64_t{1} << 36;  ///< bytes, for memories with explicit checks
};

class Memory final : public MemoryCell {
public:
    /// A zeroed memory of type.limits.min pages. `pool` outlives it. Error: resource.
    [[nodiscard]] static Result<std::shared_ptr<Memory>> create(const wasm::MemoryType& type, const MemoryOptions& options,
                                                                const std::shared_ptr<MemoryPool>& pool,
                                                                const std::shared_ptr<Budget>& budget);
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory();

    /// As declared; limits.min is the size at creation.
    [[nodiscard]] const wasm::MemoryType& type() const noexcept { return type_; }
    /// All accessible bytes. Invalid as soon as the guest may have grown the memory: ask again after each call or park. Base never moves.
    [[nodiscard]] std::span<std::uint8_t> bytes() const noexcept {
        return {base, static_cast<std::size_t>(length.load(std::memory_order_acquire))};
    }
    /// Present size in pages of the type's page size.
    [[nodiscard]] std::uint64_t pages() const noexcept { return length.load(std::memory_order_acquire) >> type_.page_bits; }
    /// Grows by `delta` pages: the size before, in pages, or ~0 if the type's maximum, the store's limit or the system refuses.
    /// Thread-safe.
    [[nodiscard]] std::uint64_t grow(std::uint64_t delta) noexcept;

private:
    Memory(const wasm::MemoryType& type, Mapping reservation, std::shared_ptr<MemoryPool> pool, std::shared_ptr<Budget> budget) noexcept;

    wasm::MemoryType type_;
    Mapping reservation_;
    std::size_t accessible_ = 0;  ///< bytes, whole host pages
    std::shared_ptr<MemoryPool> pool_;  ///< that the reservation returns to; null if it is not a slot
    std::shared_ptr<Budget> budget_;
    std::mutex grow_mutex_;
};

}  // namespace pollux
