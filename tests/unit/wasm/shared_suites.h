// The conformance suites' modules, for tests of the format layer.
//
// The folder is $POLLUX_SHARED or what the build was configured with; its README describes the scripts. Where it is
// absent, tests skip by name.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "jit/base/tuning.h"

namespace pollux::test {

/// The suites' folder, or an empty path.
inline std::filesystem::path wast_folder() {
    const char* shared = std::getenv("POLLUX_SHARED");
    const std::filesystem::path folder = std::filesystem::path(shared != nullptr ? shared : POLLUX_SHARED_DEFAULT) / "suites" / "wast";
    std::error_code error;
    return std::filesystem::is_directory(folder, error) ? folder : std::filesystem::path();
}

inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A module of a script, and what the script says about it.
struct SuiteModule {
    std::filesystem::path path;
    std::string group;
    bool valid = false;
    bool malformed = false;  ///< when not valid
    std::string text;        ///< the reference interpreter's message
    int line = 0;
};

/// Every binary module of the scripts, in the order of their paths; read once in a process. Not thread-safe.
[[nodiscard]] const std::vector<SuiteModule>& suite_modules();

/// For its lifetime, decoders reserve 1 MiB: for tests with thousands of them; see tuning.h.
class SmallReservations {
public:
    SmallReservations() : before_(std::exchange(tuning.stream_reservation, std::size_t{1} << 20)) {}
    ~SmallReservations() { tuning.stream_reservation = before_; }
    SmallReservations(const SmallReservations&) = delete;
    SmallReservations& operator=(const SmallReservations&) = delete;

private:
    std::size_t before_;
};

}  // namespace pollux::test
