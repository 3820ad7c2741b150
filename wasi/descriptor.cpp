#include "wasi/descriptor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "jit/base/syscall.h"
#include "wasi/reactor.h"
#include "wasi/transfer.h"

namespace pollux::wasi {
namespace {

/// What a write to a terminal may take directly after poll(2) reported room.
constexpr std::size_t kTerminalChunk = 64;

/// `/proc/self/fd/N`
struct ProcPath {
    std::array<char, 32> text{};
    explicit ProcPath(int fd) noexcept {
        constexpr std::string_view prefix = "/proc/self/fd/";
        prefix.copy(text.data(), prefix.size());
        std::to_chars(text.data() + prefix.size(), text.data() + text.size() - 1, fd);
    }
};

bool is_pty_master(int fd) noexcept {
    unsigned number = 0;
    return ::ioctl(fd, TIOCGPTN, &number) == 0;
}

Expected<std::size_t> transferred(ssize_t result) noexcept {
    if (result < 0) return host_error();
    return static_cast<std::size_t>(result);
}

Rights all_rights(Kind kind) noexcept {
    using namespace rights;
    switch (kind) {
        case Kind::directory:
            return kDirectoryOnly | kFdFdstatSetFlags | kFdSync | kFdDatasync | kFdAdvise | kFdFilestatGet | kFdFilestatSetTimes |
                   kPollFdReadwrite;
        case Kind::socket:
        case Kind::listener:
            return kFdRead | kFdWrite | kFdFdstatSetFlags | kFdFilestatGet | kPollFdReadwrite | kSockShutdown | kSockAccept;
        case Kind::regular: return kAll & ~kDirectoryOnly & ~(kSockShutdown | kSockAccept);
        case Kind::device:  return kAll & ~kDirectoryOnly & ~(kSockShutdown | kSockAccept);
        case Kind::pipe:
        case Kind::terminal:  // a character device without these two is what isatty() takes for a terminal
            return kAll & ~kDirectoryOnly & ~(kSockShutdown | kSockAccept | kFdSeek | kFdTell);
    }
    return 0;
}

/// /dev/null, /dev/zero, /dev/full, /dev/urandom
bool is_memory_device(const struct stat& info) noexcept {
    constexpr unsigned kMemoryMajor = 1;
    if (!S_ISCHR(info.st_mode) || major(info.st_rdev) != kMemoryMajor) return false;
    const unsigned number = minor(info.st_rdev);
    return number == 3 || number == 5 || number == 7 || number == 9;
}

}  // namespace

short poll_now(int fd, short events) noexcept {
    pollfd entry{fd, events, 0};
    return sys::call_again<sys::Call::poll>([&] { return ::poll(&entry, 1, 0); }) > 0 ? entry.revents : short{0};
}

Expected<std::shared_ptr<Descriptor>> Descriptor::adopt(int host_fd, Ownership ownership) {
    struct stat info{};
    const int host_flags = ::fcntl(host_fd, F_GETFL);
    if (host_flags < 0 || ::fstat(host_fd, &info) != 0) {
        const Errno error = errno_from_host(errno);
        if (ownership == Ownership::exclusive || ownership == Ownership::shared) static_cast<void>(::close(host_fd));
        return std::unexpected(error);
    }
    std::shared_ptr<Descriptor> descriptor(new Descriptor);
    descriptor->host_fd_ = host_fd;
    descriptor->ownership_ = ownership;
    descriptor->file_type_ = file_type_from_mode(info.st_mode);
    const int access = host_flags & O_ACCMODE;
    descriptor->readable_ = access == O_RDONLY || access == O_RDWR;
    descriptor->writable_ = access == O_WRONLY || access == O_RDWR;
    switch (info.st_mode & S_IFMT) {
        case S_IFREG:  descriptor->kind_ = Kind::regular; break;
        case S_IFDIR:  descriptor->kind_ = Kind::directory; break;
        case S_IFIFO:  descriptor->kind_ = Kind::pipe; break;
        case S_IFSOCK: {
            descriptor->kind_ = Kind::socket;
            int value = 0;
            socklen_t size = sizeof(value);
            if (::getsockopt(host_fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0 && value == SOCK_DGRAM) {
                descriptor->file_type_ = FileType::socket_dgram;
            }
            size = sizeof(value);
            if (::getsockopt(host_fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0) {
                descriptor->kind_ = Kind::listener;
                descriptor->exclusive_nonblocking_listener_ = ownership == Ownership::exclusive && (host_flags & O_NONBLOCK) != 0;
            }
            break;
        }
        default: descriptor->kind_ = ::isatty(host_fd) != 0 ? Kind::terminal : Kind::device; break;
    }
    descriptor->never_blocks_ = S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode) || is_memory_device(info);
    Rights base = all_rights(descriptor->kind());
    if (!descriptor->is_directory()) {
        if (!descriptor->readable_) base &= ~rights::kFdRead;
        if (!descriptor->writable_) base &= ~rights::kWriting;
    }
    descriptor->set_rights(base, descriptor->is_directory() ? rights::kAll : Rights{0});
    return descriptor;
}

Descriptor::~Descriptor() {
    if (parked_on_.load(std::memory_order_relaxed)) {
        Reactor::forget(host_fd_);
    }
    switch (ownership_) {
        case Ownership::exclusive:
        case Ownership::shared:    static_cast<void>(::close(host_fd_)); break;
        case Ownership::standard:  {
            const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
            if (null) static_cast<void>(::dup3(null.get(), host_fd_, 0));
            break;
        }
        case Ownership::borrowed: break;
    }
}

void Descriptor::set_read_only_tree() noexcept {
    read_only_tree_ = true;
    set_rights(rights_base() & ~rights::kMutating, rights_inheriting() & ~rights::kMutating);
}

void Descriptor::wake_waiters() const noexcept {
    if (!parked_on_.load(std::memory_order_relaxed)) return;
    Reactor::wake_descriptor(host_fd_);
}

// --- the ladder ------------------------------------------------------------------------------------------------------------------

void Descriptor::probe() {
    Rung rung = Rung::bounded;
    if (never_blocks_) {
        rung = Rung::direct;
    } else if (is_socket()) {
        rung = Rung::socket;
    } else if (ownership_ == Ownership::exclusive) {
        const int flags = ::fcntl(host_fd_, F_GETFL);
        if (flags >= 0 && ((flags & O_NONBLOCK) != 0 || ::fcntl(host_fd_, F_SETFL, flags | O_NONBLOCK) == 0)) rung = Rung::nonblocking;
    } else if ((kind() == Kind::pipe || kind() == Kind::terminal) && reopen_privately()) {
        rung = Rung::nonblocking;
    } else if (kind() == Kind::pipe && sys::available(sys::Call::preadv2) && sys::available(sys::Call::pwritev2)) {
        rung = Rung::nowait;
    }
    rung_.store(rung, std::memory_order_relaxed);
}

bool Descriptor::reopen_privately() noexcept {
    // Opening the master side of a pty again would make a new pty.
    if (!sys::available(sys::Call::reopen) || (kind() == Kind::terminal && is_pty_master(host_fd_))) return false;
    const int flags = ::fcntl(host_fd_, F_GETFL);
    if (flags < 0) return false;
    const ProcPath path(host_fd_);
    UniqueFd again(::open(path.text.data(), (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat before{};
    struct stat after{};
    if (!again || ::fstat(host_fd_, &before) != 0 || ::fstat(again.get(), &after) != 0) return false;
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino || before.st_rdev != after.st_rdev) return false;
    private_ = std::move(again);
    return true;
}

Expected<std::size_t> Descriptor::read(std::span<const iovec> buffers) {
    std::call_once(probed_, [this] { probe(); });
    const int fd = io_fd();
    switch (rung_.load(std::memory_order_relaxed)) {
        case Rung::socket: {
            msghdr message{};
            return transferred(transfer_message<sys::Call::recvmsg>(
                fd, buffers, message, [&] { return ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); }));
        }
        case Rung::nowait: {
            const ssize_t result = transfer<sys::Call::preadv2>(
                fd, buffers, [&](const iovec* list, int count) { return ::preadv2(fd, list, count, -1, RWF_NOWAIT); });
            if (result >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)) return transferred(result);
            rung_.store(Rung::bounded, std::memory_order_relaxed);
            return read_bounded(buffers);
        }
        case Rung::bounded: return read_bounded(buffers);
        default:            return read_plainly(buffers);
    }
}

Expected<std::size_t> Descriptor::read_bounded(std::span<const iovec> buffers) {
    const short ready = poll_now(io_fd(), POLLIN);
    if ((ready & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) == 0) return std::unexpected(Errno::again);
    int available = 0;
    std::size_t limit = SSIZE_MAX;
    if (::ioctl(io_fd(), FIONREAD, &available) == 0) limit = static_cast<std::size_t>(std::max(available, 1));
    return read_plainly(Clipped(buffers, limit).view());
}

Expected<std::size_t> Descriptor::read_plainly(std::span<const iovec> buffers) noexcept {
    const ssize_t result =
        transfer<sys::Call::read>(io_fd(), buffers, [this](const iovec* list, int count) { return ::readv(io_fd(), list, count); });
    // While the kernel hangs up a terminal it says EIO, and from then on end of file: one or the other by chance.
    if (result < 0 && errno == EIO && kind() == Kind::terminal) {
        if ((poll_now(io_fd(), POLLIN) & POLLHUP) != 0 && !is_pty_master(io_fd())) return 0;
        errno = EIO;
    }
    return transferred(result);
}

Expected<std::size_t> Descriptor::write(std::span<const iovec> buffers) {
    std::call_once(probed_, [this] { probe(); });
    const int fd = io_fd();
    switch (rung_.load(std::memory_order_relaxed)) {
        case Rung::socket: {
            msghdr message{};
            return transferred(transfer_message<sys::Call::sendmsg>(fd, buffers, message,
                                                                    [&] { return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); }));
        }
        case Rung::nowait: {
            const ssize_t result = transfer<sys::Call::pwritev2>(
                fd, buffers, [&](const iovec* list, int count) { return ::pwritev2(fd, list, count, -1, RWF_NOWAIT); });
            if (result >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)) return transferred(result);
            rung_.store(Rung::bounded, std::memory_order_relaxed);
            return write_bounded(buffers);
        }
        case Rung::bounded: return write_bounded(buffers);
        case Rung::direct:  return write_regular(buffers);
        default:            return write_plainly(buffers);
    }
}

