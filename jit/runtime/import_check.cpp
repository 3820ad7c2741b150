#include "jit/runtime/import_check.h"

#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

/// `size`: the present one.
bool limits_fit(const wasm::Limits& wanted, const wasm::Limits& given, std::uint64_t size) noexcept {
    if (wanted.is_64 != given.is_64 || wanted.shared != given.shared || size < wanted.min) return false;
    return !wanted.has_max || (given.has_max && given.max <= wanted.max);
}

bool fits(const wasm::Module& module, const wasm::Import& import, const Extern& given) {
    if (kind_of(given) != import.kind) return false;
    switch (import.kind) {
        case wasm::ExternKind::func: {
            const Func& function = std::get<Func>(given);
            return function && wasm::is_subtype(function.ref()->type, module.functions[import.index].type);
        }
        case wasm::ExternKind::table: {
            const Table& table = *std::get<Table*>(given);
            const wasm::TableType& wanted = module.tables[import.index].type;
            return table.type().element == wanted.element && limits_fit(wanted.limits, table.type().limits, table.length);
        }
        case wasm::ExternKind::memory: {
            const Memory& memory = *std::get<std::shared_ptr<Memory>>(given);
            const wasm::MemoryType& wanted = module.memories[import.index];
            return memory.type().page_bits == wanted.page_bits && limits_fit(wanted.limits, memory.type().limits, memory.pages());
        }
        case wasm::ExternKind::global: {
            const wasm::GlobalType& type = std::get<Global>(given).type;
            const wasm::GlobalType& wanted = module.globals[import.index].type;
            if (type.is_mutable != wanted.is_mutable) return false;
            return wanted.is_mutable ? type.type == wanted.type : wasm::matches(type.type, wanted.type);
        }
        case wasm::ExternKind::tag: return std::get<const Tag*>(given)->type == module.tags[import.index].type;
    }
    return false;
}

}  // namespace

std::string describe_import(const wasm::Module& module, const wasm::Import& import) {
    switch (import.kind) {
        case wasm::ExternKind::func:   return describe(module.func_type(import.index));
        case wasm::ExternKind::table:  return describe(module.tables[import.index].type);
        case wasm::ExternKind::memory: return describe(module.memories[import.index]);
        case wasm::ExternKind::global: return describe(module.globals[import.index].type);
        case wasm::ExternKind::tag:    return "tag " + wasm::to_string(wasm::func_type(module.tags[import.index].type).params);
    }
    return "nothing";
}

Result<> check_import(const wasm::Module& module, const wasm::Import& import, const Extern& given) {
    if (fits(module, import, given)) return {};
    return fail(ErrorKind::link, "incompatible import type: \"" + import.module + "\" \"" + import.name + "\" must be a " +
                                     describe_import(module, import) + ", but what is given is a " + describe(given));
}

}  // namespace pollux
