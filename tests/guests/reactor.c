// A reactor: no main, functions to be called after _initialize. Also what --invoke tests call.
#include <stdint.h>
#include <stdio.h>

#define EXPORT(name) __attribute__((export_name(#name)))

static int initialized = 0;

__attribute__((constructor)) static void construct(void) { initialized = 42; }

EXPORT(initialized) int32_t get_initialized(void) { return initialized; }
EXPORT(add) int32_t add(int32_t a, int32_t b) { return a + b; }
EXPORT(add64) int64_t add64(int64_t a, int64_t b) { return a + b; }
EXPORT(half) float half(float value) { return value / 2; }
EXPORT(square) double square(double value) { return value * value; }
EXPORT(nothing) void nothing(void) {}
EXPORT(greet) void greet(void) { puts("hello"); }
EXPORT(divide) int32_t divide(int32_t a, int32_t b) { return a / b; }
