// 53: a new descriptor takes the lowest free number.
#include "guest.h"

static int open_data(void) { return open_report("open", "data", 0, kRightRead, 0); }

int main(void) {
    int a = open_data(), b = open_data(), c = open_data();
    report("first a=%d b=%d c=%d", a, b, c);
    wasi_fd_close(b);
    int d = open_data();
    wasi_fd_close(c);
    wasi_fd_close(a);
    int e = open_data(), f = open_data(), g = open_data();
    report("reused d=%d e=%d f=%d g=%d", d, e, f, g);
    wasi_fd_close(0);
    report("stdin fd=%d", open_data());
    return 0;
}
