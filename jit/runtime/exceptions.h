// Exceptions at run time: who catches one. The objects live on the store's heap (gc_heap.h).
#pragma once

#include <cstdint>

#include "jit/abi/layout.h"
#include "jit/runtime/extern.h"

namespace pollux {

class Store;

/// A new exception, its arguments zero; null if there is no memory.
[[nodiscard]] ExceptionObject* new_exception(Store& store, const Tag& tag);

/// Looks for the handler of what the guest throws at the store's exit frame, through all frames of the innermost activation. Returns the
/// address of the landing pad, having set landing_frame and exception; 0 if there is none.
[[nodiscard]] std::uint64_t find_landing_pad(Store& store, ExceptionObject* exception) noexcept;

}  // namespace pollux
