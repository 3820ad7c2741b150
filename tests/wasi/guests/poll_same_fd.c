// 57: one event per subscription, also for two equal ones and, where the descriptor goes both ways (argument "both"), for
// reading and writing.
#include "guest.h"

int main(int argc, char** argv) {
    (void)argv;
    subscription_t twice[] = {on_read(0, "one"), on_read(0, "two"), after_ms(1000, "clock")};
    poll_report("twice", twice, 3, NULL);
    if (argc > 1) {
        subscription_t both[] = {on_read(0, "read"), on_write(0, "write"), after_ms(1000, "clock")};
        poll_report("both", both, 3, NULL);
        read_report("drain", 0, 64, NULL);
        poll_report("silent", both, 3, NULL);
    }
    return 0;
}
