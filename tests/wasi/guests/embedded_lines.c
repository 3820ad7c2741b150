// 23, 61: for test programs that run several guests on one stdin. By the argument: "read" reads once, "poll" polls without a
// timeout and then reads non-blocking, "loop" does so until end of file. Every step is a line on stdout: "read 5", "ready", "empty".
#include "guest.h"

static void say(const char* format, int value) {
    char line[64];
    iovec_t iov = {line, (size_t)snprintf(line, sizeof line, format, value)};
    size_t n;
    wasi_fd_write(1, &iov, 1, &n);
}

/// The bytes read, or minus the errno.
static int take(void) {
    char buffer[64];
    iovec_t iov = {buffer, sizeof buffer};
    size_t n = 0;
    int error = wasi_fd_read(0, &iov, 1, &n);
    return error ? -error : (int)n;
}

int main(int argc, char** argv) {
    const char* mode = argc > 1 ? argv[1] : "read";
    if (!strcmp(mode, "read")) {
        say("read %d\n", take());
        return 0;
    }
    wasi_fd_fdstat_set_flags(0, kNonblock);
    for (;;) {
        subscription_t in[] = {on_read(0, "r0")};
        event_t out[1];
        size_t fired = 0;
        int error = wasi_poll_oneoff(in, out, 1, &fired);
        if (error || fired != 1 || out[0].error) {
            say("poll failed %d\n", error);
            return 1;
        }
        int n = take();
        say(n == -kAgain ? "empty\n" : "read %d\n", n);
        if (n == 0) return 0;
        if (n < 0 && n != -kAgain) return 2;
        if (n > 0 && !strcmp(mode, "poll")) return 0;
    }
}
