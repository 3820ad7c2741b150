// 1, 2: stdin made non-blocking. Silent it reads EAGAIN, at once; a regular file keeps giving data and end of file.
#include "guest.h"

int main(void) {
    stat_report("before", 0);
    set_flags_report("set", 0, kNonblock);
    stat_report("after", 0);
    read_report("read", 0, 64, NULL);
    read_report("again", 0, 64, NULL);
    return 0;
}
