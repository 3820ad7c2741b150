// The path_* calls. Every path goes through path.h; none is given to the kernel as a whole.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "jit/base/syscall.h"
#include "wasi/calls.h"
#include "wasi/filestat.h"
#include "wasi/path.h"

namespace pollux::wasi {
namespace {

constexpr mode_t kFileMode = 0666;       // less the umask
constexpr mode_t kDirectoryMode = 0777;

/// Attributes of a path: needed by stat, set_times, link and readlink. O_PATH opens anything without permission on it and without effect.
constexpr int kLookup = O_PATH | O_CLOEXEC;

Expected<std::shared_ptr<Descriptor>> directory(const Call& call, Fd fd) {
    auto found = call.descriptor(fd);
    if (found && !(*found)->is_directory()) return std::unexpected(Errno::notdir);
    return found;
}

/// As directory(), for calls that change what is beneath: `perm` in a read-only tree, as wasmtime says it.
Expected<std::shared_ptr<Descriptor>> writable_directory(const Call& call, Fd fd) {
    auto found = directory(call, fd);
    if (found && (*found)->read_only_tree()) return std::unexpected(Errno::perm);
    return found;
}

/// Directory and path of a call that changes the last component.
struct Target {
    std::shared_ptr<Descriptor> directory;
    Parent parent;
};

Expected<Target> target(const Call& call, Fd fd, Bytes path, u32 length) {
    auto found = writable_directory(call, fd);
    if (!found) return std::unexpected(found.error());
    const auto text = guest_path(call.memory, path, length);
    if (!text) return std::unexpected(text.error());
    auto parent = open_parent((*found)->fd(), *text);
    if (!parent) return std::unexpected(parent.error());
    return Target{std::move(*found), std::move(*parent)};
}

Status from_result(int result) noexcept { return result == 0 ? Errno::success : errno_from_host(errno); }

std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

int follow_flag(u32 lookup) noexcept { return (lookup & lookupflags::kSymlinkFollow) != 0 ? 0 : O_NOFOLLOW; }

/// Whether the path may be a FIFO, whose opening waits for a peer. A hint: it may look where the guest must not, but nothing of it is told.
bool may_be_fifo(int root, const std::string& path) noexcept {
    struct stat info{};
    return ::fstatat(root, path.c_str(), &info, 0) == 0 && S_ISFIFO(info.st_mode);
}

/// Opens a FIFO and waits for its peer, on a blocking-call thread.
Outcome<UniqueFd> open_fifo(Call& call, int root, const std::string& path, int flags) {
    auto looked_up = open_beneath(root, path, kLookup | (flags & O_NOFOLLOW));
    if (!looked_up) return std::unexpected(Status(looked_up.error()));
    struct stat info{};
    if (::fstat(looked_up->get(), &info) != 0) return std::unexpected(Status(errno_from_host(errno)));
    if (!S_ISFIFO(info.st_mode)) return std::unexpected(Status(Errno::again));
    const int open_flags = (flags & O_ACCMODE) | O_CLOEXEC;
    auto result = call.reactor.call_blocking(
        [fd = std::make_shared<UniqueFd>(std::move(*looked_up)), open_flags]() -> Expected<UniqueFd> {
            UniqueFd opened(sys::call_again<sys::Call::open>([&] { return ::open(proc_path(fd->get()).c_str(), open_flags); }));
            if (!opened) return host_error();
            return opened;
        },
        call.interrupt, true);
    if (!result) return std::unexpected(status_of(result.error()));
    if (!*result) return std::unexpected(Status(result->error()));
    return std::move(**result);
}

/// What path_open asks for, in the host's terms.
struct OpenRequest {
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;  // O_NONBLOCK: opening a device must not wait
    bool write = false;
    bool create = false;
};

Expected<OpenRequest> open_request(u32 lookup, u32 open_flags, Rights base, u32 flags) noexcept {
    if ((open_flags & ~u32{oflags::kAll}) != 0 || (flags & ~u32{fdflags::kAll}) != 0) return std::unexpected(Errno::inval);
    OpenRequest request;
    request.flags |= follow_flag(lookup);
    const bool wants_directory = (open_flags & oflags::kDirectory) != 0;
    const bool read = (base & rights::kFdRead) != 0;
    request.write = (base & rights::kFdWrite) != 0;
    request.flags |= request.write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (wants_directory) {
        if ((open_flags & (oflags::kCreat | oflags::kExcl | oflags::kTrunc)) != 0) return std::unexpected(Errno::inval);
        request.flags |= O_DIRECTORY;
    }
    if ((open_flags & oflags::kCreat) != 0) request.flags |= O_CREAT;
    if ((open_flags & oflags::kExcl) != 0) request.flags |= O_EXCL;
    if ((open_flags & oflags::kTrunc) != 0) {
        request.flags |= O_TRUNC;
        request.write = true;
    }
    request.create = (open_flags & oflags::kCreat) != 0;
    return request;
}

}  // namespace

Status path_create_directory(Call& call, Fd fd, Bytes path, u32 length) {
    const auto at = target(call, fd, path, length);
    if (!at) return at.error();
    return from_result(::mkdirat(at->parent.fd, at->parent.name.c_str(), kDirectoryMode));
}

Status path_remove_directory(Call& call, Fd fd, Bytes path, u32 length) {
    const auto at = target(call, fd, path, length);
    if (!at) return at.error();
    return from_result(::unlinkat(at->parent.fd, at->parent.name.c_str(), AT_REMOVEDIR));
}

Status path_unlink_file(Call& call, Fd fd, Bytes path, u32 length) {
    const auto at = target(call, fd, path, length);
    if (!at) return at.error();
    return from_result(::unlinkat(at->parent.fd, at->parent.name.c_str(), 0));
}

Status path_rename(Call& call, Fd old_fd, Bytes old_path, u32 old_length, Fd new_fd, Bytes new_path, u32 new_length) {
    const auto from = target(call, old_fd, old_path, old_length);
    if (!from) return from.error();
    const auto to = target(call, new_fd, new_path, new_length);
    if (!to) return to.error();
    return from_result(::renameat(from->parent.fd, from->parent.name.c_str(), to->parent.fd, to->parent.name.c_str()));
}

Status path_link(Call& call, Fd old_fd, u32 lookup, Bytes old_path, u32 old_length, Fd new_fd, Bytes new_path, u32 new_length) {
    const auto from = writable_directory(call, old_fd);
    if (!from) return from.error();
    const auto text = guest_path(call.memory, old_path, old_length);
    if (!text) return text.error();
    const auto to = target(call, new_fd, new_path, new_length);
    if (!to) return to.error();
    const bool follow = (lookup & lookupflags::kSymlinkFollow) != 0;
    if (!follow && !text->ends_with('/')) {
        const auto source = open_parent((*from)->fd(), *text);
        if (!source) return source.error();
        return from_result(::linkat(source->fd, source->name.c_str(), to->parent.fd, to->parent.name.c_str(), 0));
    }
    const auto source = open_beneath((*from)->fd(), *text, kLookup);
    if (!source) return source.error();
    return from_result(::linkat(AT_FDCWD, proc_path(source->get()).c_str(), to->parent.fd, to->parent.name.c_str(), AT_SYMLINK_FOLLOW));
}

Status path_symlink(Call& call, Bytes target_path, u32 target_length, Fd fd, Bytes path, u32 length) {
    // An absolute target would lead host programs, and other sandboxes, anywhere: guest_path() refuses it.
    const auto text = guest_path(call.memory, target_path, target_length);
    if (!text) return text.error();
    const auto at = target(call, fd, path, length);
    if (!at) return at.error();
    return from_result(::symlinkat(text->c_str(), at->parent.fd, at->parent.name.c_str()));
}

Status path_readlink(Call& call, Fd fd, Bytes path, u32 length, Bytes buffer, u32 buffer_length, OutU32 used) {
    const auto found = directory(call, fd);
    if (!found) return found.error();
    const auto text = guest_path(call.memory, path, length);
    if (!text) return text.error();
    const auto bytes = call.memory.bytes(buffer.address, buffer_length);
    if (!bytes) return bytes.error();
    if (!call.memory.has(used)) return Errno::fault;
    const auto link = open_beneath((*found)->fd(), *text, kLookup | O_NOFOLLOW);
    if (!link) return link.error();
    struct stat info{};
    if (::fstat(link->get(), &info) != 0) return errno_from_host(errno);
    if (!S_ISLNK(info.st_mode)) return Errno::inval;
    if (bytes->empty()) return call.memory.write(used, 0);
    const ssize_t count = ::readlinkat(link->get(), "", reinterpret_cast<char*>(bytes->data()), bytes->size());
    if (count < 0) return errno_from_host(errno);
    return call.memory.write(used, static_cast<u32>(count));
}

Status path_filestat_get(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, Bytes stat) {
    const auto found = directory(call, fd);
    if (!found) return found.error();
    const auto text = guest_path(call.memory, path, length);
    if (!text) return text.error();
    struct stat info{};
    // One call does for what is neither followed nor walked through.
    if (is_single_component(*text)) {
        if (::fstatat((*found)->fd(), text->c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno_from_host(errno);
        if (!S_ISLNK(info.st_mode) || follow_flag(lookup) != 0) return write_filestat(call, stat, info, file_type_from_mode(info.st_mode));
    }
    const auto opened = open_beneath((*found)->fd(), *text, kLookup | follow_flag(lookup));
    if (!opened) return opened.error();
    if (::fstat(opened->get(), &info) != 0) return errno_from_host(errno);
    return write_filestat(call, stat, info, file_type_from_mode(info.st_mode));
}

Status path_filestat_set_times(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, u64 atim, u64 mtim, u32 flags) {
    const auto found = writable_directory(call, fd);
    if (!found) return found.error();
    const auto text = guest_path(call.memory, path, length);
    if (!text) return text.error();
    const auto times = times_to_set(atim, mtim, flags);
    if (!times) return times.error();
    const auto opened = open_beneath((*found)->fd(), *text, kLookup | follow_flag(lookup));
    if (!opened) return opened.error();
    if (::utimensat(opened->get(), "", times->data(), AT_EMPTY_PATH) == 0) return Errno::success;
    if (errno != EINVAL && errno != ENOENT) return errno_from_host(errno);  // EINVAL: before Linux 5.8
    return from_result(::utimensat(AT_FDCWD, proc_path(opened->get()).c_str(), times->data(), 0));
}

Status path_open(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, u32 open_flags, Rights base, Rights inheriting, u32 flags,
                 OutU32 opened_fd) {
    const auto found = directory(call, fd);
    if (!found) return found.error();
    if (!call.memory.has(opened_fd)) return Errno::fault;
    const auto text = guest_path(call.memory, path, length);
    if (!text) return text.error();
    auto request = open_request(lookup, open_flags, base, flags);
    if (!request) return request.error();
    const int root = (*found)->fd();
    const bool read_only = (*found)->read_only_tree();
    if (read_only && request->write) return Errno::perm;
    // Every directory has the right until the guest gives it up (fd_fdstat_set_rights).
    const bool may_truncate = ((*found)->rights_base() & rights::kPathFilestatSetSize) != 0;
    if ((request->flags & O_TRUNC) != 0 && !may_truncate) return Errno::notcapable;
    const bool may_not_create = read_only && request->create;
    if (may_not_create && (request->flags & O_EXCL) == 0) request->flags &= ~O_CREAT;
    if (may_not_create && (request->flags & O_EXCL) != 0) {
        const auto existing = open_beneath(root, *text, kLookup | O_NOFOLLOW);
        return existing ? Errno::exist : existing.error() == Errno::noent ? Errno::perm : existing.error();
    }

    Outcome<UniqueFd> opened = std::unexpected(Status(Errno::again));
    const bool nonblocking = (flags & fdflags::kNonblock) != 0;
    const int special = O_CREAT | O_DIRECTORY | O_TRUNC;
    if (!nonblocking && (request->flags & special) == 0 && may_be_fifo(root, *text)) {
        opened = open_fifo(call, root, *text, request->flags);
        if (!opened && opened.error() != Status(Errno::again)) return opened.error();
    }
    if (!opened) {
        auto plain = open_beneath(root, *text, request->flags, kFileMode);
        if (!plain) return may_not_create && plain.error() == Errno::noent ? Errno::perm : plain.error();
        opened = std::move(*plain);
    }

    auto descriptor = Descriptor::adopt(opened->release(), Ownership::exclusive);
    if (!descriptor) return descriptor.error();
    (*descriptor)->set_flags(static_cast<u16>(flags));
    if (read_only) {
        (*descriptor)->set_read_only_tree();
    }
    // Rights are not enforced beyond reading and writing; what was not asked for there is not given. Directories get all: programs open
    // them without naming any.
    if (!(*descriptor)->is_directory()) {
        (*descriptor)->set_rights((*descriptor)->rights_base() & (base | ~(rights::kFdRead | rights::kFdWrite)), inheriting & rights::kAll);
    }
    const auto number = call.context.descriptors().insert(std::move(*descriptor));
    if (!number) return number.error();
    return call.memory.write(opened_fd, *number);
}

}  // namespace pollux::wasi
