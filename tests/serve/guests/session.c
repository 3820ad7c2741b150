// Does what each line of its input says; the answer is one line.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char* argument(const char* line, const char* command) {
    const size_t length = strlen(command);
    return strncmp(line, command, length) == 0 ? line + length : NULL;
}

int main(int argc, char** argv) {
    static char line[4096];
    unsigned long calls = 0;
    if (argc > 1 && strcmp(argv[1], "greet") == 0) printf("welcome\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char* rest;
        ++calls;
        if ((rest = argument(line, "echo ")) != NULL) {
            printf("%s", rest);
        } else if (strcmp(line, "count\n") == 0) {
            printf("%lu\n", calls);
        } else if (strcmp(line, "spin\n") == 0) {
            printf("spinning\n");
            fflush(stdout);
            for (;;) __asm__ volatile("");
        } else if (strcmp(line, "trap\n") == 0) {
            printf("before\n");
            fflush(stdout);
            __builtin_trap();
        } else if ((rest = argument(line, "sleep ")) != NULL) {
            const long milliseconds = atol(rest);
            const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
            nanosleep(&time, NULL);
            printf("slept\n");
        } else if ((rest = argument(line, "grow ")) != NULL) {
            const size_t pages = strtoul(rest, NULL, 10);
            printf("%s\n", __builtin_wasm_memory_grow(0, pages) == SIZE_MAX ? "refused" : "grown");
        } else if ((rest = argument(line, "exit ")) != NULL) {
            exit(atoi(rest));
        } else {
            printf("unknown\n");
        }
        fflush(stdout);
    }
    return 0;
}
