// 48: imports preview 1's socket calls with preview 1's types; that it starts is the test.
#include "socket_guest.h"

int main(int argc, char** argv) {
    (void)argv;
    int fd = -1;
    if (argc > 100) return wasi_sock_accept(3, 0, &fd) + recv_report("", 3, 1, 0) + wasi_sock_shutdown(3, 1);
    report("linked");
    report("accept errno=%d", wasi_sock_accept(99, 0, &fd));
    return 0;
}
