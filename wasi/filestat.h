// stat(2) as WASI reports it, and the times that set_times calls set.
#pragma once

#include <sys/stat.h>

#include <array>

#include "wasi/calls.h"

namespace pollux::wasi {

/// Writes `info` in the layout of the call's ABI version.
[[nodiscard]] Status write_filestat(const Call& call, Bytes address, const struct stat& info, FileType type);

/// Access and modification time for utimensat; `inval` for contradicting or unknown flags.
[[nodiscard]] Expected<std::array<timespec, 2>> times_to_set(u64 atim, u64 mtim, u32 flags) noexcept;

}  // namespace pollux::wasi
