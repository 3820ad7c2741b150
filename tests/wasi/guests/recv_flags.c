// 45: PEEK leaves the bytes, WAITALL waits for all of them; shutting down either direction ends just that one.
#include "socket_guest.h"

int main(int argc, char** argv) {
    int in_fd = test_connection(argc, argv), out_fd = in_fd == 0 ? 1 : in_fd;
    report("ready");
    recv_report("peek", in_fd, 3, kPeek);
    recv_report("peek_again", in_fd, 3, kPeek);
    report("waiting");
    recv_report("all", in_fd, 6, kWaitAll);
    report("bad_how errno=%d", wasi_sock_shutdown(in_fd, 8));
    report("shut_write errno=%d", wasi_sock_shutdown(out_fd, kShutWrite));
    send_report("send", out_fd, "x");
    recv_report("tail", in_fd, 64, 0);
    report("shut_read errno=%d", wasi_sock_shutdown(in_fd, kShutRead));
    recv_report("after", in_fd, 64, 0);
    report("not_socket errno=%d", wasi_sock_shutdown(3, kShutRead));
    return 0;
}
