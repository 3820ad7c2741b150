#include "bench/corpus.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace pollux::bench {
namespace {

std::vector<std::string> candidates() {
    if (const char* list = std::getenv("POLLUX_BENCH_MODULES")) {
        std::vector<std::string> paths;
        for (std::string_view rest = list; !rest.empty();) {
            const std::size_t end = rest.find(':');
            if (end != 0) paths.emplace_back(rest.substr(0, end));
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        }
        return paths;
    }
    const std::string shared = POLLUX_BENCH_SHARED, cache = POLLUX_BENCH_CACHE;
    return {shared + "/bench/coremark/coremark-5000.wasm", shared + "/bench/polybench/gemm.wasm", cache + "/python.wasm",
            cache + "/pandoc.wasm"};
}

}  // namespace

std::vector<CorpusFile> corpus() {
    std::vector<CorpusFile> files;
    for (const std::string& path : candidates()) {
        std::error_code error;
        if (std::filesystem::is_regular_file(path, error)) files.push_back({std::filesystem::path(path).stem().string(), path});
    }
    return files;
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace pollux::bench
