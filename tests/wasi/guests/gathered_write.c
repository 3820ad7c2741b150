// 31: an fd_write of 64 buffers is one write on the host. With "order", lines to stdout and stderr keep their order.
#include "guest.h"

static void put(int fd, const char* text) {
    iovec_t iov = {(void*)(uintptr_t)text, strlen(text)};
    size_t n;
    wasi_fd_write(fd, &iov, 1, &n);
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "order")) {
        for (int i = 0; i < 200; ++i) {
            char line[32];
            snprintf(line, sizeof line, "%d\n", i);
            put(1 + i % 2, line);
        }
        return 0;
    }
    static char parts[64][8];
    iovec_t iovs[64];
    for (int i = 0; i < 64; ++i) {
        snprintf(parts[i], sizeof parts[i], "part%02d", i);
        iovs[i] = (iovec_t){parts[i], i == 10 ? 0 : 6};
    }
    size_t n = 0;
    int error = wasi_fd_write(1, iovs, 64, &n);
    report("write errno=%d n=%d", error, (int)n);
    return 0;
}
