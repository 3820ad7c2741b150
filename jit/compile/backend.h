// What an ISA offers to the runtime: a compiler of function bodies, the stubs, a disassembler. Implemented in backends/<isa>.
//
// Both backends are in every build and emit wherever they run; only code for the host's ISA can be executed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jit/abi/helper.h"
#include "jit/abi/layout.h"
#include "jit/base/error.h"
#include "jit/base/scratch_vector.h"
#include "jit/wasm/features.h"
#include "jit/wasm/limits.h"
#include "jit/wasm/module.h"

namespace pollux {

/// Memory that code is written to. `write` and `execute` are the same bytes, at two addresses or one.
struct CodeBuffer {
    std::uint8_t* write = nullptr;
    std::size_t capacity = 0;
    std::uint64_t execute = 0;  ///< address that the code will run at
};

/// How a direct call reaches its callee.
enum class CallMode : std::uint8_t {
    direct,  ///< call rel32 / bl, fixed up by FunctionOutput::relocations
    table,   ///< through the module's table of code addresses (lazy compilation)
};

/// How an access to a 32-bit memory is kept in bounds.
enum class BoundsMode : std::uint8_t { guard_pages, explicit_checks };

/// What all functions of a module are compiled against. `module`'s types, imports and limits are complete.
struct CompileEnvironment {
    const wasm::Module* module = nullptr;
    const InstanceLayout* layout = nullptr;
    CallMode calls = CallMode::direct;
    BoundsMode bounds = BoundsMode::guard_pages;
    bool fuel = false;
    bool portable = false;  ///< code for other processes: ids of types are read from the instance (InstanceLayout::types)
    bool relaxed_simd_deterministic = false;  ///< relaxed SIMD gives what the specification's deterministic profile says
    wasm::FeatureSet features = wasm::FeatureSet::all();
    std::uint64_t function_table = 0;  ///< CallMode::table: address of `const void*[functions]`, within ±2 GiB of the code
};

/// A direct call to fix up once its function's address is known.
struct Relocation {
    std::uint32_t offset = 0;    ///< of the call instruction's field, from the function's start
    std::uint32_t function = 0;
};

/// A direct call to fix up now: see Backend::relocate. Both are offsets from one place in code memory.
struct CallTarget {
    std::uint32_t call = 0;    ///< of the call instruction's field
    std::uint32_t target = 0;
};

/// A pc that something can be asked about. There is one for each memory access and call, so they are small, and as the code map needs them.
struct Site {
    enum class Kind : std::uint8_t {
        trap,  ///< the instruction at `code_offset` may fault, with trap()
        call,  ///< `code_offset` is a return address
        frameless,  ///< from `code_offset` on (to the next site of this kind or framed) the frame pointer is the caller's and the
                    ///< return address is at the stack pointer (x64) or in lr (arm64)
        framed,  ///< from here on the frame is complete
    };
    /// A trap other than memory_out_of_bounds: its code is in the bits below.
    static constexpr std::uint32_t kOtherTrap = 0x20;
    static constexpr unsigned kWasmShift = 8;

    Site() = default;
    /// `trap`: of Kind::trap only.
    constexpr Site(std::uint32_t at, std::uint32_t wasm_offset, Kind kind, TrapCode trap)
        : code_offset(at), wasm_and_tag(wasm_offset << kWasmShift | tag(kind, trap)) {}

    [[nodiscard]] constexpr Kind kind() const noexcept { return static_cast<Kind>(wasm_and_tag >> 6 & 3); }
    [[nodiscard]] constexpr TrapCode trap() const noexcept {
        if (kind() != Kind::trap) return TrapCode::none;
        return (wasm_and_tag & kOtherTrap) == 0 ? TrapCode::memory_out_of_bounds : static_cast<TrapCode>(wasm_and_tag & 0x1f);
    }
    /// Offset in the module; `near`: that of anything in the same function, whose body is smaller than 2^23 bytes.
    [[nodiscard]] constexpr std::uint32_t wasm_offset(std::uint32_t near) const noexcept {
        return near + static_cast<std::uint32_t>(static_cast<std::int32_t>((wasm_and_tag & ~0xFFU) - (near << kWasmShift)) >> kWasmShift);
    }

