// 17: ioctl(FIONREAD), which libc makes from poll_oneoff's nbytes, and the same count from a plain poll.
#include <errno.h>
#include <sys/ioctl.h>

#include "guest.h"

int main(void) {
    int count = -1;
    int result = ioctl(0, FIONREAD, &count);
    report("fionread result=%d n=%d", result, count);
    subscription_t in[] = {on_read(0, "r0"), after_ms(0, "clock")};
    poll_report("poll", in, 2, NULL);
    return 0;
}
