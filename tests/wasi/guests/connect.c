// 46: an outbound TCP connection through WasmEdge's imports to 127.0.0.1 and the port of the second argument. Non-blocking:
// EINPROGRESS, FD_WRITE when it is decided, SO_ERROR tells how. "denied" only tries.
#include "guest.h"

enum { kInet4 = 1, kStream = 2, kSolSocket = 0, kSoError = 2 };

typedef struct {
    uint8_t* buf;
    size_t len;
} address_t;

WASI_CALL(sock_open) int wasi_sock_open(int family, int type, int* fd);
WASI_CALL(sock_connect) int wasi_sock_connect(int fd, const address_t* address, int port);
WASI_CALL(sock_getsockopt) int wasi_sock_getsockopt(int fd, int level, int name, void* value, uint32_t* size);

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    bool blocking = !strcmp(argv[1], "blocking");
    int fd = -1;
    int error = wasi_sock_open(kInet4, kStream, &fd);
    report("open errno=%d fd=%d", error, fd);
    if (error) return 0;
    if (!blocking) set_flags_report("set", fd, kNonblock);
    uint8_t host[4] = {127, 0, 0, 1};
    address_t address = {host, sizeof host};
    report("connect errno=%d", wasi_sock_connect(fd, &address, atoi(argv[2])));
    if (!strcmp(argv[1], "denied")) return 0;
    subscription_t in[] = {on_write(fd, "write"), after_ms(3000, "clock")};
    poll_report("poll", in, 2, NULL);
    int32_t so_error = -1;
    uint32_t size = sizeof so_error;
    error = wasi_sock_getsockopt(fd, kSolSocket, kSoError, &so_error, &size);
    report("so_error errno=%d value=%d size=%u", error, (int)so_error, size);
    if (!strcmp(argv[1], "refused")) return 0;
    write_report("write", fd, "ping", 4);
    subscription_t readable[] = {on_read(fd, "read"), after_ms(3000, "clock")};
    poll_report("readable", readable, 2, NULL);
    read_report("read", fd, 64, NULL);
    return 0;
}
