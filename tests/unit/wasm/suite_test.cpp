// Every module of the conformance suites: valid ones validate, invalid and malformed ones are rejected, and both whole
// and byte by byte.
#include <gtest/gtest.h>

#include <map>

#include "jit/wasm/validate.h"
#include "tests/unit/wasm/shared_suites.h"

namespace pollux::wasm {
namespace {

Result<> stream(std::span<const std::uint8_t> bytes, std::size_t chunk, FeatureSet features) {
    ValidatingConsumer consumer(features);
    Decoder decoder(features, consumer);
    for (std::size_t at = 0; at < bytes.size(); at += chunk) {
        if (Result<> result = decoder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at))); !result) return result;
    }
    return decoder.finish();
}

TEST(Suite, EveryModuleValidatesOrIsRejectedAsTheScriptsSay) {
    const std::filesystem::path folder = test::wast_folder();
    if (folder.empty()) GTEST_SKIP() << "the conformance suites are absent: set POLLUX_SHARED";

    const test::SmallReservations small;
    struct Counts {
        int valid = 0, rejected = 0, refused = 0, kind_differs = 0;
    };
    std::map<std::string, Counts> counts;
    int modules = 0;
    for (const test::SuiteModule& module : test::suite_modules()) {
        const std::vector<std::uint8_t> bytes = test::read_file(module.path);
        const std::string where = module.path.filename().string() + " (line " + std::to_string(module.line) + ", " + module.text + ")";
        Counts& count = counts[module.group];
        ++modules;

        const auto whole = decode_and_validate(bytes, FeatureSet::all());
        const Result<> streamed = stream(bytes, 1, FeatureSet::all());
        EXPECT_EQ(whole.has_value(), streamed.has_value())
            << where << " fed byte by byte: " << (streamed ? "valid" : streamed.error().message);
        if (module.valid) {
            // Custom descriptors are refused by name; they also relax one rule of br_on_cast.
            const bool relaxed = module.path.filename().string().starts_with("br_on_cast");
            const bool refused =
                !whole && module.group == "custom-descriptors" && (whole.error().kind == ErrorKind::unsupported || relaxed);
            EXPECT_TRUE(whole.has_value() || refused) << where << ": " << (whole ? "" : whole.error().message);
            ++(refused ? count.refused : count.valid);
        } else {
            EXPECT_FALSE(whole.has_value()) << where;
            ++count.rejected;
            if (!whole && whole.error().kind != (module.malformed ? ErrorKind::malformed : ErrorKind::invalid)) {
                EXPECT_EQ(module.group, "custom-descriptors") << where << ": " << whole.error().message;
                ++count.kind_differs;
                if (std::getenv("POLLUX_VERBOSE") != nullptr) std::printf("kind: %s: %s\n", where.c_str(), whole.error().message.c_str());
            }
        }
    }
    for (const auto& [group, count] : counts) {
        std::printf("%-20s valid %5d  rejected %5d  refused by feature %4d  rejected with another kind of error %4d\n", group.c_str(),
                    count.valid, count.rejected, count.refused, count.kind_differs);
    }
    std::printf("%d modules\n", modules);
    EXPECT_GT(modules, 6000);
}

TEST(Suite, ModulesOfWasm1NeedNoFeature) {
    const std::filesystem::path folder = test::wast_folder();
    if (folder.empty()) GTEST_SKIP() << "the conformance suites are absent: set POLLUX_SHARED";
    const auto bytes = test::read_file(folder / "core" / "i32" / "i32.0.wasm");
    ASSERT_FALSE(bytes.empty());
    EXPECT_FALSE(decode_and_validate(bytes, FeatureSet::mvp()).has_value()) << "i32.extend8_s needs sign-extension";
    EXPECT_TRUE(decode_and_validate(bytes, FeatureSet::mvp().set(Feature::sign_extension)).has_value());
}

}  // namespace
}  // namespace pollux::wasm
