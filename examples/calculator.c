// An interactive calculator on non-blocking stdin: one poll() waits for input and for the clock at once.
//
// In: lines such as `r = 2`, `3.14 * r * r`, `(1 + 2) / 3 - -4`. Out: their values. Each read returns what is there, or EAGAIN; after ten
// quiet seconds a hint is printed, once. This is what runtimes that fake WASI's I/O on blocking threads cannot do.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double variables[26];
static const char* rest;       // what of the line has not been read yet
static const char* complaint;  // the first thing that was wrong with it

enum { kQuietMilliseconds = 10000, kMaxDepth = 200 };

static double sum(int depth);

static void skip_spaces(void) {
    while (isspace((unsigned char)*rest)) ++rest;
}

static bool accept_char(char wanted) {
    skip_spaces();
    if (*rest != wanted) return false;
    ++rest;
    return true;
}

static double complain(const char* what) {
    if (complaint == NULL) complaint = what;
    return 0;
}

static double factor(int depth) {
    if (depth > kMaxDepth) return complain("too deeply nested");
    if (accept_char('-')) return -factor(depth + 1);
    if (accept_char('(')) {
        const double value = sum(depth + 1);
        return accept_char(')') ? value : complain("a ')' is missing");
    }
    if (islower((unsigned char)*rest)) return variables[*rest++ - 'a'];
    char* end;
    const double value = strtod(rest, &end);
    if (end == rest) return complain("expected a number, a variable (a to z) or '('");
    rest = end;
    return value;
}

static double product(int depth) {
    double value = factor(depth);
    for (;;) {
        if (accept_char('*')) {
            value *= factor(depth);
        } else if (accept_char('/')) {
            value /= factor(depth);
        } else {
            return value;
        }
    }
}

static double sum(int depth) {
    double value = product(depth);
    for (;;) {
        if (accept_char('+')) {
            value += product(depth);
        } else if (accept_char('-')) {
            value -= product(depth);
        } else {
            return value;
        }
    }
}

static void evaluate(const char* line) {
    rest = line;
    complaint = NULL;
    skip_spaces();
    if (*rest == '\0') return;
    const char* start = rest;
    char target = 0;
    if (islower((unsigned char)*rest)) {
        target = *rest++;
        if (!accept_char('=')) {
            target = 0;
            rest = start;
        }
    }
    const double value = sum(0);
    skip_spaces();
    if (complaint == NULL && *rest != '\0') complaint = "expected an operator";
    if (complaint != NULL) {
        printf("%s, at: %s\n", complaint, *rest != '\0' ? rest : "the end of the line");
        return;
    }
    if (target != 0) variables[target - 'a'] = value;
    printf("%.15g\n", value);
}

static void prompt(void) {
    printf("> ");
    fflush(stdout);
}

int main(void) {
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0) {
        perror("stdin cannot be made non-blocking");
        return 1;
    }
    printf("Calculator. Type an expression or x = expression; Ctrl-D ends.\n");
    prompt();
    char line[1024];
    size_t length = 0;
    bool hinted = false;
    for (;;) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLRDNORM};
        const int ready = poll(&input, 1, hinted ? -1 : kQuietMilliseconds);
        if (ready < 0) {
            perror("poll");
            return 1;
        }
        if (ready == 0) {
            printf("(still here: the clock ticks while stdin is quiet; try  (1 + 2) * 3)\n");
            hinted = true;
            prompt();
            continue;
        }
        const ssize_t got = read(STDIN_FILENO, line + length, sizeof line - 1 - length);
        if (got < 0) {
            if (errno == EAGAIN) continue;
            perror("read");
            return 1;
        }
        length += (size_t)got;
        line[length] = '\0';
        char* newline;
        while ((newline = strchr(line, '\n')) != NULL) {
            *newline = '\0';
            evaluate(line);
            prompt();
            length -= (size_t)(newline + 1 - line);
            memmove(line, newline + 1, length + 1);
        }
        if (got == 0) break;
        if (length == sizeof line - 1) {
            printf("that line is too long\n");
            length = 0;
        }
    }
    printf("\n");
    return 0;
}
