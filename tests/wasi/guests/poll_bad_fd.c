// 54: a descriptor that is not open is one BADF event, at once, wherever it stands and beside whatever else is asked for.
#include "guest.h"

int main(void) {
    subscription_t bad = on_read(77, "bad"), in0 = on_read(0, "r0"), clock = after_ms(1000, "clock");
    subscription_t first[] = {bad, in0, clock};
    poll_report("first", first, 3, NULL);
    subscription_t last[] = {clock, in0, bad};
    poll_report("last", last, 3, NULL);
    subscription_t no_clock[] = {in0, bad};
    poll_report("no_clock", no_clock, 2, NULL);
    subscription_t no_fd[] = {bad, clock};
    poll_report("no_fd", no_fd, 2, NULL);
    subscription_t negative[] = {on_write(-1, "bad"), in0, clock};
    poll_report("negative", negative, 3, NULL);
    subscription_t with_write[] = {bad, on_write(1, "w1"), clock};
    poll_report("with_write", with_write, 3, NULL);
    subscription_t lone[] = {bad};
    poll_report("lone", lone, 1, NULL);
    return 0;
}
