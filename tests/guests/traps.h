// The ways to trap that traps.c and traps.cpp share; kept out of line so that each stands in backtraces under its name.
#pragma once

#include <stdint.h>

#define NOINLINE __attribute__((noinline))

// Far beyond the memory of a test program.
static volatile uintptr_t far_away = 0xfff00000;
static volatile int zero = 0;
