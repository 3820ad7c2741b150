// A guest's open descriptor: the host descriptor behind it, what kind it is, and the guest's own flags.
//
// Guest flags never touch an open file description that somebody else may share. So that reads and writes never block, each descriptor
// climbs down this ladder, probed at its first use:
//
//   socket        MSG_DONTWAIT
//   nonblocking   our own description has O_NONBLOCK: one that we opened, or a private reopen through /proc/self/fd (pipe, FIFO, terminal)
//   nowait        preadv2 and pwritev2 with RWF_NOWAIT (anonymous pipes, Linux 6.4 and later)
//   bounded       poll(2), then read at most FIONREAD bytes or write at most PIPE_BUF
//   direct        regular files, directories, /dev/null and the like: they never block in the sense of POSIX
//
// POLLUX_DISABLE=reopen,preadv2,pwritev2 leaves rungs out.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "jit/base/unique_fd.h"
#include "wasi/status.h"

namespace pollux::wasi {

/// What poll(2) says at once of one host descriptor.
[[nodiscard]] short poll_now(int fd, short events) noexcept;

enum class Kind : std::uint8_t { regular, directory, pipe, terminal, socket, listener, device };

/// Who closes a host descriptor, and whether its open file description is ours alone.
enum class Ownership : std::uint8_t {
    exclusive,  ///< opened by us: flags of the description may be set
    shared,     ///< ours to close, but others may hold the description
    borrowed,   ///< never closed by us
    standard,   ///< 0 or 1 of the process: closing puts /dev/null in its place, so that no later descriptor is taken for it
};

class Descriptor {
public:
    /// Looks at the host descriptor and takes it over as `ownership` says.
    [[nodiscard]] static Expected<std::shared_ptr<Descriptor>> adopt(int host_fd, Ownership ownership);
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    /// The host descriptor, for everything but data transfer: for waiting too, since a pipe's end of file shows on descriptions only that
    /// are older than the writer's leaving.
    [[nodiscard]] int fd() const noexcept { return host_fd_; }
    [[nodiscard]] Kind kind() const noexcept { return kind_.load(std::memory_order_relaxed); }
    [[nodiscard]] FileType file_type() const noexcept { return file_type_; }
    [[nodiscard]] bool is_directory() const noexcept { return kind() == Kind::directory; }
    [[nodiscard]] bool is_socket() const noexcept { return kind() == Kind::socket || kind() == Kind::listener; }
    /// Whether the host may be asked to move the position; of a device, it says itself.
    [[nodiscard]] bool seekable() const noexcept { return kind() == Kind::regular || kind() == Kind::device; }
    /// Access mode of the host descriptor, less what the guest gave up.
    [[nodiscard]] bool readable() const noexcept { return readable_ && (rights_base() & rights::kFdRead) != 0; }
    [[nodiscard]] bool writable() const noexcept { return writable_ && (rights_base() & rights::kFdWrite) != 0; }

    /// The guest's fdflags.
    [[nodiscard]] std::uint16_t flags() const noexcept { return flags_.load(std::memory_order_relaxed); }
    void set_flags(std::uint16_t flags) noexcept { flags_.store(flags, std::memory_order_relaxed); }
    [[nodiscard]] bool nonblocking() const noexcept { return (flags() & fdflags::kNonblock) != 0; }

    [[nodiscard]] Rights rights_base() const noexcept { return rights_base_.load(std::memory_order_relaxed); }
    [[nodiscard]] Rights rights_inheriting() const noexcept { return rights_inheriting_.load(std::memory_order_relaxed); }
    void set_rights(Rights base, Rights inheriting) noexcept {
        rights_base_.store(base, std::memory_order_relaxed);
        rights_inheriting_.store(inheriting, std::memory_order_relaxed);
    }

    /// Name in the guest of a preopened directory.
    [[nodiscard]] const std::optional<std::string>& preopen() const noexcept { return preopen_; }
    void set_preopen(std::string name) { preopen_ = std::move(name); }
    /// Nothing beneath this directory may be changed.
    [[nodiscard]] bool read_only_tree() const noexcept { return read_only_tree_; }
    void set_read_only_tree() noexcept;

