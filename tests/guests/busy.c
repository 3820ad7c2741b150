// Never ends, in the way that its argument names. Says "ready" first, on stdout.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

NOINLINE static void spin(void) {
    for (;;) __asm__ volatile("");
}

NOINLINE static int call_often(int n) {
    volatile int total = 0;
    for (;;) total = total + n;
}

// Grows memory to almost 4 GiB and fills it in one instruction, again and again.
NOINLINE static void fill(void) {
    const size_t page = 65536;
    const size_t old_pages = __builtin_wasm_memory_size(0);
    const size_t pages = 65535 - old_pages;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) {
        printf("cannot grow\n");
        return;
    }
    for (;;) memset((char*)(old_pages * page), 1, pages * page);
}

NOINLINE static void wait_for_input(void) {
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

int main(int argc, char** argv) {
    const char* how = argc > 1 ? argv[1] : "spin";
    printf("ready\n");
    fflush(stdout);
    if (strcmp(how, "spin") == 0) spin();
    if (strcmp(how, "call") == 0) return call_often(argc);
    if (strcmp(how, "fill") == 0) fill();
    if (strcmp(how, "read") == 0) wait_for_input();
    if (strcmp(how, "sleep") == 0) {
        for (;;) sleep(1000);
    }
    return 0;
}
