// Compiled without exceptions, as the backends are: there, vectors do not shrink by themselves.
#include "jit/base/scratch_vector.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace pollux::test {
namespace {

TEST(ScratchVector, KeepsLittleMemory) {
    std::vector<int> numbers(100);
    const int* const at = numbers.data();
    clear_scratch(numbers);
    EXPECT_TRUE(numbers.empty());
    numbers.resize(100);
    EXPECT_EQ(numbers.data(), at);

    numbers.resize(1'000'000);
    clear_scratch(numbers);
    EXPECT_LE(numbers.capacity() * sizeof(int), kKeptScratchBytes);
}

TEST(ScratchVector, GrowsAndGivesBackWhatIsMuch) {
    ScratchVector<std::uint32_t> numbers;
    EXPECT_TRUE(numbers.empty());
    numbers.push_back(7);
    const std::uint32_t* const at = numbers.data();
    numbers.clear();
    EXPECT_TRUE(numbers.empty());
    for (std::uint32_t i = 0; i < 50; ++i) numbers.push_back(i);
    EXPECT_EQ(numbers.data(), at);  // little is kept
    for (std::uint32_t i = 50; i < 100'000; ++i) numbers.push_back(i);
    ASSERT_EQ(numbers.size(), 100'000U);
    for (std::uint32_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i);
    numbers.clear();
    EXPECT_TRUE(numbers.empty());
    EXPECT_EQ(numbers.data(), nullptr);
    numbers.push_back(1);
    EXPECT_EQ(numbers.size(), 1U);
}

}  // namespace
}  // namespace pollux::test
