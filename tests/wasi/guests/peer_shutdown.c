// 44: the peer has said its last word (SHUT_WR) but still listens: FD_READ with HANGUP, end of file, and writing works.
#include "socket_guest.h"

int main(int argc, char** argv) {
    int in_fd = test_connection(argc, argv), out_fd = in_fd == 0 ? 1 : in_fd;
    report("waiting");
    subscription_t in[] = {on_read(in_fd, "read"), after_ms(3000, "clock")};
    read_report("read", in_fd, 64, NULL);
    poll_report("poll", in, 2, NULL);
    read_report("eof", in_fd, 64, NULL);
    subscription_t writable[] = {on_write(out_fd, "write"), after_ms(1000, "clock")};
    poll_report("writable", writable, 2, NULL);
    write_report("write", out_fd, "still here", 10);
    return 0;
}
