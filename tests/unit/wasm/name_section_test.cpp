// Names, from good and from broken name sections.
#include "jit/wasm/name_section.h"

#include <gtest/gtest.h>

#include "jit/wasm/validate.h"
#include "tests/unit/wasm/module_bytes.h"

namespace pollux::wasm {
namespace {

using namespace test;

Bytes custom(std::string_view title, const Bytes& contents) { return section(0, join({name(title), contents})); }

std::shared_ptr<const Module> decode(const Bytes& bytes) {
    const auto module = decode_and_validate(bytes, FeatureSet::all());
    EXPECT_TRUE(module.has_value()) << (module ? "" : module.error().message);
    return module.value_or(nullptr);
}

TEST(NameSection, FindsNamesOfModuleAndFunctions) {
    const Bytes functions = vec({join({leb(0), name("first")}), join({leb(300), name("later")})});
    const Bytes bytes = module_of({custom("name", join({{0}, sized(name("module")), {7}, sized({1, 2, 3}), {1}, sized(functions)}))});
    const auto module = decode(bytes);
    const NameSection names(*module);
    EXPECT_EQ(names.module_name(), "module");
    EXPECT_EQ(names.function(0), "first");
    EXPECT_EQ(names.function(300), "later");
    EXPECT_EQ(names.function(1), "");
    EXPECT_EQ(find_function_name(*module, 300), "later");
    EXPECT_EQ(find_function_name(*module, 301), "");
}

TEST(NameSection, MalformedSectionsAreNoErrorAndKeepWhatComesBefore) {
    const Bytes cut = vec({join({leb(0), name("first")}), {1, 200}});
    const Bytes bytes = module_of({custom("name", join({{1}, sized(cut)}))});
    const auto module = decode(bytes);
    EXPECT_EQ(NameSection(*module).function(0), "first");
    EXPECT_EQ(find_function_name(*module, 1), "");

    const Bytes empty = module_of({custom("name", {})});
    EXPECT_EQ(NameSection(*decode(empty)).function(0), "");
    const Bytes too_large = module_of({custom("name", {1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F})});
    EXPECT_EQ(NameSection(*decode(too_large)).function(0), "");
}

}  // namespace
}  // namespace pollux::wasm
