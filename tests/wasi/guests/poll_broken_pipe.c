// 28: stdout's reader has gone. Poll says plainly "writable", so that select() returns it and the write can give EPIPE.
#include <sys/select.h>

#include "guest.h"

int main(void) {
    subscription_t in[] = {on_write(1, "w1"), after_ms(1000, "clock")};
    poll_report("poll", in, 2, NULL);
    fd_set writable;
    FD_ZERO(&writable);
    FD_SET(1, &writable);
    struct timeval timeout = {1, 0};
    int count = select(2, NULL, &writable, NULL, &timeout);
    report("select n=%d set=%d", count, FD_ISSET(1, &writable) != 0);
    write_report("write", 1, "x", 1);
    return 0;
}
