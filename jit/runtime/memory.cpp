#include "jit/runtime/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "jit/base/tuning.h"

namespace pollux {
namespace {

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

/// Most bytes that a memory of this type can ever have, whatever the host grants.
std::uint64_t max_bytes(const wasm::MemoryType& type) noexcept {
    const std::uint64_t address_limit = type.limits.is_64 ? kNoLimit : std::uint64_t{1} << 32;
    if (!type.limits.has_max) return address_limit;
    if (type.limits.max > (kNoLimit >> type.page_bits)) return address_limit;
    return std::min(address_limit, type.limits.max << type.page_bits);
}

/// Reserves what a memory with explicit checks may grow into: its maximum, or as much of it as the system grants.
Result<Mapping> reserve_checked(const wasm::MemoryType& type, std::uint64_t needed, std::uint64_t max_reservation) {
    std::uint64_t bytes = std::max(needed, std::min(max_bytes(type), max_reservation));
    bytes = std::max<std::uint64_t>(bytes, page_bytes());
    for (;;) {
        auto mapping = Mapping::reserve(bytes, "a memory");
        if (mapping || bytes <= std::max<std::uint64_t>(needed, page_bytes())) return mapping;
        bytes = std::max<std::uint64_t>({needed, page_bytes(), bytes / 2});
    }
}

}  // namespace

bool Budget::take(std::uint64_t amount) noexcept {
    std::uint64_t used = used_.load(std::memory_order_relaxed);
    do {
        if (amount > limit_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + amount, std::memory_order_relaxed));
    return true;
}

Result<Mapping> MemoryPool::take() {
    {
        const std::scoped_lock lock(mutex_);
        if (!free_.empty()) {
            Mapping slot = std::move(free_.back());
            free_.pop_back();
            return slot;
        }
    }
    return Mapping::reserve(kSlotBytes + kGuardBytes, "the address space of a memory");
}

void MemoryPool::give_back(Mapping slot, std::size_t used) noexcept {
    {
        const std::scoped_lock lock(mutex_);
        if (free_.size() >= tuning.pooled_memory_slots) return;
    }
    slot.discard(0, used);
    if (!slot.protect(0, used, PROT_NONE, "a free memory slot")) return;
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(slot));
}

bool MemoryPool::probe() {
    auto slot = take();
    if (!slot) return false;
    give_back(std::move(*slot), 0);
    return true;
}

Memory::Memory(const wasm::MemoryType& type, Mapping reservation, std::shared_ptr<MemoryPool> pool, std::shared_ptr<Budget> budget) noexcept
    : type_(type), reservation_(std::move(reservation)), pool_(std::move(pool)), budget_(std::move(budget)) {
    base = reservation_.data();
}

Result<std::shared_ptr<Memory>> Memory::create(const wasm::MemoryType& type, const MemoryOptions& options,
                                               const std::shared_ptr<MemoryPool>& pool, const std::shared_ptr<Budget>& budget) {
    const std::uint64_t pages = type.limits.min;
    const auto refuse = [&](const std::string& why) {
        return fail(ErrorKind::resource, "cannot create a memory of " + std::to_string(pages) + " pages of " +
                                             std::to_string(1ULL << type.page_bits) + " bytes: " + why);
    };
    if (pages > (kNoLimit >> type.page_bits) || (pages << type.page_bits) > max_bytes(type))
        return refuse("that is more than its address type can reach");
    const std::uint64_t bytes = pages << type.page_bits;
    if (bytes > (std::uint64_t{1} << 47)) return refuse("that is more than the host's address space");
    // Pages that are no multiple of the host's cannot be guarded exactly; 64-bit addresses cannot be guarded at all.
    const bool slot = options.bounds == BoundsMode::guard_pages && !type.limits.is_64 && (1ULL << type.page_bits) % page_bytes() == 0;
    auto reservation = slot ? pool->take() : reserve_checked(type, bytes, options.max_reservation);
    if (!reservation) return std::unexpected(std::move(reservation.error()));
    auto memory = std::shared_ptr<Memory>(new Memory(type, std::move(*reservation), slot ? pool : nullptr, budget));
    if (memory->grow(pages) == kNoLimit) return refuse("the memory limit of the store or the system is reached");
    return memory;
}

Memory::~Memory() {
    budget_->give_back(length.load(std::memory_order_relaxed));
    if (pool_) pool_->give_back(std::move(reservation_), accessible_);
}

std::uint64_t Memory::grow(std::uint64_t delta) noexcept {
    const std::scoped_lock lock(grow_mutex_);
    const std::uint64_t old_bytes = length.load(std::memory_order_relaxed);
    const std::uint64_t old_pages = old_bytes >> type_.page_bits;
    if (delta == 0) return old_pages;
    const std::uint64_t limit = std::min<std::uint64_t>(max_bytes(type_), reservation_.size());
    if (delta > (kNoLimit >> type_.page_bits)) return kNoLimit;
    const std::uint64_t more = delta << type_.page_bits;
    if (more > limit - old_bytes || !budget_->take(more)) return kNoLimit;
    const std::uint64_t new_bytes = old_bytes + more;
    const std::size_t accessible = round_to_pages(new_bytes);
    if (accessible > accessible_) {
        if (!reservation_.protect(accessible_, accessible - accessible_, PROT_READ | PROT_WRITE, "a memory")) {
            budget_->give_back(more);
            return kNoLimit;
        }
        accessible_ = accessible;
    }
    length.store(new_bytes, std::memory_order_release);
    return old_pages;
}

}  // namespace pollux
