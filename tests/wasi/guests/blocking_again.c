// 3: O_NONBLOCK set, then cleared: the read that follows waits for data.
#include "guest.h"

int main(void) {
    set_flags_report("set", 0, kNonblock);
    read_report("empty", 0, 64, NULL);
    set_flags_report("clear", 0, 0);
    stat_report("stat", 0);
    report("reading");
    read_report("read", 0, 64, NULL);
    return 0;
}
