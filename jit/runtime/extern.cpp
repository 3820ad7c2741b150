#include "jit/runtime/extern.h"

#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

std::string describe(const wasm::Limits& limits, const char* unit) {
    std::string text = std::to_string(limits.min);
    if (limits.has_max) text += ".." + std::to_string(limits.max);
    text += " ";
    text += unit;
    if (limits.is_64) text += ", 64-bit";
    if (limits.shared) text += ", shared";
    return text;
}

}  // namespace

std::string describe(const wasm::FuncType& type) {
    return "function " + wasm::to_string(type.params) + " -> " + wasm::to_string(type.results);
}

std::string describe(const wasm::TableType& type) {
    return "table of " + wasm::to_string(type.element) + ", " + describe(type.limits, "elements");
}

std::string describe(const wasm::MemoryType& type) {
    return "memory of " + describe(type.limits, "pages") +
           (type.page_bits == 16 ? "" : " of " + std::to_string(1U << type.page_bits) + " bytes");
}

std::string describe(const wasm::GlobalType& type) {
    return std::string("global ") + (type.is_mutable ? "mut " : "") + wasm::to_string(type.type);
}

std::string describe(const Extern& item) {
    switch (kind_of(item)) {
        case wasm::ExternKind::func:  return describe(std::get<Func>(item).type());
        case wasm::ExternKind::table: {
            const Table& table = *std::get<Table*>(item);
            wasm::TableType type = table.type();
            type.limits.min = table.length;
            return describe(type);
        }
        case wasm::ExternKind::memory: {
            const Memory& memory = *std::get<std::shared_ptr<Memory>>(item);
            wasm::MemoryType type = memory.type();
            type.limits.min = memory.pages();
            return describe(type);
        }
        case wasm::ExternKind::global: return describe(std::get<Global>(item).type);
        case wasm::ExternKind::tag:    {
            const wasm::FuncType& type = wasm::func_type(std::get<const Tag*>(item)->type);
            return "tag " + wasm::to_string(type.params);
        }
    }
    return "nothing";
}

}  // namespace pollux
