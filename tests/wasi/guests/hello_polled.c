// 29, 30: hello world as GHC's runtime writes it: stdout made non-blocking, waited for without a timeout, written, closed.
#include "guest.h"

int main(void) {
    subscription_t in[] = {on_write(1, "w1")};
    poll_report("poll", in, 1, NULL);
    wasi_fd_fdstat_set_flags(1, kNonblock);
    poll_report("again", in, 1, NULL);
    write_report("write", 1, "hello, world\n", 13);
    return 0;
}
