// What can be imported and exported: a function, a table, a memory, a global, a tag.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "jit/runtime/func.h"
#include "jit/runtime/global.h"
#include "jit/runtime/memory.h"
#include "jit/runtime/table.h"
#include "jit/wasm/module.h"

namespace pollux {

/// An exception tag. Its address is its identity.
struct Tag {
    wasm::TypeId type = wasm::kNoType;
};

/// Alternatives in the order of wasm::ExternKind. All but memories live as long as their store.
using Extern = std::variant<Func, Table*, std::shared_ptr<Memory>, Global, const Tag*>;

[[nodiscard]] inline wasm::ExternKind kind_of(const Extern& item) noexcept { return static_cast<wasm::ExternKind>(item.index()); }

/// For messages: "function [i32 i32] -> [i32]", "memory 1..2 pages", "global (mut i32)".
[[nodiscard]] std::string describe(const Extern& item);
[[nodiscard]] std::string describe(const wasm::FuncType& type);
[[nodiscard]] std::string describe(const wasm::TableType& type);
[[nodiscard]] std::string describe(const wasm::MemoryType& type);
[[nodiscard]] std::string describe(const wasm::GlobalType& type);

}  // namespace pollux
