// 14: exactly as many bytes are taken from a seekable stdin as were asked for: 10 in one read, 7 scattered over two buffers.
#include "guest.h"

int main(void) {
    read_report("first", 0, 10, NULL);
    char a[3], b[4];
    iovec_t iovs[] = {{a, sizeof a}, {b, sizeof b}};
    size_t n = 0;
    int error = wasi_fd_read(0, iovs, 2, &n);
    report("second errno=%d n=%d text=%.3s%.4s", error, (int)n, a, b);
    return 0;
}
