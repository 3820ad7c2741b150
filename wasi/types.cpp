#include "wasi/types.h"

#include <sys/stat.h>

#include <array>
#include <string>
#include <vector>

namespace pollux::wasi {
namespace {

constexpr std::array kHostErrno = {
#define WASI_ERRNO(name, host) host,
#include "wasi/errno.def"
#undef WASI_ERRNO
};

constexpr std::array kLowerNames = {
#define WASI_ERRNO(name, host) std::string_view(#name),
#include "wasi/errno.def"
#undef WASI_ERRNO
};

std::vector<std::string> upper_names() {
    std::vector<std::string> names;
    for (const std::string_view lower : kLowerNames) {
        std::string name = lower == "success" ? "" : "E";
        if (lower == "toobig") {
            name += "2BIG";
        } else {
            for (const char c : lower) name += static_cast<char>(c - 'a' + 'A');
        }
        names.push_back(std::move(name));
    }
    return names;
}

}  // namespace

Errno errno_from_host(int error) noexcept {
    for (std::size_t i = 1; i < kHostErrno.size(); ++i) {
        if (kHostErrno[i] == error && error != 0) return static_cast<Errno>(i);
    }
    return error == 0 ? Errno::success : Errno::io;
}

std::string_view errno_name(Errno error) noexcept {
    static const std::vector<std::string> names = upper_names();
    const auto index = static_cast<std::size_t>(error);
    return index < names.size() ? std::string_view(names[index]) : std::string_view("E?");
}

FileType file_type_from_mode(std::uint32_t mode) noexcept {
    switch (mode & S_IFMT) {
        case S_IFREG:  return FileType::regular_file;
        case S_IFDIR:  return FileType::directory;
        case S_IFLNK:  return FileType::symbolic_link;
        case S_IFCHR:  return FileType::character_device;
        case S_IFBLK:  return FileType::block_device;
        case S_IFSOCK: return FileType::socket_stream;
        default:       return FileType::unknown;
    }
}

}  // namespace pollux::wasi
