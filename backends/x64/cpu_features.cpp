#include "backends/x64/cpu_features.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#if defined(__x86_64__)
#if defined(__clang__)
#define _Bool bool  // the header is meant for C
#endif
#include <sys/platform/x86.h>
#undef _Bool
#endif

namespace pollux::x64 {

namespace {

#if defined(__x86_64__)

// From the C library, which has asked already: under a hypervisor each CPUID instruction takes a microsecond or more.
CpuFeatures detect() noexcept {
    CpuFeatures features;
    features.avx = CPU_FEATURE_ACTIVE(AVX);
    features.avx2 = features.avx && CPU_FEATURE_ACTIVE(AVX2);
    features.fma = features.avx && CPU_FEATURE_ACTIVE(FMA);
    features.bmi1 = CPU_FEATURE_ACTIVE(BMI1);
    features.bmi2 = CPU_FEATURE_ACTIVE(BMI2);
    features.lzcnt = CPU_FEATURE_ACTIVE(LZCNT);
    return features;
}

#else

CpuFeatures detect() noexcept { return {}; }

#endif

}  // namespace

CpuFeatures without(CpuFeatures features, std::string_view disabled) noexcept {
    while (!disabled.empty()) {
        const std::size_t comma = disabled.find(',');
        const std::string_view name = disabled.substr(0, comma);
        disabled.remove_prefix(comma == std::string_view::npos ? disabled.size() : comma + 1);
        if (name == "avx") features.avx = features.avx2 = features.fma = false;
        if (name == "avx2") features.avx2 = false;
        if (name == "fma") features.fma = false;
        if (name == "bmi" || name == "bmi1") features.bmi1 = false;
        if (name == "bmi" || name == "bmi2") features.bmi2 = false;
        if (name == "lzcnt") features.lzcnt = false;
    }
    return features;
}

std::string names(const CpuFeatures& features) {
    const std::pair<bool, const char*> all[] = {{features.avx, "avx"},   {features.avx2, "avx2"}, {features.fma, "fma"},
                                                {features.bmi1, "bmi1"}, {features.bmi2, "bmi2"}, {features.lzcnt, "lzcnt"}};
    std::string text;
    for (const auto& [present, name] : all) {
        if (present) text += (text.empty() ? "" : ",") + std::string(name);
    }
    return text;
}

const CpuFeatures& host_features() noexcept {
    static const CpuFeatures kFeatures = [] {
        const char* disabled = std::getenv("POLLUX_DISABLE");
        return without(detect(), disabled == nullptr ? std::string_view{} : disabled);
    }();
    return kFeatures;
}

Result<> check_baseline() {
#if defined(__x86_64__)
    const std::pair<bool, const char*> needed[] = {{CPU_FEATURE_ACTIVE(SSE3), "SSE3"},
                                                   {CPU_FEATURE_ACTIVE(SSSE3), "SSSE3"},
                                                   {CPU_FEATURE_ACTIVE(SSE4_1), "SSE4.1"},
                                                   {CPU_FEATURE_ACTIVE(SSE4_2), "SSE4.2"},
                                                   {CPU_FEATURE_ACTIVE(POPCNT), "POPCNT"}};
    for (const auto& [present, name] : needed) {
        if (!present) {
            return fail(ErrorKind::unsupported,
                        std::string("this processor lacks ") + name + "; compiled code needs x86-64-v2 (SSE4.2 and POPCNT)");
        }
    }
    return {};
#else
    return fail(ErrorKind::unsupported, "x86-64 code cannot run on this processor");
#endif
}

}  // namespace pollux::x64
