// What became of each command of a script, and how it gets from the process that ran the script to the one that counts.
//
// Every script runs in a child process of its own, so that a crash costs one script and is reported with its line. The child writes one
// line per command to a pipe: a letter (Outcome), the line number in the .wast, and a text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pollux::spec {

enum class Outcome : char {
    begun = 'b',    ///< the command is being run: where a crash happened
    passed = 'p',
    failed = 'f',   ///< text: what was expected and what came
    skipped = 's',  ///< text: the feature or the reason
    accepted = 'a', ///< a module was accepted; beside the command's own outcome
    rejected = 'r', ///< a module was rejected as malformed or invalid
    refused = 'u',  ///< a module needs a feature that is not supported; text: which
    gave = 'g',     ///< text: what an action gave, or what a memory or a global holds at the end; for comparing with another ISA
    partial = 'n',  ///< an accepted module has bodies that are not compiled; text: the feature
};

/// The child's end: writes records to a descriptor, buffered up to the next `begun`, so that this is out before anything can crash.
class Reporter {
public:
    explicit Reporter(int fd) noexcept : fd_(fd) {}
    void record(Outcome outcome, std::uint64_t line, std::string_view text = {});
    void flush();

private:
    int fd_;
    std::string buffer_;
};

struct Failure {
    std::string script;  ///< "group/name"
    std::uint64_t line = 0;
    std::string text;
    std::string expected_because;  ///< from the file of expected failures; empty: not expected
};

struct ModuleCounts {
    std::uint64_t accepted = 0, rejected = 0, refused = 0, partial = 0;
};

struct GroupCounts {
    std::uint64_t scripts = 0, passed = 0, failed = 0, expected_failures = 0, crashes = 0;
    std::map<std::string, std::uint64_t> skipped;  ///< by reason
    ModuleCounts modules;
};

/// Expected failures: "group/name:line" → reason.
using Expectations = std::map<std::string, std::string>;
/// Reads lines `group/name:line reason`; # starts a comment. Throws std::runtime_error.
[[nodiscard]] Expectations read_expectations(const std::string& path);

/// The parent's end: counts what the children report.
class Summary {
public:
    Summary(Expectations expectations, std::FILE* log) : expectations_(std::move(expectations)), log_(log) {}

    /// All that the child of one script wrote, and how it ended: `crash` is empty or describes its death.
    void add(const std::string& group, const std::string& script, std::string_view records, const std::string& crash);

    [[nodiscard]] const std::vector<Failure>& failures() const noexcept { return failures_; }
    /// The table, the skipped by reason, and the expected failures that did not happen. With `verbose`, also each failure.
    void print(bool verbose) const;
    /// Whether there was no unexpected failure and no crash.
    [[nodiscard]] bool good() const;

private:
    Expectations expectations_;
    std::FILE* log_;  ///< null, or where the records of accepted modules and of what actions gave go
    std::map<std::string, GroupCounts> groups_;
    std::vector<Failure> failures_;
    std::map<std::string, std::uint64_t> seen_expectations_;
};

}  // namespace pollux::spec
