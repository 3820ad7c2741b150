// 11, 12, 13, 19: waits for stdin with the timeout given in milliseconds, or with none ("forever"); "read" then reads a line.
#include "guest.h"

int main(int argc, char** argv) {
    bool forever = argc > 1 && !strcmp(argv[1], "forever");
    subscription_t in[] = {on_read(0, "r0"), after_ms(forever || argc < 2 ? 0 : (uint64_t)atoi(argv[1]), "clock")};
    report("waiting");
    poll_report("poll", in, forever ? 1 : 2, NULL);
    if (argc > 2) {
        subscription_t again[] = {on_read(0, "r0")};
        poll_report("again", again, 1, NULL);
        read_report("read", 0, 64, NULL);
    }
    return 0;
}
