// A table: references of 64 bits, null is 0. Generated code reads elements and length through the TableCell each time, so both may change.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/runtime/memory.h"
#include "jit/wasm/types.h"

namespace pollux {

class Table final : public TableCell {
public:
    /// A table of type.limits.min times `init`. Error: resource.
    [[nodiscard]] static Result<std::unique_ptr<Table>> create(const wasm::TableType& type, std::uint64_t init,
                                                               const std::shared_ptr<Budget>& budget);
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    ~Table();

    [[nodiscard]] const wasm::TableType& type() const noexcept { return type_; }
    [[nodiscard]] std::span<std::uint64_t> span() const noexcept { return {elements, static_cast<std::size_t>(length)}; }
    /// Grows by `delta` elements `init`: the size before, or ~0 if the type's maximum, the store's limit or the system refuses.
    [[nodiscard]] std::uint64_t grow(std::uint64_t delta, std::uint64_t init) noexcept;

private:
    Table(const wasm::TableType& type, std::shared_ptr<Budget> budget) noexcept : type_(type), budget_(std::move(budget)) {}

    wasm::TableType type_;
    std::uint64_t capacity_ = 0;
    std::shared_ptr<Budget> budget_;
};

}  // namespace pollux
