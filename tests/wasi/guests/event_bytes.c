// 58: all 32 bytes of an event are written, padding as zeros; the count is written only on success, and nothing beyond the
// events asked for is touched.
#include "guest.h"

static void hex(char* text, const unsigned char* bytes, int size) {
    for (int i = 0; i < size; ++i) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int main(void) {
    static unsigned char out[4 * 32];
    char text[65];
    memset(out, 0xaa, sizeof out);
    size_t fired = 0x5a5a5a5a;
    subscription_t in[] = {on_read(0, "r0"), after_ms(2000, "clock")};
    int error = wasi_poll_oneoff(in, out, 2, &fired);
    hex(text, out, 32);
    report("read errno=%d n=%d hex=%s", error, (int)fired, text);
    int touched = 0;
    for (size_t i = 64; i < sizeof out; ++i) touched += out[i] != 0xaa;
    report("beyond touched=%d", touched);

    memset(out, 0xaa, sizeof out);
    subscription_t clock[] = {after_ms(1, "clock")};
    error = wasi_poll_oneoff(clock, out, 1, &fired);
    hex(text, out, 32);
    report("clock errno=%d n=%d hex=%s", error, (int)fired, text);

    memset(out, 0xaa, sizeof out);
    fired = 0x5a5a5a5a;
    error = wasi_poll_oneoff(in, out, 0, &fired);
    report("empty errno=%d n=%x", error, (unsigned)fired);
    fired = 0x5a5a5a5a;
    in[0].tag = 9;
    error = wasi_poll_oneoff(in, out, 2, &fired);
    report("bad_tag errno=%d n=%x", error, (unsigned)fired);
    return 0;
}
