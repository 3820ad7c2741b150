// 59: lists in odd places. "layout": overlapping and unaligned buffers work or are refused. Any other argument is a case whose
// pointer leads out of memory: EFAULT (or EINVAL) or a trap, never a crash of the host.
#include "guest.h"

static unsigned char memory[4096];

static void layout(void) {
    subscription_t in[] = {on_read(0, "r0"), after_ms(1000, "clock")};
    size_t fired = 0;
    char text[256];
    memcpy(memory + 512, in, sizeof in);
    int error = wasi_poll_oneoff(memory + 512, memory + 512, 2, &fired);
    format_events(text, sizeof text, (event_t*)(void*)(memory + 512), error ? 0 : fired);
    report("overlap errno=%d n=%d events=%s", error, (int)fired, text);

    subscription_t two[] = {on_read(0, "one"), on_read(0, "two")};
    memcpy(memory + 512, two, sizeof two);
    error = wasi_poll_oneoff(memory + 512, memory + 528, 2, &fired);
    format_events(text, sizeof text, (event_t*)(void*)(memory + 528), error ? 0 : fired);
    report("shifted errno=%d n=%d events=%s", error, (int)fired, text);

    memcpy(memory + 1, in, sizeof in);
    error = wasi_poll_oneoff(memory + 1, memory + 1027, 2, &fired);
    event_t out[2];
    memcpy(out, memory + 1027, sizeof out);
    format_events(text, sizeof text, out, error ? 0 : fired);
    report("unaligned errno=%d n=%d events=%s", error, (int)fired, text);
}

int main(int argc, char** argv) {
    const char* name = argc > 1 ? argv[1] : "layout";
    if (!strcmp(name, "layout")) {
        layout();
        return 0;
    }
#ifdef __wasm__
    subscription_t in[] = {after_ms(1, "clock"), after_ms(2, "clock")};
    event_t out[2];
    size_t fired = 0;
    size_t end = __builtin_wasm_memory_size(0) * 65536;
    void* past = (void*)(end - 8);
    void* top = (void*)0xfffffff0u;
    iovec_t iov = {memory, 16};
    iovec_t bad_iov = {past, 4096};
    int error = -1;
    if (!strcmp(name, "in")) error = wasi_poll_oneoff(past, out, 2, &fired);
    if (!strcmp(name, "in_top")) error = wasi_poll_oneoff(top, out, 2, &fired);
    if (!strcmp(name, "out")) error = wasi_poll_oneoff(in, past, 2, &fired);
    if (!strcmp(name, "count")) error = wasi_poll_oneoff(in, out, 2, (size_t*)(end - 2));
    if (!strcmp(name, "wrap")) error = wasi_poll_oneoff(in, out, 0x10000000, &fired);
    if (!strcmp(name, "huge")) error = wasi_poll_oneoff(in, out, 0xffffffff, &fired);
    if (!strcmp(name, "read")) error = wasi_fd_read(0, &bad_iov, 1, &fired);
    if (!strcmp(name, "read_list")) error = wasi_fd_read(0, top, 4, &fired);
    if (!strcmp(name, "read_many")) error = wasi_fd_read(0, &iov, 0xffffffff, &fired);
    if (!strcmp(name, "read_count")) error = wasi_fd_read(0, &iov, 1, (size_t*)(end - 2));
    if (!strcmp(name, "write")) error = wasi_fd_write(1, &bad_iov, 1, &fired);
    if (!strcmp(name, "write_many")) error = wasi_fd_write(1, &iov, 0x20000001, &fired);
    report("done errno=%d", error);
#endif
    return 0;
}
