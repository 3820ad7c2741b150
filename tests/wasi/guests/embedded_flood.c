// 26: for test programs with several guests: writes as many KiB to stdout as the argument says, blocking, then ends; with
// "tick" it sleeps 5 ms as many times and writes a dot each time.
#include "guest.h"

int main(int argc, char** argv) {
    int count = argc > 2 ? atoi(argv[2]) : 0;
    bool ticks = argc > 1 && !strcmp(argv[1], "tick");
    static char block[1024];
    memset(block, '.', sizeof block);
    for (int i = 0; i < count; ++i) {
        size_t left = ticks ? 1 : sizeof block;
        if (ticks) {
            subscription_t in[] = {after_ms(5, "tick")};
            event_t out[1];
            size_t fired;
            if (wasi_poll_oneoff(in, out, 1, &fired)) return 1;
        }
        while (left > 0) {
            iovec_t iov = {block, left};
            size_t n = 0;
            if (wasi_fd_write(1, &iov, 1, &n)) return 2;
            left -= n;
        }
    }
    return 0;
}
