// Threads of wasi-threads, without a C library for them: a mutex on atomic wait and notify, joining, and every way in which a
// program of several threads can end. What it does is the first argument.
#include <stdatomic.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wasi", "thread-spawn") int32_t thread_spawn(void* argument);
IMPORT("wasi_snapshot_preview1", "fd_write") uint16_t fd_write(uint32_t fd, const void* iovecs, uint32_t count, uint32_t* written);
IMPORT("wasi_snapshot_preview1", "fd_read") uint16_t fd_read(uint32_t fd, const void* iovecs, uint32_t count, uint32_t* read);
IMPORT("wasi_snapshot_preview1", "args_sizes_get") uint16_t args_sizes_get(uint32_t* count, uint32_t* bytes);
IMPORT("wasi_snapshot_preview1", "args_get") uint16_t args_get(char** arguments, char* buffer);
IMPORT("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(uint32_t status);

enum { THREADS = 8, TIMES = 20000, MANY = 2000, STACK_BYTES = 4096 };

// --- what a C library would do -------------------------------------------------------------------------------------------

static void print(const char* text) {
    struct {
        const char* data;
        uint32_t bytes;
    } iovec = {text, 0};
    while (text[iovec.bytes] != 0) ++iovec.bytes;
    uint32_t written;
    fd_write(1, &iovec, 1, &written);
}

static void print_number(uint32_t number) {
    char digits[12];
    char* at = digits + sizeof digits;
    *--at = 0;
    do *--at = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    print(at);
}

static int same(const char* a, const char* b) {
    while (*a != 0 && *a == *b) ++a, ++b;
    return *a == *b;
}

static void wait_while(_Atomic int* at, int value) { __builtin_wasm_memory_atomic_wait32((int*)at, value, -1); }
static void notify(_Atomic int* at, unsigned count) { __builtin_wasm_memory_atomic_notify((int*)at, count); }

/// 0 free, 1 locked, 2 locked and waited for.
static void lock(_Atomic int* mutex) {
    int seen = 0;
    if (atomic_compare_exchange_strong(mutex, &seen, 1)) return;
    while (atomic_exchange(mutex, 2) != 0) wait_while(mutex, 2);
}
static void unlock(_Atomic int* mutex) {
    if (atomic_exchange(mutex, 0) == 2) notify(mutex, 1);
}

struct thread {
    void* stack;
    void (*run)(struct thread*);
    _Atomic int ended;
};
static struct thread threads[THREADS];
static char stacks[THREADS][STACK_BYTES] __attribute__((aligned(16)));

__attribute__((noinline)) static void run(struct thread* self) {
    self->run(self);
    atomic_store(&self->ended, 1);
    notify(&self->ended, 1);
}

EXPORT("wasi_thread_start") void wasi_thread_start(int32_t number, struct thread* self) {
    (void)number;
    // A thread's instance begins with the first one's stack pointer; nothing is on the stack yet.
    __asm__ volatile("local.get %0\n\tglobal.set __stack_pointer" : : "r"(self->stack) : "memory");
    run(self);
}

static int32_t start(int index, void (*run)(struct thread*)) {
    threads[index].stack = stacks[index] + STACK_BYTES;
    threads[index].run = run;
    return thread_spawn(&threads[index]);
}
static void join(int index) {
    while (atomic_load(&threads[index].ended) == 0) wait_while(&threads[index].ended, 0);
}

// --- what threads do -----------------------------------------------------------------------------------------------------

static _Atomic int mutex;
static volatile int guarded;
static _Atomic int counted;
static _Atomic int never;

static void count(struct thread* self) {
    (void)self;
    for (int i = 0; i < TIMES; ++i) {
        lock(&mutex);
        guarded = guarded + 1;
        unlock(&mutex);
        atomic_fetch_add(&counted, 1);
    }
}
static void wait_for_ever(struct thread* self) {
    (void)self;
    for (;;) wait_while(&never, 0);
}
static void compute_for_ever(struct thread* self) {
    (void)self;
    for (;;) atomic_fetch_add(&counted, 1);
}
static void read_for_ever(struct thread* self) {
    (void)self;
    char byte;
    struct {
        char* data;
        uint32_t bytes;
    } iovec = {&byte, 1};
    uint32_t got;
    for (;;) fd_read(0, &iovec, 1, &got);
}
static void exit_with_7(struct thread* self) {
    (void)self;
    proc_exit(7);
}
static void trap(struct thread* self) {
    (void)self;
    __builtin_trap();
}

static void (*const lasting[])(struct thread*) = {wait_for_ever, compute_for_ever, read_for_ever};

EXPORT("_start") void _start(void) {
    static char* arguments[4];
    static char text[4096];
    uint32_t argument_count, bytes;
    if (args_sizes_get(&argument_count, &bytes) != 0 || argument_count != 2 || bytes > sizeof text) proc_exit(99);
    args_get(arguments, text);
    const char* what = arguments[1];

    if (same(what, "count")) {
        for (int i = 0; i < THREADS; ++i) {
            if (start(i, count) < 0) proc_exit(98);
        }
        for (int i = 0; i < THREADS; ++i) join(i);
        print_number((uint32_t)guarded);
        print(" ");
        print_number((uint32_t)atomic_load(&counted));
        print("\n");
        return;
    }
    if (same(what, "limit")) {  // threads that never end, until there are no more
        threads[0].stack = stacks[0] + STACK_BYTES;
        threads[0].run = wait_for_ever;
        int started = 0;
        while (started < MANY && thread_spawn(&threads[0]) > 0) ++started;
        print(started == 0 ? "none\n" : started == MANY ? "all\n" : "some\n");
        return;
    }
    // Threads that last for ever, and one that ends them and us; or we do.
    for (int i = 0; i < THREADS - 1; ++i) {
        if (start(i, lasting[i % 3]) < 0) proc_exit(98);
    }
    if (same(what, "return")) return;
    if (same(what, "exit")) proc_exit(3);
    if (start(THREADS - 1, same(what, "thread-exit") ? exit_with_7 : trap) < 0) proc_exit(98);
    lasting[same(what, "thread-trap-poll") ? 2 : 0](&threads[0]);
}
