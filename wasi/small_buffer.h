// An array whose size is known when it is made: small ones lie in the object itself, large ones on the heap.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace pollux::wasi {

template <class T, std::size_t kInline>
class SmallBuffer {
public:
    explicit SmallBuffer(std::size_t size) : size_(size) {
        if (size > kInline) many_.resize(size);
    }
    SmallBuffer(const SmallBuffer&) = delete;
    SmallBuffer& operator=(const SmallBuffer&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* data() noexcept { return size_ > kInline ? many_.data() : few_.data(); }
    [[nodiscard]] std::span<T> span() noexcept { return {data(), size_}; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }
    [[nodiscard]] T* begin() noexcept { return data(); }
    [[nodiscard]] T* end() noexcept { return data() + size_; }

private:
    std::size_t size_;
    std::array<T, kInline> few_{};
    std::vector<T> many_;
};

}  // namespace pollux::wasi
