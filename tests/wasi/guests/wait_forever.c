// 62: waits without end in the call that the argument names; a time limit or a signal ends the guest there.
#include "guest.h"

int main(int argc, char** argv) {
    const char* how = argc > 1 ? argv[1] : "poll";
    report("waiting");
    if (!strcmp(how, "poll")) {
        subscription_t in[] = {on_read(0, "r0")};
        poll_report("poll", in, 1, NULL);
    } else if (!strcmp(how, "clock")) {
        subscription_t in[] = {after_ms(3600000, "clock")};
        poll_report("poll", in, 1, NULL);
    } else if (!strcmp(how, "read")) {
        read_report("read", 0, 16, NULL);
    } else if (!strcmp(how, "write")) {
        static char block[65536];
        iovec_t iov = {block, sizeof block};
        size_t n = 0;
        while (wasi_fd_write(1, &iov, 1, &n) == 0) {
        }
        report("write");
    } else {
        for (volatile int i = 0;; i = i + 1) {
        }
    }
    return 0;
}
