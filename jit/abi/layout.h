// What generated code reads and writes: the fixed part of stores, instances, memories, tables and function references.
//
//   context register ─► InstanceHeader ── store ──────► StoreContext   (interrupt flag, entry records, fuel)
//                       │ stack_limit, memory0_base (copies: one load each)
//                       │ helpers ────────────────────► table of helper stubs, by Helper
//                       │ windows ────────────────────► AllocationWindows of the running fiber
//                       ├ memories[]   ──► MemoryCell   (first fields of runtime::Memory)
//                       ├ tables[]     ──► TableCell    (first fields of runtime::Table)
//                       ├ imported functions[]          {code, instance}
//                       ├ imported globals[] ──► GlobalCell
//                       ├ globals[]                     GlobalCell, in place
//                       ├ types[]                       TypeId, by index; for code that must not know this process's ids
//                       └ object_types[] ► ObjectType   … and addresses
//
// The variable part's offsets are a function of the module alone (InstanceLayout). A host function is called with the
// context register pointing at a HostFunction, whose first field is the store too.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "jit/abi/trap_code.h"
#include "jit/wasm/module.h"
#include "jit/wasm/object_type.h"

namespace pollux {

/// One activation of guest code by the host, on the stack of enter_guest(). They chain nested guest → host → guest.
struct EntryRecord {
    EntryRecord* previous = nullptr;
    void* stack_pointer = nullptr;     ///< saved by the entry stub; where trap_exit returns to
    void* outer_exit_frame = nullptr;  ///< StoreContext::exit_frame of the activation around, restored at the end
};

/// First part of runtime::Store.
struct StoreContext {
    EntryRecord* entry = nullptr;          ///< innermost activation
    void* exit_frame = nullptr;            ///< frame of the stub through which the guest called the host: {caller's fp, return pc}
    std::atomic<std::uint32_t> interrupt_pending{0};  ///< tested by stubs before they return to guest code
    std::uint32_t reserved = 0;
    std::int64_t fuel = 0;                 ///< counted down by code compiled with fuel; negative: exhausted
    void* landing_frame = nullptr;         ///< frame of the function whose handler catches what is being thrown
    void* exception = nullptr;             ///< ExceptionObject that is being thrown
};

/// First fields of runtime::Memory.
struct MemoryCell {
    std::uint8_t* base = nullptr;            ///< never moves
    std::atomic<std::uint64_t> length{0};    ///< bytes
};

/// First fields of runtime::Table. Elements are references (64 bits, null is 0).
struct TableCell {
    std::uint64_t* elements = nullptr;
    std::uint64_t length = 0;
};

struct alignas(16) GlobalCell {
    std::uint64_t bits[2] = {0, 0};  ///< i32 and f32 in the low half of bits[0]
};

/// What a non-null function reference points to.
struct FuncRef {
    const wasm::ObjectType* object_type = nullptr;  ///< of `type`; casts read it where they read that of an object
    const void* code = nullptr;      ///< entry by the guest calling convention
    void* instance = nullptr;        ///< InstanceHeader, or HostFunction for a host function: goes to the context register
    wasm::TypeId type = wasm::kNoType;
    std::uint32_t function = 0;      ///< index in the instance's module
};

struct ImportedFunction {
    const void* code = nullptr;
    void* instance = nullptr;
};

// --- objects ---------------------------------------------------------------------------------------------------------------
//
// A reference below `any`, `extern` or `exn` is null (0), an i31 (value << 1 | 1, in 32 bits) or the address of an object.

/// What every object starts with.
struct Object {
    const wasm::ObjectType* type = nullptr;
};

struct ArrayObject : Object {
    std::uint32_t length = 0;
    std::uint32_t reserved = 0;
    [[nodiscard]] std::uint8_t* elements() noexcept { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

/// What an externref that the host made points to.
struct HostObject : Object {
    std::uint64_t value = 0;
};

/// Where the next small objects of a fiber go: zeroed cells of one size, one behind the other.
struct AllocationWindow {
    std::uint64_t next = 0;
    std::uint64_t end = 0;
};

/// A window for each size up to kMaxBytes, in steps of 8 bytes.
struct AllocationWindows {
    static constexpr std::uint32_t kMinBytes = 16;
    static constexpr std::uint32_t kMaxBytes = 128;
    [[nodiscard]] static constexpr std::uint32_t index(std::uint32_t bytes) noexcept {
        return bytes <= kMinBytes ? 0 : (bytes - kMinBytes + 7) / 8;
    }
    [[nodiscard]] static constexpr std::uint32_t cell_bytes(std::uint32_t index) noexcept { return kMinBytes + index * 8; }

    std::array<AllocationWindow, (kMaxBytes - kMinBytes) / 8 + 1> by_size;
};

/// An exception in flight or caught: what a non-null exnref points to. The arguments follow, 16 bytes each.
struct ExceptionObject : Object {
    const void* tag = nullptr;     ///< identity: the address of a Tag
    [[nodiscard]] static constexpr std::int32_t argument_offset(std::size_t index) noexcept {
        return static_cast<std::int32_t>(16 + index * 16);
    }
};

struct InstanceHeader {
    StoreContext* store = nullptr;
    std::uint64_t stack_limit = 0;            ///< of the running fiber; rewritten in all instances of a store when it switches
    std::uint8_t* memory0_base = nullptr;
    const void* const* helpers = nullptr;     ///< stubs, indexed by Helper
    AllocationWindows* windows = nullptr;     ///< of the running fiber; rewritten as stack_limit is
};

struct CallContext;

/// A host function's body. `values` holds the arguments in order, 16 bytes each, and receives the results, from the start.
/// Returns TrapCode::none or why the guest must end. May park its fiber. Must not throw.
using HostBody = TrapCode (*)(CallContext& context, wasm::V128* values);

/// What the context register points to in the stub of a host function.
struct HostFunction {
    StoreContext* store = nullptr;
    HostBody body = nullptr;
    void* data = nullptr;          ///< the host's own
    wasm::TypeId type = wasm::kNoType;
};

/// What a host function gets. Lives in the stub's frame; `caller` is the instance whose code called.
struct CallContext {
    StoreContext* store = nullptr;
    HostFunction* function = nullptr;
    InstanceHeader* caller = nullptr;
};

/// Offsets from an InstanceHeader of the parts that depend on the module.
struct InstanceLayout {
    std::uint32_t memories = 0;            ///< MemoryCell*[]
    std::uint32_t tables = 0;              ///< TableCell*[]
    std::uint32_t imported_functions = 0;  ///< ImportedFunction[]
    std::uint32_t imported_globals = 0;    ///< GlobalCell*[]
    std::uint32_t globals = 0;             ///< GlobalCell[], own ones
    std::uint32_t types = 0;  ///< TypeId[]
    std::uint32_t object_types = 0;  ///< const ObjectType*[]
    std::uint32_t imported_global_count = 0;
    std::uint32_t size = 0;                ///< bytes of the whole

    explicit InstanceLayout(const wasm::Module& module) noexcept {
        const auto align16 = [](std::size_t n) { return (n + 15) & ~std::size_t{15}; };
        std::size_t at = align16(sizeof(InstanceHeader));
        const auto place = [&](std::size_t count, std::size_t bytes) {
            const auto here = static_cast<std::uint32_t>(at);
            at = align16(at + count * bytes);
            return here;
        };
        memories = place(module.memories.size(), sizeof(MemoryCell*));
        tables = place(module.tables.size(), sizeof(TableCell*));
        imported_functions = place(module.imported_functions, sizeof(ImportedFunction));
        imported_globals = place(module.imported_globals, sizeof(GlobalCell*));
        globals = place(module.globals.size() - module.imported_globals, sizeof(GlobalCell));
        types = place(module.types.size(), sizeof(wasm::TypeId));
        object_types = place(module.types.size(), sizeof(const wasm::ObjectType*));
        imported_global_count = module.imported_globals;
        size = static_cast<std::uint32_t>(at);
    }
};

static_assert(offsetof(StoreContext, exit_frame) == 8);
static_assert(offsetof(StoreContext, interrupt_pending) == 16);
static_assert(offsetof(StoreContext, fuel) == 24);
static_assert(offsetof(InstanceHeader, store) == 0 && offsetof(HostFunction, store) == 0);
static_assert(offsetof(InstanceHeader, stack_limit) == 8);
static_assert(offsetof(InstanceHeader, memory0_base) == 16);
static_assert(offsetof(InstanceHeader, helpers) == 24);
static_assert(sizeof(ExceptionObject) == 16 && sizeof(ArrayObject) == wasm::ObjectType::kArrayElements);
static_assert(sizeof(FuncRef) == 32 && sizeof(GlobalCell) == 16);

}  // namespace pollux
