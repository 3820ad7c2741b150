// Modules that are cut short or changed: whatever comes in, the answer is a module or an error. Sanitizer builds make
// these tests count.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "jit/wasm/const_expr.h"
#include "jit/wasm/name_section.h"
#include "jit/wasm/validate.h"
#include "tests/unit/wasm/module_bytes.h"
#include "tests/unit/wasm/shared_suites.h"

namespace pollux::wasm {
namespace {

using test::Bytes;

/// Copies the bytes to memory of exactly their size, so that a sanitizer sees a read beyond them.
bool accepts(std::span<const std::uint8_t> bytes) {
    const auto exact = std::make_unique_for_overwrite<std::uint8_t[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const auto module = decode_and_validate({exact.get(), bytes.size()}, FeatureSet::all());
    if (!module) {
        EXPECT_FALSE(module.error().message.empty());
    } else {
        // Names may be any, even several for one function; looking for them reads the section in two ways.
        EXPECT_EQ(NameSection(**module).function(0).empty(), find_function_name(**module, 0).empty());
    }
    return module.has_value();
}

/// Valid modules of every group, which between them use every section and most instructions.
std::vector<Bytes> samples() {
    std::vector<Bytes> samples;
    std::map<std::string, int> taken;
    for (const test::SuiteModule& module : test::suite_modules()) {
        if (!module.valid || module.group == "custom-descriptors" || taken[module.group] == 4) continue;
        Bytes bytes = test::read_file(module.path);
        if (bytes.size() < 120 || bytes.size() > 1500 || !accepts(bytes)) continue;
        ++taken[module.group];
        samples.push_back(std::move(bytes));
    }
    return samples;
}

TEST(HostileBytes, EveryTruncationIsRejectedOrEndsBetweenSections) {
    if (test::wast_folder().empty()) GTEST_SKIP() << "the conformance suites are absent: set POLLUX_SHARED";
    const std::vector<Bytes> modules = samples();
    EXPECT_GE(modules.size(), 20U);
    for (const Bytes& module : modules) {
        EXPECT_TRUE(accepts(module));
        std::size_t accepted = 0;
        for (std::size_t size = 0; size < module.size(); ++size) accepted += accepts(std::span(module).first(size)) ? 1 : 0;
        EXPECT_LE(accepted, 16U) << "only ends of sections can be ends of modules";
    }
}

TEST(HostileBytes, ChangedBytesNeverCrash) {
    if (test::wast_folder().empty()) GTEST_SKIP() << "the conformance suites are absent: set POLLUX_SHARED";
    std::mt19937 random(20240601);
    std::size_t accepted = 0;
    std::size_t tried = 0;
    for (const Bytes& module : samples()) {
        for (std::size_t at = 8; at < module.size(); ++at) {
            for (const std::uint8_t value :
                 {std::uint8_t{0x00}, std::uint8_t{0x7F}, std::uint8_t{0x80}, std::uint8_t{0xFF},
                  static_cast<std::uint8_t>(module[at] ^ (1U << (random() % 8))), static_cast<std::uint8_t>(random())}) {
                Bytes changed = module;
                changed[at] = value;
                accepted += accepts(changed) ? 1 : 0;
                ++tried;
            }
        }
    }
    std::printf("%zu of %zu changed modules are still valid\n", accepted, tried);
}

TEST(HostileBytes, StreamingAgreesOnChangedBytes) {
    if (test::wast_folder().empty()) GTEST_SKIP() << "the conformance suites are absent: set POLLUX_SHARED";
    const test::SmallReservations small;
    std::mt19937 random(99);
    for (const Bytes& module : samples()) {
        for (int i = 0; i < 40; ++i) {
            Bytes changed = module;
            changed[8 + random() % (changed.size() - 8)] = static_cast<std::uint8_t>(random());
            ValidatingConsumer consumer(FeatureSet::all());
            Decoder decoder(FeatureSet::all(), consumer);
            bool ok = true;
            for (std::size_t at = 0; ok && at < changed.size();) {
                const std::size_t size = std::min<std::size_t>(1 + random() % 9, changed.size() - at);
                ok = decoder.feed(std::span(changed).subspan(at, size)).has_value();
                at += size;
            }
            ok = ok && decoder.finish().has_value();
            EXPECT_EQ(ok, accepts(changed));
        }
    }
}

TEST(HostileBytes, RandomBodiesNeverCrash) {
    std::mt19937 random(7);
    for (int i = 0; i < 30'000; ++i) {
        Bytes body = {0};
        const std::size_t size = random() % 40;
        for (std::size_t j = 0; j < size; ++j) body.push_back(static_cast<std::uint8_t>(random() % 4 == 0 ? random() % 8 : random()));
        body.push_back(test::kEnd);
        accepts(test::module_with_body({test::kI32, test::kI64}, {test::kI32}, body));
    }
}

}  // namespace
}  // namespace pollux::wasm
