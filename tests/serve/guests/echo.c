// Sends back what it receives. After "spin" it computes without end.
#include <string.h>
#include <unistd.h>

int main(void) {
    char buffer[4096];
    ssize_t got;
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < got;) {
            const ssize_t put = write(STDOUT_FILENO, buffer + at, (size_t)(got - at));
            if (put < 0) return 1;
            at += put;
        }
        if (got == 4 && memcmp(buffer, "spin", 4) == 0) {
            for (;;) __asm__ volatile("");
        }
    }
    return got < 0;
}
