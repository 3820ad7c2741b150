// 20: the descriptor named by the argument is closed on the host at start. It is EBADF or an empty device, and nothing that
// is opened later takes its place unasked.
#include "guest.h"

int main(int argc, char** argv) {
    int closed = argc > 1 ? atoi(argv[1]) : 0;
    stat_report("stat", closed);
    if (closed == 0) {
        read_report("read", 0, 64, NULL);
    } else {
        write_report("write", 1, "lost\n", 5);
    }
    prestat_t prestat;
    report("prestat errno=%d", wasi_fd_prestat_get(3, &prestat));
    int fd = open_report("open", "data", 0, kRightRead, 0);
    if (closed == 0) read_report("read_again", 0, 64, NULL);
    read_report("file", fd, 64, NULL);
    return 0;
}
