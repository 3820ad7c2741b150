// The guest's descriptor numbers. The lowest free number is given out, as POSIX has it. Thread-safe.
//
// A call holds the descriptor that it looked up: one that is closed meanwhile lives until the last call has let it go.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "wasi/descriptor.h"

namespace pollux::wasi {

class DescriptorTable {
public:
    static constexpr std::size_t kMaxDescriptors = 65'536;

    /// Null when the number is not open.
    [[nodiscard]] std::shared_ptr<Descriptor> get(Fd fd) const;
    /// At the lowest free number; `mfile` when all are taken.
    [[nodiscard]] Expected<Fd> insert(std::shared_ptr<Descriptor> descriptor);
    /// At this number, which must be free.
    [[nodiscard]] Errno insert_at(Fd fd, std::shared_ptr<Descriptor> descriptor);
    /// `badf` when it is not open. Wakes whoever is parked on the descriptor.
    [[nodiscard]] Errno close(Fd fd);
    /// Moves `from` to `to`, closing what was there, as dup2 and close. `badf` unless both are open; the same number is a no-op.
    [[nodiscard]] Errno renumber(Fd from, Fd to);

private:
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Descriptor>> slots_;
    std::size_t lowest_free_ = 0;  ///< no number below it is free
};

}  // namespace pollux::wasi
