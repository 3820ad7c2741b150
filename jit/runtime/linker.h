// The linker: names for what modules import, in one store.
//
//     Linker linker(store);
//     linker.define("env", "log", host_function<&log>(), &logger);
//     linker.define_instance("lib", *lib);
//     auto instance = linker.instantiate(module);
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "jit/runtime/compiled_module.h"
#include "jit/runtime/extern.h"
#include "jit/runtime/host_function.h"
#include "jit/runtime/import_check.h"
#include "jit/runtime/instance.h"

namespace pollux {

class Store;

class Linker {
public:
    explicit Linker(Store& store) noexcept : store_(store) {}

    /// Names something of this store (or a shared memory). A later definition of the same name replaces the earlier one.
    void define(std::string_view module, std::string_view name, Extern item);
    /// Names a host function, which is made in the store when a module imports it. `data` must outlive the store.
    void define(std::string_view module, std::string_view name, HostFunctionType function, void* data = nullptr);
    /// All exports of an instance, under a module name.
    void define_instance(std::string_view module, Instance& instance);
    /// Asked for what is not defined, with the wanted import: e.g. to stub out unknown imports, or pick an overload by type.
    using Resolver = std::function<std::optional<Extern>(Store&, const wasm::Module&, const wasm::Import&)>;
    void set_resolver(Resolver resolver) { resolver_ = std::move(resolver); }

    /// What is defined under a name.
    [[nodiscard]] Result<std::optional<Extern>> find(std::string_view module, std::string_view name);
    /// Instantiates a module with what is defined. Errors: link names every import that is missing.
    [[nodiscard]] std::expected<Instance*, InstantiationError> instantiate(const std::shared_ptr<const CompiledModule>& module);

private:
    struct PendingFunction {
        HostFunctionType function;
        void* data = nullptr;
    };
    using Definition = std::variant<Extern, PendingFunction>;
    using Key = std::pair<std::string, std::string>;
    using KeyView = std::pair<std::string_view, std::string_view>;
    struct Less {
        using is_transparent = void;
        bool operator()(const KeyView& a, const KeyView& b) const noexcept { return a < b; }
    };
    [[nodiscard]] Result<Extern> realise(Definition& definition);

    Store& store_;
    std::map<Key, Definition, Less> definitions_;
    Resolver resolver_;
};

}  // namespace pollux
