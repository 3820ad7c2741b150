// The calls of guest.h on plain POSIX: one process, one blocking thread, poll(2). Linked with a guest that is compiled for
// the host it makes the "native" column of the conformance table, which says what the expectations themselves rest on.
// Not a runtime: guest and host share descriptors, and nothing is checked. Set-up comes from the environment:
// WASI_DIR=HOST::GUEST is opened as descriptor 3, WASI_LISTEN=ADDRESS:PORT as the next one; WASI_STDIN=inherit shows the
// host's O_NONBLOCK of stdin to the guest.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../guests/guest.h"

enum { kMaxFd = 65536 };
static bool nonblocking[kMaxFd];
static int private_write[kMaxFd];  // a reopened, non-blocking descriptor for writing; 0 where there is none
static int preopen = -1;

static int wasi_errno(int error) {
    static const struct {
        int host, guest;
    } table[] = {{0, 0},         {EACCES, 2},      {EAGAIN, 6}, {EBADF, 8},   {ECONNREFUSED, 14}, {EFAULT, 21},   {EINPROGRESS, 26},
                 {EINTR, 27},    {EINVAL, 28},     {EIO, 29},   {EISDIR, 31}, {ENOENT, 44},       {ENOTCONN, 53}, {ENOTDIR, 54},
                 {ENOTSOCK, 57}, {EOPNOTSUPP, 58}, {ENXIO, 60}, {EPERM, 63},  {EPIPE, 64},        {ESPIPE, 70}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
        if (table[i].host == error) return table[i].guest;
    }
    return 29;
}

static mode_t file_type(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static void wait_for(int fd, short events) {
    struct pollfd pfd = {fd, events, 0};
    poll(&pfd, 1, -1);
}

static bool ready_now(int fd, short events) {
    struct pollfd pfd = {fd, events, 0};
    return poll(&pfd, 1, 0) > 0;
}

static int move_up(int fd) {
    if (fd >= 3) return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

__attribute__((constructor)) static void set_up(void) {
    signal(SIGPIPE, SIG_IGN);
    if (getenv("WASI_STDIN") && fcntl(0, F_GETFL) >= 0) nonblocking[0] = (fcntl(0, F_GETFL) & O_NONBLOCK) != 0;
    char* dir = getenv("WASI_DIR");
    if (dir) {
        char host[4096];
        snprintf(host, sizeof host, "%.*s", (int)(strstr(dir, "::") - dir), dir);
        preopen = move_up(open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    char* listen_address = getenv("WASI_LISTEN");
    if (listen_address) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        address.sin_port = htons((uint16_t)atoi(strrchr(listen_address, ':') + 1));
        int fd = move_up(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), one = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr*)&address, sizeof address) || listen(fd, SOMAXCONN)) exit(1);
        setenv("LISTEN_FDS", "1", 1);
    }
}

static clockid_t host_clock(int id) { return id == kClockRealtime ? CLOCK_REALTIME : CLOCK_MONOTONIC; }

int wasi_clock_time_get(int id, uint64_t precision, uint64_t* time) {
    (void)precision;
    struct timespec ts;
    clock_gettime(host_clock(id), &ts);
    *time = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    return 0;
}

