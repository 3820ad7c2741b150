// 37: a timeout beyond what an int of milliseconds or a signed nanosecond count holds is simply far away.
#include "guest.h"

int main(void) {
    static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX - 1000, (uint64_t)1 << 63, 2147483649000000, 4294967297000000};
    for (int i = 0; i < 5; ++i) {
        char name[16];
        snprintf(name, sizeof name, "relative%d", i);
        subscription_t in[] = {after_ns(huge[i], "far"), after_ms(20, "near")};
        poll_report(name, in, 2, NULL);
    }
    for (int id = kClockRealtime; id <= kClockMonotonic; ++id) {
        char name[16];
        snprintf(name, sizeof name, "absolute%d", id);
        subscription_t in[] = {on_clock(id, UINT64_MAX, kAbstime, "far"), after_ms(20, "near")};
        poll_report(name, in, 2, NULL);
    }
    report("waiting");
    subscription_t in[] = {on_read(0, "r0"), after_ns(UINT64_MAX, "far")};
    poll_report("with_fd", in, 2, NULL);
    return 0;
}