    /// Reads or writes without ever blocking the thread; `again` when that is not possible now. Regular files use and move the host's
    /// file position, and the guest's append and sync flags apply.
    [[nodiscard]] Expected<std::size_t> read(std::span<const iovec> buffers);
    [[nodiscard]] Expected<std::size_t> write(std::span<const iovec> buffers);
    /// At a file offset; `spipe` where there is none.
    [[nodiscard]] Expected<std::size_t> read_at(std::span<const iovec> buffers, std::uint64_t offset);
    [[nodiscard]] Expected<std::size_t> write_at(std::span<const iovec> buffers, std::uint64_t offset);

    /// Bytes that a read would return now (FIONREAD), or what is left of a regular file.
    [[nodiscard]] std::uint64_t readable_bytes() const noexcept;
    /// Bytes that can be written at once, as far as the system tells.
    [[nodiscard]] std::uint64_t writable_bytes() const noexcept;
    /// A terminal's write would block the thread although poll(2) said it is writable: it must go to a blocking-call thread.
    [[nodiscard]] bool write_needs_thread();
    /// accept() on this listener can block when another process takes the connection first.
    [[nodiscard]] bool accept_needs_thread() const noexcept { return !exclusive_nonblocking_listener_.load(std::memory_order_relaxed); }
    /// The guest's own socket, made with SOCK_NONBLOCK, listens from now on.
    void note_listening() noexcept {
        exclusive_nonblocking_listener_.store(true, std::memory_order_relaxed);
        kind_.store(Kind::listener, std::memory_order_relaxed);
    }

    /// SO_RCVTIMEO and SO_SNDTIMEO of a socket in ns; kNoTimeout: none. The host's socket never blocks, so they are kept here.
    static constexpr std::uint64_t kNoTimeout = 0;
    std::atomic<std::uint64_t> receive_timeout{kNoTimeout};
    std::atomic<std::uint64_t> send_timeout{kNoTimeout};

    /// To be called before parking on fd(): it leaves epoll when the descriptor is closed.
    void note_parked() noexcept { parked_on_.store(true, std::memory_order_relaxed); }
    /// The guest closed or replaced its number: whoever is parked on it looks again.
    void wake_waiters() const noexcept;

private:
    enum class Rung : std::uint8_t { unknown, direct, socket, nonblocking, nowait, bounded };

    Descriptor() = default;
    /// What data is transferred with, once probed: the private reopen, where there is one.
    [[nodiscard]] int io_fd() const noexcept { return private_ ? private_.get() : host_fd_; }
    void probe();
    [[nodiscard]] bool reopen_privately() noexcept;
    [[nodiscard]] Expected<std::size_t> read_plainly(std::span<const iovec> buffers) noexcept;
    [[nodiscard]] Expected<std::size_t> write_plainly(std::span<const iovec> buffers) noexcept;
    [[nodiscard]] Expected<std::size_t> read_bounded(std::span<const iovec> buffers);
    [[nodiscard]] Expected<std::size_t> write_bounded(std::span<const iovec> buffers);
    [[nodiscard]] Expected<std::size_t> write_regular(std::span<const iovec> buffers);
    [[nodiscard]] Errno sync_after_write() noexcept;

    int host_fd_ = -1;
    Ownership ownership_ = Ownership::borrowed;
    UniqueFd private_;
    std::atomic<Kind> kind_{Kind::regular};
    FileType file_type_ = FileType::unknown;
    bool readable_ = false;
    bool writable_ = false;
    bool read_only_tree_ = false;
    bool never_blocks_ = false;  ///< regular files, directories, block devices, memory devices
    std::atomic<bool> exclusive_nonblocking_listener_{false};
    std::once_flag probed_;
    std::atomic<Rung> rung_{Rung::unknown};
    std::atomic<bool> parked_on_{false};
    std::atomic<std::uint16_t> flags_{0};
    std::atomic<Rights> rights_base_{0};
    std::atomic<Rights> rights_inheriting_{0};
    std::optional<std::string> preopen_;
};

}  // namespace pollux::wasi
