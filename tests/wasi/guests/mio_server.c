// 47: what tokio's reactor (mio) does on a preopened listener: a poll of nothing must be EINVAL; then one subscription per
// source plus a monotonic clock with userdata u64::MAX and a precision of 1 ms. Any error event ends the server.
#include "socket_guest.h"

static subscription_t mio_clock(uint64_t ns) {
    subscription_t s = after_ns(ns, "");
    s.userdata = UINT64_MAX;
    s.u.clock.precision = 1000000;
    return s;
}

int main(int argc, char** argv) {
    static event_t out[4];
    size_t fired = 99;
    report("empty errno=%d fired=%d", wasi_poll_oneoff(out, out, 0, &fired), (int)fired);
    if (argc > 1 && !strcmp(argv[1], "empty")) return 0;
    int listener = find_socket(), connection = -1;
    if (listener < 0) return 2;
    set_flags_report("set", listener, kNonblock);
    report("listening");
    for (int round = 0; round < 1000; ++round) {
        subscription_t in[4];
        size_t count = 0;
        in[count++] = on_read(listener, "listen");
        if (connection >= 0) in[count++] = on_read(connection, "conn");
        in[count++] = mio_clock(50000000);
        int error = wasi_poll_oneoff(in, out, count, &fired);
        if (error) {
            report("poll errno=%d", error);
            return 3;
        }
        for (size_t i = 0; i < fired; ++i) {
            if (out[i].error) {
                report("event error=%d", out[i].error);
                return 4;
            }
            if (out[i].userdata == label("listen") && wasi_sock_accept(listener, kNonblock, &connection) == 0) {
                report("accepted");
                int extra;
                report("none errno=%d", wasi_sock_accept(listener, kNonblock, &extra));
            } else if (out[i].userdata == label("conn")) {
                char text[64];
                iovec_t iov = {text, sizeof text};
                size_t n = 0;
                error = wasi_fd_read(connection, &iov, 1, &n);
                if (error || n == 0) {
                    report("end errno=%d", error);
                    return 0;
                }
                iov.len = n;
                wasi_fd_write(connection, &iov, 1, &n);
            }
        }
    }
    return 5;
}
