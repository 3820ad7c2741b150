// Ends with the status that its argument says: by return from main, by exit, or by proc_exit at once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

int main(int argc, char** argv) {
    const int status = argc > 1 ? atoi(argv[1]) : 0;
    printf("bye");  // no newline: exit must flush it
    if (argc > 2 && strcmp(argv[2], "exit") == 0) exit(status);
    if (argc > 2 && strcmp(argv[2], "proc_exit") == 0) {
        fflush(stdout);
        __wasi_proc_exit((__wasi_exitcode_t)status);
    }
    return status;
}
