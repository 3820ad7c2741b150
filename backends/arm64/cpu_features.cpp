#include "backends/arm64/cpu_features.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

#include <cstdlib>
#include <string>
#endif

namespace pollux::arm64 {

namespace {

CpuFeatures detect() {
    CpuFeatures features;
#if defined(__aarch64__) && defined(__linux__)
    constexpr unsigned long kAtomics = 1UL << 8;  // HWCAP_ATOMICS
    const char* list = std::getenv("POLLUX_DISABLE");
    const std::string disabled = ',' + std::string(list == nullptr ? "" : list) + ',';
    features.lse = (::getauxval(AT_HWCAP) & kAtomics) != 0 && disabled.find(",lse,") == std::string::npos;
#endif
    return features;
}

}  // namespace

const CpuFeatures& host_features() noexcept {
    static const CpuFeatures kFeatures = detect();
    return kFeatures;
}

}  // namespace pollux::arm64