Expected<std::size_t> Descriptor::write_bounded(std::span<const iovec> buffers) {
    const short ready = poll_now(io_fd(), POLLOUT);
    if ((ready & (POLLOUT | POLLHUP | POLLERR | POLLNVAL)) == 0) return std::unexpected(Errno::again);
    return write_plainly(Clipped(buffers, kind() == Kind::terminal ? kTerminalChunk : std::size_t{PIPE_BUF}).view());
}

Expected<std::size_t> Descriptor::write_plainly(std::span<const iovec> buffers) noexcept {
    return transferred(
        transfer<sys::Call::write>(io_fd(), buffers, [this](const iovec* list, int count) { return ::writev(io_fd(), list, count); }));
}

Expected<std::size_t> Descriptor::write_regular(std::span<const iovec> buffers) {
    const std::uint16_t guest_flags = flags();
    if ((guest_flags & ~fdflags::kNonblock) == 0) return write_plainly(buffers);
    Expected<std::size_t> written = std::unexpected(Errno::notsup);
    if ((guest_flags & fdflags::kAppend) == 0) {
        written = write_plainly(buffers);
    } else {
        if (sys::available(sys::Call::pwritev2)) {
            written = transferred(transfer<sys::Call::pwritev2>(
                io_fd(), buffers, [this](const iovec* list, int count) { return ::pwritev2(io_fd(), list, count, -1, RWF_APPEND); }));
        }
        if (!written && (written.error() == Errno::notsup || written.error() == Errno::nosys)) {
            // Two steps: another process may write between them. Our own description could take O_APPEND, a shared one must not.
            if (::lseek(io_fd(), 0, SEEK_END) < 0) return host_error();
            written = write_plainly(buffers);
        }
    }
    if (written) {
        if (const Errno error = sync_after_write(); error != Errno::success) return std::unexpected(error);
    }
    return written;
}

