// 15, 16: the writer has gone, perhaps leaving data behind: every poll says so and every read after the data gives 0.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_read(0, "r0"), after_ms(2000, "clock")};
    for (int i = 0; i < 4; ++i) {
        char name[16];
        snprintf(name, sizeof name, "poll%d", i);
        poll_report(name, in, 2, NULL);
        snprintf(name, sizeof name, "read%d", i);
        read_report(name, 0, 64, NULL);
    }
    return 0;
}
