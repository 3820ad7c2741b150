// What thread_imports.c imports from another module: how often was it initialised? Built with a memory of its own for each instance, and
// with one that all threads share.
static volatile int times;

__attribute__((export_name("_initialize"))) void initialize(void) { times = times + 1; }
__attribute__((export_name("times_initialized"))) int times_initialized(void) { return times; }
