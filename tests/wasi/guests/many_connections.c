// 43: as many connections as the argument says, all in one poll; only one of them ever talks. Its bytes are echoed; the
// number of polls that this took shows whether the others were waited for or spun on.
#include "socket_guest.h"

enum { kMost = 2048 };
static int connections[kMost];
static subscription_t in[kMost];
static event_t out[kMost];

int main(int argc, char** argv) {
    int listener = find_socket(), wanted = argc > 1 ? atoi(argv[1]) : 0, count = 0;
    if (listener < 0 || wanted <= 0 || wanted > kMost) return 2;
    report("listening");
    while (count < wanted) {
        int error = wasi_sock_accept(listener, kNonblock, &connections[count]);
        if (error) {
            report("accept errno=%d count=%d", error, count);
            return 3;
        }
        in[count] = on_read(connections[count], "");
        in[count].userdata = (uint64_t)count;
        ++count;
    }
    report("accepted count=%d", count);
    int polls = 0, messages = 0;
    for (;;) {
        size_t fired = 0;
        int error = wasi_poll_oneoff(in, out, (size_t)count, &fired);
        if (error) {
            report("poll errno=%d", error);
            return 4;
        }
        ++polls;
        for (size_t i = 0; i < fired; ++i) {
            char byte[16];
            iovec_t iov = {byte, sizeof byte};
            size_t n = 0;
            if (out[i].error || wasi_fd_read(connections[out[i].userdata], &iov, 1, &n)) return 5;
            if (n == 0) {
                report("end polls=%d messages=%d", polls, messages);
                return 0;
            }
            ++messages;
            iov.len = n;
            if (wasi_fd_write(connections[out[i].userdata], &iov, 1, &n)) return 6;
        }
    }
}
