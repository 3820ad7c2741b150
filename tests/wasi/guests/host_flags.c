// 4: sets O_NONBLOCK on all of stdio, polls it, reads it, then waits for a byte and leaves in the way named by the argument
// (return, exit, trap, wait). The host's own descriptors must never show any of it.
#include "guest.h"

int main(int argc, char** argv) {
    set_flags_report("set0", 0, kNonblock);
    set_flags_report("set1", 1, kNonblock);
    subscription_t in[] = {on_read(0, "r0"), on_write(1, "w1"), after_ms(20, "clock")};
    poll_report("poll", in, 3, NULL);
    read_report("read", 0, 64, NULL);
    report("ready");
    subscription_t wait[] = {on_read(0, "r0"), after_ms(argc > 1 && !strcmp(argv[1], "wait") ? 60000 : 100, "clock")};
    poll_report("wait", wait, 2, NULL);
    if (argc > 1 && !strcmp(argv[1], "exit")) wasi_proc_exit(3);
    if (argc > 1 && !strcmp(argv[1], "trap")) __builtin_trap();
    return 0;
}
