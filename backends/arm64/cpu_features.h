// Optional instructions of AArch64, beyond the baseline Armv8.0 with Advanced SIMD that all code needs.
//
// In: the auxiliary vector, once. Out: what the masm may emit. POLLUX_DISABLE=lse in the environment masks them.
#pragma once

namespace pollux::arm64 {

struct CpuFeatures {
    bool lse = false;  ///< Large System Extensions: atomics of one instruction
};

/// What the host has, less POLLUX_DISABLE; determined once. Nothing optional on other ISAs, where code is only emitted. Thread-safe.
[[nodiscard]] const CpuFeatures& host_features() noexcept;

}  // namespace pollux::arm64
