// 63: select() with a timeout and read(), the loop of a terminal emulator such as container2wasm's, until end of file.
#include <sys/select.h>
#include <unistd.h>

#include "guest.h"

int main(void) {
    int idle = 0, bytes = 0, wakes = 0;
    report("ready");
    for (int round = 0; round < 400; ++round) {
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(0, &readable);
        struct timeval timeout = {0, 50000};
        int count = select(1, &readable, NULL, NULL, &timeout);
        if (count < 0) {
            report("select n=%d", count);
            return 1;
        }
        if (count == 0) {
            ++idle;
            continue;
        }
        char buffer[100];
        ssize_t n = read(0, buffer, sizeof buffer);
        if (n <= 0) {
            report("end n=%d bytes=%d wakes=%d idle=%d", (int)n, bytes, wakes, idle);
            return n == 0 ? 0 : 2;
        }
        ++wakes;
        bytes += (int)n;
        report("got n=%d", (int)n);
    }
    return 3;
}
