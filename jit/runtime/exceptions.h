// Exceptions at run time: who catches one. The objects live on the store's heap (gc_heap.h).
#pragma once

#include <cstdint>

#include "jit/abi/layout.h"
#include "jit/runtime/extern.h"
#include "jit/runtime/trap.h"

namespace pollux {

class Store;

/// A new exception, its arguments zero; null if there is no memory.
[[nodiscard]] ExceptionObject* new_exception(Store& store, const Tag& tag);

/// Looks for the handler of what the guest throws at the store's exit frame, through all frames of the innermost activation. Returns the
/// address of the landing pad, having set landing_frame and exception; 0 if there is none, and then it is the store's uncaught exception.
[[nodiscard]] std::uint64_t find_landing_pad(Store& store, ExceptionObject* exception) noexcept;

/// The same for the exception that a guest called by a host function left uncaught, and that this function passes on: at the function's
/// call.
[[nodiscard]] std::uint64_t rethrow_uncaught(Store& store) noexcept;

/// What an exception carries, for the host.
[[nodiscard]] ThrownException thrown_exception(const ExceptionObject& object);

}  // namespace pollux
