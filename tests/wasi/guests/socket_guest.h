// What the guests with sockets share: preview 1's accept, and the connection that a test is about. That is either stdio
// itself (argument "stdio": one socket as descriptors 0 and 1, as inetd gives it) or the first one that a preopened
// listener accepts.
#pragma once

#include "guest.h"

enum { kPeek = 1, kWaitAll = 2, kShutRead = 1, kShutWrite = 2 };

WASI_CALL(sock_accept) int wasi_sock_accept(int fd, int flags, int* accepted);

static inline int test_connection(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "stdio")) return 0;
    int listener = find_socket(), connection = -1;
    report("listening fd=%d", listener);
    if (listener < 0) exit(2);
    int error = wasi_sock_accept(listener, 0, &connection);
    report("accepted errno=%d fd=%d", error, connection);
    if (error) exit(2);
    return connection;
}

/// One sock_recv; reports "name errno= n= ns= text=".
static inline int recv_report(const char* name, int fd, size_t size, int flags) {
    static char buffer[4001];
    iovec_t iov = {buffer, size};
    size_t n = 0;
    uint16_t roflags = 0;
    uint64_t start = now();
    int error = wasi_sock_recv(fd, &iov, 1, flags, &n, &roflags);
    uint64_t ns = now() - start;
    if (error) n = 0;
    buffer[n] = 0;
    report("%s errno=%d n=%d ns=%llu roflags=%d text=%.80s", name, error, (int)n, (unsigned long long)ns, roflags, buffer);
    return error;
}

static inline int send_report(const char* name, int fd, const char* text) {
    iovec_t iov = {(void*)(uintptr_t)text, strlen(text)};
    size_t n = 0;
    int error = wasi_sock_send(fd, &iov, 1, 0, &n);
    report("%s errno=%d n=%d", name, error, error ? 0 : (int)n);
    return error;
}
