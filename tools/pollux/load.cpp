#include "tools/pollux/load.h"

#include <unistd.h>

#include <map>
#include <vector>

#include "jit/runtime/module_builder.h"
#include "jit/runtime/precompiled.h"
#include "tools/pollux/report.h"

namespace pollux::cli {

Result<std::shared_ptr<CompiledModule>> load_module(const std::shared_ptr<Engine>& engine, const std::string& file, bool precompiled) {
    if (precompiled) return PrecompiledFile::load(engine, file);
    if (file == "-") return ModuleBuilder::from_descriptor(engine, STDIN_FILENO, "standard input");
    return ModuleBuilder::from_file(engine, file);
}

void warn_not_compiled(const CompiledModule& module) {
    constexpr std::size_t kNamed = 3;
    std::map<std::string, std::vector<std::uint32_t>> functions_by_feature;
    for (const auto& [function, feature] : module.not_compiled_functions()) functions_by_feature[feature].push_back(function);
    for (const auto& [feature, functions] : functions_by_feature) {
        std::string list;
        for (std::size_t i = 0; i < functions.size() && i < kNamed; ++i) {
            const std::string name = module.function_name(functions[i]);
            list += (i == 0 ? "" : ", ") + std::to_string(functions[i]) + (name.empty() ? "" : " <" + name + ">");
        }
        if (functions.size() > kNamed) list += " and " + std::to_string(functions.size() - kNamed) + " more";
        print_message("warning: " + feature + " is not compiled yet; it is used by function " + list + ", which will trap when called");
    }
}

}  // namespace pollux::cli
