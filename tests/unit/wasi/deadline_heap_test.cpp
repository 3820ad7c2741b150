#include "wasi/deadline_heap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace pollux::wasi {
namespace {

struct Element {
    DeadlineSlot slot;
};
using Heap = DeadlineHeap<Element, &Element::slot>;

TEST(DeadlineHeap, GivesTheEarliestFirstAndForgetsWhatLeaves) {
    std::mt19937 random(7);
    std::vector<Element> elements(500);
    Heap heap;
    std::multiset<std::uint64_t> expected;
    for (Element& element : elements) {
        element.slot.deadline = random() % 1000;
        heap.push(element);
        expected.insert(element.slot.deadline);
    }
    for (std::size_t i = 0; i < elements.size(); i += 3) {
        expected.erase(expected.find(elements[i].slot.deadline));
        heap.remove(elements[i]);
        heap.remove(elements[i]);  // is out already
    }
    while (!heap.empty()) {
        ASSERT_EQ(heap.earliest(), *expected.begin());
        expected.erase(expected.begin());
        heap.remove(heap.front());
    }
    EXPECT_TRUE(expected.empty());
    EXPECT_EQ(heap.earliest(), kNever);
}

TEST(DeadlineHeap, DoesNotTakeWhatHasNoDeadline) {
    Element element;
    Heap heap;
    heap.push(element);
    EXPECT_TRUE(heap.empty());
}

}  // namespace
}  // namespace pollux::wasi