Errno Descriptor::sync_after_write() noexcept {
    const std::uint16_t guest_flags = flags();
    if ((guest_flags & (fdflags::kSync | fdflags::kDsync)) == 0) return Errno::success;
    const bool whole = (guest_flags & fdflags::kSync) != 0;
    const int result = sys::call_again<sys::Call::fsync>([&] { return whole ? ::fsync(io_fd()) : ::fdatasync(io_fd()); });
    return result == 0 || errno == EINVAL || errno == EROFS ? Errno::success : errno_from_host(errno);
}

Expected<std::size_t> Descriptor::read_at(std::span<const iovec> buffers, std::uint64_t offset) {
    if (!seekable()) return std::unexpected(is_directory() ? Errno::isdir : Errno::spipe);
    if (offset > INT64_MAX) return std::unexpected(Errno::inval);
    return transferred(transfer<sys::Call::read>(
        io_fd(), buffers, [&](const iovec* list, int count) { return ::preadv(io_fd(), list, count, static_cast<off_t>(offset)); }));
}

Expected<std::size_t> Descriptor::write_at(std::span<const iovec> buffers, std::uint64_t offset) {
    if (!seekable()) return std::unexpected(is_directory() ? Errno::isdir : Errno::spipe);
    if (offset > INT64_MAX) return std::unexpected(Errno::inval);
    auto written = transferred(transfer<sys::Call::write>(
        io_fd(), buffers, [&](const iovec* list, int count) { return ::pwritev(io_fd(), list, count, static_cast<off_t>(offset)); }));
    if (written) {
        if (const Errno error = sync_after_write(); error != Errno::success) return std::unexpected(error);
    }
    return written;
}

