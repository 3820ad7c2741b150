// 38: an unknown clock, or one of cpu time, is an error and not a sleep; beside others it is an event of its own.
#include "guest.h"

int main(void) {
    static const int ids[] = {2, 3, 7, 1000};
    for (int i = 0; i < 4; ++i) {
        char name[16];
        snprintf(name, sizeof name, "lone%d", i);
        subscription_t lone[] = {on_clock(ids[i], 1000000000, 0, "bad")};
        poll_report(name, lone, 1, NULL);
        snprintf(name, sizeof name, "mixed%d", i);
        subscription_t mixed[] = {after_ms(1500, "good"), on_clock(ids[i], 1000000000, 0, "bad")};
        poll_report(name, mixed, 2, NULL);
    }
    return 0;
}
