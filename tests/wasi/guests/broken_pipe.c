// 27: writes lines to stdout until the reader has gone: the error is EPIPE and the host lives on to exit with 7.
#include "guest.h"

int main(void) {
    for (int i = 0; i < 1000000; ++i) {
        char line[] = "a line of text that somebody may read or not\n";
        iovec_t iov = {line, sizeof line - 1};
        size_t n = 0;
        int error = wasi_fd_write(1, &iov, 1, &n);
        if (error) {
            report("write errno=%d", error);
            return 7;
        }
    }
    report("write errno=0");
    return 1;
}
