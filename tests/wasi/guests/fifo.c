// 50: a FIFO opened by path. Non-blocking: the reader opens at once, the writer without a reader gets ENXIO. Blocking (argument
// "block"): open waits for the other side.
#include "guest.h"

int main(int argc, char** argv) {
    bool blocking = argc > 1 && !strcmp(argv[1], "block");
    if (!blocking) open_report("writer", "lonely", 0, kRightWrite, kNonblock);
    report("opening");
    uint64_t start = now();
    int fd = open_report("reader", "fifo", 0, kRightRead, blocking ? 0 : kNonblock);
    report("opened ns=%llu", (unsigned long long)(now() - start));
    if (!blocking) read_report("no_writer", fd, 16, NULL);
    report("waiting");
    subscription_t in[] = {on_read(fd, "read"), after_ms(3000, "clock")};
    poll_report("poll", in, 2, NULL);
    read_report("read", fd, 16, NULL);
    if (!blocking) read_report("empty", fd, 16, NULL);
    return 0;
}
