// What every conformance guest uses: the preview 1 calls declared raw (so that no libc stands between the test and the
// runtime), the layouts of the structures they take, and report lines.
//
// A report is one line on descriptor 2, "@ label key=value ...", written with a single fd_write. The driver
// (conformance.py) stamps each line when it arrives and compares the values. Built with a native compiler, the same
// calls are served by native/posix_host.c, so a guest also runs as the reference for what POSIX itself does.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __wasm__
#define WASI_CALL(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
#else
#define WASI_CALL(name)
#endif

// errno
enum { kAgain = 6, kBadf = 8, kInval = 28 };
// fdflags, eventrwflags, subclockflags, oflags
enum { kNonblock = 4, kHangup = 1, kAbstime = 1, kCreat = 1, kTrunc = 8 };
// clockid
enum { kClockRealtime = 0, kClockMonotonic = 1 };
// eventtype
enum { kEventClock = 0, kEventRead = 1, kEventWrite = 2 };
// rights
enum {
    kRightRead = 1 << 1,
    kRightSeek = 1 << 2,
    kRightSetFlags = 1 << 3,
    kRightTell = 1 << 5,
    kRightWrite = 1 << 6,
    kRightFilestat = 1 << 21,
    kRightPoll = 1 << 27
};
// filetype
enum { kSocketStream = 6 };

typedef struct {
    void* buf;
    size_t len;
} iovec_t;

typedef struct {
    uint64_t userdata;
    uint8_t tag;
    union {
        struct {
            uint32_t id;
            uint64_t timeout, precision;
            uint16_t flags;
        } clock;
        uint32_t fd;
    } u;
} subscription_t;

typedef struct {
    uint64_t userdata;
    uint16_t error;
    uint8_t type;
    uint64_t nbytes;
    uint16_t flags;
} event_t;

typedef struct {
    uint8_t filetype;
    uint16_t flags;
    uint64_t rights_base, rights_inheriting;
} fdstat_t;

typedef struct {
    uint8_t tag;
    size_t name_len;
} prestat_t;

_Static_assert(sizeof(subscription_t) == 48 && offsetof(subscription_t, tag) == 8, "subscription");
_Static_assert(offsetof(subscription_t, u.fd) == 16 && offsetof(subscription_t, u.clock.id) == 16, "subscription.u");
_Static_assert(offsetof(subscription_t, u.clock.timeout) == 24 && offsetof(subscription_t, u.clock.precision) == 32 &&
                   offsetof(subscription_t, u.clock.flags) == 40,
               "subscription.clock");
_Static_assert(sizeof(event_t) == 32 && offsetof(event_t, error) == 8 && offsetof(event_t, type) == 10 && offsetof(event_t, nbytes) == 16 &&
                   offsetof(event_t, flags) == 24,
               "event");
_Static_assert(sizeof(fdstat_t) == 24 && offsetof(fdstat_t, flags) == 2 && offsetof(fdstat_t, rights_base) == 8, "fdstat");
#ifdef __wasm__
_Static_assert(sizeof(iovec_t) == 8 && sizeof(prestat_t) == 8 && offsetof(prestat_t, name_len) == 4, "iovec, prestat");
#endif

WASI_CALL(clock_time_get) int wasi_clock_time_get(int id, uint64_t precision, uint64_t* time);
WASI_CALL(poll_oneoff) int wasi_poll_oneoff(const void* in, void* out, size_t count, size_t* events);
WASI_CALL(fd_read) int wasi_fd_read(int fd, const iovec_t* iovs, size_t count, size_t* nread);
WASI_CALL(fd_write) int wasi_fd_write(int fd, const iovec_t* iovs, size_t count, size_t* nwritten);
WASI_CALL(fd_close) int wasi_fd_close(int fd);
WASI_CALL(fd_renumber) int wasi_fd_renumber(int from, int to);
WASI_CALL(fd_seek) int wasi_fd_seek(int fd, int64_t offset, int whence, uint64_t* position);
WASI_CALL(fd_fdstat_get) int wasi_fd_fdstat_get(int fd, fdstat_t* stat);
WASI_CALL(fd_fdstat_set_flags) int wasi_fd_fdstat_set_flags(int fd, int flags);
WASI_CALL(fd_prestat_get) int wasi_fd_prestat_get(int fd, prestat_t* prestat);
WASI_CALL(path_open)
int wasi_path_open(int dir, int lookup, const char* path, size_t length, int oflags, uint64_t rights, uint64_t inheriting, int fdflags,
                   int* fd);
WASI_CALL(proc_exit) _Noreturn void wasi_proc_exit(int status);
WASI_CALL(sock_recv) int wasi_sock_recv(int fd, const iovec_t* iovs, size_t count, int flags, size_t* nread, uint16_t* roflags);
WASI_CALL(sock_send) int wasi_sock_send(int fd, const iovec_t* iovs, size_t count, int flags, size_t* nwritten);
WASI_CALL(sock_shutdown) int wasi_sock_shutdown(int fd, int how);

/// Writes "@ " and the formatted line to descriptor 2.
__attribute__((format(printf, 1, 2))) static inline void report(const char* format, ...) {
    static char line[8192];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line + 2, sizeof line - 3, format, args);
    va_end(args);
    if (length > (int)sizeof line - 4) length = (int)sizeof line - 4;
    line[0] = '@';
    line[1] = ' ';
    line[length + 2] = '\n';
    iovec_t iov = {line, (size_t)length + 3};
    size_t written;
    wasi_fd_write(2, &iov, 1, &written);
}

