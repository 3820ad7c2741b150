// 21: stdin is /dev/null, a regular file or a directory: poll answers at once and the read tells the truth.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_read(0, "r0"), after_ms(1000, "clock")};
    poll_report("poll", in, 2, NULL);
    read_report("read", 0, 64, NULL);
    return 0;
}