    std::uint32_t code_offset = 0;  ///< from the function's start; ascending, except trap sites of out-of-line stubs at the end
    std::uint32_t wasm_and_tag = 0;  ///< low 24 bits of the offset in the module | kind (2 bits) | kOtherTrap | TrapCode (5 bits)

private:
    static constexpr std::uint32_t tag(Kind kind, TrapCode trap) noexcept {
        const bool other_trap = kind == Kind::trap && trap != TrapCode::memory_out_of_bounds;
        return static_cast<std::uint32_t>(kind) << 6 | (other_trap ? kOtherTrap | static_cast<std::uint32_t>(trap) : 0);
    }
};
static_assert(static_cast<std::uint32_t>(TrapCode::status) < 32 && wasm::kMaxFunctionBytes < 1U << 23, "a Site has bits for them");

/// What catches exceptions thrown by calls whose return address is in (begin, end]: the first in order that matches. Offsets from the
/// function's start.
struct ExceptionHandler {
    enum class Kind : std::uint8_t {
        catch_tag,  ///< `operand`: tag index
        catch_all,
        delegate,  ///< on with the handlers of region `operand`, or with the caller's for kNoRegion
        region_end,  ///< matches nothing; ends a region
    };
    static constexpr std::uint32_t kNoRegion = ~std::uint32_t{0};
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t region = 0;  ///< of the try that it belongs to
    std::uint32_t operand = 0;
    std::uint32_t landing = 0;  ///< code offset of the landing pad
    Kind kind = Kind::catch_all;
};

/// What compiling one function yields besides its bytes. Reused: compile() clears it.
struct FunctionOutput {
    /// Starts over. Keeps little memory: what a huge function needed is given back.
    void clear() {
        relocations.clear();
        sites.clear();
        clear_scratch(lines);
        handlers.clear();
        not_compiled.clear();
    }

