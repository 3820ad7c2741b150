// What a WASI function returns: an errno for the guest, or the reason why the guest must end now.
#pragma once

#include <expected>

#include "jit/abi/trap_code.h"
#include "wasi/types.h"

namespace pollux::wasi {

class [[nodiscard]] Status {
public:
    constexpr Status(Errno error) noexcept : error_(error) {}  // NOLINT(google-explicit-constructor)
    /// The guest ends: TrapCode::host_exit or TrapCode::interrupted.
    [[nodiscard]] static constexpr Status end(TrapCode trap) noexcept {
        Status status(Errno::success);
        status.trap_ = trap;
        return status;
    }

    [[nodiscard]] constexpr Errno error() const noexcept { return error_; }
    [[nodiscard]] constexpr TrapCode trap() const noexcept { return trap_; }
    [[nodiscard]] constexpr bool ok() const noexcept { return error_ == Errno::success && trap_ == TrapCode::none; }
    friend constexpr bool operator==(Status, Status) noexcept = default;

private:
    Errno error_;
    TrapCode trap_ = TrapCode::none;
};

/// A value, or an errno.
template <class T>
using Expected = std::expected<T, Errno>;

/// A value, or a Status; for what can park.
template <class T>
using Outcome = std::expected<T, Status>;

/// `return host_error();` after a system call that has failed.
[[nodiscard]] inline std::unexpected<Errno> host_error() noexcept { return std::unexpected(errno_from_host(errno)); }

}  // namespace pollux::wasi
