// 48: imports what Go's net packages for WasmEdge's ABI declare: eight parameters of sock_recv_from and three of
// sock_getlocaladdr under the names without a version, beside preview 1's own sock_accept; that it starts is the test.
#include "socket_guest.h"

#define CALL(name, ...) WASI_CALL(name) int edge_##name(__VA_ARGS__)
typedef int i32;

CALL(sock_open, i32, i32, i32);
CALL(sock_bind, i32, i32, i32);
CALL(sock_connect, i32, i32, i32);
CALL(sock_listen, i32, i32);
CALL(sock_recv_from, i32, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_send_to, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_getlocaladdr, i32, i32, i32);
CALL(sock_getpeeraddr, i32, i32, i32);
CALL(sock_setsockopt, i32, i32, i32, i32, i32);

int main(int argc, char** argv) {
    (void)argv;
    if (argc > 100) {
        return edge_sock_open(1, 2, 0) + edge_sock_bind(9, 0, 0) + edge_sock_connect(9, 0, 0) + edge_sock_listen(9, 0) +
               edge_sock_recv_from(9, 0, 0, 0, 0, 0, 0, 0) + edge_sock_send_to(9, 0, 0, 0, 0, 0, 0) + edge_sock_getlocaladdr(9, 0, 0) +
               edge_sock_getpeeraddr(9, 0, 0) + edge_sock_setsockopt(9, 0, 0, 0, 0);
    }
    report("linked");
    static int accepted;
    report("accept errno=%d", wasi_sock_accept(99, 0, &accepted));
    return 0;
}
