// Prints what a program is started with: its arguments, environment and preopened directories.
#include <stdio.h>
#include <stdlib.h>
#include <wasi/api.h>

extern char** environ;

int main(int argc, char** argv) {
    for (int i = 0; i < argc; ++i) printf("argv[%d]=%s\n", i, argv[i]);
    for (char** variable = environ; *variable != NULL; ++variable) printf("env %s\n", *variable);
    for (__wasi_fd_t fd = 3;; ++fd) {
        __wasi_prestat_t prestat;
        if (__wasi_fd_prestat_get(fd, &prestat) != 0) break;
        char* name = calloc(1, prestat.u.dir.pr_name_len + 1);
        if (__wasi_fd_prestat_dir_name(fd, (uint8_t*)name, prestat.u.dir.pr_name_len) != 0) return 1;
        printf("preopen %u %s\n", fd, name);
        free(name);
    }
    return 0;
}
