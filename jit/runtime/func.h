// A function as the host sees it, whether a guest's or the host's own: two pointers, copied freely, valid as long as the store.
#pragma once

#include <expected>
#include <initializer_list>
#include <span>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/runtime/trap.h"
#include "jit/runtime/value.h"
#include "jit/wasm/types.h"

namespace pollux {

class Store;

/// Nothing, or why the guest stopped.
using CallResult = std::expected<void, Trap>;

class Func {
public:
    Func() noexcept = default;
    Func(Store& store, FuncRef* ref) noexcept : store_(&store), ref_(ref) {}

    explicit operator bool() const noexcept { return ref_ != nullptr; }
    [[nodiscard]] FuncRef* ref() const noexcept { return ref_; }
    [[nodiscard]] Store& store() const noexcept { return *store_; }
    [[nodiscard]] const wasm::FuncType& type() const noexcept;

    /// Calls the function. Arguments and results must fit type(), by number and kind (a wrong call is a Trap with an Error of kind usage).
    /// Runs on the current fiber if it is one of this store, else on a fiber made for the call, waiting with the store's scheduler if it
    /// parks. Concrete reference types are not checked: references must come from this store.
    [[nodiscard]] CallResult call(std::span<const Value> arguments, std::span<Value> results) const;
    /// The same, with as many results as the type has.
    [[nodiscard]] std::expected<std::vector<Value>, Trap> call(std::initializer_list<Value> arguments = {}) const;

private:
    [[nodiscard]] CallResult call_here(std::span<const Value> arguments, std::span<Value> results) const;

    Store* store_ = nullptr;
    FuncRef* ref_ = nullptr;
};

}  // namespace pollux
