// 64: what wasi-testsuite's and wasmtime's own programs for poll_oneoff ask: stdin with a clock, stdout and stderr in one poll,
// an empty list, one clock, a file in both directions, and BADF for the whole call when every descriptor is bad.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_clock(kClockMonotonic, 50000000, 0, "clock"), on_read(0, "r0")};
    poll_report("stdin", in, 2, NULL);
    subscription_t outputs[] = {on_write(1, "w1"), on_write(2, "w2")};
    poll_report("outputs", outputs, 2, NULL);
    size_t fired = 0;
    event_t out[2];
    report("empty errno=%d", wasi_poll_oneoff(outputs, out, 0, &fired));
    subscription_t clock[] = {after_ms(5, "clock")};
    poll_report("timeout", clock, 1, NULL);
    int fd = open_report("open", "data", 0, kRightRead | kRightWrite, 0);
    subscription_t file[] = {on_read(fd, "read"), on_write(fd, "write")};
    poll_report("file", file, 2, NULL);
    wasi_fd_close(fd);
    subscription_t closed[] = {on_read(fd, "read"), on_write(fd, "write")};
    poll_report("closed", closed, 2, NULL);
    return 0;
}
