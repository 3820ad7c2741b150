// The host of a module that wasm2c turned into C under the name "kernel": as much of WASI as a PolyBench kernel calls.
#include <stdint.h>
#include <unistd.h>

#include "kernel.h"

typedef struct Z_wasi_snapshot_preview1_instance_t Host;

static Z_kernel_instance_t instance;

static uint8_t* memory(uint32_t at) { return Z_kernelZ_memory(&instance)->data + at; }
static uint32_t* word(uint32_t at) { return (uint32_t*)memory(at); }

u32 Z_wasi_snapshot_preview1Z_args_sizes_get(Host* host, u32 count, u32 bytes) {
    (void)host;
    *word(count) = 0;
    *word(bytes) = 0;
    return 0;
}
u32 Z_wasi_snapshot_preview1Z_args_get(Host* host, u32 list, u32 bytes) { return (void)host, (void)list, (void)bytes, 0; }
u32 Z_wasi_snapshot_preview1Z_fd_close(Host* host, u32 fd) { return (void)host, (void)fd, 0; }
u32 Z_wasi_snapshot_preview1Z_fd_seek(Host* host, u32 fd, u64 offset, u32 whence, u32 result) {
    return (void)host, (void)fd, (void)offset, (void)whence, (void)result, 70;  // ESPIPE
}
u32 Z_wasi_snapshot_preview1Z_fd_write(Host* host, u32 fd, u32 list, u32 count, u32 written) {
    (void)host;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const ssize_t done = write((int)fd, memory(*word(list + 8 * i)), *word(list + 8 * i + 4));
        if (done < 0) return 29;  // EIO
        sum += (uint32_t)done;
    }
    *word(written) = sum;
    return 0;
}
void Z_wasi_snapshot_preview1Z_proc_exit(Host* host, u32 status) {
    (void)host;
    _exit((int)status);
}

int main(void) {
    wasm_rt_init();
    Z_kernel_init_module();
    Z_kernel_instantiate(&instance, 0);
    Z_kernelZ__start(&instance);
    return 0;
}
