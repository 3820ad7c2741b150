// A global variable: a typed view of a GlobalCell, which lies in an instance or, for the host's own, in the store.
#pragma once

#include "jit/abi/layout.h"
#include "jit/runtime/value.h"
#include "jit/wasm/types.h"

namespace pollux {

struct Global {
    wasm::GlobalType type;
    GlobalCell* cell = nullptr;

    [[nodiscard]] Value get() const noexcept { return {type.type.kind(), {cell->bits[0], cell->bits[1]}}; }
    /// The value must be of the global's type. Constant globals are the caller's to respect.
    void set(const Value& value) const noexcept {
        cell->bits[0] = value.bits.low;
        cell->bits[1] = value.bits.high;
    }
};

}  // namespace pollux
