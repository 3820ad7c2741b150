// Arrays that a compiler fills for each function anew: they keep their memory from one to the next, but not what a huge one needed.
//
// ScratchVector is for what is appended to all the time: growing is out of line, so that an append is a few instructions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace pollux {

inline constexpr std::size_t kKeptScratchBytes = std::size_t{16} << 10;

/// Empties the vector. (shrink_to_fit() does nothing where exceptions are off.)
template <class T>
void clear_scratch(std::vector<T>& vector) {
    vector.clear();
    if (vector.capacity() * sizeof(T) > kKeptScratchBytes) std::vector<T>().swap(vector);
}

template <class T>
class ScratchVector {
public:
    static_assert(std::is_trivially_copyable_v<T>);

    [[gnu::always_inline]] void push_back(const T& value) {
        if (end_ == limit_) [[unlikely]]
            grow();
        *end_++ = value;
    }
    /// A new element at the end, to be filled in.
    [[nodiscard, gnu::always_inline]] T& push() {
        if (end_ == limit_) [[unlikely]]
            grow();
        return *end_++;
    }
    void pop_back() noexcept { --end_; }
    /// Empties it; the memory of a huge one is given back.
    void clear() {
        end_ = values_.get();
        if (static_cast<std::size_t>(limit_ - end_) * sizeof(T) > kKeptScratchBytes) *this = {};
    }

    [[nodiscard]] T* data() noexcept { return values_.get(); }
    [[nodiscard]] const T* data() const noexcept { return values_.get(); }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - values_.get()); }
    [[nodiscard]] bool empty() const noexcept { return end_ == values_.get(); }
    [[nodiscard]] T* begin() noexcept { return values_.get(); }
    [[nodiscard]] T* end() noexcept { return end_; }
    [[nodiscard]] const T* begin() const noexcept { return values_.get(); }
    [[nodiscard]] const T* end() const noexcept { return end_; }
    [[nodiscard]] T& back() noexcept { return end_[-1]; }
    [[nodiscard]] T& operator[](std::size_t index) noexcept { return values_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return values_[index]; }

private:
    struct Free {
        void operator()(T* values) const noexcept { ::operator delete(values); }
    };

    [[gnu::noinline]] void grow() {
        const std::size_t count = size();
        const std::size_t capacity = std::max<std::size_t>(64, 2 * count);
        // Not make_unique: that would initialize what push_back overwrites.
        std::unique_ptr<T[], Free> larger(static_cast<T*>(::operator new(capacity * sizeof(T))));
        std::copy_n(values_.get(), count, larger.get());
        values_ = std::move(larger);
        end_ = values_.get() + count;
        limit_ = values_.get() + capacity;
    }

    std::unique_ptr<T[], Free> values_;
    T* end_ = nullptr;
    T* limit_ = nullptr;
};

}  // namespace pollux
