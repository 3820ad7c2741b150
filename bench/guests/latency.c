// The guest of bench/latency.cpp: latency MODE COUNT. Reports 64-bit numbers on standard output.
//
//   read, poll   waits for a byte COUNT times, with fd_read or in poll_oneoff; says each time when it was awake, in ns of its monotonic
//   clock zero         polls its silent standard input with timeout 0, COUNT times; says how many ns all of that took sleep        sleeps
//   for a millisecond COUNT times; says each time how many ns more that took
// Before it begins, it says 0.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#define MILLISECOND 1000000

static uint64_t now(void) {
    __wasi_timestamp_t time = 0;
    if (__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &time) != 0) exit(2);
    return time;
}

static void say(uint64_t number) {
    if (write(STDOUT_FILENO, &number, sizeof number) != sizeof number) exit(3);
}

static void poll_events(const __wasi_subscription_t* subscriptions, size_t count) {
    __wasi_event_t events[2];
    __wasi_size_t happened = 0;
    if (__wasi_poll_oneoff(subscriptions, events, count, &happened) != 0) exit(4);
}

int main(int argc, char** argv) {
    if (argc != 3) return 1;
    const char* mode = argv[1];
    const long count = atol(argv[2]);
    const __wasi_subscription_t input = {.u = {.tag = __WASI_EVENTTYPE_FD_READ, .u.fd_read.file_descriptor = STDIN_FILENO}};
    __wasi_subscription_t clock = {.u = {.tag = __WASI_EVENTTYPE_CLOCK, .u.clock.id = __WASI_CLOCKID_MONOTONIC}};
    say(0);
    if (strcmp(mode, "zero") == 0) {
        const __wasi_subscription_t both[] = {input, clock};
        const uint64_t begun = now();
        for (long i = 0; i < count; ++i) poll_events(both, 2);
        say(now() - begun);
    } else if (strcmp(mode, "sleep") == 0) {
        clock.u.u.clock.timeout = MILLISECOND;
        for (long i = 0; i < count; ++i) {
            const uint64_t begun = now();
            poll_events(&clock, 1);
            say(now() - begun - MILLISECOND);
        }
    } else {
        char byte;
        for (long i = 0; i < count; ++i) {
            if (strcmp(mode, "poll") == 0) {
                poll_events(&input, 1);
                const uint64_t awake = now();
                if (read(STDIN_FILENO, &byte, 1) != 1) return 5;
                say(awake);
            } else {
                if (read(STDIN_FILENO, &byte, 1) != 1) return 5;
                say(now());
            }
        }
    }
    return 0;
}
