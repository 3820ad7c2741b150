// The custom section "name": names for backtraces, profiles and disassembly. Nothing depends on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "jit/wasm/module.h"

namespace pollux::wasm {

/// The name of one function, found by a walk over the section: for the few frames of a backtrace, without an index in
/// memory. Empty if it has none. The view points into the module's bytes.
[[nodiscard]] std::string_view find_function_name(const Module& module, std::uint32_t function);

/// An index of the section, for whoever wants many names. Reads the section when it is made; a malformed section has the
/// names that come before what is malformed. Views point into the module's bytes.
class NameSection {
public:
    explicit NameSection(const Module& module);

    [[nodiscard]] std::string_view module_name() const noexcept { return module_name_; }
    /// Empty if it has none.
    [[nodiscard]] std::string_view function(std::uint32_t index) const noexcept;

private:
    struct Entry {
        std::uint32_t index;
        std::uint32_t size;
        const char* data;
    };
    std::string_view module_name_;
    std::vector<Entry> functions_;  ///< sorted by index
};

}  // namespace pollux::wasm
