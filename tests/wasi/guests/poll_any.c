// 55, 56: whatever is ready ends the wait and nothing else is reported: stdout beside stdin, stdin beside a clock.
#include "guest.h"

int main(void) {
    subscription_t both[] = {on_read(0, "r0"), on_write(1, "w1")};
    poll_report("both", both, 2, NULL);
    subscription_t swapped[] = {on_write(1, "w1"), on_read(0, "r0"), after_ms(1000, "clock")};
    poll_report("swapped", swapped, 3, NULL);
    subscription_t clock[] = {on_read(0, "r0"), after_ms(300, "clock")};
    poll_report("clock", clock, 2, NULL);
    return 0;
}
