// 49: a regular file is always ready in both directions, with no error, no HANGUP, and nbytes = size - position.
#include "guest.h"

int main(void) {
    int fd = open_report("open", "data", 0, kRightRead | kRightWrite | kRightSeek | kRightTell, 0);
    subscription_t in[] = {on_read(fd, "read"), on_write(fd, "write"), after_ms(1000, "clock")};
    poll_report("start", in, 3, NULL);
    uint64_t position = 0;
    report("seek errno=%d", wasi_fd_seek(fd, 10, 0, &position));
    poll_report("middle", in, 3, NULL);
    report("seek errno=%d", wasi_fd_seek(fd, 0, 2, &position));
    subscription_t no_clock[] = {on_read(fd, "read"), on_write(fd, "write")};
    poll_report("end", no_clock, 2, NULL);
    read_report("eof", fd, 16, NULL);
    return 0;
}
