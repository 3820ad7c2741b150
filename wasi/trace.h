// --trace: one line for each call, the way strace prints them.
//
//     fd_read(0, [{0x10010, 512}]) = EAGAIN
//     path_open(3, SYMLINK_FOLLOW, "notes.txt", 0, 0x1fffffff, 0xfffffff, 0) = 0 [5]
//     poll_oneoff([{fd_read 0}, {clock MONOTONIC +100ms}], 2) = 0 [1] {fd_read nbytes 5}
#pragma once

#include <string>
#include <string_view>

#include "wasi/import_table.h"

namespace pollux::wasi {

class Trace {
public:
    /// Lines go to this descriptor, which is borrowed.
    explicit Trace(int fd) noexcept : fd_(fd) {}

    /// The call as far as it is known before: to be made before the call, whose results may overwrite its arguments.
    [[nodiscard]] static std::string before(const Import& import, const Call& call, Arguments arguments);
    /// What came of it. `arguments` are the values before the call.
    [[nodiscard]] static std::string after(const Import& import, const Call& call, Arguments arguments, Status status);

    void print(std::string_view text) const noexcept;

private:
    int fd_;
};

}  // namespace pollux::wasi
