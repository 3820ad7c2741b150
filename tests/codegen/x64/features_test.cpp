// CPU features, masking them, and the backend's face.
#include <gtest/gtest.h>

#include "backends/x64/cpu_features.h"
#include "backends/x64/disasm.h"
#include "jit/compile/backend.h"

namespace pollux::x64::test {
namespace {

TEST(X64Features, Masking) {
    const CpuFeatures all{true, true, true, true, true, true};
    EXPECT_EQ(without(all, ""), all);
    EXPECT_EQ(without(all, "openat2,epoll_pwait2"), all);
    EXPECT_EQ(without(all, "avx,bmi,lzcnt"), CpuFeatures{});
    CpuFeatures expected = all;
    expected.avx2 = expected.bmi2 = false;
    EXPECT_EQ(without(all, "x,avx2,bmi2"), expected);
    expected = all;
    expected.fma = expected.bmi1 = false;
    EXPECT_EQ(without(all, "fma,bmi1,"), expected);
}

TEST(X64Features, HostRunsTheBaseline) {
    EXPECT_TRUE(check_baseline());
    EXPECT_TRUE(x64_backend().check_host());
    EXPECT_EQ(x64_backend().name(), "x86_64");
}

TEST(X64Disassembler, ShowsInstructionsTargetsAndStrayBytes) {
    const std::uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 0x10, 0x00, 0x00, 0x00, 0x74, 0xfe, 0x06, 0xc3};
    const auto lines = disassemble(code, 0x1000);
    if (!lines) GTEST_SKIP() << lines.error().message;
    ASSERT_EQ(lines->size(), 6U);
    EXPECT_EQ((*lines)[0].text, "push rbp");
    EXPECT_EQ((*lines)[1].text, "mov rbp, rsp");
    EXPECT_EQ((*lines)[2].branch_target, 0x1019U);
    EXPECT_EQ((*lines)[3].branch_target, 0x1009U);
    EXPECT_EQ((*lines)[4].text, ".byte 0x06");
    EXPECT_EQ((*lines)[5].text, "ret");
    EXPECT_EQ((*lines)[5].offset, 12U);
}

}  // namespace
}  // namespace pollux::x64::test
