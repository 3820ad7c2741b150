// The fd_* calls that neither transfer data nor list directories.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "jit/base/syscall.h"
#include "wasi/calls.h"
#include "wasi/filestat.h"

namespace pollux::wasi {
namespace {

constexpr u64 kMaxOffset = std::numeric_limits<i64>::max();

Status from_result(int result) noexcept { return result == 0 ? Errno::success : errno_from_host(errno); }

/// What may be asked of a regular file only.
Expected<std::shared_ptr<Descriptor>> writable_file(const Call& call, Fd fd) {
    auto found = call.descriptor(fd);
    if (found && (*found)->is_directory()) return std::unexpected(Errno::badf);
    if (found && !(*found)->writable()) return std::unexpected((*found)->read_only_tree() ? Errno::perm : Errno::badf);
    return found;
}

/// fsync and fdatasync can take long: where other tasks exist they run on a blocking-call thread.
Status synchronize(Call& call, Fd fd, bool whole) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    const auto result = call.reactor.call_blocking(
        [descriptor = *found, whole]() -> Errno {
            const int host_fd = descriptor->fd();
            const int failed = sys::call_again<sys::Call::fsync>([&] { return whole ? ::fsync(host_fd) : ::fdatasync(host_fd); });
            return failed == 0 ? Errno::success : errno_from_host(errno);
        },
        call.interrupt);
    if (!result) return status_of(result.error());
    return *result;
}

}  // namespace

Status write_filestat(const Call& call, Bytes address, const struct stat& info, FileType type) {
    const auto time = [](const timespec& at) { return static_cast<u64>(at.tv_sec) * 1'000'000'000 + static_cast<u64>(at.tv_nsec); };
    if (call.abi == AbiVersion::preview0) {
        FilestatPreview0 stat;
        stat.dev = info.st_dev;
        stat.ino = info.st_ino;
        stat.filetype = type;
        stat.nlink = static_cast<u32>(std::min<u64>(info.st_nlink, std::numeric_limits<u32>::max()));
        stat.size = static_cast<u64>(info.st_size);
        stat.atim = time(info.st_atim);
        stat.mtim = time(info.st_mtim);
        stat.ctim = time(info.st_ctim);
        return call.memory.write(GuestPtr<FilestatPreview0>{address.address}, stat);
    }
    Filestat stat;
    stat.dev = info.st_dev;
    stat.ino = info.st_ino;
    stat.filetype = type;
    stat.nlink = info.st_nlink;
    stat.size = static_cast<u64>(info.st_size);
    stat.atim = time(info.st_atim);
    stat.mtim = time(info.st_mtim);
    stat.ctim = time(info.st_ctim);
    return call.memory.write(GuestPtr<Filestat>{address.address}, stat);
}

Expected<std::array<timespec, 2>> times_to_set(u64 atim, u64 mtim, u32 flags) noexcept {
    using namespace fstflags;
    if ((flags & ~u32{kAll}) != 0) return std::unexpected(Errno::inval);
    const auto time = [flags](u64 ns, u32 set, u32 now) {
        timespec at{};
        at.tv_nsec = UTIME_OMIT;
        if ((flags & now) != 0) at.tv_nsec = UTIME_NOW;
        if ((flags & set) != 0) {
            at.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
            at.tv_nsec = static_cast<long>(ns % 1'000'000'000);
        }
        return at;
    };
    if ((flags & (kAtim | kAtimNow)) == (kAtim | kAtimNow) || (flags & (kMtim | kMtimNow)) == (kMtim | kMtimNow)) {
        return std::unexpected(Errno::inval);
    }
    return std::array{time(atim, kAtim, kAtimNow), time(mtim, kMtim, kMtimNow)};
}

Status fd_advise(Call& call, Fd fd, u64 offset, u64 length, u32 advice) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    constexpr int kAdvice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                               POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    if (advice >= std::size(kAdvice) || offset > kMaxOffset || length > kMaxOffset) return Errno::inval;
    if ((*found)->is_directory()) return Errno::badf;
    // Returns the errno itself. ESPIPE: there is nothing to advise on a pipe.
    const int error = ::posix_fadvise((*found)->fd(), static_cast<off_t>(offset), static_cast<off_t>(length), kAdvice[advice]);
    return errno_from_host(error);
}

Status fd_allocate(Call& call, Fd fd, u64 offset, u64 length) {
    const auto found = writable_file(call, fd);
    if (!found) return found.error();
    if (length == 0 || offset > kMaxOffset || length > kMaxOffset) return Errno::inval;
    if (length > kMaxOffset - offset) return Errno::fbig;
    return from_result(sys::call_again<sys::Call::fallocate>(
        [&] { return ::fallocate((*found)->fd(), 0, static_cast<off_t>(offset), static_cast<off_t>(length)); }));
}

Status fd_close(Call& call, Fd fd) { return call.context.descriptors().close(fd); }

Status fd_datasync(Call& call, Fd fd) { return synchronize(call, fd, false); }

Status fd_sync(Call& call, Fd fd) { return synchronize(call, fd, true); }

Status fd_fdstat_get(Call& call, Fd fd, GuestPtr<Fdstat> address) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    Fdstat stat;
    stat.filetype = (*found)->file_type();
    stat.flags = (*found)->flags();
    stat.rights_base = (*found)->rights_base();
    stat.rights_inheriting = (*found)->rights_inheriting();
    return call.memory.write(address, stat);
}