bool Descriptor::write_needs_thread() {
    std::call_once(probed_, [this] { probe(); });
    return kind() == Kind::terminal && rung_.load(std::memory_order_relaxed) == Rung::bounded;
}

// --- what poll_oneoff reports ----------------------------------------------------------------------------------------------------

std::uint64_t Descriptor::readable_bytes() const noexcept {
    if (kind() == Kind::listener) return 1;
    if (kind() == Kind::regular) {
        struct stat info{};
        const off_t position = ::lseek(fd(), 0, SEEK_CUR);
        if (position < 0 || ::fstat(fd(), &info) != 0 || info.st_size <= position) return 0;
        return static_cast<std::uint64_t>(info.st_size - position);
    }
    int available = 0;
    if (::ioctl(fd(), FIONREAD, &available) != 0 || available < 0) return 0;
    return static_cast<std::uint64_t>(available);
}

std::uint64_t Descriptor::writable_bytes() const noexcept {
    if (kind() != Kind::socket) return PIPE_BUF;
    int capacity = 0;
    socklen_t size = sizeof(capacity);
    int queued = 0;
    if (::getsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &capacity, &size) != 0) return 0;
    if (::ioctl(fd(), SIOCOUTQ, &queued) != 0) queued = 0;
    return capacity > queued ? static_cast<std::uint64_t>(capacity - queued) : 0;
}

}  // namespace pollux::wasi
