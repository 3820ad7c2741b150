// The registers of an interrupted thread, as a signal handler sees and changes them.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace pollux {

class MachineContext {
public:
    // What finds the pc is always inlined: also into what sanitizers do not instrument.
    [[gnu::always_inline]] explicit MachineContext(void* signal_context) noexcept : context_(static_cast<ucontext_t*>(signal_context)) {}

#if defined(__x86_64__)
    [[nodiscard, gnu::always_inline]] std::uint64_t pc() const noexcept { return reg(REG_RIP); }
    [[nodiscard]] std::uint64_t stack_pointer() const noexcept { return reg(REG_RSP); }
    [[nodiscard]] std::uint64_t frame_pointer() const noexcept { return reg(REG_RBP); }
    /// Where the return address of a frameless function is: its address, or 0 if it is in a register.
    [[nodiscard]] std::uint64_t frameless_return_slot() const noexcept { return stack_pointer(); }
    [[nodiscard]] std::uint64_t link_register() const noexcept { return 0; }
    /// Where a helper's status is tested.
    [[nodiscard]] std::uint32_t result() const noexcept { return static_cast<std::uint32_t>(reg(REG_RAX)); }

    /// Continues in `function(first, second)`, a C function that does not return, on the stack below `stack`.
    void call(std::uint64_t function, std::uint64_t stack, std::uint64_t first, std::uint64_t second) noexcept {
        set(REG_RIP, function);
        set(REG_RSP, (stack & ~std::uint64_t{15}) - 8);
        set(REG_RDI, first);
        set(REG_RSI, second);
    }
    /// Continues at `stub` with the interrupted pc on the interrupted stack.
    void enter_preempt_stub(std::uint64_t stub) noexcept {
        const std::uint64_t stack = stack_pointer() - 8;
        *reinterpret_cast<std::uint64_t*>(stack) = pc();
        set(REG_RSP, stack);
        set(REG_RIP, stub);
    }

private:
    [[nodiscard, gnu::always_inline]] std::uint64_t reg(int number) const noexcept {
        return static_cast<std::uint64_t>(context_->uc_mcontext.gregs[number]);
    }
    void set(int number, std::uint64_t value) noexcept { context_->uc_mcontext.gregs[number] = static_cast<greg_t>(value); }
#elif defined(__aarch64__)
    [[nodiscard, gnu::always_inline]] std::uint64_t pc() const noexcept { return context_->uc_mcontext.pc; }
    [[nodiscard]] std::uint64_t stack_pointer() const noexcept { return context_->uc_mcontext.sp; }
    [[nodiscard]] std::uint64_t frame_pointer() const noexcept { return context_->uc_mcontext.regs[29]; }
    [[nodiscard]] std::uint64_t frameless_return_slot() const noexcept { return 0; }
    [[nodiscard]] std::uint64_t link_register() const noexcept { return context_->uc_mcontext.regs[30]; }
    [[nodiscard]] std::uint32_t result() const noexcept { return static_cast<std::uint32_t>(context_->uc_mcontext.regs[0]); }

    void call(std::uint64_t function, std::uint64_t stack, std::uint64_t first, std::uint64_t second) noexcept {
        context_->uc_mcontext.pc = function;
        context_->uc_mcontext.sp = stack & ~std::uint64_t{15};
        context_->uc_mcontext.regs[0] = first;
        context_->uc_mcontext.regs[1] = second;
    }
    void enter_preempt_stub(std::uint64_t stub) noexcept {
        const std::uint64_t stack = stack_pointer() - 16;
        *reinterpret_cast<std::uint64_t*>(stack) = pc();
        context_->uc_mcontext.sp = stack;
        context_->uc_mcontext.pc = stub;
    }
    /// Continues at the pc that enter_preempt_stub saved: the preempt stub has restored everything else and stands at preempt_resume.
    void resume_preempted() noexcept {
        context_->uc_mcontext.pc = *reinterpret_cast<std::uint64_t*>(stack_pointer());
        context_->uc_mcontext.sp = stack_pointer() + 16;
    }

private:
#else
#error "no machine context for this ISA"
#endif
    ucontext_t* context_;
};

}  // namespace pollux
