// The pieces of machine code between guest and host.
//
// Host to guest: enter, trap_exit, switch_stack. Guest to host: helper stubs, host stubs, lazy; and preempt, which a signal
// handler makes an interrupted guest continue in. Every stub that guest code calls starts with `push rbp; mov rbp, rsp`, so that rbp
// points at {caller's rbp, return pc}: that is the exit frame from which the guest's stack is walked. rsp is a multiple of 16 there,
// as in every frame. In all of them r15 is the context, whose first field is the store. Before it returns to the guest each tests
// interrupt_pending: a signal that found host code has only set it.
#include "backends/x64/stubs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "backends/x64/abi.h"
#include "backends/x64/cpu_features.h"
#include "backends/x64/emitter.h"
#include "backends/x64/registers.h"
#include "jit/abi/calling_convention.h"

namespace pollux::x64 {

namespace {

using wasm::Kind;

constexpr std::array kCalleeSaved = {kRbx, kR12, kR13, kR14, kR15};  // besides rbp
constexpr std::int32_t kVectorBytes = 16;

x86::Mem at(Reg base, std::int32_t offset) { return x86::ptr(gp64(base), offset, 8); }
x86::Mem vector_at(Reg base, std::int32_t offset) { return x86::ptr(gp64(base), offset, 16); }

/// What all stubs are made of.
class StubWriter {
public:
    StubWriter(CodeBuffer buffer, const StubTargets& targets, const void* trap_exit)
        : targets_(targets), trap_exit_(trap_exit), buffer_(buffer) {
        emitter_.attach(buffer);
    }

    [[nodiscard]] Emitter& emitter() noexcept { return emitter_; }
    [[nodiscard]] x86::Assembler& as() noexcept { return emitter_.as(); }

    /// Aligns, and returns the address at which what follows will run.
    [[nodiscard]] std::uint64_t start() {
        emitter_.align(16);
        return buffer_.execute + static_cast<std::uint64_t>(emitter_.position());
    }

    [[nodiscard]] Result<std::size_t> finish() const {
        if (emitter_.failed()) return fail(ErrorKind::resource, "emitting a stub: an instruction has no encoding");
        if (emitter_.overflowed()) return fail(ErrorKind::resource, "emitting a stub: the code memory is too small");
        return static_cast<std::size_t>(emitter_.position());
    }

    void enter_frame() {
        as().push(gp64(kRbp));
        as().mov(gp64(kRbp), gp64(kRsp));
    }

    void leave_frame() {
        as().mov(gp64(kRsp), gp64(kRbp));
        as().pop(gp64(kRbp));
    }

    /// Loads the store into `store` and makes rbp the exit frame.
    void set_exit_frame(Reg store) {
        as().mov(gp64(store), at(kContextReg, kStoreOffset));
        as().mov(at(store, kExitFrameOffset), gp64(kRbp));
    }

    /// Leaves the guest with the trap code in eax.
    void leave_with_trap() {
        as().mov(gp32(kRsi), gp32(kRax));
        as().mov(gp64(kRdi), at(kContextReg, kStoreOffset));
        as().mov(gp64(kRdi), at(kRdi, kEntryOffset));
        emitter_.jump_absolute(trap_exit_, kR11);
    }

    /// Jumps to `pending` if somebody wants to interrupt. Clobbers r11.
    void test_interrupt(Label& pending) {
        as().mov(gp64(kR11), at(kContextReg, kStoreOffset));
        as().cmp(x86::dword_ptr(gp64(kR11), kInterruptOffset), 0);
        emitter_.jump_if(Condition::kNE, pending);
    }

    /// Calls preempt(store), with rbp as the exit frame; goes to `trap` if it returned a code, then on.
    void call_preempt(Label& trap) {
        set_exit_frame(kRdi);
        emitter_.call_absolute(reinterpret_cast<const void*>(targets_.preempt), kRax);
        as().test(gp32(kRax), gp32(kRax));
        emitter_.jump_if(Condition::kNZ, trap);
    }

    void load_vector(Reg d, const x86::Mem& source) {
        as().emit(host_features().avx ? x86::Inst::kIdVmovups : x86::Inst::kIdMovups, xmm(d), source);
    }
    void store_vector(const x86::Mem& target, Reg s) {
        as().emit(host_features().avx ? x86::Inst::kIdVmovups : x86::Inst::kIdMovups, target, xmm(s));
    }