static inline uint64_t clock_now(int id) {
    uint64_t time = 0;
    wasi_clock_time_get(id, 1, &time);
    return time;
}

static inline uint64_t now(void) { return clock_now(kClockMonotonic); }

/// Userdata that reads as text in a report: up to eight characters.
static inline uint64_t label(const char* text) {
    uint64_t value = 0;
    for (int i = 0; i < 8 && text[i]; ++i) value |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return value;
}

static inline subscription_t on_read(int fd, const char* name) {
    subscription_t s;
    memset(&s, 0, sizeof s);
    s.userdata = label(name);
    s.tag = kEventRead;
    s.u.fd = (uint32_t)fd;
    return s;
}

static inline subscription_t on_write(int fd, const char* name) {
    subscription_t s = on_read(fd, name);
    s.tag = kEventWrite;
    return s;
}

static inline subscription_t on_clock(int id, uint64_t time, int flags, const char* name) {
    subscription_t s;
    memset(&s, 0, sizeof s);
    s.userdata = label(name);
    s.tag = kEventClock;
    s.u.clock.id = (uint32_t)id;
    s.u.clock.timeout = time;
    s.u.clock.flags = (uint16_t)flags;
    return s;
}

/// A relative timeout on the monotonic clock.
static inline subscription_t after_ns(uint64_t ns, const char* name) { return on_clock(kClockMonotonic, ns, 0, name); }
static inline subscription_t after_ms(uint64_t ms, const char* name) { return after_ns(ms * 1000000, name); }

/// "events=name:type:error:nbytes:flags,..." of the first 64 events, into `text`.
static inline void format_events(char* text, size_t size, const event_t* events, size_t count) {
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && i < 64 && used + 64 < size; ++i) {
        char name[9] = {0};
        memcpy(name, &events[i].userdata, 8);
        used += (size_t)snprintf(text + used, size - used, "%s%s:%u:%u:%llu:%u", i ? "," : "", name[0] ? name : "0", events[i].type,
                                 events[i].error, (unsigned long long)events[i].nbytes, events[i].flags);
    }
}

/// Polls and reports "name errno= n= ns= events=". Returns the errno; `events` may be null.
static inline int poll_report(const char* name, const subscription_t* in, size_t count, event_t* events) {
    static event_t own[64];
    static char text[4096];
    if (!events) events = own;
    size_t fired = 0;
    uint64_t start = now();
    int error = wasi_poll_oneoff(in, events, count, &fired);
    uint64_t ns = now() - start;
    format_events(text, sizeof text, events, error ? 0 : fired);
    report("%s errno=%d n=%d ns=%llu events=%s", name, error, (int)fired, (unsigned long long)ns, text);
    return error;
}

/// One fd_read of at most `size` (up to 4000) bytes; reports "name errno= n= ns= text=", spaces and control characters as '_'.
static inline int read_report(const char* name, int fd, size_t size, size_t* got) {
    static char buffer[4001];
    iovec_t iov = {buffer, size};
    size_t n = 0;
    uint64_t start = now();
    int error = wasi_fd_read(fd, &iov, 1, &n);
    uint64_t ns = now() - start;
    if (error) n = 0;
    buffer[n] = 0;
    for (size_t i = 0; i < n; ++i) {
        if (buffer[i] <= ' ' || buffer[i] > '~') buffer[i] = '_';
    }
    report("%s errno=%d n=%d ns=%llu text=%.80s", name, error, (int)n, (unsigned long long)ns, buffer);
    if (got) *got = n;
    return error;
}

/// One fd_write of `size` bytes; reports "name errno= n= ns=".
static inline int write_report(const char* name, int fd, const void* data, size_t size) {
    iovec_t iov = {(void*)(uintptr_t)data, size};
    size_t n = 0;
    uint64_t start = now();
    int error = wasi_fd_write(fd, &iov, 1, &n);
    report("%s errno=%d n=%d ns=%llu", name, error, error ? 0 : (int)n, (unsigned long long)(now() - start));
    return error;
}

static inline void stat_report(const char* name, int fd) {
    fdstat_t stat;
    memset(&stat, 0, sizeof stat);
    int error = wasi_fd_fdstat_get(fd, &stat);
    report("%s errno=%d flags=%d filetype=%d", name, error, stat.flags, stat.filetype);
}

static inline int set_flags_report(const char* name, int fd, int flags) {
    int error = wasi_fd_fdstat_set_flags(fd, flags);
    report("%s errno=%d", name, error);
    return error;
}

/// Opens a path under the first preopen (descriptor 3); reports "name errno= fd=" and returns the descriptor or -1.
static inline int open_report(const char* name, const char* path, int oflags, uint64_t rights, int fdflags) {
    int fd = -1;
    rights |= kRightPoll | kRightFilestat | kRightSetFlags;
    int error = wasi_path_open(3, 1, path, strlen(path), oflags, rights, 0, fdflags, &fd);
    if (error) fd = -1;
    report("%s errno=%d fd=%d", name, error, fd);
    return fd;
}

/// The first descriptor from 3 on that is a stream socket, or -1. Preopened directories come first.
static inline int find_socket(void) {
    for (int fd = 3; fd < 64; ++fd) {
        fdstat_t stat;
        memset(&stat, 0, sizeof stat);
        if (wasi_fd_fdstat_get(fd, &stat) == 0 && stat.filetype == kSocketStream) return fd;
    }
    return -1;
}