Status fd_fdstat_set_flags(Call& call, Fd fd, u32 flags) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    if ((flags & ~u32{fdflags::kAll}) != 0) return Errno::inval;
    (*found)->set_flags(static_cast<u16>(flags));
    return Errno::success;
}

Status fd_fdstat_set_rights(Call& call, Fd fd, Rights base, Rights inheriting) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    if ((base & ~(*found)->rights_base()) != 0 || (inheriting & ~(*found)->rights_inheriting()) != 0) return Errno::notcapable;
    (*found)->set_rights(base, inheriting);
    return Errno::success;
}

Status fd_filestat_get(Call& call, Fd fd, Bytes stat) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    struct stat info{};
    if (::fstat((*found)->fd(), &info) != 0) return errno_from_host(errno);
    return write_filestat(call, stat, info, (*found)->file_type());
}

Status fd_filestat_set_size(Call& call, Fd fd, u64 size) {
    const auto found = writable_file(call, fd);
    if (!found) return found.error();
    if (size > kMaxOffset) return Errno::inval;
    return from_result(sys::call_again<sys::Call::ftruncate>([&] { return ::ftruncate((*found)->fd(), static_cast<off_t>(size)); }));
}

Status fd_filestat_set_times(Call& call, Fd fd, u64 atim, u64 mtim, u32 flags) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    const auto times = times_to_set(atim, mtim, flags);
    if (!times) return times.error();
    if ((*found)->read_only_tree()) return Errno::perm;
    return from_result(::futimens((*found)->fd(), times->data()));
}

Status fd_prestat_get(Call& call, Fd fd, GuestPtr<Prestat> address) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    if (!(*found)->preopen()) return Errno::badf;
    Prestat prestat;
    prestat.name_length = static_cast<u32>((*found)->preopen()->size());
    return call.memory.write(address, prestat);
}

Status fd_prestat_dir_name(Call& call, Fd fd, Bytes path, u32 length) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    const auto& name = (*found)->preopen();
    if (!name) return Errno::badf;
    if (length < name->size()) return Errno::nametoolong;
    return call.memory.write_bytes(path.address, {reinterpret_cast<const std::uint8_t*>(name->data()), name->size()});
}

Status fd_renumber(Call& call, Fd from, Fd to) { return call.context.descriptors().renumber(from, to); }

Status fd_seek(Call& call, Fd fd, i64 offset, u32 whence, OutU64 position) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    // Preview 0 counted from CUR.
    constexpr int kPreview1[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    constexpr int kPreview0[] = {SEEK_CUR, SEEK_END, SEEK_SET};
    if (whence >= std::size(kPreview1)) return Errno::inval;
    if ((*found)->is_directory()) return Errno::badf;
    if (!(*found)->seekable()) return Errno::spipe;
    if (!call.memory.has(position)) return Errno::fault;
    const int host_whence = call.abi == AbiVersion::preview0 ? kPreview0[whence] : kPreview1[whence];
    const off_t result = ::lseek((*found)->fd(), offset, host_whence);
    if (result < 0) return errno_from_host(errno);
    return call.memory.write(position, static_cast<u64>(result));
}

Status fd_tell(Call& call, Fd fd, OutU64 position) {
    const u32 current = call.abi == AbiVersion::preview0 ? 0 : 1;
    return fd_seek(call, fd, 0, current, position);
}

}  // namespace pollux::wasi
