// 24: a read into no buffers, or into an empty one, gives 0 at once on a silent stdin.
#include "guest.h"

int main(void) {
    char byte;
    iovec_t iov = {&byte, 0};
    size_t n = 99;
    uint64_t start = now();
    int error = wasi_fd_read(0, &iov, 1, &n);
    report("empty errno=%d n=%d ns=%llu", error, (int)n, (unsigned long long)(now() - start));
    n = 99;
    start = now();
    error = wasi_fd_read(0, &iov, 0, &n);
    report("none errno=%d n=%d ns=%llu", error, (int)n, (unsigned long long)(now() - start));
    return 0;
}
