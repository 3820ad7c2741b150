// 18: end of file on a terminal is an event, not a state: after ^D the next line is read as if nothing had happened.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_read(0, "r0")};
    for (int i = 0; i < 3; ++i) {
        char name[16];
        snprintf(name, sizeof name, "poll%d", i);
        poll_report(name, in, 1, NULL);
        snprintf(name, sizeof name, "read%d", i);
        read_report(name, 0, 64, NULL);
    }
    subscription_t silent[] = {on_read(0, "r0"), after_ms(20, "clock")};
    poll_report("silent", silent, 2, NULL);
    return 0;
}
