// --hostcall-stats: how often each WASI function was called, how often it failed, and how long it took, waiting included.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "wasi/import_table.h"

namespace pollux::wasi {

/// Counted by all programs and threads that are given it (Config::call_stats).
class CallStats {
public:
    CallStats();

    /// A call has ended. `import` is one of imports().
    void count(const Import& import, const Status& status, std::uint64_t nanoseconds) noexcept;
    /// One line for each function that was called, those that took longest first; a heading before and a sum below.
    [[nodiscard]] std::string table() const;

private:
    struct Row {
        std::atomic<std::uint64_t> calls{0};
        std::atomic<std::uint64_t> errors{0};
        std::atomic<std::uint64_t> nanoseconds{0};
    };
    std::unique_ptr<Row[]> rows_;  ///< in the order of imports()
};

}  // namespace pollux::wasi
