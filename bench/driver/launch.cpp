// Runs a command and measures it from outside: the driver's stopwatch, small enough to add nothing.
//
//     bench_launch REPORT COMMAND [ARGUMENTS...]
//
// The command's standard output goes on to ours; its input is /dev/null. REPORT becomes one line of JSON: ns until the first byte of output
// and until the end, CPU time, peak resident memory, status. That memory is why this is a program: the kernel counts in what the process
// that starts a command used itself, so it must be started by something small. Links statically.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

long long now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

long long microseconds(const timeval& time) { return static_cast<long long>(time.tv_sec) * 1'000'000 + time.tv_usec; }

bool pass_on(const char* bytes, ssize_t count) {
    for (ssize_t written = 0; written < count;) {
        const ssize_t n = write(STDOUT_FILENO, bytes + written, static_cast<size_t>(count - written));
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) written += n;
    }
    return true;
}

int fail(const char* what, int error) {
    std::fprintf(stderr, "bench_launch: %s: %s\n", what, std::strerror(error));
    return 125;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: bench_launch REPORT COMMAND [ARGUMENTS...]\n", stderr);
        return 2;
    }
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail("pipe", errno);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);

    const long long start = now_ns();
    pid_t child = 0;
    if (const int error = posix_spawnp(&child, argv[2], &actions, nullptr, argv + 2, environ); error != 0) return fail(argv[2], error);
    close(pipe_ends[1]);
    long long first_output = -1;
    static char buffer[65536];
    for (;;) {
        const ssize_t count = read(pipe_ends[0], buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        if (first_output < 0) first_output = now_ns() - start;
        if (!pass_on(buffer, count)) break;
    }
    int status = 0;
    rusage usage{};
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return fail("wait4", errno);
    }
    const long long wall = now_ns() - start;

    std::FILE* report = std::fopen(argv[1], "w");
    if (report == nullptr) return fail(argv[1], errno);
    std::fprintf(
        report,
        "{\"wall_ns\": %lld, \"first_output_ns\": %lld, \"user_us\": %lld, \"system_us\": %lld, \"peak_kib\": %ld, \"status\": %d}\n", wall,
        first_output, microseconds(usage.ru_utime), microseconds(usage.ru_stime), usage.ru_maxrss,
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return std::fclose(report) == 0 ? 0 : fail(argv[1], errno);
}
