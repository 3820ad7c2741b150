// Exceptions at run time: the objects, and who catches one.
//
// Objects belong to their store. There are no stack maps: when many have been made, those that nothing refers to are freed, where a
// reference is any word with their address on the running fiber's stack, in a global or in a table.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/runtime/extern.h"

namespace pollux {

class Store;

class ExceptionHeap {
public:
    /// A new exception, its arguments zero; null if there is no memory. On the store's running fiber, with all references in frames.
    [[nodiscard]] ExceptionObject* allocate(Store& store, const Tag& tag);
    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }

private:
    struct Free {
        void operator()(ExceptionObject* object) const noexcept;
    };
    using Owned = std::unique_ptr<ExceptionObject, Free>;

    void collect(Store& store);
    void mark(std::uint64_t word) noexcept;

    std::vector<Owned> objects_;
    std::size_t limit_ = 4096;  ///< of objects before the next collection
};

/// Looks for the handler of what the guest throws at the store's exit frame, through all frames of the innermost activation. Returns the
/// address of the landing pad, having set landing_frame and exception; 0 if there is none.
[[nodiscard]] std::uint64_t find_landing_pad(Store& store, ExceptionObject* exception) noexcept;

}  // namespace pollux
