#include "wasi/descriptor_table.h"

#include "tests/unit/wasi/fixture.h"

namespace pollux::wasi {
namespace {

std::shared_ptr<Descriptor> null_device() { return *Descriptor::adopt(::open("/dev/null", O_RDWR | O_CLOEXEC), Ownership::exclusive); }

TEST(DescriptorTable, GivesOutTheLowestFreeNumber) {
    DescriptorTable table;
    for (Fd fd = 0; fd < 5; ++fd) EXPECT_EQ(table.insert(null_device()), fd);
    EXPECT_EQ(table.close(3), Errno::success);
    EXPECT_EQ(table.close(1), Errno::success);
    EXPECT_EQ(table.insert(null_device()), 1u);
    EXPECT_EQ(table.insert(null_device()), 3u);
    EXPECT_EQ(table.insert(null_device()), 5u);
    EXPECT_EQ(table.close(1), Errno::success);
    EXPECT_EQ(table.close(1), Errno::badf);
    EXPECT_EQ(table.close(~0u), Errno::badf);
}

TEST(DescriptorTable, InsertAtLeavesHoles) {
    DescriptorTable table;
    EXPECT_EQ(table.insert_at(3, null_device()), Errno::success);
    EXPECT_EQ(table.insert_at(3, null_device()), Errno::exist);
    EXPECT_EQ(table.insert_at(DescriptorTable::kMaxDescriptors, null_device()), Errno::mfile);
    EXPECT_EQ(table.insert(null_device()), 0u);
    EXPECT_EQ(table.insert(null_device()), 1u);
    EXPECT_EQ(table.insert(null_device()), 2u);
    EXPECT_EQ(table.insert(null_device()), 4u);
}

TEST(DescriptorTable, RenumberReplacesAsDup2AndClose) {
    DescriptorTable table;
    ASSERT_EQ(table.insert(null_device()), 0u);
    ASSERT_EQ(table.insert(null_device()), 1u);
    const auto moved = table.get(1);
    const std::weak_ptr<Descriptor> replaced = table.get(0);
    EXPECT_EQ(table.renumber(1, 1), Errno::success);
    EXPECT_EQ(table.renumber(1, 0), Errno::success);
    EXPECT_EQ(table.get(0), moved);
    EXPECT_EQ(table.get(1), nullptr);
    EXPECT_TRUE(replaced.expired());
    EXPECT_EQ(table.renumber(1, 0), Errno::badf);
    EXPECT_EQ(table.renumber(0, 7), Errno::badf);
    EXPECT_EQ(table.insert(null_device()), 1u);
}

}  // namespace
}  // namespace pollux::wasi