    void emit_enter(Label& leave);
    void emit_switch_stack();
    void emit_preempt();
    void emit_lazy();
    void emit_helper(const void* helper, Label& pending);
    void emit_interrupted_return(Label& pending);
    void emit_host(const wasm::FuncType& type, const void* host_failed);
    void emit_host_failed();

private:
    const StubTargets& targets_;
    const void* trap_exit_;
    CodeBuffer buffer_;
    Emitter emitter_;
};

/// enter(record: rdi, code: rsi, instance: rdx, arguments: rcx) → eax.
///
///   rbp      caller's rbp          A host function entered directly finds no caller instance at rbp - 8.
///   rbp - 8  0
///            rbx r12 r13 r14 r15 arguments record    ← rsp in the record
///            stack arguments
void StubWriter::emit_enter(Label& leave) {
    constexpr std::int32_t kArgumentsSlot = 8;
    enter_frame();
    as().push(0);
    for (const Reg reg : kCalleeSaved) as().push(gp64(reg));
    as().push(gp64(kRcx));
    as().push(gp64(kRdi));
    as().mov(at(kRdi, offsetof(EntryRecord, stack_pointer)), gp64(kRsp));
    as().mov(gp64(kR11), gp64(kRsi));
    as().mov(gp64(kContextReg), gp64(kRdx));
    as().mov(gp64(kMemoryBaseReg), at(kContextReg, kMemoryBaseOffset));  // not meant, but readable, in a HostFunction

    Label no_stack;
    Label next;
    as().mov(gp64(kRdx), at(kRcx, offsetof(EntryArguments, stack_bytes)));
    as().test(gp64(kRdx), gp64(kRdx));
    emitter_.jump_if(Condition::kZ, no_stack);
    as().mov(gp64(kRsi), at(kRcx, offsetof(EntryArguments, stack)));
    as().sub(gp64(kRsp), gp64(kRdx));
    emitter_.bind(next);
    as().mov(gp64(kRax), x86::ptr(gp64(kRsi), gp64(kRdx), 0, -8, 8));
    as().mov(x86::ptr(gp64(kRsp), gp64(kRdx), 0, -8, 8), gp64(kRax));
    as().sub(gp64(kRdx), 8);
    emitter_.jump_if(Condition::kNZ, next);
    emitter_.bind(no_stack);

    for (std::size_t i = 0; i < kArgumentsFp.size(); ++i) {
        load_vector(kArgumentsFp[i], vector_at(kRcx, static_cast<std::int32_t>(offsetof(EntryArguments, fp) + i * kVectorBytes)));
    }
    for (std::size_t i = 0; i < kArgumentsGp.size(); ++i) {
        as().mov(gp64(kArgumentsGp[i]), at(kRcx, static_cast<std::int32_t>(offsetof(EntryArguments, gp) + i * 8)));
    }
    as().mov(gp64(kRdi), at(kRcx, offsetof(EntryArguments, memory_results)));
    as().call(gp64(kR11));

    as().mov(gp64(kRcx), at(kRsp, kArgumentsSlot));
    as().mov(at(kRcx, offsetof(EntryArguments, result_gp)), gp64(kRax));
    store_vector(vector_at(kRcx, offsetof(EntryArguments, result_fp)), fp(0));
    as().xor_(gp32(kRax), gp32(kRax));
    emitter_.bind(leave);
    as().add(gp64(kRsp), 16);
    for (auto reg = kCalleeSaved.rbegin(); reg != kCalleeSaved.rend(); ++reg) as().pop(gp64(*reg));
    as().pop(gp64(kRcx));
    as().pop(gp64(kRbp));
    as().ret();
}

/// switch_stack(from: rdi, to: rsi). rdi is among what is kept, so that prepare_stack can set a first argument.
void StubWriter::emit_switch_stack() {
    as().push(gp64(kRbp));
    for (const Reg reg : kCalleeSaved) as().push(gp64(reg));
    as().push(gp64(kRdi));
    as().mov(x86::ptr(gp64(kRdi)), gp64(kRsp));
    as().mov(gp64(kRsp), gp64(kRsi));
    as().pop(gp64(kRdi));
    for (auto reg = kCalleeSaved.rbegin(); reg != kCalleeSaved.rend(); ++reg) as().pop(gp64(*reg));
    as().pop(gp64(kRbp));
    as().pop(gp64(kRdx));  // not ret: its prediction would be wrong every time
    as().jmp(gp64(kRdx));
}

/// Entered with the interrupted pc pushed. rsp need not be aligned, for the pc may be in a prologue.
void StubWriter::emit_preempt() {
    constexpr std::int32_t kVectors = 16 * kVectorBytes;
    std::array<Reg, 14> saved;
    std::size_t count = 0;
    for (std::uint8_t i = 0; i < 16; ++i) {
        if (gp(i) != kRsp && gp(i) != kRbp) saved[count++] = gp(i);
    }
    Label trap;
    enter_frame();
    as().pushfq();
    for (const Reg reg : saved) as().push(gp64(reg));
    as().mov(gp64(kRbx), gp64(kRsp));
    as().sub(gp64(kRsp), kVectors);
    as().and_(gp64(kRsp), -16);
    as().cld();
    for (std::uint8_t i = 0; i < 16; ++i) store_vector(vector_at(kRsp, i * kVectorBytes), fp(i));
    call_preempt(trap);
    for (std::uint8_t i = 0; i < 16; ++i) load_vector(fp(i), vector_at(kRsp, i * kVectorBytes));
    as().mov(gp64(kRsp), gp64(kRbx));
    for (auto reg = saved.rbegin(); reg != saved.rend(); ++reg) as().pop(gp64(*reg));
    as().popfq();
    as().pop(gp64(kRbp));
    as().ret();
    emitter_.bind(trap);
    leave_with_trap();
}

/// Entered from a thunk, as if called by the guest, with the function's index in r11d.
void StubWriter::emit_lazy() {
    constexpr std::array kSaved = {kRsi, kR8, kR9, kR10, kRdi, kRax};  // C keeps the other argument registers
    constexpr auto kFpBytes = static_cast<std::int32_t>(kArgumentsFp.size()) * kVectorBytes;
    constexpr std::int32_t kFrame = (static_cast<std::int32_t>(kSaved.size() * 8) + kFpBytes + 15) & ~15;
    Label failed;
    Label trap;
    Label pending;
    Label resume;
    enter_frame();
    as().sub(gp64(kRsp), kFrame);
    for (std::size_t i = 0; i < kArgumentsFp.size(); ++i) {
        store_vector(vector_at(kRsp, static_cast<std::int32_t>(i) * kVectorBytes), kArgumentsFp[i]);
    }
    for (std::size_t i = 0; i < kSaved.size(); ++i) as().mov(at(kRsp, kFpBytes + static_cast<std::int32_t>(i) * 8), gp64(kSaved[i]));
    set_exit_frame(kRax);
    as().mov(gp32(kRsi), gp32(kR11));
    as().mov(gp64(kRdi), gp64(kContextReg));
    emitter_.call_absolute(reinterpret_cast<const void*>(targets_.lazy_compile), kRax);
    as().test(gp64(kRax), gp64(kRax));
    emitter_.jump_if(Condition::kZ, failed);
    emitter_.bind(resume);
    test_interrupt(pending);
    as().mov(gp64(kR11), gp64(kRax));
    for (std::size_t i = 0; i < kArgumentsFp.size(); ++i) {
        load_vector(kArgumentsFp[i], vector_at(kRsp, static_cast<std::int32_t>(i) * kVectorBytes));
    }
    for (std::size_t i = 0; i < kSaved.size(); ++i) as().mov(gp64(kSaved[i]), at(kRsp, kFpBytes + static_cast<std::int32_t>(i) * 8));
    leave_frame();
    as().jmp(gp64(kR11));

    emitter_.bind(pending);
    as().push(gp64(kRax));
    as().push(gp64(kRax));
    call_preempt(trap);
    as().pop(gp64(kRax));
    as().pop(gp64(kRax));
    emitter_.jump(resume);

    emitter_.bind(failed);
    as().mov(gp64(kRdi), at(kContextReg, kStoreOffset));
    emitter_.call_absolute(reinterpret_cast<const void*>(targets_.pending_trap), kRax);
    emitter_.bind(trap);
    leave_with_trap();
}

/// From the guest's call of a helper to the C function. The result, if any, is in rax.
void StubWriter::emit_helper(const void* helper, Label& pending) {
    enter_frame();
    set_exit_frame(kR11);
    as().mov(gp64(kRdi), gp64(kContextReg));
    emitter_.call_absolute(helper, kRax);
    test_interrupt(pending);
    as().pop(gp64(kRbp));
    as().ret();
}

/// Where all helper stubs go on when somebody wants to interrupt.
void StubWriter::emit_interrupted_return(Label& pending) {
    Label trap;
    emitter_.bind(pending);
    as().push(gp64(kRax));
    as().push(gp64(kRax));
    call_preempt(trap);
    as().pop(gp64(kRax));
    as().pop(gp64(kRax));
    test_interrupt(pending);
    as().pop(gp64(kRbp));
    as().ret();
    emitter_.bind(trap);
    leave_with_trap();
}

/// From a call in the guest convention to HostFunction::body.
///
///   rbp      caller's rbp, whose rbp - 8 holds the caller's instance
///   rbp - 8  result pointer
///   …        values: one V128 for each parameter or result, whichever are more
///   rsp      CallContext
void StubWriter::emit_host(const wasm::FuncType& type, const void* host_failed) {
    constexpr std::int32_t kContextBytes = (sizeof(CallContext) + 15) & ~std::size_t{15};
    constexpr std::int32_t kResultPointerSlot = -8;
    const auto value_count = static_cast<std::int32_t>(std::max(type.params.size(), type.results.size()));
    const auto value = [](std::size_t i) { return kContextBytes + static_cast<std::int32_t>(i) * kVectorBytes; };
    const Reg copied = kScratchFpReg;
    Label failed;
    Label trap;
    Label pending;
    Label resume;

    as().mov(gp64(kRax), at(kRbp, kCallerInstanceSlot));
    enter_frame();
    as().sub(gp64(kRsp), 16 + kContextBytes + value_count * kVectorBytes);
    as().mov(at(kRbp, kResultPointerSlot), gp64(kRdi));

    ParameterAssigner parameters(kArgumentsGp.size(), kArgumentsFp.size());
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const Kind kind = type.params[i].kind();
        const Location location = parameters.next(kind);
        switch (location.where) {
            case Location::Where::gp:     as().mov(at(kRsp, value(i)), gp64(kArgumentsGp[location.index])); break;
            case Location::Where::fp:     store_vector(vector_at(kRsp, value(i)), kArgumentsFp[location.index]); break;
            case Location::Where::memory: {
                const auto offset = kStackArgumentsOffset + static_cast<std::int32_t>(location.index);
                if (kind == Kind::v128) {
                    load_vector(copied, vector_at(kRbp, offset));
                    store_vector(vector_at(kRsp, value(i)), copied);
                } else {
                    as().mov(gp64(kR11), at(kRbp, offset));
                    as().mov(at(kRsp, value(i)), gp64(kR11));
                }
                break;
            }
        }
    }

