// A binary heap of parked waits by deadline, which knows each wait's place, so that a wait leaves it in O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pollux::wasi {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Place of an element in a DeadlineHeap.
struct DeadlineSlot {
    static constexpr std::size_t kOut = ~std::size_t{0};
    std::uint64_t deadline = kNever;  ///< ns; not in the heap while kNever
    std::size_t index = kOut;
};

/// `kSlot` is the member of T that holds its place.
template <class T, DeadlineSlot T::* kSlot>
class DeadlineHeap {
public:
    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] T& front() const noexcept { return *heap_.front(); }
    [[nodiscard]] std::uint64_t earliest() const noexcept { return heap_.empty() ? kNever : (heap_.front()->*kSlot).deadline; }

    void push(T& element) {
        if ((element.*kSlot).deadline == kNever) return;
        heap_.push_back(&element);
        sift_up(heap_.size() - 1);
    }

    void remove(T& element) noexcept {
        const std::size_t hole = (element.*kSlot).index;
        if (hole == DeadlineSlot::kOut) return;
        (element.*kSlot).index = DeadlineSlot::kOut;
        T* last = heap_.back();
        heap_.pop_back();
        if (last == &element) return;
        heap_[hole] = last;
        sift_up(hole);
        sift_down((last->*kSlot).index);
    }

private:
    [[nodiscard]] std::uint64_t key(std::size_t i) const noexcept { return (heap_[i]->*kSlot).deadline; }
    void place(std::size_t i, T* element) noexcept {
        heap_[i] = element;
        (element->*kSlot).index = i;
    }

    void sift_up(std::size_t i) noexcept {
        T* element = heap_[i];
        while (i > 0 && (element->*kSlot).deadline < key((i - 1) / 2)) {
            place(i, heap_[(i - 1) / 2]);
            i = (i - 1) / 2;
        }
        place(i, element);
    }

    void sift_down(std::size_t i) noexcept {
        T* element = heap_[i];
        for (;;) {
            std::size_t child = 2 * i + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && key(child + 1) < key(child)) ++child;
            if (key(child) >= (element->*kSlot).deadline) break;
            place(i, heap_[child]);
            i = child;
        }
        place(i, element);
    }

    std::vector<T*> heap_;
};

}  // namespace pollux::wasi
