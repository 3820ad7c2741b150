// What a program compiled by Porffor imports: `a` prints a number, `b` a character of standard output, each given as a JavaScript number.
// Ours prints only characters.
#include <stdint.h>

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) uint16_t fd_write(uint32_t fd, const void* iovecs,
                                                                                                    uint32_t count, uint32_t* written);

static char line[256];
static uint32_t length;

__attribute__((export_name("b"))) void print_character(double code) {
    line[length++] = (char)code;
    if (code != '\n' && length < sizeof line) return;
    const struct {
        const char* data;
        uint32_t length;
    } iovec = {line, length};
    uint32_t written;
    fd_write(1, &iovec, 1, &written);
    length = 0;
}
__attribute__((export_name("a"))) void print_number(double number) {
    (void)number;
    __builtin_trap();
}
