// Look-ups in a decoded module.
#include "jit/wasm/module.h"

#include <algorithm>

#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

const FuncType& Module::func_type(std::uint32_t function) const { return wasm::func_type(functions[function].type); }

const FuncType& Module::type_at(std::uint32_t type_index) const { return wasm::func_type(types[type_index]); }

const Export* Module::find_export(std::string_view name) const noexcept {
    const auto name_of = [this](std::uint32_t index) { return std::string_view(exports[index].name); };
    const auto found = std::ranges::lower_bound(exports_by_name, name, {}, name_of);
    return found != exports_by_name.end() && name_of(*found) == name ? &exports[*found] : nullptr;
}

}  // namespace pollux::wasm
