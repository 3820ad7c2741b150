// The conformance suites' modules, for tests of the format layer.
//
// The folder is $POLLUX_SHARED or what the build was configured with; its README describes the scripts. Where it is
// absent, tests skip by name.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

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

inline void collect_modules(const nlohmann::json& commands, const std::filesystem::path& folder, const std::string& group,
                            std::vector<SuiteModule>& out) {
    for (const auto& command : commands) {
        const std::string type = command.value("type", "");
        if (command.contains("commands")) collect_modules(command["commands"], folder, group, out);
        if (!command.contains("filename") || command.value("module_type", "binary") != "binary") continue;
        if (type == "assert_malformed_custom" || type == "assert_invalid_custom" || command.contains("unless_feature")) continue;
        const bool malformed = type == "assert_malformed";
        const bool valid = !malformed && type != "assert_invalid";
        out.push_back(
            {folder / command.value("filename", ""), group, valid, malformed, command.value("text", ""), command.value("line", 0)});
    }
}

/// Every binary module of the scripts, in the order of their paths.
inline std::vector<SuiteModule> suite_modules(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> scripts;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        const auto& path = entry.path();
        if (path.extension() == ".json" && path.parent_path() != folder) scripts.push_back(path);
    }
    std::sort(scripts.begin(), scripts.end());
    std::vector<SuiteModule> modules;
    for (const auto& path : scripts) {
        std::ifstream in(path);
        const nlohmann::json script = nlohmann::json::parse(in, nullptr, false);
        if (!script.is_discarded()) collect_modules(script["commands"], path.parent_path(), script.value("group", ""), modules);
    }
    return modules;
}

}  // namespace pollux::test
