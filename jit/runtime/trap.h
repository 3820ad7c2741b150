// Traps: how guest code that must stop is stopped, and what the host learns of it.
//
// A trap site is an instruction that faults. The signal handler recognises it by its pc, collects the stack's return addresses into the
// store's RawBacktrace, and redirects the thread to trap_exit, which makes the `enter` of the innermost activation return the code. Faults
// anywhere else go to the handler that was there before. Frames get their names later, in ordinary code.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jit/abi/layout.h"
#include "jit/abi/trap_code.h"
#include "jit/base/error.h"
#include "jit/runtime/value.h"

namespace pollux {

class CompiledModule;
class Fiber;
class Store;

/// One guest function on the stack, innermost first.
struct Frame {
    const CompiledModule* module = nullptr;  ///< alive as long as the store
    std::uint32_t function = 0;
    std::uint32_t wasm_offset = 0;           ///< in the module: of the trapping instruction or the call
    std::string name;                        ///< from the name section, demangled; else an export's name; else empty
};

struct Tag;

/// An exception of the guest as the host sees it.
struct ThrownException {
    const Tag* tag = nullptr;        ///< lives as long as the store
    std::vector<Value> arguments;
};

/// Why a call of guest code did not return.
struct Trap {
    TrapCode code = TrapCode::none;
    std::vector<Frame> frames;          ///< at most kFirstFrames + kLastFrames
    std::size_t omitted = 0;            ///< frames left out after the first kFirstFrames
    /// TrapCode::uncaught_exception: what was thrown. A host function that returns this code throws it on, at its own call in the guest.
    std::optional<ThrownException> exception;
    std::optional<Error> error;  ///< what the host function said (TrapCode::host_error), or what was wrong with the call
    /// The trap's message and the backtrace, several lines.
    [[nodiscard]] std::string to_string() const;
    /// The message alone: trap_message(code), and the error's.
    [[nodiscard]] std::string message() const;
};

/// Return addresses as a signal handler collects them.
struct RawBacktrace {
    static constexpr std::size_t kFirstFrames = 50;
    static constexpr std::size_t kLastFrames = 20;
    std::array<std::uint64_t, kFirstFrames> first{};
    std::array<std::uint64_t, kLastFrames> last{};  ///< a ring
    std::size_t count = 0;
    bool exact = false;  ///< first[0] is the pc of a trap site, not a return address

    void clear() noexcept { count = 0, exact = false; }
    void push(std::uint64_t pc) noexcept {
        if (count < kFirstFrames) {
            first[count] = pc;
        } else {
            last[(count - kFirstFrames) % kLastFrames] = pc;
        }
        ++count;
    }
};

/// Collects the guest frames of the store's activations, from its exit frame on. For host code that is about to end the guest.
void collect_backtrace(Store& store) noexcept;

/// The frames of a raw backtrace, with names.
[[nodiscard]] Trap make_trap(TrapCode code, const RawBacktrace& raw);

/// What signal handlers know of the running thread.
struct ThreadState {
    Store* store = nullptr;  ///< whose fiber runs
    Fiber* fiber = nullptr;  ///< that runs; null on the thread's own stack
};
[[nodiscard]] ThreadState& thread_state() noexcept;

/// Installs the handlers of the process (once) and gives the calling thread an alternate signal stack (once). `interrupt_signal` is the
/// signal that Store::interrupt sends; the first engine decides.
[[nodiscard]] Result<> prepare_signals(int interrupt_signal);
[[nodiscard]] Result<> prepare_thread() noexcept;
/// The signal that prepare_signals was given.
[[nodiscard]] int interrupt_signal() noexcept;

}  // namespace pollux
