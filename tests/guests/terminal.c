// What a program sees of its terminal: "size" prints COLUMNS and LINES; "keys" writes the code of each byte that it reads, until a q.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print(const char* name) {
    const char* value = getenv(name);
    printf("%s=%s\n", name, value != NULL ? value : "(none)");
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "size") == 0) {
        print("COLUMNS");
        print("LINES");
        return 0;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("ready");
    unsigned char byte = 0;
    while (byte != 'q' && read(STDIN_FILENO, &byte, 1) == 1) printf("<%02x>", byte);
    return 0;
}