    std::uint32_t code_bytes = 0;
    std::uint32_t alignment = 16;  ///< that the function's start must have
    ScratchVector<Relocation> relocations;
    ScratchVector<Site> sites;
    std::vector<ExceptionHandler> handlers;  ///< innermost regions first
    std::string not_compiled;  ///< not empty: the body traps (TrapCode::not_compiled); names the feature
    struct Line {
        std::uint32_t code_offset;
        std::uint32_t wasm_offset;
    };
    std::vector<Line> lines;  ///< one per instruction, only with FunctionCompiler::want_lines (objdump)
};

/// Compiles bodies one after another. One per thread; keeps its memory between functions.
class FunctionCompiler {
public:
    virtual ~FunctionCompiler() = default;
    /// Decodes, validates and emits function `function` (not an import), whose bytes are `body`, into `buffer`, from its start.
    /// Errors: malformed, invalid; resource: the buffer is too small (call again with a larger one).
    virtual Result<> compile(const CompileEnvironment& environment, std::uint32_t function, std::span<const std::uint8_t> body,
                             CodeBuffer buffer, FunctionOutput& output) = 0;
    bool want_lines = false;
};

/// Arguments and results of a call of guest code by the host, in the guest convention.
struct EntryArguments {
    alignas(16) std::array<wasm::V128, 32> fp{};  ///< FP argument registers
    std::array<std::uint64_t, 32> gp{};  ///< GP argument registers
    const std::uint8_t* stack = nullptr;  ///< stack area
    std::uint64_t stack_bytes = 0;  ///< multiple of 16
    void* memory_results = nullptr;  ///< for the result pointer
    std::uint64_t result_gp = 0;  ///< out
    alignas(16) wasm::V128 result_fp{};  ///< out
};

/// Addresses of the stubs of an ISA, once emitted. All use the C calling convention where C++ calls them.
struct Stubs {
    /// Runs `code` with `instance` in the context register, on this stack. Sets record->stack_pointer. Returns 0, or the TrapCode
    /// with which trap_exit left. Saves and restores all registers that C preserves.
    std::uint32_t (*enter)(EntryRecord* record, const void* code, void* instance, EntryArguments* arguments) = nullptr;
    /// Leaves guest code: returns `code` from the `enter` whose record it is. Also a signal handler's target, arguments in C registers.
    void (*trap_exit)(EntryRecord* record, std::uint32_t code) = nullptr;
    /// Saves the callee-saved state and sp to *from, loads it from `to`.
    void (*switch_stack)(void** from, void* to) = nullptr;
    /// Entered from a signal handler with the interrupted pc pushed, sp at a guest frame: saves every register and flag, makes {fp, pc}
    /// the exit frame, calls preempt(store), then continues, or leaves by trap_exit if it returned a code.
    /// arm64: the handler pushes 16 bytes, the pc lowest; the exit frame is {fp, pc, lr}; to continue, the stub restores every register and
    /// traps (SIGILL) at preempt_resume, where the handler must set pc = [sp] and raise sp by 16.
    const void* preempt = nullptr;
    const void* preempt_resume = nullptr;  ///< arm64 only
    /// Common part of lazy thunks: saves all argument registers, calls lazy_compile(instance, function index) → code address or 0
    /// with the exit frame set; jumps to it with the arguments restored; on 0 leaves through the store's pending trap.
    const void* lazy = nullptr;
    /// Where host stubs go with the code that a host function has returned: to a landing pad, or out by trap_exit.
    const void* host_failed = nullptr;
    std::array<const void*, kHelperCount> helpers{};  ///< guest convention in, C helper out: InstanceHeader::helpers
    /// Code ranges of stubs, for the signal handler: a pc in here is host code as far as preemption is concerned.
    std::uint64_t begin = 0, end = 0;
};

/// C functions that stubs call.
struct StubTargets {
    std::array<const void*, kHelperCount> helpers{};
    std::uint32_t (*preempt)(StoreContext* store) =
        nullptr;  ///< TrapCode or none; also called when interrupt_pending is seen at a stub's end
    const void* (*lazy_compile)(InstanceHeader* instance, std::uint32_t function) = nullptr;
    std::uint32_t (*pending_trap)(StoreContext* store) = nullptr;  ///< TrapCode after lazy_compile returned 0
    /// After a host function returned TrapCode::uncaught_exception: the landing pad to go to with StoreContext::landing_frame, or 0.
    std::uint64_t (*rethrow)(StoreContext* store) = nullptr;
};

/// Number of argument registers of an ISA, for ParameterAssigner.
struct ArgumentRegisters {
    std::uint32_t gp = 0;
    std::uint32_t fp = 0;
};

struct DisassembledInstruction {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    std::string text;
    std::uint64_t branch_target = 0;  ///< absolute address, 0 if none
};

/// One ISA. Stateless and thread-safe.
class Backend {
public:
    virtual ~Backend() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;  ///< "x86_64", "aarch64"
    [[nodiscard]] virtual ArgumentRegisters argument_registers() const = 0;
    /// Error naming the missing CPU feature when the host cannot run this backend's code.
    [[nodiscard]] virtual Result<> check_host() const = 0;
    /// Optional CPU features that make_compiler()'s code makes use of, by name, separated by commas: of the host, if it is of this ISA.
    [[nodiscard]] virtual std::string cpu_features() const = 0;
    /// Error naming the missing CPU feature when it cannot run code with CompileEnvironment::relaxed_simd_deterministic.
    [[nodiscard]] virtual Result<> check_deterministic_simd() const { return {}; }
    [[nodiscard]] virtual std::unique_ptr<FunctionCompiler> make_compiler() const = 0;
    /// Emits all fixed stubs. Returns the bytes used.
    virtual Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs) const = 0;
    /// Emits the stub through which guest code calls a host function of this type. Guest convention in; fills a V128 array in its frame,
    /// builds the CallContext, sets the exit frame, calls HostFunction::body, on a status other than none goes to stubs.host_failed, tests
    /// interrupt_pending (calling StubTargets::preempt), returns the results.
    virtual Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets,
                                               const Stubs& stubs) const = 0;
    /// Emits `count` lazy thunks of thunk_bytes() each, for functions first … first+count-1, that go to stubs.lazy.
    virtual Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs) const = 0;
    [[nodiscard]] virtual std::size_t thunk_bytes() const = 0;
    /// Points calls to their targets. `write`: where the byte at offset 0 is written.
    virtual void relocate(std::uint8_t* write, std::span<const CallTarget> calls) const = 0;
    /// Lays out a new stack so that switch_stack to the returned value calls entry(argument), which never returns.
    virtual void* prepare_stack(void* top, void (*entry)(void*), void* argument) const = 0;
    /// Makes written code visible to instruction fetch.
    virtual void flush_instruction_cache(std::uint64_t execute, std::size_t bytes) const = 0;
    virtual Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address) const = 0;
};

[[nodiscard]] const Backend& x64_backend();
[[nodiscard]] const Backend& arm64_backend();
[[nodiscard]] const Backend& host_backend();
[[nodiscard]] const Backend* find_backend(std::string_view name);  ///< "x86_64", "aarch64"; null if unknown

}  // namespace pollux
