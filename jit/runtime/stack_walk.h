// Walking the guest frames of a stack by frame pointers: return addresses only, for signal handlers too.
//
//   fault ─► frames ─► enter stub ─► outer exit frame ─► frames ─► enter stub ─► …        (StoreContext::entry, EntryRecord)
#pragma once

#include "jit/runtime/machine_context.h"
#include "jit/runtime/trap.h"

namespace pollux {

/// From an instruction that trapped, through all activations of the store's running fiber. Async-signal-safe.
void walk_from_fault(Store& store, const MachineContext& context, RawBacktrace& raw) noexcept;

}  // namespace pollux
