// Branch hints are advice: whatever is wrong with them makes them ignored, never an error.
#include "jit/wasm/branch_hints.h"

namespace pollux::wasm {

std::vector<BranchHint> read_branch_hints(Cursor in) {
    std::vector<BranchHint> hints;
    std::uint32_t functions = 0;
    if (!in.read_u32(functions)) return {};
    for (std::uint32_t i = 0; i < functions; ++i) {
        std::uint32_t function = 0;
        std::uint32_t count = 0;
        if (!in.read_u32(function) || !in.read_u32(count)) return {};
        if (!hints.empty() && function <= hints.back().function) return {};
        for (std::uint32_t j = 0; j < count; ++j) {
            std::uint32_t offset = 0;
            std::uint32_t size = 0;
            std::uint8_t value = 0;
            if (!in.read_u32(offset) || !in.read_u32(size) || !in.read_u8(value) || size != 1 || value > 1) return {};
            if (j != 0 && offset <= hints.back().offset) return {};
            hints.push_back({function, offset, value == 1});
        }
    }
    if (!in.at_end()) return {};
    return hints;
}

}  // namespace pollux::wasm
