// Copies stdin to stdout, then says on stderr how many bytes that were.
#include <stdio.h>
#include <unistd.h>

int main(void) {
    static char buffer[65536];
    unsigned long long total = 0;
    ssize_t got;
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < got;) {
            const ssize_t put = write(STDOUT_FILENO, buffer + at, (size_t)(got - at));
            if (put < 0) {
                perror("write");
                return 1;
            }
            at += put;
        }
        total += (unsigned long long)got;
    }
    if (got < 0) {
        perror("read");
        return 1;
    }
    fprintf(stderr, "%llu bytes\n", total);
    return 0;
}
