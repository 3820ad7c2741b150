// 32: a lone relative clock, from 500 ns to 300 ms: exactly one event with its userdata, never early.
#include "guest.h"

int main(void) {
    static const uint64_t timeouts[] = {0, 500, 50000, 1000000, 20000000, 300000000};
    for (int id = kClockRealtime; id <= kClockMonotonic; ++id) {
        for (int i = 0; i < (id ? 6 : 5); ++i) {
            subscription_t in[] = {on_clock(id, timeouts[i], 0, "clock")};
            char name[32];
            snprintf(name, sizeof name, "sleep%d_%d", id, i);
            poll_report(name, in, 1, NULL);
        }
    }
    return 0;
}
