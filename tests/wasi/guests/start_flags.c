// 6: the flags that stdin has at start, and what a silent read then does when it shows NONBLOCK.
#include "guest.h"

int main(void) {
    fdstat_t stat;
    memset(&stat, 0, sizeof stat);
    wasi_fd_fdstat_get(0, &stat);
    stat_report("stat", 0);
    if (stat.flags & kNonblock) read_report("read", 0, 64, NULL);
    return 0;
}
