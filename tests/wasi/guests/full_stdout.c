// 25: a non-blocking stdout whose reader sleeps: a short write, then EAGAIN, and FD_WRITE fires once there is room again.
// Byte i of the stream is i % 251, so the reader sees what was lost or written twice.
#include "guest.h"

static unsigned char block[1000000 + 251];

int main(void) {
    for (size_t i = 0; i < sizeof block; ++i) block[i] = (unsigned char)(i % 251);
    set_flags_report("set", 1, kNonblock);
    uint64_t total = 0;
    int error = 0, writes = 0, shorts = 0;
    uint64_t start = now();
  // A terminal moves what it has taken on to its other side by itself: full is what stays full for 20 ms.
    for (bool waited = false; total < 100000000;) {
        iovec_t iov = {block + total % 251, 1000000};
        size_t n = 0;
        error = wasi_fd_write(1, &iov, 1, &n);
        if (error && (error != kAgain || waited)) break;
        if (error) {
            subscription_t pause[] = {after_ms(20, "pause")};
            event_t out[1];
            wasi_poll_oneoff(pause, out, 1, &n);
            waited = true;
            continue;
        }
        waited = false;
        ++writes;
        if (n < 1000000) ++shorts;
        total += n;
    }
    report("full errno=%d total=%llu writes=%d shorts=%d ns=%llu", error, (unsigned long long)total, writes, shorts,
           (unsigned long long)(now() - start));
    subscription_t zero[] = {on_write(1, "w1"), after_ms(0, "clock")};
    poll_report("still_full", zero, 2, NULL);
    report("waiting");
    subscription_t in[] = {on_write(1, "w1")};
    poll_report("poll", in, 1, NULL);
    unsigned char last = (unsigned char)(total % 251);
    write_report("write", 1, &last, 1);
    return 0;
}
