// How soon a guest is awake, how fast it polls, how well it sleeps: the same guest (guests/latency.c) under several runtimes, in turn.
//
//     bench_latency [--rounds N] [NAME=COMMAND...]        e.g. "wasmtime=wasmtime run"
//
// COMMAND is what stands before FILE ARGS, words with spaces between. Without any: Pollux, and Node's WASI where there is a node.
// Times of a guest are on its monotonic clock, which is the host's under every runtime here; that is checked. Each figure is the
// median over the rounds, of a round's median and 99th percentile.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "jit/base/unique_fd.h"

namespace {

using pollux::UniqueFd;

constexpr int kPatienceMs = 20'000;
constexpr std::uint64_t kBetweenBytes = 500'000;  // ns: the guest waits again by then

struct Runtime {
    std::string name;
    std::vector<std::string> command;
};

struct Mode {
    const char* name;
    const char* title;
    int count;
};
constexpr std::array kModes = {
    Mode{"poll", "awake from `poll_oneoff`, µs: p50, p99", 400},
    Mode{"read", "awake from `fd_read`, µs: p50, p99", 400},
    Mode{"zero", "`poll_oneoff` with timeout 0, calls/s", 20'000},
    Mode{"sleep", "1 ms of sleep is longer by, µs: p50, p99", 200},
};

std::uint64_t now() {
    timespec time{};
    static_cast<void>(::clock_gettime(CLOCK_MONOTONIC, &time));
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// A running guest and its pipes.
class Guest {
public:
    Guest(const Runtime& runtime, const Mode& mode) {
        std::array<int, 2> input{};
        std::array<int, 2> output{};
        if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0) return;
        input_.reset(input[1]);
        output_.reset(output[0]);
        const UniqueFd guest_input(input[0]);
        const UniqueFd guest_output(output[1]);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, guest_input.get(), STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, guest_output.get(), STDOUT_FILENO);
        std::vector<std::string> words = runtime.command;
        words.insert(words.end(), {POLLUX_BENCH_GUEST, mode.name, std::to_string(mode.count)});
        std::vector<char*> pointers;
        pointers.reserve(words.size() + 1);
        for (std::string& word : words) pointers.push_back(word.data());
        pointers.push_back(nullptr);
        if (::posix_spawnp(&process_, pointers[0], &actions, nullptr, pointers.data(), environ) != 0) process_ = -1;
        posix_spawn_file_actions_destroy(&actions);
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    ~Guest() {
        input_.reset();
        if (process_ <= 0) return;
        if (!ended_well_) static_cast<void>(::kill(process_, SIGKILL));
        static_cast<void>(::waitpid(process_, nullptr, 0));
    }

    /// The next number that it says; nothing when it has failed.
    std::optional<std::uint64_t> hear() {
        std::uint64_t number = 0;
        std::size_t got = 0;
        while (got < sizeof(number)) {
            pollfd entry{output_.get(), POLLIN, 0};
            if (::poll(&entry, 1, kPatienceMs) != 1) return std::nullopt;
            const ssize_t count = ::read(output_.get(), reinterpret_cast<char*>(&number) + got, sizeof(number) - got);
            if (count <= 0) return std::nullopt;
            got += static_cast<std::size_t>(count);
        }
        return number;
    }
    bool poke() { return ::write(input_.get(), "x", 1) == 1; }
    void has_ended_well() { ended_well_ = true; }

private:
    UniqueFd input_, output_;
    pid_t process_ = -1;
    bool ended_well_ = false;
};

/// What one run measures, in ns, sorted; of "zero": ns for all calls. A sleep that ends too early is below 0. Empty when it failed.
std::vector<std::int64_t> run(const Runtime& runtime, const Mode& mode) {
    Guest guest(runtime, mode);
    if (!guest.hear()) return {};
    const bool pokes = std::string_view(mode.name) == "poll" || std::string_view(mode.name) == "read";
    const int reports = std::string_view(mode.name) == "zero" ? 1 : mode.count;
    std::vector<std::int64_t> samples;
    for (int i = 0; i < reports; ++i) {
        std::uint64_t begun = 0;
        if (pokes) {
            const timespec pause{0, kBetweenBytes};
            static_cast<void>(::nanosleep(&pause, nullptr));
            begun = now();
            if (!guest.poke()) return {};
        }
        const auto number = guest.hear();
        if (!number) return {};
        if (pokes && (*number < begun || *number > now())) {
            std::fprintf(stderr, "%s: its monotonic clock is not the host's\n", runtime.name.c_str());
            return {};
        }
        samples.push_back(static_cast<std::int64_t>(*number - begun));
    }
    guest.has_ended_well();
    std::ranges::sort(samples);
    return samples;
}

/// What all rounds of one runtime and mode have given.
struct Figures {
    std::vector<double> p50, p99;

    void add(const std::vector<std::int64_t>& samples) {
        if (samples.empty()) return;
        p50.push_back(static_cast<double>(samples[samples.size() / 2]));
        p99.push_back(static_cast<double>(samples[samples.size() * 99 / 100]));
    }
    static double median(std::vector<double> values) {
        std::ranges::sort(values);
        return values[values.size() / 2];
    }
    [[nodiscard]] std::string text(const Mode& mode) const {
        if (p50.empty()) return "failed";
        std::array<char, 64> out{};
        if (std::string_view(mode.name) == "zero") {
            std::snprintf(out.data(), out.size(), "%.0f", mode.count * 1e9 / median(p50));
        } else {
            std::snprintf(out.data(), out.size(), "%.1f, %.1f", median(p50) / 1e3, median(p99) / 1e3);
        }
        return out.data();
    }
};

std::optional<Runtime> parse_runtime(std::string_view text) {
    const auto at = text.find('=');
    if (at == 0 || at == std::string_view::npos) return std::nullopt;
    Runtime runtime{std::string(text.substr(0, at)), {}};
    std::istringstream words{std::string(text.substr(at + 1))};
    for (std::string word; words >> word;) runtime.command.push_back(word);
    return runtime.command.empty() ? std::nullopt : std::optional(runtime);
}

}  // namespace

int main(int argc, char** argv) {
    int rounds = 5;
    std::vector<Runtime> runtimes;
    bool understood = true;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--rounds" && i + 1 < argc) {
            rounds = std::atoi(argv[++i]);
        } else if (auto runtime = parse_runtime(argv[i])) {
            runtimes.push_back(*std::move(runtime));
        } else {
            understood = false;
        }
    }
    if (!understood || rounds < 1) {
        std::fprintf(stderr, "usage: bench_latency [--rounds N] [NAME=COMMAND...]\n");
        return 2;
    }
    if (runtimes.empty()) {
        runtimes.push_back({"Pollux", {POLLUX_BENCH_PROGRAM, "run"}});
        if (std::system("command -v node >/dev/null") == 0)
            runtimes.push_back({"Node", {"node", "--no-warnings", POLLUX_BENCH_NODE_RUNNER}});
    }
    if (::access(POLLUX_BENCH_GUEST, R_OK) != 0) {
        std::printf("skipped: %s is not built (it needs clang and wasi-libc)\n", POLLUX_BENCH_GUEST);
        return 0;
    }
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));

    std::vector<std::array<Figures, kModes.size()>> figures(runtimes.size());
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t mode = 0; mode < kModes.size(); ++mode) {
            for (std::size_t i = 0; i < runtimes.size(); ++i) figures[i][mode].add(run(runtimes[i], kModes[mode]));
        }
    }
    std::string heading = "| |";
    std::string rule = "|---|";
    for (const Runtime& runtime : runtimes) {
        heading += " " + runtime.name + " |";
        rule += "---:|";
    }
    std::printf("%s\n%s\n", heading.c_str(), rule.c_str());
    for (std::size_t mode = 0; mode < kModes.size(); ++mode) {
        std::printf("| %s |", kModes[mode].title);
        for (const auto& of_runtime : figures) std::printf(" %s |", of_runtime[mode].text(kModes[mode]).c_str());
        std::printf("\n");
    }
    return 0;
}