/// What poll(2) found for one subscription, as an event; false if nothing has happened.
static bool fd_event(const subscription_t* sub, short revents, event_t* event) {
    int fd = (int)sub->u.fd;
    if (revents == 0) return false;
    memset(event, 0, sizeof *event);
    event->userdata = sub->userdata;
    event->type = sub->tag;
    if (revents & POLLNVAL) {
        event->error = kBadf;
        return true;
    }
    mode_t type = file_type(fd);
    if (type == S_IFDIR) {
        event->error = 31;
        return true;
    }
    if (sub->tag == kEventWrite) return (revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
    if (type == S_IFREG) {
        struct stat st;
        fstat(fd, &st);
        off_t position = lseek(fd, 0, SEEK_CUR);
        event->nbytes = st.st_size > position ? (uint64_t)(st.st_size - position) : 0;
        return true;
    }
    int available = 0;
    if (ioctl(fd, FIONREAD, &available) == 0) event->nbytes = (uint64_t)available;
    if (revents & (POLLHUP | POLLRDHUP)) event->flags = kHangup;
    return true;
}

int wasi_poll_oneoff(const void* in, void* out, size_t count, size_t* events) {
    if (count == 0) return kInval;
    subscription_t* subs = malloc(count * sizeof *subs);
    struct pollfd* fds = calloc(count, sizeof *fds);
    uint64_t* deadlines = calloc(count, sizeof *deadlines);
    memcpy(subs, in, count * sizeof *subs);
    size_t fired = 0;
    int result = 0;
    bool all_bad = true;
    uint64_t start[2] = {clock_now(0), clock_now(1)};
    for (size_t i = 0; i < count; ++i) {
        if (subs[i].tag > kEventWrite) result = kInval;
        fds[i].fd = subs[i].tag == kEventClock ? -1 : (int)subs[i].u.fd < 0 ? kMaxFd * 16 : (int)subs[i].u.fd;
        fds[i].events = subs[i].tag == kEventRead ? POLLIN | POLLRDHUP : POLLOUT;
        if (subs[i].tag != kEventClock) continue;
        all_bad = false;
        uint64_t now_ns = start[subs[i].u.clock.id & 1];
        uint64_t time = subs[i].u.clock.timeout;
        deadlines[i] = subs[i].u.clock.flags & kAbstime ? time : time > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + time;
    }
    while (!result && fired == 0) {
        uint64_t wait = UINT64_MAX;
        for (size_t i = 0; i < count; ++i) {
            if (subs[i].tag != kEventClock) continue;
            uint64_t time = subs[i].u.clock.id > 1 ? UINT64_MAX : clock_now((int)subs[i].u.clock.id);
            uint64_t left = deadlines[i] > time ? deadlines[i] - time : 0;
            if (subs[i].u.clock.id > 1) left = 0;
            if (left < wait) wait = left;
        }
    // More entries than RLIMIT_NOFILE is EINVAL to poll(2): equal neighbours of a large list are asked for once each here.
    // Linux restarts ppoll after SIGCONT with the time that was left at SIGSTOP; short waits keep the error short.
        if (wait != UINT64_MAX && wait > 50000000) wait = 50000000;
        struct timespec ts = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
        struct timespec* timeout = wait == UINT64_MAX ? NULL : &ts;
        if (count <= 16384) {
            ppoll(fds, count, timeout, NULL);
        } else {
            for (size_t i = 0; i < count; ++i) poll(&fds[i], 1, 0);
            ppoll(NULL, 0, timeout, NULL);
        }
        for (size_t i = 0; i < count; ++i) {
            event_t event;
            memset(&event, 0, sizeof event);
            bool happened;
            if (subs[i].tag == kEventClock) {
                event.userdata = subs[i].userdata;
                event.error = subs[i].u.clock.id > 1 ? kInval : 0;
                happened = event.error || clock_now((int)subs[i].u.clock.id) >= deadlines[i];
            } else {
                happened = fd_event(&subs[i], fds[i].revents, &event);
                if (event.error != kBadf) all_bad = false;
            }
            if (happened) memcpy((char*)out + 32 * fired++, &event, sizeof event);
        }
    }
    free(subs);
    free(fds);
    free(deadlines);
    if (result) return result;
    if (all_bad) return kBadf;
    *events = fired;
    return 0;
}

int wasi_fd_read(int fd, const iovec_t* iovs, size_t count, size_t* nread) {
    bool empty = true;
    for (size_t i = 0; i < count; ++i) empty = empty && iovs[i].len == 0;
    if (!empty && fd >= 0 && fd < kMaxFd && nonblocking[fd] && file_type(fd) != S_IFREG && !ready_now(fd, POLLIN)) {
    // An empty FIFO or pipe without a writer reports nothing to poll before a writer has ever come: the read itself knows.
        if (file_type(fd) != S_IFIFO || !(fcntl(fd, F_GETFL) & O_NONBLOCK)) return kAgain;
    }
    for (;;) {
        ssize_t n = empty ? (fcntl(fd, F_GETFL) < 0 ? -1 : 0) : readv(fd, (const struct iovec*)iovs, (int)count);
        if (n >= 0) {
            *nread = (size_t)n;
            return 0;
        }
        if (errno != EAGAIN || nonblocking[fd]) return wasi_errno(errno);
        wait_for(fd, POLLIN);
    }
}

int wasi_fd_write(int fd, const iovec_t* iovs, size_t count, size_t* nwritten) {
    for (;;) {
        ssize_t n;
        if (fd >= 0 && fd < kMaxFd && nonblocking[fd] && file_type(fd) == S_IFSOCK) {
            struct msghdr message = {.msg_iov = (struct iovec*)(uintptr_t)iovs, .msg_iovlen = count};
            n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else {
            n = writev(fd >= 0 && fd < kMaxFd && private_write[fd] ? private_write[fd] : fd, (const struct iovec*)iovs, (int)count);
        }
        if (n >= 0) {
            *nwritten = (size_t)n;
            return 0;
        }
        if (errno != EAGAIN || nonblocking[fd]) return wasi_errno(errno);
        wait_for(fd, POLLOUT);
    }
}

int wasi_fd_close(int fd) {
    if (fd >= 0 && fd < kMaxFd) nonblocking[fd] = false;
    return close(fd) ? wasi_errno(errno) : 0;
}

int wasi_fd_renumber(int from, int to) {
    if (fcntl(from, F_GETFD) < 0 || fcntl(to, F_GETFD) < 0) return kBadf;
    if (from == to) return 0;
    dup2(from, to);
    nonblocking[to] = nonblocking[from];
    return wasi_fd_close(from);
}

int wasi_fd_seek(int fd, int64_t offset, int whence, uint64_t* position) {
    off_t at = lseek(fd, offset, whence);
    if (at < 0) return wasi_errno(errno);
    *position = (uint64_t)at;
    return 0;
}

int wasi_fd_fdstat_get(int fd, fdstat_t* stat) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return kBadf;
    switch (file_type(fd)) {
        case S_IFREG:  stat->filetype = 4; break;
        case S_IFDIR:  stat->filetype = 3; break;
        case S_IFCHR:  stat->filetype = 2; break;
        case S_IFSOCK: stat->filetype = kSocketStream; break;
        default:       stat->filetype = 0;
    }
    stat->flags = (uint16_t)(nonblocking[fd] ? kNonblock : 0);
    return 0;
}

int wasi_fd_fdstat_set_flags(int fd, int flags) {
    if (fcntl(fd, F_GETFL) < 0) return kBadf;
    nonblocking[fd] = (flags & kNonblock) != 0;
    if (private_write[fd]) close(private_write[fd]);
    private_write[fd] = 0;
    mode_t type = file_type(fd);
    if (nonblocking[fd] && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY && (type == S_IFIFO || type == S_IFCHR)) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int reopened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (reopened >= 0) {
            private_write[fd] = fcntl(reopened, F_DUPFD_CLOEXEC, 1000);
            close(reopened);
        }
    }
    return 0;
}

