#include "jit/runtime/demangle.h"

#include <gtest/gtest.h>

namespace pollux {
namespace {

TEST(Demangle, Cpp) {
    EXPECT_EQ(demangle("_Z3fooi"), "foo(int)");
    EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"), "std::vector<int, std::allocator<int> >::push_back(int const&)");
    EXPECT_EQ(demangle("main"), "main");
    EXPECT_EQ(demangle("_Z"), "_Z");
    EXPECT_EQ(demangle(""), "");
}

TEST(Demangle, RustLegacyLosesItsHash) {
    EXPECT_EQ(demangle("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
    EXPECT_EQ(demangle("_ZN44_$LT$$RF$T$u20$as$u20$core..fmt..Display$GT$3fmt17h0123456789abcdefE"), "<&T as core::fmt::Display>::fmt");
    EXPECT_EQ(demangle("_ZN4core3fmt5writeE"), "core::fmt::write");
}

TEST(Demangle, RustV0Paths) {
    EXPECT_EQ(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    EXPECT_EQ(demangle("_RNvNtCs1234_7mycrate3bar3baz"), "mycrate::bar::baz");
    EXPECT_EQ(demangle("_RNCNvCs1234_7mycrate3foo0"), "mycrate::foo::{closure}");
    EXPECT_EQ(demangle("_RINvCs1234_7mycrate3foolE"), "mycrate::foo::<…>");
    EXPECT_EQ(demangle("_RNvC"), "_RNvC");
    EXPECT_EQ(demangle("_RNvCs1234_99999999999999mycrate3foo"), "_RNvCs1234_99999999999999mycrate3foo");
    EXPECT_EQ(demangle("_RNvB_3foo"), "_RNvB_3foo") << "a reference to itself";
}

TEST(Demangle, HostileLengths) {
    const std::string deep = "_R" + std::string(3000, 'N');
    EXPECT_EQ(demangle(deep), deep);
    const std::string large(100'000, '_');
    EXPECT_EQ(demangle(large), large);
}

}  // namespace
}  // namespace pollux
