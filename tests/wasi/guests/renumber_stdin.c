// 51: a file moved onto descriptor 0 (freopen, dup2) is what poll and read see there from then on.
#include "guest.h"

int main(void) {
    int fd = open_report("open", "data", 0, kRightRead | kRightSeek | kRightTell, 0);
    report("renumber errno=%d", wasi_fd_renumber(fd, 0));
    stat_report("old", fd);
    subscription_t in[] = {on_read(0, "r0"), after_ms(1000, "clock")};
    poll_report("poll", in, 2, NULL);
    read_report("read", 0, 64, NULL);
    int again = open_report("again", "data", 0, kRightRead, 0);
    report("reused same=%d", again == fd);
    return 0;
}
