// spec_runner: runs scripts of the WebAssembly test suite and prints a counted table per group.
//
// In: folders or .json files in the format of the suite's README. Out: the table; each unexpected failure; exit status 0 if there is none.
// Scripts run in child processes, several at once: the parent only reads their reports.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/spec/report.h"
#include "tests/spec/script.h"
#include "tests/spec/session.h"

namespace pollux::spec {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecondsPerScript = 600;
constexpr int kSkipStatus = 77;

constexpr const char* kHelp = R"(usage: spec_runner [OPTIONS] FOLDER|FILE.json...

  --explicit-bounds     compile with bounds checks instead of guard pages
  --lazy                compile each function at its first call
  --precompiled         compile each module into a file, and load that
  --gc-stress           collect garbage before every allocation
  --log FILE            write what each action gave there, to compare with another run
  --only TEXT           only scripts whose path contains TEXT
  --expectations FILE   expected failures: lines `group/name:line reason`
  --jobs N              scripts at once; default: one per processor
  --verbose             print expected failures too
)";

struct Arguments {
    SessionOptions session;
    std::vector<std::string> paths;
    std::string only;
    std::string expectations;
    std::string log;
    unsigned jobs = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    bool verbose = false;
};

Arguments parse_arguments(std::vector<std::string_view> words) {
    Arguments arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const auto value = [&] {
            if (++i == words.size()) {
                std::fprintf(stderr, "spec_runner: %s needs a value\n", std::string(word).c_str());
                std::exit(2);
            }
            return std::string(words[i]);
        };
        if (word == "--explicit-bounds")
            arguments.session.explicit_bounds = true;
        else if (word == "--lazy")
            arguments.session.lazy = true;
        else if (word == "--precompiled")
            arguments.session.precompiled = true;
        else if (word == "--gc-stress")
            arguments.session.gc_stress = true;
        else if (word == "--log")
            arguments.log = value();
        else if (word == "--only")
            arguments.only = value();
        else if (word == "--expectations")
            arguments.expectations = value();
        else if (word == "--jobs")
            arguments.jobs = static_cast<unsigned>(std::max(1, std::stoi(value())));
        else if (word == "--verbose")
            arguments.verbose = true;
        else if (word.starts_with('-')) {
            std::fputs(kHelp, word == "--help" ? stdout : stderr);
            std::exit(word == "--help" ? 0 : 2);
        } else {
            arguments.paths.emplace_back(word);
        }
    }
    arguments.session.log = !arguments.log.empty();
    return arguments;
}

/// All scripts beneath the paths: .json files that stand in a folder of their own name.
std::vector<std::string> find_scripts(const Arguments& arguments) {
    std::vector<std::string> scripts;
    for (const std::string& path : arguments.paths) {
        if (!fs::is_directory(path)) {
            scripts.push_back(path);
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(path)) {
            const fs::path& file = entry.path();
            if (file.extension() == ".json" && file.stem() == file.parent_path().filename()) scripts.push_back(file.string());
        }
    }
    std::erase_if(scripts, [&](const std::string& script) { return script.find(arguments.only) == std::string::npos; });
    std::sort(scripts.begin(), scripts.end());
    return scripts;
}

struct Child {
    pid_t pid = -1;
    int pipe = -1;
    std::string group;
    std::string script;
    std::string records;
};

/// "…/core/i32/i32.json" → "core", "core/i32".
void name_script(const std::string& path, Child& child) {
    const fs::path folder = fs::absolute(path).parent_path();
    child.group = folder.parent_path().filename().string();
    child.script = child.group + "/" + folder.filename().string();
}

int run_child(const std::string& path, const SessionOptions& options, const Engines& engines, int fd) {
    ::alarm(kSecondsPerScript);
    Reporter reporter(fd);
    try {
        const Script script = read_script(path);
        run_script(script, options, engines, reporter);
    } catch (const std::exception& error) {
        reporter.record(Outcome::failed, 0, error.what());
    }
    reporter.flush();
    return 0;
}

Child start_child(const std::string& path, const SessionOptions& options, const Engines& engines) {
    Child child;
    name_script(path, child);
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
    std::fflush(nullptr);
    child.pid = ::fork();
    if (child.pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (child.pid == 0) {
        ::close(ends[0]);
        ::_exit(run_child(path, options, engines, ends[1]));
    }
    ::close(ends[1]);
    child.pipe = ends[0];
    return child;
}

/// How the child ended, if not well.
std::string reap(const Child& child) {
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return number == SIGALRM ? "takes too long" : std::string("crash: ") + strsignal(number);
    }
    return WEXITSTATUS(status) == 0 ? "" : "crash: exit status " + std::to_string(WEXITSTATUS(status));
}

void run_all(const std::vector<std::string>& scripts, const Arguments& arguments, Summary& summary) {
    const Engines engines = make_engines(arguments.session);
    std::vector<Child> children;
    std::size_t next = 0;
    while (next < scripts.size() || !children.empty()) {
        while (next < scripts.size() && children.size() < arguments.jobs)
            children.push_back(start_child(scripts[next++], arguments.session, engines));
        std::vector<pollfd> waits;
        waits.reserve(children.size());
        for (const Child& child : children) waits.push_back({child.pipe, POLLIN, 0});
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;
        for (std::size_t i = children.size(); i-- > 0;) {
            if (waits[i].revents == 0) continue;
            Child& child = children[i];
            char buffer[65536];
            const ssize_t got = ::read(child.pipe, buffer, sizeof buffer);
            if (got > 0) {
                child.records.append(buffer, static_cast<std::size_t>(got));
                continue;
            }
            ::close(child.pipe);
            summary.add(child.group, child.script, child.records, reap(child));
            children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

int run(std::vector<std::string_view> words) {
    const Arguments arguments = parse_arguments(std::move(words));
    if (arguments.paths.empty()) {
        std::fputs(kHelp, stderr);
        return 2;
    }
    if (const auto missing =
            std::find_if_not(arguments.paths.begin(), arguments.paths.end(), [](const auto& path) { return fs::exists(path); });
        missing != arguments.paths.end()) {
        std::printf("skipped: the test suite is not here: %s\n", missing->c_str());
        return kSkipStatus;
    }
    std::FILE* log = arguments.log.empty() ? nullptr : std::fopen(arguments.log.c_str(), "w");
    if (!arguments.log.empty() && log == nullptr) throw std::runtime_error("cannot write " + arguments.log);
    Summary summary(arguments.expectations.empty() ? Expectations{} : read_expectations(arguments.expectations), log);
    run_all(find_scripts(arguments), arguments, summary);
    if (log != nullptr && std::fclose(log) != 0) throw std::runtime_error("cannot write " + arguments.log);
    summary.print(arguments.verbose);
    return summary.good() ? 0 : 1;
}

}  // namespace
}  // namespace pollux::spec

int main(int argc, char** argv) {
    try {
        return pollux::spec::run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "spec_runner: %s\n", error.what());
        return 1;
    }
}
