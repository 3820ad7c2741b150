#include "tests/unit/wasm/shared_suites.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace pollux::test {
namespace {

void collect_modules(const nlohmann::json& commands, const std::filesystem::path& folder, const std::string& group,
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

std::vector<SuiteModule> read_scripts(const std::filesystem::path& folder) {
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

}  // namespace

const std::vector<SuiteModule>& suite_modules() {
    static const std::vector<SuiteModule> modules = read_scripts(wast_folder());
    return modules;
}

}  // namespace pollux::test
