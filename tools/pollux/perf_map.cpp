#include "tools/pollux/perf_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "jit/base/unique_fd.h"
#include "tools/pollux/report.h"

namespace pollux::cli {

Result<> write_perf_map(const CompiledModule& module) {
    const std::string path = "/tmp/perf-" + std::to_string(::getpid()) + ".map";
    const auto failed = [&](std::string_view what) {
        return fail(ErrorKind::io, "cannot " + std::string(what) + " the map for perf, " + path + ": " + std::strerror(errno));
    };
    // Others may write to /tmp: never through a symbolic link of theirs.
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file) return failed("open");
    std::string text;
    const auto flush = [&] {
        std::string_view rest = text;
        while (!rest.empty()) {
            const ssize_t written = ::write(file.get(), rest.data(), rest.size());
            if (written < 0) return false;
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
        text.clear();
        return true;
    };
    const auto count = static_cast<std::uint32_t>(module.module().functions.size());
    for (std::uint32_t function = module.module().imported_functions; function < count; ++function) {
        const auto code = module.machine_code(function);
        if (code.empty()) continue;
        std::string name = module.function_name(function);
        if (name.empty()) name = "function " + std::to_string(function);
        // Start, size, name: hexadecimal without 0x.
        text += hex(reinterpret_cast<std::uint64_t>(module.code(function))).substr(2) + " " + hex(code.size()).substr(2) + " wasm:" + name +
                "\n";
        constexpr std::size_t kPiece = std::size_t{1} << 20;
        if (text.size() > kPiece && !flush()) return failed("write");
    }
    return flush() ? Result<>{} : failed("write");
}

}  // namespace pollux::cli
