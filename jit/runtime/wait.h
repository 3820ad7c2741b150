// memory.atomic.wait and notify: a process-wide list of who waits at which address.
#pragma once

#include <cstdint>
#include <expected>

#include "jit/abi/trap_code.h"

namespace pollux {

class Store;

enum class WaitResult : std::uint32_t { woken = 0, not_equal = 1, timed_out = 2 };

/// Waits at `address`, a host address of `bytes` (4 or 8) in a shared memory, while it holds `expected`. `timeout` in ns, negative: for
/// ever. The fiber is parked with the store's scheduler; without one, the thread blocks. Error: the store was interrupted.
[[nodiscard]] std::expected<WaitResult, TrapCode> wait_at(Store& store, const void* address, std::uint32_t bytes, std::uint64_t expected,
                                                          std::int64_t timeout);

/// Wakes up to `count` of those who wait at `address`, in the order in which they came: how many.
std::uint32_t notify_at(const void* address, std::uint32_t count);

}  // namespace pollux
