// 33, 34: an absolute time on the clock named by the argument: 20 ms ahead, then one second in the past, then time 0.
#include "guest.h"

int main(int argc, char** argv) {
    int id = argc > 1 ? atoi(argv[1]) : kClockMonotonic;
    uint64_t until = clock_now(id) + 20000000;
    subscription_t ahead[] = {on_clock(id, until, kAbstime, "ahead")};
    poll_report("ahead", ahead, 1, NULL);
    report("late reached=%d", clock_now(id) >= until);
    uint64_t time = clock_now(id);
    subscription_t past[] = {on_clock(id, time > 1000000000 ? time - 1000000000 : 1, kAbstime, "past")};
    poll_report("past", past, 1, NULL);
    subscription_t zero[] = {on_clock(id, 0, kAbstime, "zero")};
    poll_report("zero", zero, 1, NULL);
    until = clock_now(id) + 20000000;
    subscription_t with_fd[] = {on_read(0, "r0"), on_clock(id, until, kAbstime, "ahead")};
    poll_report("with_fd", with_fd, 2, NULL);
    report("later reached=%d", clock_now(id) >= until);
    return 0;
}
