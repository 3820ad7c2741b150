// A module with its machine code: immutable to its users, shared between instances, stores and threads.
//
//   eager:  code of all functions, reached directly
//   lazy:   stubs | thunks, one for each function | code as it is compiled … | table of code addresses
//           A call goes through the function's entry in the table, which first leads to its thunk, the thunk to compile_lazily().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/base/mapping.h"
#include "jit/compile/backend.h"
#include "jit/runtime/code_map.h"
#include "jit/runtime/code_memory.h"
#include "jit/runtime/engine.h"
#include "jit/wasm/module.h"
#include "jit/wasm/name_section.h"

namespace pollux {

/// When things happened, in ns of CLOCK_MONOTONIC since the builder was made; 0: never.
struct BuildTimes {
    std::uint64_t first_byte = 0;
    std::uint64_t first_function = 0;  ///< compiled (lazy: validated)
    std::uint64_t last_byte = 0;
    std::uint64_t last_function = 0;
    std::uint64_t published = 0;       ///< the module was ready to be instantiated
    std::uint32_t functions = 0;       ///< compiled, or validated
    std::uint32_t not_compiled = 0;    ///< whose bodies trap, because they use a feature that is not compiled
    std::uint32_t threads = 1;         ///< that took part
    std::uint64_t wasm_bytes = 0;
    std::uint64_t code_bytes = 0;      ///< of machine code
    std::uint64_t map_bytes = 0;       ///< of the code map
};

class CompiledModule {
public:
    CompiledModule(const CompiledModule&) = delete;
    CompiledModule& operator=(const CompiledModule&) = delete;
    ~CompiledModule();

    [[nodiscard]] const wasm::Module& module() const noexcept { return *module_; }
    [[nodiscard]] Engine& engine() const noexcept { return *engine_; }
    [[nodiscard]] const InstanceLayout& layout() const noexcept { return layout_; }
    [[nodiscard]] const BuildTimes& times() const noexcept { return times_; }
    [[nodiscard]] bool is_lazy() const noexcept { return lazy_ != nullptr; }
    /// Where the function's code begins now: lazy: its thunk until it is compiled. Not for imports.
    [[nodiscard]] const void* code(std::uint32_t function) const noexcept;
    /// The machine code of a compiled function, for disassembly; empty if it is not compiled (yet).
    [[nodiscard]] std::span<const std::uint8_t> machine_code(std::uint32_t function) const noexcept;
    /// Name of a function: from the name section, demangled; else of its export, else of its import ("module.name"); else empty.
    [[nodiscard]] std::string function_name(std::uint32_t function) const;
    /// The module's own name, from the name section; else the file's name; else empty.
    [[nodiscard]] std::string name() const;
    /// Why the body of a function was not compiled (it traps); empty if it was.
    [[nodiscard]] std::string not_compiled(std::uint32_t function) const;
    /// All functions whose bodies were not compiled so far, and why.
    [[nodiscard]] std::vector<std::pair<std::uint32_t, std::string>> not_compiled_functions() const {
        const std::lock_guard lock(not_compiled_mutex_);
        return not_compiled_;
    }

    /// Whether bytes of the mapped file were lost while it was in use.
    [[nodiscard]] bool file_changed() const noexcept { return file_changed_.load(std::memory_order_acquire); }
    /// Lazy: code of a function, compiled now if it is not yet; null and `trap` if that fails. Thread-safe.
    [[nodiscard]] const void* compile_lazily(std::uint32_t function, TrapCode& trap) const;
    /// Whether `code` is the function's thunk and not its code.
    [[nodiscard]] bool is_thunk(const void* code) const noexcept;

private:
    friend class ModuleBuilder;
    friend class PrecompiledFile;
    explicit CompiledModule(std::shared_ptr<Engine> engine);

    struct LazyState;
    [[nodiscard]] const wasm::NameSection& names() const;
    void add_not_compiled(std::uint32_t function, std::string feature) const;
    /// Reserves memory for code; lazy: with stubs, thunks and the table of code addresses. `known_bytes`: of the module, 0 if it is a
    /// stream.
    [[nodiscard]] Result<> prepare(std::size_t known_bytes, bool lazy);
    [[nodiscard]] Result<> prepare_lazy(std::size_t code_bytes);
    [[nodiscard]] std::atomic<const void*>& table_entry(std::uint32_t function) const noexcept {
        return reinterpret_cast<std::atomic<const void*>*>(environment_.function_table)[function];
    }

    std::shared_ptr<Engine> engine_;
    std::vector<std::uint8_t> owned_bytes_;
    Mapping file_;
    std::string file_name_;
    std::shared_ptr<const wasm::Module> module_;
    InstanceLayout layout_{wasm::Module{}};
    CompileEnvironment environment_;
    mutable CodeMemory code_memory_;
    mutable CodeMap code_map_;
    std::unique_ptr<std::atomic<std::uint32_t>[]> code_offsets_;  ///< eager: by defined function, in the region; 0: not yet
    std::atomic<bool> file_changed_{false};
    mutable std::mutex not_compiled_mutex_;
    mutable std::vector<std::pair<std::uint32_t, std::string>> not_compiled_;
    std::unique_ptr<LazyState> lazy_;
    mutable std::once_flag names_once_;
    mutable std::optional<wasm::NameSection> names_;
    BuildTimes times_;
    // Taken out of the process-wide list before anything that signal handlers reach through them goes.
    RegisteredRegion file_region_;
    RegisteredRegion stub_region_;
    RegisteredRegion region_;
};

}  // namespace pollux
