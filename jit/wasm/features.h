// The features of WebAssembly that can be switched on and off, by the names that command lines of other engines use.
//
// Each opcode names its feature in opcodes.def; the decoder checks those of sections and types. Whether a validated
// feature can also be compiled is another layer's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pollux::wasm {

// clang-format off
#define POLLUX_WASM_FEATURES(X)                                    \
    X(mvp,                     "mvp")                              \
    X(mutable_global,          "mutable-global")                   \
    X(saturating_float_to_int, "saturating-float-to-int")          \
    X(sign_extension,          "sign-extension")                   \
    X(multi_value,             "multi-value")                      \
    X(bulk_memory,             "bulk-memory")                      \
    X(reference_types,         "reference-types")                  \
    X(simd,                    "simd")                             \
    X(relaxed_simd,            "relaxed-simd")                     \
    X(tail_call,               "tail-call")                        \
    X(threads,                 "threads")                          \
    X(memory64,                "memory64")                         \
    X(multi_memory,            "multi-memory")                     \
    X(function_references,     "function-references")              \
    X(gc,                      "gc")                               \
    X(exceptions,              "exceptions")                       \
    X(legacy_exceptions,       "legacy-exceptions")                \
    X(extended_const,          "extended-const")                   \
    X(custom_page_sizes,       "custom-page-sizes")                \
    X(wide_arithmetic,         "wide-arithmetic")                  \
    X(custom_descriptors,      "custom-descriptors")
// clang-format on

enum class Feature : std::uint8_t {
#define X(name, text) name,
    POLLUX_WASM_FEATURES(X)
#undef X
        count_
};

/// The spelling of a feature on the command line, such as "bulk-memory".
[[nodiscard]] constexpr std::string_view feature_name(Feature feature) noexcept {
    constexpr std::string_view kNames[] = {
#define X(name, text) text,
        POLLUX_WASM_FEATURES(X)
#undef X
    };
    return kNames[static_cast<std::size_t>(feature)];
}

[[nodiscard]] constexpr std::optional<Feature> feature_from_name(std::string_view name) noexcept {
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Feature::count_); ++i) {
        if (feature_name(Feature{i}) == name) return Feature{i};
    }
    return std::nullopt;
}

/// A set of features. `mvp` is always in it.
class FeatureSet {
public:
    constexpr FeatureSet() noexcept = default;
    /// WebAssembly 1.0 with mutable globals, and nothing more.
    [[nodiscard]] static constexpr FeatureSet mvp() noexcept { return FeatureSet{}.set(Feature::mvp).set(Feature::mutable_global); }
    /// Every feature that decodes and validates.
    [[nodiscard]] static constexpr FeatureSet all() noexcept {
        FeatureSet features;
        features.bits_ = (std::uint32_t{1} << static_cast<unsigned>(Feature::count_)) - 1;
        return features.set(Feature::custom_descriptors, false);
    }
    /// What a command line has on: all but what is still being standardised.
    [[nodiscard]] static constexpr FeatureSet defaults() noexcept {
        return all().set(Feature::custom_page_sizes, false).set(Feature::wide_arithmetic, false);
    }

    constexpr FeatureSet& set(Feature feature, bool on = true) noexcept {
        const auto bit = std::uint32_t{1} << static_cast<unsigned>(feature);
        bits_ = on ? bits_ | bit : bits_ & ~bit;
        bits_ |= 1;
        return *this;
    }
    [[nodiscard]] constexpr bool has(Feature feature) const noexcept { return (bits_ >> static_cast<unsigned>(feature) & 1) != 0; }
    friend constexpr bool operator==(const FeatureSet&, const FeatureSet&) noexcept = default;

private:
    std::uint32_t bits_ = 1;
};

}  // namespace pollux::wasm
