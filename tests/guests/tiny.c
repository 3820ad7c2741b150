// A module of some kilobytes without a library that has most sections and kinds of instructions: what malformed variants are made of.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

IMPORT(log) void log_value(int32_t value);

typedef int32_t Lanes __attribute__((vector_size(16)));

static const char text[] = "some data that goes into a segment";
static int32_t numbers[64] = {1, 2, 3, 5, 8};
static int32_t add(int32_t a, int32_t b) { return a + b; }
static int32_t multiply(int32_t a, int32_t b) { return a * b; }
static int32_t (*volatile operations[])(int32_t, int32_t) = {add, multiply};

EXPORT(apply) int32_t apply(int32_t which, int32_t a, int32_t b) { return operations[which & 1](a, b); }

EXPORT(choose) int32_t choose(int32_t n) {
    switch (n) {
        case 0:  return text[3];
        case 1:  return 10;
        case 2:  log_value(n); return 20;
        case 3:  return numbers[n] / n;
        case 4:  return -7;
        default: return n % 9;
    }
}

EXPORT(sum) int64_t sum(int32_t count) {
    int64_t total = 0;
    for (int32_t i = 0; i < count; ++i) total += (int64_t)numbers[i & 63] << (i & 31);
    return total;
}

EXPORT(mean) double mean(int32_t count) {
    double total = 0;
    for (int32_t i = 0; i < count; ++i) total += (float)numbers[i & 63] * 0.5;
    return total / count;
}

EXPORT(lanes) int32_t lanes(int32_t value) {
    Lanes a = {value, 2, 3, 4}, b = {5, 6, 7, value};
    Lanes c = a * b + __builtin_shufflevector(a, b, 3, 4, 1, 6);
    return c[0] ^ c[1] ^ c[2] ^ c[3];
}

EXPORT(clear) void clear(int32_t count) { __builtin_memset(numbers, 0, (uint32_t)count & 255); }
EXPORT(move) void move(int32_t from, int32_t count) { __builtin_memcpy(numbers, numbers + (from & 31), (uint32_t)count & 63); }
EXPORT(grow) uint32_t grow(uint32_t pages) { return (uint32_t)__builtin_wasm_memory_grow(0, pages); }
EXPORT(deep) int32_t deep(int32_t n) { return n <= 0 ? 0 : 1 + deep(n - 1) + deep(n - 2); }
