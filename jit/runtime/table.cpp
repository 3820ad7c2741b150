#include "jit/runtime/table.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace pollux {

Result<std::unique_ptr<Table>> Table::create(const wasm::TableType& type, std::uint64_t init, const std::shared_ptr<Budget>& budget) {
    auto table = std::unique_ptr<Table>(new Table(type, budget));
    if (table->grow(type.limits.min, init) == ~std::uint64_t{0}) {
        return fail(ErrorKind::resource, "cannot create a table of " + std::to_string(type.limits.min) +
                                             " elements: the limit of the store or the system is reached");
    }
    return table;
}

Table::~Table() {
    budget_->give_back(length);
    std::free(elements);
}

std::uint64_t Table::grow(std::uint64_t delta, std::uint64_t init) noexcept {
    constexpr std::uint64_t kFailed = ~std::uint64_t{0};
    const std::uint64_t old = length;
    if (delta == 0) return old;
    const std::uint64_t address_limit = type_.limits.is_64 ? kFailed / sizeof(std::uint64_t) : 0xffff'ffff;
    const std::uint64_t limit = std::min(address_limit, type_.limits.has_max ? type_.limits.max : address_limit);
    if (old > limit || delta > limit - old || !budget_->take(delta)) return kFailed;
    if (old + delta > capacity_) {
        // calloc: the untouched part of a large table costs no memory
        const std::uint64_t capacity = old == 0 ? delta : std::max(old + delta, std::min(limit, capacity_ + capacity_ / 2));
        auto* moved = static_cast<std::uint64_t*>(old == 0 ? std::calloc(capacity, sizeof(std::uint64_t))
                                                           : std::realloc(elements, capacity * sizeof(std::uint64_t)));
        if (moved == nullptr) {
            budget_->give_back(delta);
            return kFailed;
        }
        elements = moved;
        capacity_ = capacity;
        if (old == 0 && init == 0) {
            length = delta;
            return old;
        }
    }
    std::fill_n(elements + old, delta, init);
    length = old + delta;
    return old;
}

}  // namespace pollux
