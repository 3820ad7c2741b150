// 39: half a millisecond beside a silent stdin, 200 times: each wait lasts as long as it should, so the loop cannot spin.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_read(0, "r0"), after_ns(500000, "clock")};
    event_t out[2];
    int wrong = 0, early = 0;
    uint64_t start = now();
    for (int i = 0; i < 200; ++i) {
        size_t fired = 0;
        uint64_t before = now();
        if (wasi_poll_oneoff(in, out, 2, &fired) || fired != 1 || out[0].type != kEventClock || out[0].error) ++wrong;
        if (now() - before < 500000) ++early;
    }
    report("loop wrong=%d early=%d ns=%llu", wrong, early, (unsigned long long)(now() - start));
    return 0;
}
