// fd_read, fd_write, fd_pread, fd_pwrite, and what sockets share with them: try without blocking, park, try again.
#include "wasi/io.h"

#include <algorithm>

#include "jit/base/syscall.h"
#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

/// A blocking write to a terminal that cannot be made non-blocking: bytes handed to a thread at a time.
constexpr std::size_t kThreadWrite = 16 * 1024;

Status write_on_thread(Call& call, const std::shared_ptr<Descriptor>& descriptor, std::span<const iovec> buffers, std::size_t& written) {
    std::vector<std::uint8_t> copy;
    for (const iovec& buffer : buffers) {
        const auto* bytes = static_cast<const std::uint8_t*>(buffer.iov_base);
        copy.insert(copy.end(), bytes, bytes + std::min(buffer.iov_len, kThreadWrite - copy.size()));
    }
    auto result = call.reactor.call_blocking(
        [descriptor, copy = std::move(copy)]() -> Expected<std::size_t> {
            const std::size_t bytes = std::min(copy.size(), sys::transfer_limit(sys::Call::write, descriptor->fd()));
            const ssize_t count = sys::call_again<sys::Call::write>([&] { return ::write(descriptor->fd(), copy.data(), bytes); });
            if (count < 0) return host_error();
            return static_cast<std::size_t>(count);
        },
        call.interrupt, true);
    if (!result) return status_of(result.error());
    if (!*result) return result->error();
    written = **result;
    return Errno::success;
}

/// A pipe or socket without reader.
Status broken_pipe(const Call& call) {
    if (!call.context.config().exit_on_broken_pipe) return Errno::pipe;
    call.context.set_exit(kBrokenPipeStatus);
    return Status::end(TrapCode::host_exit);
}

}  // namespace

Expected<HostBuffers> HostBuffers::from_guest(const GuestMemory& memory, GuestPtr<Iovec> iovs, u32 count) {
    HostBuffers buffers;
    if (!memory.has(iovs, count)) return std::unexpected(Errno::fault);
    for (u32 i = 0; i < count && buffers.size_ < kMaxBuffers; ++i) {
        const auto entry = memory.read(iovs.at(i));
        if (!entry) return std::unexpected(entry.error());
        const auto bytes = memory.bytes(entry->buf, entry->len);
        if (!bytes) return std::unexpected(bytes.error());
        if (!bytes->empty()) buffers.push({bytes->data(), bytes->size()});
    }
    return buffers;
}

void HostBuffers::push(iovec buffer) {
    if (size_ < few_.size()) {
        few_[size_++] = buffer;
        return;
    }
    if (many_.empty()) many_.assign(few_.begin(), few_.end());
    many_.push_back(buffer);
    ++size_;
}

void HostBuffers::consume(std::size_t bytes) noexcept {
    auto* const all = many_.empty() ? few_.data() : many_.data();
    while (bytes > 0 && first_ < size_) {
        iovec& buffer = all[first_];
        const std::size_t taken = std::min(bytes, buffer.iov_len);
        buffer.iov_base = static_cast<std::uint8_t*>(buffer.iov_base) + taken;
        buffer.iov_len -= taken;
        bytes -= taken;
        if (buffer.iov_len == 0) ++first_;
    }
}

Status fd_read(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, OutU32 nread) {
    auto found = call.descriptor(fd);
    if (!found) return found.error();
    const auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nread)) return Errno::fault;
    while (true) {
        Descriptor& descriptor = **found;
        if (descriptor.is_directory()) return Errno::isdir;
        if (!descriptor.readable()) return Errno::badf;
        if (buffers->empty()) return call.memory.write(nread, 0);
        const auto read = descriptor.read(buffers->view());
        if (read) return call.memory.write(nread, static_cast<u32>(*read));
        if (read.error() != Errno::again || descriptor.nonblocking()) return read.error();
        if (const Status status = park_on(call, descriptor, EPOLLIN | EPOLLRDHUP); !status.ok()) return status;
        found = call.descriptor(fd);  // closed or replaced meanwhile?
        if (!found) return found.error();
    }
}

Status fd_write(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, OutU32 nwritten) {
    auto found = call.descriptor(fd);
    if (!found) return found.error();
    auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nwritten)) return Errno::fault;
    std::size_t total = 0;
    while (true) {
        Descriptor& descriptor = **found;
        if (descriptor.is_directory() || !descriptor.writable()) return Errno::badf;
        if (buffers->empty()) return call.memory.write(nwritten, static_cast<u32>(total));

        Expected<std::size_t> written = std::size_t{0};
        if (!descriptor.nonblocking() && descriptor.write_needs_thread()) {
            std::size_t bytes = 0;
            if (const Status status = write_on_thread(call, *found, buffers->view(), bytes); status.trap() != TrapCode::none) {
                return status;
            } else if (!status.ok()) {
                written = std::unexpected(status.error());
            } else {
                written = bytes;
            }
        } else {
            written = descriptor.write(buffers->view());
        }
        if (written) {
            total += *written;
            buffers->consume(*written);
            // What follows a short write tells why it was short: a full disk, a full pipe.
            const bool to_the_end = !descriptor.nonblocking() || descriptor.kind() == Kind::regular;
            if (*written == 0 || !to_the_end || total >= kMaxTransfer) {
                return call.memory.write(nwritten, static_cast<u32>(total));
            }
            continue;
        }
        if (written.error() != Errno::again || descriptor.nonblocking()) {
            if (total > 0) return call.memory.write(nwritten, static_cast<u32>(total));
            if (written.error() == Errno::pipe) return broken_pipe(call);
            return written.error();
        }
        if (const Status status = park_on(call, descriptor, EPOLLOUT); !status.ok()) return status;
        found = call.descriptor(fd);
        if (!found) {
            if (total > 0) return call.memory.write(nwritten, static_cast<u32>(total));
            return found.error();
        }
    }
}

Status fd_pread(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u64 offset, OutU32 nread) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    const auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nread)) return Errno::fault;
    if ((*found)->is_directory() || !(*found)->readable()) return Errno::badf;
    const auto read = (*found)->read_at(buffers->view(), offset);
    if (!read) return read.error();
    return call.memory.write(nread, static_cast<u32>(*read));
}

Status fd_pwrite(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u64 offset, OutU32 nwritten) {
    const auto found = call.descriptor(fd);
    if (!found) return found.error();
    auto buffers = HostBuffers::from_guest(call.memory, iovs, count);
    if (!buffers) return buffers.error();
    if (!call.memory.has(nwritten)) return Errno::fault;
    if ((*found)->is_directory() || !(*found)->writable()) return Errno::badf;
    std::size_t total = 0;
    do {
        const auto written = (*found)->write_at(buffers->view(), offset + total);
        if (!written && total == 0) return written.error();
        if (!written || *written == 0) break;
        total += *written;
        buffers->consume(*written);
    } while (!buffers->empty() && total < kMaxTransfer);
    return call.memory.write(nwritten, static_cast<u32>(total));
}

}  // namespace pollux::wasi
