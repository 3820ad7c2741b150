// Optional instruction sets, beyond the baseline x86-64-v2 (SSE4.2, POPCNT) that all code needs.
//
// In: cpuid, once. Out: what the masm may emit. POLLUX_DISABLE=avx,bmi2,… in the environment masks features; so can the caller.
#pragma once

#include <string>
#include <string_view>

#include "jit/base/error.h"

namespace pollux::x64 {

struct CpuFeatures {
    bool avx = false;    ///< three-operand forms of scalar and 128-bit instructions
    bool avx2 = false;   ///< broadcasts from registers and of bytes; implies avx
    bool fma = false;    ///< implies avx
    bool bmi1 = false;   ///< tzcnt, andn
    bool bmi2 = false;   ///< shlx, shrx, sarx, rorx
    bool lzcnt = false;

    friend bool operator==(const CpuFeatures&, const CpuFeatures&) = default;
};

/// `features` without those in a comma-separated list ("avx", "avx2", "fma", "bmi", "bmi1", "bmi2", "lzcnt"; other names are ignored).
[[nodiscard]] CpuFeatures without(CpuFeatures features, std::string_view disabled) noexcept;

/// The names of `features`, separated by commas.
[[nodiscard]] std::string names(const CpuFeatures& features);

/// What the host has, less POLLUX_DISABLE; determined once. Nothing optional on other ISAs, where code is only emitted.
[[nodiscard]] const CpuFeatures& host_features() noexcept;

/// Whether the host can run the baseline: an error names what is missing.
[[nodiscard]] Result<> check_baseline();

}  // namespace pollux::x64
