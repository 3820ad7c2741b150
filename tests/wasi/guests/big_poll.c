// 60: 65 536 subscriptions in one call: all fire, or just the one that can.
#include "guest.h"

enum { kCount = 65536 };
static subscription_t in[kCount];
static event_t out[kCount];

static void run(const char* name) {
    size_t fired = 0;
    uint64_t start = now();
    int error = wasi_poll_oneoff(in, out, kCount, &fired);
    uint64_t ns = now() - start;
    uint64_t sum = 0;
    int errors = 0;
    for (size_t i = 0; !error && i < fired; ++i) {
        sum += out[i].userdata;
        errors += out[i].error != 0;
    }
    report("%s errno=%d n=%d errors=%d sum=%llu ns=%llu", name, error, (int)fired, errors, (unsigned long long)sum, (unsigned long long)ns);
}

int main(void) {
    for (int i = 0; i < kCount; ++i) {
        in[i] = i % 2 ? on_read(0, "") : after_ms(60000, "");
        in[i].userdata = (uint64_t)i;
    }
    in[40000] = after_ms(10, "");
    in[40000].userdata = 40000;
    run("one");
    for (int i = 0; i < kCount; ++i) {
        in[i] = i % 2 ? on_read(77, "") : after_ms(0, "");
        in[i].userdata = (uint64_t)i;
    }
    run("all");
    return 0;
}
