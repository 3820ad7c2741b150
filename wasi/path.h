// Paths of guests, resolved beneath a directory whatever `..`, symbolic links and races say.
//
// openat2(RESOLVE_BENEATH) does it in the kernel. Where it is not available, a walk opens component by component with O_NOFOLLOW,
// keeps the directories passed on a stack for `..`, and expands symbolic links itself. Both give `notcapable` for what leads outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "jit/base/unique_fd.h"
#include "wasi/guest_memory.h"

namespace pollux::wasi {

/// Copies a path out of guest memory: `noent` when empty, `nametoolong` from PATH_MAX on, `ilseq` with a NUL inside, `notcapable` when
/// absolute.
[[nodiscard]] Expected<std::string> guest_path(const GuestMemory& memory, GuestPtr<std::uint8_t> address, std::uint32_t length);

/// As openat(root, path, flags, mode) with O_CLOEXEC. A symbolic link at the end is followed unless O_NOFOLLOW is set.
[[nodiscard]] Expected<UniqueFd> open_beneath(int root, const std::string& path, int flags, mode_t mode = 0);

/// The directory that holds a path's last component, for the calls that change it: mkdirat, unlinkat, renameat, symlinkat. These never
/// follow the last component, not even with slashes after it; calls that look a path up do, so they must use open_beneath().
struct Parent {
    UniqueFd owned;
    int fd = -1;
    std::string name;  ///< last component, with the slashes after it
};
[[nodiscard]] Expected<Parent> open_parent(int root, const std::string& path);

/// One component, neither `..` nor followed by a slash: a call that does not follow links cannot leave the directory with it.
[[nodiscard]] bool is_single_component(std::string_view path) noexcept;

}  // namespace pollux::wasi
