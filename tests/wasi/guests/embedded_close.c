// 52: for test programs that close descriptor 0 while this guest waits on it: polls without a timeout and writes a line of the errno, the
// count of events and the error of the first.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_read(0, "r0")};
    event_t out[1];
    size_t fired = 0;
    memset(out, 0, sizeof out);
    int error = wasi_poll_oneoff(in, out, 1, &fired);
    char line[64];
    iovec_t iov = {line, (size_t)snprintf(line, sizeof line, "%d %d %d\n", error, (int)fired, out[0].error)};
    size_t n;
    wasi_fd_write(1, &iov, 1, &n);
    return 0;
}