int wasi_fd_prestat_get(int fd, prestat_t* prestat) {
    if (fd < 0 || fd != preopen) return kBadf;
    prestat->tag = 0;
    return 0;
}

int wasi_path_open(int dir, int lookup, const char* path, size_t length, int oflags, uint64_t rights, uint64_t inheriting, int fdflags,
                   int* fd) {
    (void)lookup, (void)inheriting;
    char name[4096];
    snprintf(name, sizeof name, "%.*s", (int)length, path);
    int flags = rights & kRightWrite ? (rights & kRightRead ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (oflags & kCreat) flags |= O_CREAT;
    if (oflags & kTrunc) flags |= O_TRUNC;
    if (fdflags & kNonblock) flags |= O_NONBLOCK;
    int opened = openat(dir, name, flags | O_CLOEXEC, 0666);
    if (opened < 0) return wasi_errno(errno);
    nonblocking[opened] = (fdflags & kNonblock) != 0;
    *fd = opened;
    return 0;
}

void wasi_proc_exit(int status) { exit(status); }

int wasi_sock_recv(int fd, const iovec_t* iovs, size_t count, int flags, size_t* nread, uint16_t* roflags) {
    struct msghdr message = {.msg_iov = (struct iovec*)(uintptr_t)iovs, .msg_iovlen = count};
    int host_flags = (flags & 1 ? MSG_PEEK : 0) | (flags & 2 ? MSG_WAITALL : 0) | (nonblocking[fd] ? MSG_DONTWAIT : 0);
    ssize_t n = recvmsg(fd, &message, host_flags);
    if (n < 0) return wasi_errno(errno);
    *nread = (size_t)n;
    *roflags = message.msg_flags & MSG_TRUNC ? 1 : 0;
    return 0;
}

int wasi_sock_send(int fd, const iovec_t* iovs, size_t count, int flags, size_t* nwritten) {
    (void)flags;
    struct msghdr message = {.msg_iov = (struct iovec*)(uintptr_t)iovs, .msg_iovlen = count};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | (nonblocking[fd] ? MSG_DONTWAIT : 0));
    if (n < 0) return wasi_errno(errno);
    *nwritten = (size_t)n;
    return 0;
}

int wasi_sock_shutdown(int fd, int how) {
    if (how < 1 || how > 3) return kInval;
    return shutdown(fd, how == 1 ? SHUT_RD : how == 2 ? SHUT_WR : SHUT_RDWR) ? wasi_errno(errno) : 0;
}

int wasi_sock_accept(int fd, int flags, int* accepted) {
    if (fd < 0 || fd >= kMaxFd || (nonblocking[fd] && !ready_now(fd, POLLIN))) return fcntl(fd, F_GETFD) < 0 ? kBadf : kAgain;
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) return wasi_errno(errno);
    nonblocking[connection] = (flags & kNonblock) != 0;
    *accepted = connection;
    return 0;
}

// WasmEdge's calls, as far as guests/connect.c uses them.

int wasi_sock_open(int family, int type, int* fd) {
    *fd = socket(family == 1 ? AF_INET : AF_INET6, type == 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
    return *fd < 0 ? wasi_errno(errno) : 0;
}

int wasi_sock_connect(int fd, const iovec_t* address, int port) {
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    memcpy(&host.sin_addr, address->buf, 4);
    fcntl(fd, F_SETFL, nonblocking[fd] ? O_NONBLOCK : 0);
    return connect(fd, (struct sockaddr*)&host, sizeof host) ? wasi_errno(errno) : 0;
}

int wasi_sock_getsockopt(int fd, int level, int name, void* value, uint32_t* size) {
    (void)level;
    if (name != 2) return kInval;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length)) return wasi_errno(errno);
    error = wasi_errno(error);
    memcpy(value, &error, 4);
    *size = 4;
    return 0;
}
