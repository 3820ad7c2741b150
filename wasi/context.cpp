#include "wasi/context.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "jit/base/syscall.h"
#include "wasi/socket_address.h"

namespace pollux::wasi {
namespace {

constexpr int kStandardStreams = 3;
constexpr Fd kFirstPreopen = 3;
constexpr int kFirstInheritedListener = 3;  // SD_LISTEN_FDS_START

/// Bit n: the process was started with descriptor n closed.
unsigned closed_at_start = 0;

void ignore_broken_pipe_signal() noexcept {
    struct sigaction action{};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        static_cast<void>(::sigaction(SIGPIPE, &action, nullptr));
    }
}

std::unexpected<Error> io_error(const std::string& what) { return fail(ErrorKind::io, what + ": " + sys::error_text(errno)); }

Result<UniqueFd> open_socket(const PreopenSocket& socket) {
    const bool listens = socket.mode == PreopenSocket::Mode::listen;
    const auto address = resolve_socket_address(socket.address, listens);
    if (!address) return std::unexpected(address.error());
    const std::string what = (listens ? "cannot listen on '" : "cannot connect to '") + socket.address + "'";
    UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return io_error(what);
    if (listens) {
        const int on = 1;
        static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
        if (::bind(fd.get(), address->get(), address->length) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) return io_error(what);
    } else if (::connect(fd.get(), address->get(), address->length) != 0) {
        return io_error(what);
    }
    if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return io_error(what);
    return fd;
}

int open_host(const char* path, int flags) noexcept {
    return sys::call_again<sys::Call::open>([&] { return ::open(path, flags | O_CLOEXEC, 0666); });
}

/// Listeners by systemd's protocol: how many, or 0.
int inherited_listeners() noexcept {
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    if (count == nullptr || (pid != nullptr && std::atol(pid) != ::getpid())) return 0;
    return std::max(0, std::atoi(count));
}

}  // namespace

void reserve_standard_streams() noexcept {
    static std::once_flag once;
    std::call_once(once, [] {
        for (int fd = 0; fd < kStandardStreams; ++fd) {
            if (::fcntl(fd, F_GETFD) >= 0) continue;
            closed_at_start |= 1u << fd;
            // The lowest free number is taken, which is this one.
            static_cast<void>(::open("/dev/null", O_RDWR));
        }
    });
}

Result<std::unique_ptr<WasiContext>> WasiContext::create(Config config) {
    reserve_standard_streams();
    ignore_broken_pipe_signal();
    auto policy = NetPolicy::parse(config.allow_net, config.allow_dns);
    if (!policy) return std::unexpected(policy.error());
    std::unique_ptr<WasiContext> context(new WasiContext(std::move(config)));
    context->net_policy_ = std::move(*policy);
    if (auto opened = context->open_streams(); !opened) return std::unexpected(opened.error());
    if (auto opened = context->open_directories(); !opened) return std::unexpected(opened.error());
    if (auto opened = context->open_sockets(); !opened) return std::unexpected(opened.error());
    return context;
}

Result<> WasiContext::open_streams() {
    static constexpr const char* kNames[] = {"stdin", "stdout", "stderr"};
    for (int i = 0; i < kStandardStreams; ++i) {
        const Stream& stream = config_.streams[static_cast<std::size_t>(i)];
        int fd = -1;
        Ownership ownership = Ownership::exclusive;
        switch (stream.source) {
            case Stream::Source::closed: continue;
            case Stream::Source::inherit:
                if ((closed_at_start >> i & 1) != 0) continue;
                fd = i;
            // Standard error stays: it is where a trap is reported after the guest has ended.
                ownership = config_.close_standard_streams && i != 2 ? Ownership::standard : Ownership::borrowed;
                break;
            case Stream::Source::fd:
                fd = stream.fd;
                ownership = Ownership::borrowed;
                break;
            case Stream::Source::null: fd = open_host("/dev/null", O_RDWR); break;
            case Stream::Source::file: fd = open_host(stream.path.c_str(), i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC); break;
        }
        const std::string what = std::string("cannot open the guest's ") + kNames[i] +
                                 (stream.source == Stream::Source::file ? " from '" + stream.path + "'" : std::string());
        if (fd < 0) return io_error(what);
        auto descriptor = Descriptor::adopt(fd, ownership);
        if (!descriptor) return fail(ErrorKind::io, what + ": " + std::string(errno_name(descriptor.error())));
        if (i == 0) {
            const int flags = ::fcntl(fd, F_GETFL);
            const bool inherits = config_.stdin_nonblock == StdinNonblock::inherit && flags >= 0 && (flags & O_NONBLOCK) != 0;
            if (inherits || config_.stdin_nonblock == StdinNonblock::on) (*descriptor)->set_flags(fdflags::kNonblock);
        }
        if (const Errno error = descriptors_.insert_at(static_cast<Fd>(i), std::move(*descriptor)); error != Errno::success) {
            return fail(ErrorKind::resource, what + ": " + std::string(errno_name(error)));
        }
    }
    return {};
}

