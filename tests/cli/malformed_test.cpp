// Modules that are wrong in every way that one byte can be wrong, or that end too early: an error or a module, never a crash.
//
// Run under AddressSanitizer and UndefinedBehaviorSanitizer. What is accepted is not run: it may be another, longer program.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "jit/base/tuning.h"
#include "jit/runtime/runtime.h"

namespace pollux {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes read_guest(const std::string& name) {
    const char* folder = std::getenv("POLLUX_GUESTS");
    std::ifstream file(std::filesystem::path(folder != nullptr ? folder : "") / (name + ".wasm"), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::shared_ptr<Engine> make_engine(CompileMode mode) {
    auto engine = Engine::create({.mode = mode, .threads = 1});
    if (!engine) {
        ADD_FAILURE() << engine.error().message;
        return nullptr;
    }
    return *engine;
}

/// Builds the module; whether it was accepted. An error must say something.
bool accepted(const std::shared_ptr<Engine>& engine, std::span<const std::uint8_t> bytes) {
    const auto module = ModuleBuilder::from_bytes(engine, bytes);
    if (!module) {
        EXPECT_FALSE(module.error().message.empty());
    }
    return module.has_value();
}

/// The same, in chunks.
bool accepted_in_chunks(const std::shared_ptr<Engine>& engine, std::span<const std::uint8_t> bytes, std::size_t chunk) {
    ModuleBuilder builder(engine);
    for (std::size_t at = 0; at < bytes.size(); at += chunk) {
        if (!builder.feed(bytes.subspan(at, std::min(chunk, bytes.size() - at)))) return false;
    }
    return builder.finish().has_value();
}

class Malformed : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        bytes_ = read_guest(GetParam());
        if (bytes_.empty()) GTEST_SKIP() << "the guest program is not built: " << GetParam();
        tuning.stream_reservation = tuning.stream_expected_bytes = std::size_t{1} << 20;  // thousands of modules; see there
        engine_ = make_engine(CompileMode::eager);
        lazy_engine_ = make_engine(CompileMode::lazy);
        ASSERT_TRUE(engine_ != nullptr && lazy_engine_ != nullptr);
        ASSERT_TRUE(accepted(engine_, bytes_));
    }

    /// Every position of small modules, some hundred of large ones: the first, where the sections' heads are, and a random choice.
    [[nodiscard]] std::vector<std::size_t> positions() const {
        constexpr std::size_t kAll = 4096, kFirst = 300, kRandom = 300;
        std::vector<std::size_t> positions;
        for (std::size_t i = 0; i < bytes_.size() && i < (bytes_.size() <= kAll ? kAll : kFirst); ++i) positions.push_back(i);
        std::mt19937 random(12345);
        for (std::size_t i = 0; bytes_.size() > kAll && i < kRandom; ++i) positions.push_back(random() % bytes_.size());
        return positions;
    }

    Bytes bytes_;
    std::shared_ptr<Engine> engine_, lazy_engine_;
};

TEST_P(Malformed, Truncations) {
    for (const std::size_t size : positions()) {
        const std::span prefix(bytes_.data(), size);
        // A module may end after any section, if only custom sections follow.
        const bool whole = accepted(engine_, prefix);
        EXPECT_EQ(whole, accepted_in_chunks(engine_, prefix, size % 97 + 1)) << size;
    }
}

TEST_P(Malformed, ByteFlips) {
    for (const std::size_t position : positions()) {
        for (const int mask : {0x01, 0x40, 0x80, 0xFF}) {
            bytes_[position] = static_cast<std::uint8_t>(bytes_[position] ^ mask);
            const bool eager = accepted(engine_, bytes_);
            EXPECT_EQ(eager, accepted(lazy_engine_, bytes_)) << position << " ^ " << mask;
            bytes_[position] = static_cast<std::uint8_t>(bytes_[position] ^ mask);
        }
    }
}

TEST_P(Malformed, BytesInsertedAndRemoved) {
    std::mt19937 random(54321);
    for (const std::size_t position : positions()) {
        Bytes changed = bytes_;
        if (position % 2 == 0) {
            changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(position), static_cast<std::uint8_t>(random()));
        } else {
            changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(position));
        }
        accepted(engine_, changed);
    }
}

INSTANTIATE_TEST_SUITE_P(Guests, Malformed, testing::Values("tiny", "exit", "traps_cpp"),
                         [](const auto& guest) { return std::string(guest.param); });

}  // namespace
}  // namespace pollux
