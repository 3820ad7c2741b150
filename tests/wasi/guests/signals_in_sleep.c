// 40: one second of sleep during which the process is stopped, continued and told of a new window size: libc's sleep and
// poll_oneoff (argument "poll": beside a silent stdin) see neither an error nor another length.
#include <errno.h>
#include <time.h>

#include "guest.h"

int main(int argc, char** argv) {
    report("sleeping");
    if (argc > 1 && !strcmp(argv[1], "poll")) {
        subscription_t in[] = {on_read(0, "r0"), after_ms(1000, "clock")};
        poll_report("poll", in, 2, NULL);
        return 0;
    }
    struct timespec time = {1, 0};
    uint64_t start = now();
    int result = nanosleep(&time, NULL);
    report("sleep result=%d errno=%d ns=%llu", result, result ? errno : 0, (unsigned long long)(now() - start));
    return 0;
}