    as().mov(at(kRsp, offsetof(CallContext, caller)), gp64(kRax));
    as().mov(at(kRsp, offsetof(CallContext, function)), gp64(kContextReg));
    set_exit_frame(kR11);
    as().mov(at(kRsp, offsetof(CallContext, store)), gp64(kR11));
    as().mov(gp64(kRdi), gp64(kRsp));
    as().lea(gp64(kRsi), at(kRsp, value(0)));
    as().call(at(kContextReg, kHostBodyOffset));
    as().test(gp32(kRax), gp32(kRax));
    emitter_.jump_if(Condition::kNZ, failed);

    emitter_.bind(resume);
    ResultAssigner results;
    for (std::size_t i = 0; i < type.results.size(); ++i) {
        const Kind kind = type.results[i].kind();
        const Location location = results.next(kind);
        switch (location.where) {
            case Location::Where::gp:
                if (kind == Kind::i32) {
                    as().mov(gp32(kRax), x86::dword_ptr(gp64(kRsp), value(i)));
                } else {
                    as().mov(gp64(kRax), at(kRsp, value(i)));
                }
                break;
            case Location::Where::fp: load_vector(fp(0), vector_at(kRsp, value(i))); break;
            case Location::Where::memory:
                if (location.index == 0) as().mov(gp64(kRdi), at(kRbp, kResultPointerSlot));
                load_vector(copied, vector_at(kRsp, value(i)));
                store_vector(vector_at(kRdi, static_cast<std::int32_t>(location.index)), copied);
                break;
        }
    }
    test_interrupt(pending);
    leave_frame();
    if (parameters.stack_bytes() == 0) {
        as().ret();
    } else {
        as().ret(parameters.stack_bytes());
    }

