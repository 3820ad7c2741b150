// The operand stack of abstract values: an array that grows, below whose first value lies one of depth 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include "jit/compile/abstract_value.h"

namespace pollux {

class ValueStack {
public:
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - begin_); }
    [[nodiscard]] bool empty() const noexcept { return end_ == begin_; }
    [[nodiscard]] AbstractValue& operator[](std::size_t index) noexcept { return begin_[index]; }
    [[nodiscard]] const AbstractValue& operator[](std::size_t index) const noexcept { return begin_[index]; }
    [[nodiscard]] AbstractValue& back() noexcept { return end_[-1]; }
    [[nodiscard]] const AbstractValue& back() const noexcept { return end_[-1]; }
    /// The value below the top.
    [[nodiscard]] AbstractValue& second() noexcept { return end_[-2]; }
    [[nodiscard]] std::size_t index_of(const AbstractValue& value) const noexcept { return static_cast<std::size_t>(&value - begin_); }
    /// Bytes of operand slots up to the top value's.
    [[nodiscard]] std::uint32_t depth() const noexcept { return end_[-1].depth; }

    /// A new value on top, to be filled in. References to others are invalid.
    [[nodiscard]] AbstractValue& push() {
        if (end_ == limit_) [[unlikely]]
            grow();
        return *end_++;
    }
    void pop_back(std::ptrdiff_t count = 1) noexcept { end_ -= count; }
    void clear() noexcept { end_ = begin_; }
    /// Whether the next push() has room: what must not be slowed by its growing pushes elsewhere then.
    [[nodiscard]] bool has_room() const noexcept { return end_ != limit_; }

private:
    static constexpr std::size_t kFirst = 64;

    [[gnu::noinline]] void grow() {
        const std::size_t count = size();
        const std::size_t capacity = 2 * count;
        auto larger = std::make_unique<AbstractValue[]>(1 + capacity);
        std::copy(values_.get(), values_.get() + 1 + count, larger.get());
        values_ = std::move(larger);
        begin_ = values_.get() + 1;
        end_ = begin_ + count;
        limit_ = begin_ + capacity;
    }

    std::unique_ptr<AbstractValue[]> values_ = std::make_unique<AbstractValue[]>(1 + kFirst);
    AbstractValue* begin_ = values_.get() + 1;
    AbstractValue* end_ = begin_;
    AbstractValue* limit_ = begin_ + kFirst;
};

}  // namespace pollux
