// 8: a language server's input: Content-Length messages that arrive in odd pieces on a non-blocking stdin. Each complete
// message is reported; between them the guest waits in poll_oneoff without a timeout.
#include "guest.h"

static char buffer[65536];

int main(void) {
    size_t used = 0;
    set_flags_report("set", 0, kNonblock);
    for (;;) {
        iovec_t iov = {buffer + used, sizeof buffer - 1 - used};
        size_t n = 0;
        int error = wasi_fd_read(0, &iov, 1, &n);
        if (error == kAgain) {
            subscription_t in[] = {on_read(0, "r0")};
            event_t out[1];
            size_t fired = 0;
            if (wasi_poll_oneoff(in, out, 1, &fired) != 0) return 2;
            continue;
        }
        if (error) return 3;
        if (n == 0) break;
        used += n;
        buffer[used] = 0;
        char* body;
        while ((body = strstr(buffer, "\r\n\r\n")) != NULL) {
            size_t header = (size_t)(body + 4 - buffer);
            size_t length = (size_t)atoi(buffer + strlen("Content-Length: "));
            if (used < header + length) break;
            unsigned sum = 0;
            for (size_t i = 0; i < length; ++i) sum = sum * 31 + (unsigned char)buffer[header + i];
            report("message length=%d sum=%u", (int)length, sum);
            memmove(buffer, buffer + header + length, used - header - length + 1);
            used -= header + length;
        }
    }
    report("end left=%d", (int)used);
    return 0;
}
