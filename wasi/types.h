// The data types of WASI preview 1 as they lie in guest memory, and the few that preview 0 (wasi_unstable) laid out otherwise.
//
// Source: witx/p1/typenames.witx of WebAssembly/WASI. Everything is little-endian, as are both hosts.
#pragma once

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pollux::wasi {

static_assert(std::endian::native == std::endian::little);

enum class Errno : std::uint16_t {
#define WASI_ERRNO(name, host) name,
#include "wasi/errno.def"
#undef WASI_ERRNO
    count
};

/// The WASI value for an errno of the host; `io` for one that WASI does not know.
[[nodiscard]] Errno errno_from_host(int error) noexcept;
/// As C programs know it, e.g. "EAGAIN"; "SUCCESS" for 0.
[[nodiscard]] std::string_view errno_name(Errno error) noexcept;

/// Number of a descriptor in the guest.
using Fd = std::uint32_t;
/// Address in guest memory, for bytes.
using GuestAddress = std::uint32_t;

enum class AbiVersion : std::uint8_t { preview0, preview1 };

enum class FileType : std::uint8_t {
    unknown = 0,
    block_device = 1,
    character_device = 2,
    directory = 3,
    regular_file = 4,
    socket_dgram = 5,
    socket_stream = 6,
    symbolic_link = 7,
};

/// The file type of an st_mode. WASI has none for pipes and FIFOs (`unknown`); a socket counts as a stream.
[[nodiscard]] FileType file_type_from_mode(std::uint32_t mode) noexcept;

namespace fdflags {
inline constexpr std::uint16_t kAppend = 1, kDsync = 2, kNonblock = 4, kRsync = 8, kSync = 16, kAll = 31;
}
namespace oflags {
inline constexpr std::uint16_t kCreat = 1, kDirectory = 2, kExcl = 4, kTrunc = 8, kAll = 15;
}
namespace fstflags {
inline constexpr std::uint16_t kAtim = 1, kAtimNow = 2, kMtim = 4, kMtimNow = 8, kAll = 15;
}
namespace lookupflags {
inline constexpr std::uint32_t kSymlinkFollow = 1;
}
namespace riflags {
inline constexpr std::uint16_t kPeek = 1, kWaitall = 2, kAll = 3;
}
namespace roflags {
inline constexpr std::uint16_t kDataTruncated = 1;
}
namespace sdflags {
inline constexpr std::uint8_t kRd = 1, kWr = 2;
}
namespace eventrwflags {
inline constexpr std::uint16_t kHangup = 1;
}
namespace subclockflags {
inline constexpr std::uint16_t kAbstime = 1;
}

using Rights = std::uint64_t;
namespace rights {
inline constexpr Rights bit(unsigned n) noexcept { return Rights{1} << n; }
inline constexpr Rights kFdDatasync = bit(0), kFdRead = bit(1), kFdSeek = bit(2), kFdFdstatSetFlags = bit(3), kFdSync = bit(4),
                        kFdTell = bit(5), kFdWrite = bit(6), kFdAdvise = bit(7), kFdAllocate = bit(8), kPathCreateDirectory = bit(9),
                        kPathCreateFile = bit(10), kPathLinkSource = bit(11), kPathLinkTarget = bit(12), kPathOpen = bit(13),
                        kFdReaddir = bit(14), kPathReadlink = bit(15), kPathRenameSource = bit(16), kPathRenameTarget = bit(17),
                        kPathFilestatGet = bit(18), kPathFilestatSetSize = bit(19), kPathFilestatSetTimes = bit(20),
                        kFdFilestatGet = bit(21), kFdFilestatSetSize = bit(22), kFdFilestatSetTimes = bit(23), kPathSymlink = bit(24),
                        kPathRemoveDirectory = bit(25), kPathUnlinkFile = bit(26), kPollFdReadwrite = bit(27), kSockShutdown = bit(28),
                        kSockAccept = bit(29);
inline constexpr Rights kAll = bit(30) - 1;
/// What a descriptor opened for reading only lacks.
inline constexpr Rights kWriting = kFdDatasync | kFdWrite | kFdAllocate | kFdFilestatSetSize;
/// What only a directory has.
inline constexpr Rights kDirectoryOnly = kPathCreateDirectory | kPathCreateFile | kPathLinkSource | kPathLinkTarget | kPathOpen |
                                         kFdReaddir | kPathReadlink | kPathRenameSource | kPathRenameTarget | kPathFilestatGet |
                                         kPathFilestatSetSize | kPathFilestatSetTimes | kPathSymlink | kPathRemoveDirectory |
                                         kPathUnlinkFile;
/// What a read-only directory lacks, and what is opened beneath it.
inline constexpr Rights kMutating = kWriting | kPathCreateDirectory | kPathCreateFile | kPathLinkSource | kPathLinkTarget |
                                    kPathRenameSource | kPathRenameTarget | kPathFilestatSetSize | kPathFilestatSetTimes |
                                    kFdFilestatSetTimes | kPathSymlink | kPathRemoveDirectory | kPathUnlinkFile;
}  // namespace rights

enum class ClockId : std::uint32_t { realtime = 0, monotonic = 1, process_cputime = 2, thread_cputime = 3 };
enum class EventType : std::uint8_t { clock = 0, fd_read = 1, fd_write = 2 };

struct Iovec {
    GuestAddress buf = 0;
    std::uint32_t len = 0;
};

struct Fdstat {
    FileType filetype = FileType::unknown;
    std::uint8_t padding = 0;
    std::uint16_t flags = 0;
    std::uint32_t padding2 = 0;
    Rights rights_base = 0;
    Rights rights_inheriting = 0;
};

struct Filestat {
    std::uint64_t dev = 0;
    std::uint64_t ino = 0;
    FileType filetype = FileType::unknown;
    std::uint8_t padding[7] = {};
    std::uint64_t nlink = 0;
    std::uint64_t size = 0;
    std::uint64_t atim = 0;  ///< ns since 1970, as are the two others
    std::uint64_t mtim = 0;
    std::uint64_t ctim = 0;
};

struct FilestatPreview0 {
    std::uint64_t dev = 0;
    std::uint64_t ino = 0;
    FileType filetype = FileType::unknown;
    std::uint8_t padding[3] = {};
    std::uint32_t nlink = 0;
    std::uint64_t size = 0;
    std::uint64_t atim = 0;
    std::uint64_t mtim = 0;
    std::uint64_t ctim = 0;
};

struct Prestat {
    std::uint8_t tag = 0;  ///< 0: a directory
    std::uint8_t padding[3] = {};
    std::uint32_t name_length = 0;
};

struct Dirent {
    std::uint64_t next = 0;  ///< cookie of the entry after this one
    std::uint64_t ino = 0;
    std::uint32_t name_length = 0;
    FileType type = FileType::unknown;
    std::uint8_t padding[3] = {};
};

struct Event {
    std::uint64_t userdata = 0;
    Errno error = Errno::success;
    EventType type = EventType::clock;
    std::uint8_t padding[5] = {};
    std::uint64_t nbytes = 0;
    std::uint16_t flags = 0;
    std::uint8_t padding2[6] = {};
};

struct Subscription {
    struct Clock {
        std::uint32_t id = 0;
        std::uint32_t padding = 0;
        std::uint64_t timeout = 0;
        std::uint64_t precision = 0;
        std::uint16_t flags = 0;
        std::uint8_t padding2[6] = {};
    };
    std::uint64_t userdata = 0;
    EventType type = EventType::clock;
    std::uint8_t padding[7] = {};
    Clock clock;  ///< for fd_read and fd_write, `clock.id` is the descriptor
};

struct SubscriptionPreview0 {
    std::uint64_t userdata = 0;
    EventType type = EventType::clock;
    std::uint8_t padding[7] = {};
    std::uint64_t identifier = 0;  ///< of a clock: a second userdata, unused; of a descriptor: its number, in the low half
    Subscription::Clock clock;
};

static_assert(sizeof(Iovec) == 8 && sizeof(Prestat) == 8);
static_assert(sizeof(Fdstat) == 24 && offsetof(Fdstat, flags) == 2 && offsetof(Fdstat, rights_base) == 8);
static_assert(sizeof(Filestat) == 64 && offsetof(Filestat, filetype) == 16 && offsetof(Filestat, size) == 32 &&
              offsetof(Filestat, ctim) == 56);
static_assert(sizeof(FilestatPreview0) == 56 && offsetof(FilestatPreview0, nlink) == 20 && offsetof(FilestatPreview0, ctim) == 48);
static_assert(sizeof(Dirent) == 24 && offsetof(Dirent, type) == 20);
static_assert(sizeof(Event) == 32 && offsetof(Event, error) == 8 && offsetof(Event, type) == 10 && offsetof(Event, nbytes) == 16 &&
              offsetof(Event, flags) == 24);
static_assert(sizeof(Subscription) == 48 && offsetof(Subscription, type) == 8 && offsetof(Subscription, clock) == 16 &&
              offsetof(Subscription, clock.timeout) == 24 && offsetof(Subscription, clock.flags) == 40);
static_assert(sizeof(SubscriptionPreview0) == 56 && offsetof(SubscriptionPreview0, clock.timeout) == 32 &&
              offsetof(SubscriptionPreview0, clock.flags) == 48);

}  // namespace pollux::wasi
