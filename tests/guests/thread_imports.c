// A thread of wasi-threads that calls a function which the program imports from another module (thread_library.c). The exit status is what
// the function returned there.
#include <stdatomic.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("library", "times_initialized") int times_initialized(void);
IMPORT("wasi", "thread-spawn") int32_t thread_spawn(void* argument);
IMPORT("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(uint32_t status);

enum { CANNOT_START = 100 };

static _Atomic int result = -1;

EXPORT("wasi_thread_start") void thread_start(int32_t number, void* argument) {
    (void)number, (void)argument;
    atomic_store(&result, times_initialized());
    __builtin_wasm_memory_atomic_notify((int*)&result, 1);
}

void _start(void) {
    if (thread_spawn(0) < 1) proc_exit(CANNOT_START);
    while (atomic_load(&result) == -1) __builtin_wasm_memory_atomic_wait32((int*)&result, -1, -1);
    proc_exit((uint32_t)result);
}
