// Why guest code stopped. Codes are stored in code maps and precompiled files: append only.
#pragma once

#include <cstdint>
#include <string_view>

namespace pollux {

enum class TrapCode : std::uint32_t {
    none = 0,                 ///< no trap; also the status of a helper that succeeded
    unreachable,
    memory_out_of_bounds,
    table_out_of_bounds,
    indirect_call_to_null,
    bad_signature,            ///< call_indirect to a function of another type
    integer_divide_by_zero,
    integer_overflow,
    invalid_conversion_to_integer,
    stack_overflow,
    null_reference,
    cast_failure,
    array_out_of_bounds,
    unaligned_atomic,
    expected_shared_memory,
    uncaught_exception,
    out_of_memory,            ///< the GC heap or a limit of the store
    not_compiled,             ///< the body uses a feature that this build does not compile
    fuel_exhausted,
    interrupted,              ///< time limit or another thread's request
    host_exit,                ///< a host function ended the program (proc_exit): not an error
    host_error,               ///< a host function failed; the store holds its Error
    file_changed,             ///< lazy compilation found other bytes than were validated
    status,                   ///< in code maps only: the code is in the result register (a helper's status)
};

/// The reference interpreter's message for the trap, e.g. "integer divide by zero".
[[nodiscard]] std::string_view trap_message(TrapCode code) noexcept;

}  // namespace pollux
