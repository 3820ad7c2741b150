// 48: imports WAMR's socket calls with WAMR's types under the same names; that it starts is the test.
#include "guest.h"

#define CALL(name, ...) WASI_CALL(name) int wamr_##name(__VA_ARGS__)
typedef int i32;

CALL(sock_open, i32, i32, i32, i32);
CALL(sock_bind, i32, i32);
CALL(sock_connect, i32, i32);
CALL(sock_listen, i32, i32);
CALL(sock_accept, i32, i32, i32);
CALL(sock_addr_local, i32, i32);
CALL(sock_addr_remote, i32, i32);
CALL(sock_addr_resolve, i32, i32, i32, i32, i32, i32);
CALL(sock_recv_from, i32, i32, i32, i32, i32, i32);
CALL(sock_send_to, i32, i32, i32, i32, i32, i32);
CALL(sock_set_reuse_addr, i32, i32);
CALL(sock_get_reuse_addr, i32, i32);
CALL(sock_set_recv_timeout, i32, int64_t);

int main(int argc, char** argv) {
    (void)argv;
    if (argc > 100) {
        return wamr_sock_open(0, 0, 1, 0) + wamr_sock_bind(9, 0) + wamr_sock_connect(9, 0) + wamr_sock_listen(9, 0) +
               wamr_sock_addr_local(9, 0) + wamr_sock_addr_remote(9, 0) + wamr_sock_addr_resolve(0, 0, 0, 0, 0, 0) +
               wamr_sock_recv_from(9, 0, 0, 0, 0, 0) + wamr_sock_send_to(9, 0, 0, 0, 0, 0) + wamr_sock_set_reuse_addr(9, 0) +
               wamr_sock_get_reuse_addr(9, 0) + wamr_sock_set_recv_timeout(9, 0);
    }
    report("linked");
    static int accepted;
    report("accept errno=%d", wamr_sock_accept(99, 0, (int)(uintptr_t)&accepted));
    return 0;
}
