// Traps in the way that its argument names. Every function is kept out of line: tests look for the names in backtraces.
#include "traps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NOINLINE static int read_far(void) { return *(volatile int*)far_away; }
NOINLINE static void write_far(void) { *(volatile int*)far_away = 1; }
NOINLINE static int divide(int a, int b) { return a / b; }
NOINLINE static int convert(double value) {
    // The instruction that traps: C's own conversion is compiled to code that avoids it.
    int result;
    __asm__("local.get %1\n\ti32.trunc_f64_s\n\tlocal.set %0" : "=r"(result) : "r"(value));
    return result;
}

NOINLINE static int take_two(int a, int b) { return a + b; }
static int (*volatile two_arguments)(int, int) = take_two;
NOINLINE static int call_wrong_type(void) { return ((int (*)(void))two_arguments)(); }
NOINLINE static int call_null(void) {
    int (*volatile nothing)(void) = NULL;
    return nothing();
}

NOINLINE static int recurse(volatile int* depth) {
    ++*depth;
    return recurse(depth) + *depth;
}

NOINLINE static void stop(void) { __builtin_trap(); }

NOINLINE static int compare_and_trap(const void* a, const void* b) {
    if (*(const int*)a != *(const int*)b) stop();
    return 0;
}
NOINLINE static void trap_in_callback(void) {
    int values[] = {3, 1, 2};
    qsort(values, 3, sizeof values[0], compare_and_trap);
}

NOINLINE static int trap_at_depth(int depth) {
    if (depth == 0) stop();
    return trap_at_depth(depth - 1) + depth;
}

NOINLINE static int run(const char* how) {
    volatile int depth = 0;
    if (strcmp(how, "read") == 0) return read_far();
    if (strcmp(how, "write") == 0) return write_far(), 0;
    if (strcmp(how, "divide") == 0) return divide(1, zero);
    if (strcmp(how, "overflow") == 0) return divide(INT32_MIN, zero - 1);
    if (strcmp(how, "convert") == 0) return convert(1e10);
    if (strcmp(how, "type") == 0) return call_wrong_type();
    if (strcmp(how, "null") == 0) return call_null();
    if (strcmp(how, "recursion") == 0) return recurse(&depth);
    if (strcmp(how, "unreachable") == 0) return stop(), 0;
    if (strcmp(how, "callback") == 0) return trap_in_callback(), 0;
    if (strcmp(how, "deep") == 0) return trap_at_depth(5000);
    if (strcmp(how, "abort") == 0) abort();
    fprintf(stderr, "traps: no way called %s\n", how);
    return 2;
}

int main(int argc, char** argv) {
    printf("before\n");
    fflush(stdout);
    return argc < 2 ? 2 : run(argv[1]);
}