Result<> WasiContext::open_directories() {
    Fd number = kFirstPreopen;
    for (const PreopenDirectory& directory : config_.directories) {
        const std::string what = "cannot open the directory '" + directory.host_path + "' for the guest";
        const int fd = open_host(directory.host_path.c_str(), O_RDONLY | O_DIRECTORY);
        if (fd < 0) return io_error(what);
        auto descriptor = Descriptor::adopt(fd, Ownership::exclusive);
        if (!descriptor) return fail(ErrorKind::io, what + ": " + std::string(errno_name(descriptor.error())));
        (*descriptor)->set_preopen(directory.guest_path);
        if (directory.read_only) (*descriptor)->set_read_only_tree();
        if (const Errno error = descriptors_.insert_at(number++, std::move(*descriptor)); error != Errno::success) {
            return fail(ErrorKind::resource, what + ": " + std::string(errno_name(error)));
        }
    }
    return {};
}

Result<> WasiContext::open_sockets() {
    Fd number = kFirstPreopen + static_cast<Fd>(config_.directories.size());
    const Fd first = number;
    std::string names;
    const auto add = [&](int fd, Ownership ownership, const std::string& name) -> Result<> {
        auto descriptor = Descriptor::adopt(fd, ownership);
        Errno error = descriptor ? Errno::success : descriptor.error();
        if (descriptor) error = descriptors_.insert_at(number++, std::move(*descriptor));
        if (error != Errno::success) return fail(ErrorKind::io, "cannot give a socket to the guest: " + std::string(errno_name(error)));
        if (!names.empty()) names += ':';
        names += name.empty() ? "unknown" : name;
        return {};
    };
    if (config_.inherit_listeners) {
        const int count = inherited_listeners();
        for (int i = 0; i < count; ++i) {
            static_cast<void>(::fcntl(kFirstInheritedListener + i, F_SETFD, FD_CLOEXEC));
            if (auto added = add(kFirstInheritedListener + i, Ownership::shared, {}); !added) return added;
        }
    }
    for (const PreopenSocket& socket : config_.sockets) {
        auto fd = open_socket(socket);
        if (!fd) return std::unexpected(fd.error());
        if (auto added = add(fd->release(), Ownership::exclusive, socket.name); !added) return added;
    }
    if (number != first) {
        config_.env.push_back("LISTEN_FDS=" + std::to_string(number - first));
        config_.env.push_back("LISTEN_FDNAMES=" + names);
        config_.env.push_back("WASI_LISTEN_FD_START=" + std::to_string(first));
    }
    return {};
}

void WasiContext::note_denied(std::string_view what, std::string_view option) noexcept {
    if (config_.notice_fd < 0 || denial_noted_.exchange(true)) return;
    const std::string line =
        "pollux: the program was not allowed to " + std::string(what) + "; " + std::string(option) + " would allow it\n";
    sys::write_message(config_.notice_fd, line);
}

void WasiContext::set_exit(std::uint32_t code) noexcept {
    std::uint64_t running = kRunning;
    exit_.compare_exchange_strong(running, code);
}

std::optional<std::uint32_t> WasiContext::exit_code() const noexcept {
    const std::uint64_t code = exit_.load();
    if (code == kRunning) return std::nullopt;
    return static_cast<std::uint32_t>(code);
}

}  // namespace pollux::wasi
