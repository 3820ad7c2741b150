// File operations under preopened directories: files OPERATION PATH [TEXT]. Prints the result, or errno's text with status 1.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char* what) {
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int read_file(const char* path) {
    FILE* file = fopen(path, "r");
    if (file == NULL) return failed("open");
    int c;
    while ((c = getc(file)) != EOF) putchar(c);
    return fclose(file) == 0 ? 0 : failed("close");
}

static int write_file(const char* path, const char* text) {
    FILE* file = fopen(path, "w");
    if (file == NULL) return failed("open");
    if (fputs(text, file) < 0) return failed("write");
    return fclose(file) == 0 ? 0 : failed("close");
}

static int list(const char* path) {
    DIR* directory = opendir(path);
    if (directory == NULL) return failed("opendir");
    struct dirent* entry;
    while ((entry = readdir(directory)) != NULL) printf("%s\n", entry->d_name);
    return closedir(directory) == 0 ? 0 : failed("closedir");
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const char* operation = argv[1];
    if (strcmp(operation, "read") == 0) return read_file(argv[2]);
    if (strcmp(operation, "write") == 0 && argc > 3) return write_file(argv[2], argv[3]);
    if (strcmp(operation, "list") == 0) return list(argv[2]);
    if (strcmp(operation, "mkdir") == 0) return mkdir(argv[2], 0777) == 0 ? 0 : failed("mkdir");
    if (strcmp(operation, "unlink") == 0) return unlink(argv[2]) == 0 ? 0 : failed("unlink");
    return 2;
}
