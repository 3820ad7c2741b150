// Ordinary POSIX, built for WASI and for the host: what fcntl(), read() and select() do with a silent standard input. All that it prints is
// the same wherever stdin is as POSIX wants it; the numbers of flags and errors are not, so it prints names.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static const char* error_name(int error) { return error == 0 ? "0" : error == EAGAIN ? "EAGAIN" : strerror(error); }

static void print_mode(const char* when) {
    int flags = fcntl(0, F_GETFL);
    if (flags < 0) {
        printf("%s: F_GETFL fails with %s\n", when, error_name(errno));
    } else {
        printf("%s: O_NONBLOCK is %s\n", when, (flags & O_NONBLOCK) != 0 ? "set" : "clear");
    }
}

static void set_nonblocking(int on) {
    int flags = fcntl(0, F_GETFL);
    int result = fcntl(0, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
    printf("F_SETFL: %d\n", result);
}

static void try_read(void) {
    char text[64];
    errno = 0;
    ssize_t count = read(0, text, sizeof text);
    printf("read: %d, errno %s\n", (int)count, error_name(count < 0 ? errno : 0));
}

static void try_select(const char* mode, struct timeval* timeout) {
    printf("%s, %s: select\n", mode, timeout ? "{0, 0}" : "NULL");
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(0, &readable);
    errno = 0;
    int count = select(1, &readable, NULL, NULL, timeout);
    printf("%s, %s: %d, %sreadable, errno %s\n", mode, timeout ? "{0, 0}" : "NULL", count, FD_ISSET(0, &readable) ? "" : "not ",
           error_name(count < 0 ? errno : 0));
    if (count > 0) try_read();
}

int main(int argc, char** argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1 && strcmp(argv[1], "select") == 0) {
        for (int nonblocking = 0; nonblocking <= 1; ++nonblocking) {
            const char* mode = nonblocking ? "non-blocking" : "blocking";
            set_nonblocking(nonblocking);
            struct timeval none = {0, 0};
            try_select(mode, NULL);
            try_select(mode, &none);
        }
    } else {
        print_mode("at start");
        set_nonblocking(1);
        print_mode("then");
        try_read();
    }
    return 0;
}
