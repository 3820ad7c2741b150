// Stands for the tests of this folder where x86-64 code cannot run.
#include <gtest/gtest.h>

TEST(X64Masm, ExecutesCode) { GTEST_SKIP() << "x86-64 code does not run on this host"; }
