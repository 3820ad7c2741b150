#include "backends/x64/cpu_features.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pollux::x64 {

namespace {

#if defined(__x86_64__)

struct Leaf {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(std::uint32_t leaf) noexcept {
    Leaf result;
    __get_cpuid_count(leaf, 0, &result.eax, &result.ebx, &result.ecx, &result.edx);  // leaves zeros when there is no such leaf
    return result;
}

/// Whether the kernel saves the upper halves of the vector registers, without which AVX faults.
bool system_saves_avx(const Leaf& basic) noexcept {
    if ((basic.ecx & bit_OSXSAVE) == 0) return false;
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

CpuFeatures detect() noexcept {
    const Leaf basic = cpuid(1);
    const Leaf structured = cpuid(7);
    const Leaf extended = cpuid(0x8000'0001);
    CpuFeatures features;
    features.avx = (basic.ecx & bit_AVX) != 0 && system_saves_avx(basic);
    features.avx2 = features.avx && (structured.ebx & bit_AVX2) != 0;
    features.fma = features.avx && (basic.ecx & bit_FMA) != 0;
    features.bmi1 = (structured.ebx & bit_BMI) != 0;
    features.bmi2 = (structured.ebx & bit_BMI2) != 0;
    features.lzcnt = (extended.ecx & bit_LZCNT) != 0;
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
    const Leaf basic = cpuid(1);
    constexpr struct {
        std::uint32_t bit;
        const char* name;
    } kNeeded[] = {{bit_SSE3, "SSE3"}, {bit_SSSE3, "SSSE3"}, {bit_SSE4_1, "SSE4.1"}, {bit_SSE4_2, "SSE4.2"}, {bit_POPCNT, "POPCNT"}};
    for (const auto& feature : kNeeded) {
        if ((basic.ecx & feature.bit) == 0) {
            return fail(ErrorKind::unsupported,
                        std::string("this processor lacks ") + feature.name + "; compiled code needs x86-64-v2 (SSE4.2 and POPCNT)");
        }
    }
    return {};
#else
    return fail(ErrorKind::unsupported, "x86-64 code cannot run on this processor");
#endif
}

}  // namespace pollux::x64
