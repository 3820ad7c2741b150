// 48: imports WasmEdge's socket calls with WasmEdge's types, sock_accept with two parameters among them; that it starts is
// the test. The names with _v2 are those that its second version added.
#include "guest.h"

#define CALL(name, ...) WASI_CALL(name) int edge_##name(__VA_ARGS__)
typedef int i32;

CALL(sock_open, i32, i32, i32);
CALL(sock_bind, i32, i32, i32);
CALL(sock_connect, i32, i32, i32);
CALL(sock_listen, i32, i32);
CALL(sock_accept, i32, i32);
CALL(sock_recv_from, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_send_to, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_getsockopt, i32, i32, i32, i32, i32);
CALL(sock_setsockopt, i32, i32, i32, i32, i32);
CALL(sock_getlocaladdr, i32, i32, i32, i32);
CALL(sock_getpeeraddr, i32, i32, i32, i32);
CALL(sock_getaddrinfo, i32, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_open_v2, i32, i32, i32);
CALL(sock_bind_v2, i32, i32, i32);
CALL(sock_connect_v2, i32, i32, i32);
CALL(sock_listen_v2, i32, i32);
CALL(sock_accept_v2, i32, i32, i32);
CALL(sock_recv_from_v2, i32, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_send_to_v2, i32, i32, i32, i32, i32, i32, i32);
CALL(sock_getlocaladdr_v2, i32, i32, i32);
CALL(sock_getpeeraddr_v2, i32, i32, i32);

int main(int argc, char** argv) {
    (void)argv;
    if (argc > 100) {
        return edge_sock_open(1, 2, 0) + edge_sock_bind(9, 0, 0) + edge_sock_connect(9, 0, 0) + edge_sock_listen(9, 0) +
               edge_sock_recv_from(9, 0, 0, 0, 0, 0, 0) + edge_sock_send_to(9, 0, 0, 0, 0, 0, 0) + edge_sock_getsockopt(9, 0, 0, 0, 0) +
               edge_sock_setsockopt(9, 0, 0, 0, 0) + edge_sock_getlocaladdr(9, 0, 0, 0) + edge_sock_getpeeraddr(9, 0, 0, 0) +
               edge_sock_getaddrinfo(0, 0, 0, 0, 0, 0, 0, 0) + edge_sock_open_v2(1, 2, 0) + edge_sock_bind_v2(9, 0, 0) +
               edge_sock_connect_v2(9, 0, 0) + edge_sock_listen_v2(9, 0) + edge_sock_accept_v2(9, 0, 0) +
               edge_sock_recv_from_v2(9, 0, 0, 0, 0, 0, 0, 0) + edge_sock_send_to_v2(9, 0, 0, 0, 0, 0, 0) +
               edge_sock_getlocaladdr_v2(9, 0, 0) + edge_sock_getpeeraddr_v2(9, 0, 0);
    }
    report("linked");
    static int accepted;
    report("accept errno=%d", edge_sock_accept(99, (int)(uintptr_t)&accepted));
    return 0;
}
