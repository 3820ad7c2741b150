// 52: fd_renumber of a descriptor onto itself does nothing; from or onto one that is not open it is EBADF.
#include "guest.h"

int main(void) {
    int fd = open_report("open", "data", 0, kRightRead, 0);
    report("same errno=%d", wasi_fd_renumber(fd, fd));
    read_report("read", fd, 64, NULL);
    report("stdin errno=%d", wasi_fd_renumber(0, 0));
    subscription_t in[] = {on_read(0, "r0"), after_ms(500, "clock")};
    poll_report("poll", in, 2, NULL);
    report("bad_same errno=%d", wasi_fd_renumber(77, 77));
    report("bad_from errno=%d", wasi_fd_renumber(77, fd));
    return 0;
}
