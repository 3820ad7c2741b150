#include "jit/runtime/linker.h"

#include "jit/runtime/store.h"
#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

std::string describe_missing(const wasm::Module& module, const wasm::Import& import) {
    return "\"" + import.module + "\" \"" + import.name + "\" (" + describe_import(module, import) + ")";
}

}  // namespace

void Linker::define(std::string_view module, std::string_view name, Extern item) {
    definitions_.insert_or_assign(Key(module, name), std::move(item));
}

void Linker::define(std::string_view module, std::string_view name, HostFunctionType function, void* data) {
    definitions_.insert_or_assign(Key(module, name), PendingFunction{std::move(function), data});
}

void Linker::define_instance(std::string_view module, Instance& instance) {
    for (const wasm::Export& item : instance.module().exports) {
        if (auto value = instance.find_export(item.name)) define(module, item.name, std::move(*value));
    }
}

Result<Extern> Linker::realise(Definition& definition) {
    if (auto* pending = std::get_if<PendingFunction>(&definition)) {
        auto function = store_.new_function(pending->function, pending->data);
        if (!function) return std::unexpected(std::move(function.error()));
        definition = Extern(*function);
    }
    return std::get<Extern>(definition);
}

Result<std::optional<Extern>> Linker::find(std::string_view module, std::string_view name) {
    const auto at = definitions_.find(KeyView(module, name));
    if (at == definitions_.end()) return std::nullopt;
    auto item = realise(at->second);
    if (!item) return std::unexpected(std::move(item.error()));
    return std::move(*item);
}

std::expected<Instance*, InstantiationError> Linker::instantiate(const std::shared_ptr<const CompiledModule>& compiled) {
    const auto failed = [](Error error) { return std::unexpected(InstantiationError{std::move(error), std::nullopt}); };
    const wasm::Module& module = compiled->module();

    // The stubs of all host functions that will be made, in one piece.
    std::vector<wasm::TypeId> types;
    for (const wasm::Import& import : module.imports) {
        const auto at = definitions_.find(KeyView(import.module, import.name));
        if (at == definitions_.end() && resolver_ && import.kind == wasm::ExternKind::func)
            types.push_back(module.functions[import.index].type);
        if (at == definitions_.end() || !std::holds_alternative<PendingFunction>(at->second)) continue;
        auto type = wasm::TypeRegistry::add(std::get<PendingFunction>(at->second).function.type);
        if (!type) return failed(std::move(type.error()));
        types.push_back(*type);
    }
    if (auto ready = store_.engine().prepare_host_stubs(types); !ready) return failed(std::move(ready.error()));

    std::vector<Extern> imports;
    imports.reserve(module.imports.size());
    std::string missing;
    for (const wasm::Import& import : module.imports) {
        auto item = find(import.module, import.name);
        if (!item) return failed(std::move(item.error()));
        if (!*item && resolver_) *item = resolver_(store_, module, import);
        if (*item) {
            imports.push_back(std::move(**item));
        } else {
            missing += (missing.empty() ? "" : ", ") + describe_missing(module, import);
        }
    }
    if (!missing.empty()) return failed({ErrorKind::link, "unknown import: " + missing});
    return Instance::create(store_, compiled, imports);
}

}  // namespace pollux
