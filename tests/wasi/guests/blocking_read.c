// 5: a guest that never asked for O_NONBLOCK reads: it waits for data, whatever the host's descriptor says and even right
// after a poll (argument "poll").
#include "guest.h"

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "poll")) {
        subscription_t in[] = {on_read(0, "r0"), after_ms(10, "clock")};
        poll_report("poll", in, 2, NULL);
    }
    report("reading");
    read_report("read", 0, 64, NULL);
    return 0;
}
