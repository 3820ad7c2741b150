// 9, 10: a poll with timeout 0 says on its first call what is ready now; with an argument it is also called for 0.2 s on end.
#include "guest.h"

int main(int argc, char** argv) {
    (void)argv;
    subscription_t in[] = {on_read(0, "r0"), after_ms(0, "clock")};
    poll_report("poll", in, 2, NULL);
    if (argc > 1) {
        event_t out[2];
        uint64_t start = now(), calls = 0, wrong = 0;
        while (now() - start < 200000000) {
            for (int i = 0; i < 50; ++i, ++calls) {
                size_t fired = 0;
                if (wasi_poll_oneoff(in, out, 2, &fired) || fired != 1 || out[0].type != kEventClock) ++wrong;
            }
        }
        report("rate calls=%llu ns=%llu wrong=%llu", (unsigned long long)calls, (unsigned long long)(now() - start),
               (unsigned long long)wrong);
    }
    return 0;
}
