#include "wasi/guest_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace pollux::wasi {
namespace {

TEST(GuestMemory, ReadsAndWritesAtAnyAlignment) {
    std::vector<std::uint8_t> bytes(64);
    const GuestMemory memory{std::span(bytes)};
    ASSERT_EQ(memory.write(GuestPtr<std::uint64_t>{3}, 0x1122334455667788), Errno::success);
    EXPECT_EQ(memory.read(GuestPtr<std::uint64_t>{3}).value(), 0x1122334455667788u);
    EXPECT_EQ(bytes[3], 0x88);
}

TEST(GuestMemory, RefusesWhatDoesNotLieInside) {
    std::vector<std::uint8_t> bytes(16);
    const GuestMemory memory{std::span(bytes)};
    EXPECT_TRUE(memory.has(GuestPtr<std::uint64_t>{8}));
    EXPECT_FALSE(memory.has(GuestPtr<std::uint64_t>{9}));
    EXPECT_FALSE(memory.has(GuestPtr<std::uint64_t>{0xffff'ffff}));
    EXPECT_TRUE(memory.has(GuestPtr<std::uint64_t>{16}, 0));
    EXPECT_FALSE(memory.has(GuestPtr<std::uint64_t>{0}, 0xffff'ffff));
    EXPECT_FALSE(memory.has(GuestPtr<std::uint64_t>{0}, ~std::uint64_t{0} / 8 + 2));
    EXPECT_EQ(memory.read(GuestPtr<std::uint32_t>{13}).error(), Errno::fault);
    EXPECT_EQ(memory.write(GuestPtr<std::uint32_t>{13}, 1), Errno::fault);
    EXPECT_EQ(memory.bytes(17, 0).error(), Errno::fault);
    EXPECT_EQ(memory.bytes(8, 9).error(), Errno::fault);
    EXPECT_EQ(memory.bytes(8, 8)->size(), 8u);
    EXPECT_EQ(memory.write_bytes(15, std::array<std::uint8_t, 2>{1, 2}), Errno::fault);
    EXPECT_EQ(bytes[15], 0) << "all or nothing";
}

TEST(GuestMemory, AnEmptyMemoryHasNothing) {
    const GuestMemory memory;
    EXPECT_EQ(memory.read(GuestPtr<std::uint8_t>{0}).error(), Errno::fault);
    EXPECT_TRUE(memory.bytes(0, 0)->empty());
}

}  // namespace
}  // namespace pollux::wasi
