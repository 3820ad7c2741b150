// fd_readdir: directory entries from a cookie on.
//
// A cookie is the position that the file system itself gives (d_off), so it stays right when entries come and go, needs no memory,
// and a directory of any size is read in pieces. Entries are written until the buffer is full; the last one may be cut off, which
// tells the guest that there is more.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "jit/base/syscall.h"
#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

/// As getdents64 writes it; the name follows.
struct HostDirent {
    std::uint64_t ino;
    std::int64_t next;
    std::uint16_t length;
    std::uint8_t type;
};
constexpr std::size_t kNameOffset = 19;

FileType type_of(int directory, std::uint8_t type, const char* name) noexcept {
    switch (type) {
        case DT_REG:     return FileType::regular_file;
        case DT_DIR:     return FileType::directory;
        case DT_LNK:     return FileType::symbolic_link;
        case DT_CHR:     return FileType::character_device;
        case DT_BLK:     return FileType::block_device;
        case DT_SOCK:    return FileType::socket_stream;
        case DT_UNKNOWN: {
            struct stat info{};
            if (::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return FileType::unknown;
            return file_type_from_mode(info.st_mode);
        }
        default: return FileType::unknown;
    }
}

/// Fills guest memory; what does not fit is cut off.
class Output {
public:
    explicit Output(std::span<std::uint8_t> buffer) noexcept : rest_(buffer) {}
    void put(const void* data, std::size_t size) noexcept {
        const std::size_t count = std::min(size, rest_.size());
        if (count > 0) std::memcpy(rest_.data(), data, count);
        rest_ = rest_.subspan(count);
        used_ += count;
    }
    [[nodiscard]] bool full() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::size_t room() const noexcept { return rest_.size(); }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    std::span<std::uint8_t> rest_;
    std::size_t used_ = 0;
};

}  // namespace

Status fd_readdir(Call& call, Fd fd, Bytes buffer, u32 length, u64 cookie, OutU32 used) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    if (!(*found)->is_directory()) return Errno::notdir;
    const auto bytes = call.memory.bytes(buffer.address, length);
    if (!bytes) return bytes.error();
    if (!call.memory.has(used)) return Errno::fault;
    if (cookie > INT64_MAX) return Errno::inval;
    const int directory = (*found)->fd();
    if (::lseek(directory, static_cast<off_t>(cookie), SEEK_SET) < 0) return errno_from_host(errno);

    Output output(*bytes);
    alignas(HostDirent) std::array<char, 16 * 1024> entries;
    while (!output.full()) {
        // A guest's small buffer takes few entries: read about as many, at least one with the longest name.
        const std::size_t wanted = std::clamp<std::size_t>(output.room(), 512, entries.size());
        const long got = sys::call_again<sys::Call::getdents>([&] { return ::syscall(SYS_getdents64, directory, entries.data(), wanted); });
        if (got < 0) {
            if (output.used() > 0) break;
            return errno_from_host(errno);
        }
        if (got == 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got) && !output.full();) {
            HostDirent entry;
            std::memcpy(&entry, entries.data() + at, kNameOffset);
            const char* const terminated_name = entries.data() + at + kNameOffset;
            const std::string_view name(terminated_name);
            Dirent dirent;
            dirent.next = static_cast<u64>(entry.next);
            // What lies above a preopened directory is none of the guest's business.
            dirent.ino = name == ".." && (*found)->preopen() ? 0 : entry.ino;
            dirent.name_length = static_cast<u32>(name.size());
            dirent.type = type_of(directory, entry.type, terminated_name);
            output.put(&dirent, sizeof(dirent));
            output.put(name.data(), name.size());
            at += entry.length;
        }
    }
    return call.memory.write(used, static_cast<u32>(output.used()));
}

}  // namespace pollux::wasi
