#include "jit/runtime/code_memory.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "jit/base/syscall.h"
#include "tests/unit/runtime/memory_maps.h"

namespace pollux {
namespace {

void write_answer(const CodeBuffer& code) {
#if defined(__x86_64__)
    const std::uint8_t bytes[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
#else
    const std::uint8_t bytes[] = {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};  // mov w0, #42; ret
#endif
    std::memcpy(code.write, bytes, sizeof bytes);
}

int run(const CodeBuffer& code) { return reinterpret_cast<int (*)()>(code.execute)(); }

TEST(CodeMemory, SealedIsNeverWritableAndExecutable) {
    CodeMemory memory;
    ASSERT_TRUE(memory.reserve(CodeSharing::sealed, 1 << 20, 4096, 100, false));
    const auto first = memory.take(100);
    const auto second = memory.take(5000);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->capacity, page_bytes());
    EXPECT_EQ(second->execute, first->execute + page_bytes());
    EXPECT_EQ(permissions(second->write), "rw-p");
    write_answer(*first);
    write_answer(*second);
    ASSERT_TRUE(memory.seal());
    CodeMemory::publish(host_backend(), memory.begin(), memory.used());
    EXPECT_EQ(permissions(second->write), "r-xp");
    EXPECT_EQ(run(*first), 42);
    EXPECT_EQ(run(*second), 42);
    EXPECT_EQ(permissions(memory.data()), "rw-p");
}

TEST(CodeMemory, PatchableHasTwoViews) {
    CodeMemory memory;
    ASSERT_TRUE(memory.reserve(CodeSharing::patchable, 1 << 20, 4096, 8000, false));
    const auto code = memory.take(1000);
    ASSERT_TRUE(code);
    write_answer(*code);
    CodeMemory::publish(host_backend(), code->execute, 16);
    EXPECT_EQ(permissions(code->write), "rw-s");
    EXPECT_EQ(permissions(reinterpret_cast<void*>(code->execute)), "r-xs");
    EXPECT_EQ(run(*code), 42);
    EXPECT_EQ(memory.writable(code->execute), code->write);
    std::memset(memory.data(), 1, 8000);
    EXPECT_LT(reinterpret_cast<std::uint64_t>(memory.data()) - code->execute, std::uint64_t{1} << 31);
}

TEST(CodeMemory, IsBounded) {
    CodeMemory memory;
    ASSERT_TRUE(memory.reserve(CodeSharing::sealed, 64 * 1024, 4096, 0, false));
    ASSERT_TRUE(memory.take(60 * 1024));
    const auto more = memory.take(8 * 1024);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().kind, ErrorKind::resource);
}

TEST(CodeMemory, ReservesLessWhereAddressSpaceIsShort) {
    sys::inject(sys::Call::mmap, ENOMEM, 0, 3);
    CodeMemory memory;
    ASSERT_TRUE(memory.reserve(CodeSharing::sealed, 1 << 20, 4096, 0, false));
    EXPECT_EQ(memory.end() - memory.begin(), std::uint64_t{1} << 17);
    sys::inject(sys::Call::mmap, ENOMEM, 0, 100);
    CodeMemory none;
    EXPECT_FALSE(none.reserve(CodeSharing::sealed, 1 << 20, 4096, 0, false));
    sys::clear_faults();
}

TEST(CodeMemory, FailedCallsAreErrors) {
    CodeMemory memory;
    sys::inject(sys::Call::memfd_create, ENOSYS);
    EXPECT_FALSE(memory.reserve(CodeSharing::patchable, 1 << 20, 4096, 0, false));
    sys::clear_faults();
}

}  // namespace
}  // namespace pollux
