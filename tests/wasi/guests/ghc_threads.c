// 7: what GHC's non-threaded runtime does for `forever getLine` beside a thread that prints at an interval: fd_read
// straight away, and only after EAGAIN a select() until stdin is readable or the next timer is due.
#include <sys/select.h>

#include "guest.h"

enum { kTickNs = 20 * 1000 * 1000, kTicks = 30 };

int main(void) {
    set_flags_report("set", 0, kNonblock);
    uint64_t next_tick = now() + kTickNs;
    bool reader_waits = false;
    for (int ticks = 0; ticks < kTicks;) {
        if (!reader_waits) {
            char line[128];
            iovec_t iov = {line, sizeof line};
            size_t n = 0;
            int error = wasi_fd_read(0, &iov, 1, &n);
            if (error == kAgain) {
                reader_waits = true;
            } else {
                report("line errno=%d n=%d", error, (int)n);
                if (error || n == 0) return 1;
            }
        }
        uint64_t time = now();
        if (time >= next_tick) {
            report("tick");
            ++ticks;
            next_tick = time + kTickNs;
        }
        fd_set readable;
        FD_ZERO(&readable);
        if (reader_waits) FD_SET(0, &readable);
        uint64_t left = reader_waits ? next_tick - time : 0;
        struct timeval timeout = {(long)(left / 1000000000), (int)(left % 1000000000 / 1000)};
        if (select(1, &readable, NULL, NULL, &timeout) > 0) reader_waits = false;
    }
    return 0;
}