    emitter_.bind(pending);  // the results are still in the frame
    call_preempt(trap);
    emitter_.jump(resume);
    emitter_.bind(trap);
    leave_with_trap();
    emitter_.bind(failed);
    emitter_.jump_absolute(host_failed, kR11);
}

/// A host function has returned the code in eax; rbp is its stub's frame, which is the exit frame.
void StubWriter::emit_host_failed() {
    constexpr auto kUncaught = static_cast<std::uint32_t>(TrapCode::uncaught_exception);
    Label trap;
    Label uncaught;
    as().cmp(gp32(kRax), kUncaught);
    emitter_.jump_if(Condition::kNE, trap);
    as().mov(gp64(kRdi), at(kContextReg, kStoreOffset));
    emitter_.call_absolute(reinterpret_cast<const void*>(targets_.rethrow), kRax);
    as().test(gp64(kRax), gp64(kRax));
    emitter_.jump_if(Condition::kZ, uncaught);
    as().mov(gp64(kRdi), at(kContextReg, kStoreOffset));
    as().mov(gp64(kRbp), at(kRdi, kLandingFrameOffset));
    as().jmp(gp64(kRax));
    emitter_.bind(uncaught);
    as().mov(gp32(kRax), kUncaught);
    emitter_.bind(trap);
    leave_with_trap();
}

}  // namespace

Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs) {
    // trap_exit comes first, so that its address is known to all others; its end is that of enter.
    StubWriter writer(buffer, targets, reinterpret_cast<const void*>(buffer.execute));
    Emitter& emitter = writer.emitter();
    stubs.begin = writer.start();
    if (stubs.begin != buffer.execute) return fail(ErrorKind::resource, "emitting the stubs: their address is not a multiple of 16");
    Label leave;
    Label pending;
    const std::uint64_t trap_exit = stubs.begin;
    emitter.as().mov(gp64(kRsp), at(kRdi, offsetof(EntryRecord, stack_pointer)));
    emitter.as().mov(gp32(kRax), gp32(kRsi));
    emitter.jump(leave);

    const std::uint64_t enter = writer.start();
    writer.emit_enter(leave);
    const std::uint64_t switch_stack = writer.start();
    writer.emit_switch_stack();
    stubs.preempt = reinterpret_cast<const void*>(writer.start());
    writer.emit_preempt();
    stubs.lazy = reinterpret_cast<const void*>(writer.start());
    writer.emit_lazy();
    stubs.host_failed = reinterpret_cast<const void*>(writer.start());
    writer.emit_host_failed();
    for (std::size_t i = 0; i < kHelperCount; ++i) {
        stubs.helpers[i] = reinterpret_cast<const void*>(writer.start());
        writer.emit_helper(targets.helpers[i], pending);
    }
    writer.emit_interrupted_return(pending);
    stubs.trap_exit = reinterpret_cast<decltype(stubs.trap_exit)>(trap_exit);
    stubs.enter = reinterpret_cast<decltype(stubs.enter)>(enter);
    stubs.switch_stack = reinterpret_cast<decltype(stubs.switch_stack)>(switch_stack);
    stubs.end = writer.start();
    return writer.finish();
}

Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets, const Stubs& stubs) {
    StubWriter writer(buffer, targets, reinterpret_cast<const void*>(stubs.trap_exit));
    writer.emit_host(type, stubs.host_failed);
    return writer.finish();
}

Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs) {
    if (buffer.capacity / kThunkBytes < count) return fail(ErrorKind::resource, "emitting lazy thunks: the code memory is too small");
    // mov r11d, function; jmp stubs.lazy; int3…
    const std::uint64_t lazy = reinterpret_cast<std::uint64_t>(stubs.lazy);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t offset = std::size_t{i} * kThunkBytes;
        const auto distance = static_cast<std::int64_t>(lazy - (buffer.execute + offset + 11));
        if (distance != static_cast<std::int32_t>(distance)) {
            return fail(ErrorKind::resource, "emitting lazy thunks: they are more than 2 GiB from the stubs");
        }
        std::array<std::uint8_t, kThunkBytes> thunk;
        thunk.fill(0xcc);
        const std::uint32_t function = first + i;
        const auto field = static_cast<std::int32_t>(distance);
        thunk[0] = 0x41;
        thunk[1] = 0xbb;
        std::memcpy(&thunk[2], &function, 4);
        thunk[6] = 0xe9;
        std::memcpy(&thunk[7], &field, 4);
        std::memcpy(buffer.write + offset, thunk.data(), kThunkBytes);
    }
    return {};
}

void* prepare_stack(void* top, void (*entry)(void*), void* argument) {
    // What switch_stack pops: rdi, r15 … rbx, rbp, and where to go on; above it entry's return address, never used.
    struct Prepared {
        void* rdi;
        std::array<std::uint64_t, kCalleeSaved.size() + 1> callee_saved;
        void (*pc)(void*);
        std::uint64_t return_address;
    };
    const std::uint64_t aligned = reinterpret_cast<std::uint64_t>(top) & ~std::uint64_t{15};
    const Prepared prepared{argument, {}, entry, 0};
    // entry finds rsp as after a call: 8 below a multiple of 16.
    auto* const target = reinterpret_cast<std::uint8_t*>(aligned - 16 + 8 - offsetof(Prepared, return_address));
    std::memcpy(target, &prepared, sizeof prepared);
    return target;
}

}  // namespace pollux::x64
