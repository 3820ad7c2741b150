// 35, 36: of two clocks only the one that has expired is reported; two equal ones are two events.
#include "guest.h"

int main(void) {
    subscription_t in[] = {after_ms(3000, "long"), after_ms(1, "short")};
    poll_report("two", in, 2, NULL);
    subscription_t mixed[] = {on_clock(kClockRealtime, 3000000000, 0, "long"), after_ms(1, "short"), on_read(0, "r0")};
    poll_report("mixed", mixed, 3, NULL);
    subscription_t same[] = {after_ms(5, "one"), after_ms(5, "two")};
    poll_report("same", same, 2, NULL);
    subscription_t identical[] = {after_ms(5, "one"), after_ms(5, "one")};
    poll_report("identical", identical, 2, NULL);
    return 0;
}
