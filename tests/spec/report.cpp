#include "tests/spec/report.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace pollux::spec {

void Reporter::record(Outcome outcome, std::uint64_t line, std::string_view text) {
    buffer_ += static_cast<char>(outcome);
    buffer_ += std::to_string(line);
    buffer_ += ' ';
    for (const char c : text) buffer_ += c == '\n' ? ' ' : c;
    buffer_ += '\n';
    if (outcome == Outcome::begun) flush();
}

void Reporter::flush() {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_, rest.data(), rest.size());
        if (written < 0) break;  // the parent is gone
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
}

Expectations read_expectations(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    Expectations expectations;
    std::string line;
    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') continue;
        const auto space = line.find(' ');
        if (space == std::string::npos) throw std::runtime_error(path + ": a reason is missing: " + line);
        expectations[line.substr(0, space)] = line.substr(space + 1);
    }
    return expectations;
}

void Summary::add(const std::string& group, const std::string& script, std::string_view records, const std::string& crash) {
    GroupCounts& counts = groups_[group];
    ++counts.scripts;
    std::uint64_t begun_line = 0;
    const auto fail = [&](std::uint64_t line, const std::string& text) {
        const std::string where = script + ":" + std::to_string(line);
        const auto expected = expectations_.find(where);
        if (expected != expectations_.end()) {
            ++counts.expected_failures;
            ++seen_expectations_[where];
        } else {
            ++counts.failed;
        }
        failures_.push_back({script, line, text, expected != expectations_.end() ? expected->second : std::string()});
    };
    while (!records.empty()) {
        const auto newline = records.find('\n');
        if (newline == std::string_view::npos) break;  // the child died within this record
        const std::string record(records.substr(0, newline));
        records.remove_prefix(newline + 1);
        const auto space = record.find(' ');
        const std::uint64_t line = std::stoull(record.substr(1));
        const std::string text = record.substr(space + 1);
        const auto outcome = static_cast<Outcome>(record[0]);
        if (log_ != nullptr && (outcome == Outcome::accepted || outcome == Outcome::gave))
            std::fprintf(log_, "%s:%" PRIu64 " %s\n", script.c_str(), line, outcome == Outcome::gave ? text.c_str() : "module");
        switch (outcome) {
            case Outcome::gave:     break;
            case Outcome::begun:    begun_line = line; break;
            case Outcome::passed:   ++counts.passed; break;
            case Outcome::failed:   fail(line, text); break;
            case Outcome::skipped:  ++counts.skipped[text]; break;
            case Outcome::accepted: ++counts.modules.accepted; break;
            case Outcome::rejected: ++counts.modules.rejected; break;
            case Outcome::refused:  ++counts.modules.refused; break;
            case Outcome::partial:  ++counts.modules.partial; break;
        }
    }
    if (!crash.empty()) {
        ++counts.crashes;
        failures_.push_back({script, begun_line, crash, {}});
    }
}

void Summary::print(bool verbose) const {
    for (const Failure& failure : failures_) {
        if (!verbose && !failure.expected_because.empty()) continue;
        std::printf("%s:%" PRIu64 ": %s%s%s\n", failure.script.c_str(), failure.line, failure.text.c_str(),
                    failure.expected_because.empty() ? "" : " (expected: ",
                    failure.expected_because.empty() ? "" : (failure.expected_because + ")").c_str());
    }
    std::printf("%-22s %7s %7s %7s %8s %7s %7s | %8s %8s %7s %7s\n", "group", "scripts", "passed", "failed", "expected", "skipped",
                "crashes", "modules", "rejected", "refused", "partial");
    GroupCounts total;
    std::uint64_t total_skipped = 0;
    const auto print_row = [](const std::string& name, const GroupCounts& counts, std::uint64_t skipped) {
        std::printf("%-22s %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " | %8" PRIu64 " %8" PRIu64
                    " %7" PRIu64 " %7" PRIu64 "\n",
                    name.c_str(), counts.scripts, counts.passed, counts.failed, counts.expected_failures, skipped, counts.crashes,
                    counts.modules.accepted, counts.modules.rejected, counts.modules.refused, counts.modules.partial);
    };
    for (const auto& [name, counts] : groups_) {
        std::uint64_t skipped = 0;
        for (const auto& [reason, count] : counts.skipped) {
            skipped += count;
            total.skipped[reason] += count;
        }
        print_row(name, counts, skipped);
        total_skipped += skipped;
        total.scripts += counts.scripts;
        total.passed += counts.passed;
        total.failed += counts.failed;
        total.expected_failures += counts.expected_failures;
        total.crashes += counts.crashes;
        total.modules.accepted += counts.modules.accepted;
        total.modules.rejected += counts.modules.rejected;
        total.modules.refused += counts.modules.refused;
        total.modules.partial += counts.modules.partial;
    }
    print_row("all", total, total_skipped);

    std::printf("\nskipped by reason:\n");
    for (const auto& [group, counts] : groups_) {
        if (counts.skipped.empty()) continue;
        std::printf("  %s:", group.c_str());
        for (const auto& [reason, count] : counts.skipped) std::printf(" %s %" PRIu64 ";", reason.c_str(), count);
        std::printf("\n");
    }
    std::printf("%" PRIu64 " passed, %" PRIu64 " failed, %" PRIu64 " failed as expected, %" PRIu64 " skipped, %" PRIu64
                " scripts crashed\n",
                total.passed, total.failed, total.expected_failures, total_skipped, total.crashes);
}

bool Summary::good() const {
    return std::all_of(groups_.begin(), groups_.end(),
                       [](const auto& group) { return group.second.failed == 0 && group.second.crashes == 0; });
}

}  // namespace pollux::spec
