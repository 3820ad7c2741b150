// --trace: lines for the calls of a guest, the way strace prints them.
//
//     path_open(3, SYMLINK_FOLLOW, "notes.txt", 0, 0x1fffffff, 0xfffffff, 0) = 0 [5] <0.000034>
//     poll_oneoff([{fd_read 0}, {clock MONOTONIC +100ms}], 2) = 0 [1] {fd_read nbytes 5} <0.000004>
//     fd_read(0, [{0x10010, 512}]) <parks ...>
//     <... fd_read wakes: ready>
//     <... fd_read resumed> = EAGAIN <1.203114>
//
// What stands in [] are the numbers that the call has returned through pointers, in <> the seconds from its begin to its end. A call that
// waits has a line when the guest's fiber parks, one when it wakes, and one at its end: other guests may have theirs in between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wasi/import_table.h"

namespace pollux::wasi {

/// Calls by the beginning of their names. A set of groups has the bits 1 << group.
enum class CallGroup : std::uint8_t { poll, fd, path, sock, clock, other };

[[nodiscard]] CallGroup group_of(std::string_view import_name) noexcept;
/// The set that a list like "poll,fd" names; all groups if it is empty. Nothing when a name is unknown.
[[nodiscard]] std::optional<std::uint8_t> parse_call_groups(std::string_view list) noexcept;

class Trace {
public:
    /// Lines go to this descriptor, which is borrowed, and begin with `label`.
    Trace(int fd, std::uint8_t groups, std::string label) : fd_(fd), groups_(groups), label_(std::move(label)) {}

    [[nodiscard]] bool shows(const Import& import) const noexcept {
        return (groups_ >> static_cast<unsigned>(group_of(import.name)) & 1) != 0;
    }
    /// The call as far as it is known before: to be made before the call, whose results may overwrite its arguments.
    [[nodiscard]] static std::string before(const Import& import, const Call& call, Arguments arguments);
    /// What came of it. `arguments` are the values before the call.
    [[nodiscard]] static std::string after(const Import& import, const Call& call, Arguments arguments, Status status);

    /// Writes a line.
    void print(std::string_view text) const;

private:
    int fd_;
    std::uint8_t groups_;
    std::string label_;
};

/// A call from its begin to its end.
class TracedCall final : public ParkObserver {
public:
    TracedCall(const Trace& trace, const Import& import, const Call& call, Arguments arguments)
        : trace_(trace), import_(import), call_(call), arguments_(arguments), begin_(Trace::before(import, call, arguments)) {}

    void parks() override;
    void wakes(Wake reason) override;
    void ends(Status status);

private:
    const Trace& trace_;
    const Import& import_;
    const Call& call_;
    Arguments arguments_;
    std::string begin_;  ///< of the next line that says what happened to the call
    std::uint64_t begun_ = monotonic_now();
};

}  // namespace pollux::wasi
