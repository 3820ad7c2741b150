// Compiled without exceptions, as the backends are: there, vectors do not shrink by themselves.
#include "jit/base/scratch_vector.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace pollux::test
