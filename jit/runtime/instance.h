// An instance: a module's memories, tables, globals and functions in a store.
//
//   | Instance | InstanceHeader | memories · tables · imported functions · imported globals · globals |     one allocation
//              ^ the context register                        InstanceLayout
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/runtime/compiled_module.h"
#include "jit/runtime/extern.h"
#include "jit/wasm/module.h"

namespace pollux {

class Store;

/// Why a module could not be instantiated. `trap`: ErrorKind::instantiate, when a segment or the start function trapped.
struct InstantiationError {
    Error error;
    std::optional<Trap> trap;
};

class Instance {
public:
    /// Instantiates a module (section 4.7.2): `imports` in the order of the module's imports. Imports are checked; messages name
    /// module.name and both types. Runs the start function. An instance whose segments or start function trapped stays in the store: others
    /// may refer to it.
    [[nodiscard]] static std::expected<Instance*, InstantiationError> create(Store& store, std::shared_ptr<const CompiledModule> module,
                                                                             std::span<const Extern> imports);
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance();
    /// Bytes that follow the header: those of the InstanceLayout.
    struct VariablePart {
        std::size_t bytes;
    };
    static void* operator new(std::size_t bytes, VariablePart variable);
    static void operator delete(void* memory) noexcept;
    static void operator delete(void* memory, VariablePart variable) noexcept;

    [[nodiscard]] static Instance& of(InstanceHeader* header) noexcept;
    [[nodiscard]] InstanceHeader* header() noexcept;
    [[nodiscard]] Store& store() noexcept { return *store_; }
    [[nodiscard]] const CompiledModule& compiled() const noexcept { return *module_; }
    [[nodiscard]] const std::shared_ptr<const CompiledModule>& shared_compiled() const noexcept { return module_; }
    [[nodiscard]] const wasm::Module& module() const noexcept { return module_->module(); }

    /// What the module exports under a name.
    [[nodiscard]] std::optional<Extern> find_export(std::string_view name);
    /// An exported function; an empty Func if there is none of that name.
    [[nodiscard]] Func find_function(std::string_view name);

    /// By index in the module's index spaces; imports first.
    [[nodiscard]] FuncRef* func_ref(std::uint32_t index) noexcept;
    [[nodiscard]] Func function(std::uint32_t index) noexcept { return {*store_, func_ref(index)}; }
    [[nodiscard]] Memory& memory(std::uint32_t index) noexcept;
    /// For another instance that shares the memory.
    [[nodiscard]] const std::shared_ptr<Memory>& shared_memory(std::uint32_t index) const noexcept { return memories_[index]; }
    [[nodiscard]] Table& table(std::uint32_t index) noexcept;
    [[nodiscard]] Global global(std::uint32_t index) noexcept;
    [[nodiscard]] const Tag* tag(std::uint32_t index) noexcept { return tags_[index]; }
    /// The exported memory "memory", else memory 0, else null.
    [[nodiscard]] Memory* default_memory() noexcept { return default_memory_; }

    /// Calls visit(reference) for each that the instance holds and that may refer to an object: globals, element segments.
    template <class F>
    void visit_references(F&& visit) {
        const wasm::Module& definition = module();
        for (std::uint32_t i = definition.imported_globals; i < definition.globals.size(); ++i) {
            if (wasm::is_collected(definition.globals[i].type.type)) visit(global_cell(i)->bits[0]);
        }
        for (const std::vector<std::uint64_t>& segment : elements_) {
            for (const std::uint64_t element : segment) visit(element);
        }
    }

    // --- for the helpers -----------------------------------------------------------------------------------------------
    /// The bytes of a data segment: none once it was dropped.
    [[nodiscard]] std::span<const std::uint8_t> data_segment(std::uint32_t index) const noexcept;
    void drop_data(std::uint32_t index) noexcept { data_dropped_[index] = true; }
    [[nodiscard]] std::uint64_t element_count(std::uint32_t segment) const noexcept;
    /// The `index`-th reference of an element segment; index < element_count().
    [[nodiscard]] std::uint64_t element(std::uint32_t segment, std::uint64_t index) noexcept;
    void drop_elements(std::uint32_t index) noexcept;
    /// Code of a function that was called through its thunk, compiled now if need be; what refers to the thunk is pointed to it. Null and
    /// `trap` on failure.
    [[nodiscard]] const void* compile_lazily(std::uint32_t function, TrapCode& trap);

private:
    Instance(Store& store, std::shared_ptr<const CompiledModule> module);
    [[nodiscard]] Result<> link(std::span<const Extern> imports);
    [[nodiscard]] Result<> make_own();
    [[nodiscard]] Result<> evaluate(const wasm::ConstExpr& expression, wasm::V128& value);
    [[nodiscard]] Result<> evaluate_elements();
    [[nodiscard]] std::expected<void, InstantiationError> run_active_segments();
    [[nodiscard]] GlobalCell* global_cell(std::uint32_t index) noexcept;
    template <class T>
    [[nodiscard]] T* part(std::uint32_t offset) noexcept {
        return reinterpret_cast<T*>(reinterpret_cast<std::uint8_t*>(header()) + offset);
    }

    Store* store_;
    std::shared_ptr<const CompiledModule> module_;
    Memory* default_memory_ = nullptr;
    std::vector<std::shared_ptr<Memory>> memories_;
    std::vector<const Tag*> tags_;
    std::vector<FuncRef*> imported_functions_;
    struct FreeMemory {
        void operator()(void* memory) const noexcept;
    };
    std::unique_ptr<FuncRef[], FreeMemory> func_refs_;  ///< of own functions; made when first asked for (code is null before)
    std::vector<std::vector<std::uint64_t>> elements_;  ///< values of segments that hold expressions
    std::vector<bool> elements_dropped_;
    std::vector<bool> data_dropped_;
    /// Imports of other instances that hold the address of a thunk of ours: function, and where.
    std::vector<std::pair<std::uint32_t, ImportedFunction*>> thunk_users_;
};

}  // namespace pollux
