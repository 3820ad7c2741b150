#include "wasi/call_stats.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <vector>

namespace pollux::wasi {
namespace {

std::string line(std::string_view name, std::uint64_t calls, std::uint64_t errors, std::uint64_t nanoseconds) {
    std::array<char, 160> text{};
    const double milliseconds = static_cast<double>(nanoseconds) / 1e6;
    const double each = calls == 0 ? 0 : static_cast<double>(nanoseconds) / 1e3 / static_cast<double>(calls);
    std::snprintf(text.data(), text.size(), "%-26.*s %12" PRIu64 " %10" PRIu64 " %14.3f %12.3f\n", static_cast<int>(name.size()),
                  name.data(), calls, errors, milliseconds, each);
    return text.data();
}

}  // namespace

CallStats::CallStats() : rows_(std::make_unique<Row[]>(imports().size())) {}

void CallStats::count(const Import& import, const Status& status, std::uint64_t nanoseconds) noexcept {
    Row& row = rows_[static_cast<std::size_t>(&import - imports().data())];
    row.calls.fetch_add(1, std::memory_order_relaxed);
    if (!status.ok() && status.trap() != TrapCode::host_exit) row.errors.fetch_add(1, std::memory_order_relaxed);
    row.nanoseconds.fetch_add(nanoseconds, std::memory_order_relaxed);
}

std::string CallStats::table() const {
    std::vector<std::size_t> called;
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    std::uint64_t nanoseconds = 0;
    for (std::size_t i = 0; i < imports().size(); ++i) {
        if (rows_[i].calls.load() == 0) continue;
        called.push_back(i);
        calls += rows_[i].calls.load();
        errors += rows_[i].errors.load();
        nanoseconds += rows_[i].nanoseconds.load();
    }
    std::ranges::stable_sort(called, std::ranges::greater{}, [this](std::size_t i) { return rows_[i].nanoseconds.load(); });
    std::array<char, 160> heading{};
    std::snprintf(heading.data(), heading.size(), "%-26s %12s %10s %14s %12s\n", "function", "calls", "errors", "total ms", "us a call");
    std::string text = heading.data();
    for (const std::size_t i : called) {
        text += line(imports()[i].name, rows_[i].calls.load(), rows_[i].errors.load(), rows_[i].nanoseconds.load());
    }
    return text + line("all", calls, errors, nanoseconds);
}

}  // namespace pollux::wasi
