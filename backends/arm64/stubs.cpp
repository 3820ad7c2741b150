// The stubs of AArch64: the only code between C++ and guest code.
//
// Preemption. The signal handler finds the pc in guest code, stores it at [sp - 16], lowers sp by 16 and continues at `preempt`.
// That stub keeps every register that guest code uses, x16, x17, NZCV and FPSR included, so the masm may hold values in its scratch
// registers across instructions. To continue without a register for the branch, the stub restores all and ends in
// `udf #kPreemptResumeMarker` at preempt_resume: the handler for that SIGILL sets pc = [sp] and raises sp by 16.
// The exit frame of a preemption is {fp, interrupted pc, lr}: in a frameless range the walker needs lr.
//
// Interrupts. Code that returns to guest code loads interrupt_pending as its last act but the branch; see put_checked_return.
#include "backends/arm64/stubs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "backends/arm64/masm.h"
#include "jit/abi/calling_convention.h"

namespace pollux::arm64 {

using namespace words;

namespace {

constexpr auto kX = Width::w64;
constexpr auto kW = Width::w32;

constexpr std::int32_t kStore = offsetof(InstanceHeader, store);
constexpr std::int32_t kExitFrame = offsetof(StoreContext, exit_frame);
constexpr std::int32_t kInterruptPending = offsetof(StoreContext, interrupt_pending);
constexpr std::int32_t kEntry = offsetof(StoreContext, entry);

/// Frame of enter, from sp: x19…x28, d8…d15, {arguments, null}, then {x29, x30}.
constexpr std::int32_t kEnterFrame = 160;
constexpr std::int32_t kEnterArguments = 144;
/// What switch_stack leaves on a stack: x19…x28, x29, x30, {x0, pc}, d8…d15.
constexpr std::int32_t kSwitchFrame = 176;
constexpr std::int32_t kSwitchStart = 96;
constexpr std::int32_t kSwitchFloats = 112;
/// Frame of preempt: 30 general registers, {NZCV, FPSR}, 32 vectors, the exit frame {fp, pc}, {lr, -}.
constexpr std::int32_t kPreemptFlags = 240, kPreemptVectors = 256, kPreemptExitFrame = 768, kPreemptFrame = 800;
/// Frame of lazy: {x1, x2}, x8…x15, v8…v29, {code, -}; x19…x26 are preserved by C.
constexpr std::int32_t kLazyHomes = 16, kLazyVectors = 80, kLazyCode = 432, kLazyFrame = 448;

constexpr Word mrs_nzcv(unsigned t) { return 0xD53B'4200U | t; }
constexpr Word msr_nzcv(unsigned t) { return 0xD51B'4200U | t; }
constexpr Word mrs_fpsr(unsigned t) { return 0xD53B'4420U | t; }
constexpr Word msr_fpsr(unsigned t) { return 0xD51B'4420U | t; }

enum class Direction { save, restore };

void put_pairs(Masm& masm, Direction direction, unsigned first, unsigned last, std::int32_t at) {
    for (unsigned r = first; r < last; r += 2, at += 16)
        masm.put(direction == Direction::save ? stp(r, r + 1, kSp, at) : ldp(r, r + 1, kSp, at));
}
void put_float_pairs(Masm& masm, Direction direction, std::int32_t at) {
    for (unsigned r = 8; r < 16; r += 2, at += 16)
        masm.put(direction == Direction::save ? stp_d(r, r + 1, kSp, at) : ldp_d(r, r + 1, kSp, at));
}
void put_vector_pairs(Masm& masm, Direction direction, unsigned first, unsigned last, std::int32_t at) {
    for (unsigned r = first; r < last; r += 2, at += 32)
        masm.put(direction == Direction::save ? stp_q(r, r + 1, kSp, at) : ldp_q(r, r + 1, kSp, at));
}

void put_frame(Masm& masm) {
    masm.put(stp(kFp, kLr, kSp, -16, Pair::pre));
    masm.put(mov_from_sp(kFp));
}
void put_unframe(Masm& masm) {
    masm.put(mov_to_sp(kFp));
    masm.put(ldp(kFp, kLr, kSp, 16, Pair::post));
}
/// `store`->exit_frame = x29
void put_exit_frame(Masm& masm, unsigned store) {
    masm.put(access(kLdrX, store, kX28, kStore));
    masm.put(access(kStrX, kFp, store, kExitFrame));
}
void put_call(Masm& masm, const void* function) {
    masm.put_constant(kX, kX16, reinterpret_cast<std::uint64_t>(function));
    masm.put(blr(kX16));
}
/// Leaves guest code with the TrapCode in w0; the context register names the store.
void put_trap_exit(Masm& masm, std::uint64_t trap_exit) {
    masm.put(mov(kW, 1, 0));
    masm.put(access(kLdrX, 0, kX28, kStore));
    masm.put(access(kLdrX, 0, 0, kEntry));
    masm.put_constant(kX, kX16, trap_exit);
    masm.put(br(kX16));
}

/// Returns to guest code with results in x0 and v0, the frame popped already, unless an interrupt is pending. `slow` is bound by
/// put_interrupted_return.
void put_checked_return(Masm& masm, Label& slow) {
    masm.put(access(kLdrX, kX16, kX28, kStore));
    masm.put(access(kLdrW, kX16, kX16, kInterruptPending));
    masm.put_branch(cbnz(kW, kX16), slow);
    masm.put(ret());
}

void put_interrupted_return(Masm& masm, Label& slow, const StubTargets& targets, std::uint64_t trap_exit) {
    Label leave;
    masm.bind(slow);
    put_frame(masm);
    masm.put_add(kSp, kSp, -32);
    masm.put(access(kStrX, 0, kSp, 0));
    masm.put(access(kStrQ, 0, kSp, 16));
    put_exit_frame(masm, 0);
    put_call(masm, reinterpret_cast<const void*>(targets.preempt));
    masm.put_branch(cbnz(kW, 0), leave);
    masm.put(access(kLdrX, 0, kSp, 0));
    masm.put(access(kLdrQ, 0, kSp, 16));
    put_unframe(masm);
    masm.put(ret());
    masm.bind(leave);
    put_trap_exit(masm, trap_exit);
}

std::uint64_t here(const Masm& masm, const CodeBuffer& buffer) { return buffer.execute + masm.position(); }

template <class T>
T pointer(std::uint64_t address) {
    return std::bit_cast<T>(static_cast<std::uintptr_t>(address));
}

void emit_enter(Masm& masm, Label& leave) {
    put_frame(masm);
    masm.put_add(kSp, kSp, -kEnterFrame);
    put_pairs(masm, Direction::save, 19, 29, 0);
    put_float_pairs(masm, Direction::save, 80);
    masm.put(stp(3, kZr, kSp, kEnterArguments));  // the null is [x29 - 8]: no instance called
    masm.put(mov_from_sp(kX16));
    masm.put(access(kStrX, kX16, 0, offsetof(EntryRecord, stack_pointer)));
    masm.put(mov(kX, kX17, 1));
    masm.put(mov(kX, kX28, 2));

    // The stack area, from its end.
    Label copy, copied;
    masm.put(access(kLdrX, 4, 3, offsetof(EntryArguments, stack_bytes)));
    masm.put(access(kLdrX, 5, 3, offsetof(EntryArguments, stack)));
    masm.put(arith_sp(Arith::sub, kSp, kSp, 4));
    masm.put_branch(cbz(kX, 4), copied);
    masm.bind(copy);
    masm.put(arith_imm(Arith::sub, kX, 4, 4, 16));
    masm.put(access_indexed(kLdrQ, 0, 5, 4));
    masm.put(access_indexed(kStrQ, 0, kSp, 4));
    masm.put_branch(cbnz(kX, 4), copy);
    masm.bind(copied);

    masm.put(access(kLdrX, kResultPointer.number(), 3, offsetof(EntryArguments, memory_results)));
    for (std::size_t i = 0; i < kHomesFp.size(); i += 2) {
        masm.put(
            ldp_q(kHomesFp[i].number(), kHomesFp[i + 1].number(), 3, static_cast<std::int32_t>(offsetof(EntryArguments, fp) + 16 * i)));
    }
    masm.put_add(4, 3, offsetof(EntryArguments, gp));
    for (std::size_t i = 0; i < kHomesGp.size(); i += 2) {
        masm.put(ldp(kHomesGp[i].number(), kHomesGp[i + 1].number(), 4, static_cast<std::int32_t>(8 * i)));
    }
    masm.put(access(kLdrX, kX27, kX28, offsetof(InstanceHeader, memory0_base)));
    masm.put(blr(kX17));

    masm.put_add(kSp, kFp, -kEnterFrame);
    masm.put(access(kLdrX, 3, kSp, kEnterArguments));
    masm.put(access(kStrX, 0, 3, offsetof(EntryArguments, result_gp)));
    masm.put(access(kStrQ, 0, 3, offsetof(EntryArguments, result_fp)));
    masm.put(movz(kW, 0, 0));
    masm.bind(leave);
    put_pairs(masm, Direction::restore, 19, 29, 0);
    put_float_pairs(masm, Direction::restore, 80);
    masm.put_add(kSp, kSp, kEnterFrame);
    masm.put(ldp(kFp, kLr, kSp, 16, Pair::post));
    masm.put(ret());
}

void emit_trap_exit(Masm& masm, Label& leave) {
    masm.put(access(kLdrX, kX16, 0, offsetof(EntryRecord, stack_pointer)));
    masm.put(mov_to_sp(kX16));
    masm.put(mov(kW, 0, 1));
    masm.jump(leave);
}

void emit_switch_stack(Masm& masm) {
    masm.put_add(kSp, kSp, -kSwitchFrame);
    put_pairs(masm, Direction::save, 19, 31, 0);
    masm.put(stp(kZr, kLr, kSp, kSwitchStart));
    put_float_pairs(masm, Direction::save, kSwitchFloats);
    masm.put(mov_from_sp(kX16));
    masm.put(access(kStrX, kX16, 0, 0));
    masm.put(mov_to_sp(1));
    put_pairs(masm, Direction::restore, 19, 31, 0);
    masm.put(ldp(0, kX16, kSp, kSwitchStart));
    put_float_pairs(masm, Direction::restore, kSwitchFloats);
    masm.put_add(kSp, kSp, kSwitchFrame);
    masm.put(ret(kX16));
}

/// Returns the position of the resume marker.
std::uint32_t emit_preempt(Masm& masm, const StubTargets& targets, std::uint64_t trap_exit) {
    const auto general = [&](Direction direction) {
        put_pairs(masm, direction, 0, 18, 0);
        put_pairs(masm, direction, 19, 31, 144);
    };
    Label leave;
    masm.put_add(kSp, kSp, -kPreemptFrame);
    general(Direction::save);
    masm.put(mrs_nzcv(0));
    masm.put(mrs_fpsr(1));
    masm.put(stp(0, 1, kSp, kPreemptFlags));
    put_vector_pairs(masm, Direction::save, 0, 32, kPreemptVectors);
    masm.put(access(kLdrX, 0, kSp, kPreemptFrame));  // the pc that the handler pushed
    masm.put_add(2, kSp, kPreemptExitFrame);
    masm.put(stp(kFp, 0, 2, 0));
    masm.put(stp(kLr, kZr, 2, 16));
    masm.put(mov(kX, kFp, 2));
    put_exit_frame(masm, 0);
    put_call(masm, reinterpret_cast<const void*>(targets.preempt));
    masm.put_branch(cbnz(kW, 0), leave);
    masm.put(ldp(0, 1, kSp, kPreemptFlags));
    masm.put(msr_nzcv(0));
    masm.put(msr_fpsr(1));
    put_vector_pairs(masm, Direction::restore, 0, 32, kPreemptVectors);
    general(Direction::restore);
    masm.put_add(kSp, kSp, kPreemptFrame);
    const std::uint32_t resume = masm.position();
    masm.put(udf(kPreemptResumeMarker));
    masm.bind(leave);
    put_trap_exit(masm, trap_exit);
    return resume;
}

void emit_lazy(Masm& masm, const StubTargets& targets, std::uint64_t trap_exit) {
    Label common, failed, interrupted, resume, leave;
    for (std::uint32_t high = 0; high < kLazyEntries; ++high) {
        masm.put(movk(kW, kX16, high, 1));
        masm.jump(common);
    }
    const auto arguments = [&](Direction direction) {
        put_pairs(masm, direction, 1, 3, 0);
        put_pairs(masm, direction, 8, 16, kLazyHomes);
        put_vector_pairs(masm, direction, 8, 30, kLazyVectors);
    };
    masm.bind(common);
    put_frame(masm);
    masm.put_add(kSp, kSp, -kLazyFrame);
    arguments(Direction::save);
    put_exit_frame(masm, kX17);
    masm.put(mov(kX, 0, kX28));
    masm.put(mov(kW, 1, kX16));
    put_call(masm, reinterpret_cast<const void*>(targets.lazy_compile));
    masm.put_branch(cbz(kX, 0), failed);
    masm.put(access(kStrX, 0, kSp, kLazyCode));
    masm.put(access(kLdrX, 0, kX28, kStore));
    masm.put(access(kLdrW, kX16, 0, kInterruptPending));
    masm.put_branch(cbnz(kW, kX16), interrupted);
    masm.bind(resume);
    arguments(Direction::restore);
    masm.put(access(kLdrX, kX16, kSp, kLazyCode));
    put_unframe(masm);
    masm.put(br(kX16));

    masm.bind(interrupted);
    put_call(masm, reinterpret_cast<const void*>(targets.preempt));
    masm.put_branch(cbz(kW, 0), resume);
    masm.jump(leave);
    masm.bind(failed);
    masm.put(access(kLdrX, 0, kX28, kStore));
    put_call(masm, reinterpret_cast<const void*>(targets.pending_trap));
    masm.bind(leave);
    put_trap_exit(masm, trap_exit);
}

/// A host function has returned the code in w0; x29 is its stub's frame, which is the exit frame.
void emit_host_failed(Masm& masm, const StubTargets& targets, std::uint64_t trap_exit) {
    constexpr auto kUncaught = static_cast<std::uint32_t>(TrapCode::uncaught_exception);
    Label trap, uncaught;
    masm.put(arith_imm(Arith::subs, kW, kZr, 0, kUncaught));
    masm.put_branch(b_cond(Cond::ne), trap);
    masm.put(access(kLdrX, 0, kX28, kStore));
    put_call(masm, reinterpret_cast<const void*>(targets.rethrow));
    masm.put_branch(cbz(kX, 0), uncaught);
    masm.put(access(kLdrX, 1, kX28, kStore));
    masm.put(access(kLdrX, kFp, 1, offsetof(StoreContext, landing_frame)));
    masm.put(br(0));
    masm.bind(uncaught);
    masm.put_constant(kW, 0, kUncaught);
    masm.bind(trap);
    put_trap_exit(masm, trap_exit);
}

enum class HelperResult { none, i32, i64, ref, status };
constexpr std::array<HelperResult, kHelperCount> kHelperResults = {
#define HELPER(name, result, ...) HelperResult::result,
#include "jit/abi/helpers.def"
#undef HELPER
};

void emit_helper(Masm& masm, std::size_t helper, const StubTargets& targets, Label& slow) {
    put_frame(masm);
    put_exit_frame(masm, kX16);
    put_call(masm, targets.helpers[helper]);
    // C leaves the upper half of a 32-bit result undefined.
    if (kHelperResults[helper] == HelperResult::i32 || kHelperResults[helper] == HelperResult::status) masm.put(mov(kW, 0, 0));
    put_unframe(masm);
    put_checked_return(masm, slow);
}

Result<std::size_t> finished(Masm& masm, const char* what) {
    if (masm.overflowed()) return fail(ErrorKind::resource, std::string("the buffer for ") + what + " is too small");
    return masm.position();
}

}  // namespace

Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs) {
    Masm masm;
    masm.begin(buffer);
    Label leave, slow;
    stubs.begin = here(masm, buffer);
    stubs.enter = pointer<decltype(stubs.enter)>(here(masm, buffer));
    emit_enter(masm, leave);
    const std::uint64_t trap_exit = here(masm, buffer);
    stubs.trap_exit = pointer<decltype(stubs.trap_exit)>(trap_exit);
    emit_trap_exit(masm, leave);
    stubs.switch_stack = pointer<decltype(stubs.switch_stack)>(here(masm, buffer));
    emit_switch_stack(masm);
    stubs.preempt = pointer<const void*>(here(masm, buffer));
    stubs.preempt_resume = pointer<const void*>(buffer.execute + emit_preempt(masm, targets, trap_exit));
    stubs.lazy = pointer<const void*>(here(masm, buffer));
    emit_lazy(masm, targets, trap_exit);
    stubs.host_failed = pointer<const void*>(here(masm, buffer));
    emit_host_failed(masm, targets, trap_exit);
    for (std::size_t i = 0; i < kHelperCount; ++i) {
        stubs.helpers[i] = pointer<const void*>(here(masm, buffer));
        emit_helper(masm, i, targets, slow);
    }
    put_interrupted_return(masm, slow, targets, trap_exit);
    stubs.end = here(masm, buffer);
    return finished(masm, "the stubs");
}

Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets, const Stubs& stubs) {
    constexpr std::int32_t kCaller = offsetof(CallContext, caller), kResultArea = 24, kValues = 32;
    static_assert(sizeof(CallContext) == kResultArea);
    const std::size_t count = std::max(type.params.size(), type.results.size());
    const std::int64_t frame = kValues + 16 * static_cast<std::int64_t>(count);
    const auto trap_exit = reinterpret_cast<std::uint64_t>(stubs.trap_exit);
    Masm masm;
    masm.begin(buffer);
    Label slow, failed, too_deep;

    masm.put(access(kLdrX, kX17, kFp, kCallerInstanceSlot));
    put_frame(masm);
    if (frame > 4096) {
        // More than the room that prologues leave for a host call: check it as they do. Called from the host, there is no limit to check.
        Label unchecked;
        masm.put_branch(cbz(kX, kX17), unchecked);
        masm.put_add(kX16, kSp, -frame);
        masm.put(access(kLdrX, kLr, kX17, offsetof(InstanceHeader, stack_limit)));
        masm.put(arith(Arith::subs, kX, kZr, kX16, kLr));
        masm.put_branch(b_cond(Cond::lo), too_deep);
        masm.bind(unchecked);
    }
    masm.put_add(kSp, kSp, -frame);
    masm.put(access(kLdrX, kX16, kX28, kStore));
    masm.put(stp(kX16, kX28, kSp, 0));
    masm.put(stp(kX17, kResultPointer.number(), kSp, kCaller));
    masm.put(access(kStrX, kFp, kX16, kExitFrame));

    const auto value_at = [&](std::size_t i) { return Address{kStackPointer, kNoReg, kValues + 16 * static_cast<std::int32_t>(i)}; };
    const auto upper_half = [](Address at) {
        at.offset += 8;
        return at;
    };
    ParameterAssigner parameters(kHomesGp.size(), kHomesFp.size());
    for (std::size_t i = 0; i < type.params.size(); ++i) {
        const wasm::Kind kind = type.params[i].kind();
        const Location from = parameters.next(kind);
        const Address stacked{kFramePointer, kNoReg, kIncomingStackArea + static_cast<std::int32_t>(from.index)};
        if (kind == wasm::Kind::v128) {
            unsigned vector = kV31;
            if (from.where == Location::Where::fp) {
                vector = kHomesFp[from.index].number();
            } else {
                masm.put_access(kLdrQ, vector, stacked);
            }
            masm.put_access(kStrQ, vector, value_at(i));
            continue;
        }
        const bool is_32 = kind == wasm::Kind::i32 || kind == wasm::Kind::f32;
        unsigned general = kX17;
        switch (from.where) {
            case Location::Where::gp:     general = kHomesGp[from.index].number(); break;
            case Location::Where::fp:     masm.put(fmov_to_gp(is_32 ? kW : kX, general, kHomesFp[from.index].number())); break;
            case Location::Where::memory: masm.put_access(is_32 ? kLdrW : kLdrX, general, stacked); break;
        }
        masm.put_access(kStrX, general, value_at(i));
        masm.put_access(kStrX, kZr, upper_half(value_at(i)));
    }

    masm.put(mov_from_sp(0));
    masm.put_add(1, kSp, kValues);
    masm.put(access(kLdrX, kX16, kX28, offsetof(HostFunction, body)));
    masm.put(blr(kX16));
    masm.put_branch(cbnz(kW, 0), failed);

    ResultAssigner results;
    for (std::size_t i = 0; i < type.results.size(); ++i) {
        const wasm::Kind kind = type.results[i].kind();
        const Location to = results.next(kind);
        switch (to.where) {
            case Location::Where::gp: masm.put_access(kind == wasm::Kind::i32 ? kLdrW : kLdrX, kResultGp.number(), value_at(i)); break;
            case Location::Where::fp: masm.put_access(kLdrQ, kResultFp.number(), value_at(i)); break;
            case Location::Where::memory:
                masm.put_access(kLdrX, kX17, {kStackPointer, kNoReg, kResultArea});
                masm.put_access(kLdrQ, kV31, value_at(i));
                masm.put_access(kStrQ, kV31, {kScratchGp, kNoReg, static_cast<std::int32_t>(to.index)});
                break;
        }
    }
    put_unframe(masm);
    if (parameters.stack_bytes() != 0) masm.put_add(kSp, kSp, parameters.stack_bytes());
    put_checked_return(masm, slow);

    put_interrupted_return(masm, slow, targets, trap_exit);
    masm.bind(too_deep);
    masm.put_constant(kW, 0, static_cast<std::uint32_t>(TrapCode::stack_overflow));
    masm.bind(failed);
    masm.put_constant(kX, kX16, reinterpret_cast<std::uint64_t>(stubs.host_failed));
    masm.put(br(kX16));
    return finished(masm, "a host function's stub");
}

Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs) {
    if (buffer.capacity / kThunkBytes < count) return fail(ErrorKind::resource, "the buffer for lazy thunks is too small");
    if ((std::uint64_t{first} + count) >> 16 > kLazyEntries) return fail(ErrorKind::resource, "too many functions for lazy compilation");
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t function = first + i;
        const std::uint64_t target = reinterpret_cast<std::uint64_t>(stubs.lazy) + kThunkBytes * (function >> 16);
        const std::uint64_t branch = buffer.execute + kThunkBytes * i + 4;
        const auto distance = static_cast<std::int64_t>(target - branch) / 4;
        if (distance < -(1 << 25) || distance >= 1 << 25) {
            return fail(ErrorKind::resource, "lazy thunks must be within 128 MiB of the stubs");
        }
        const std::array<Word, 2> thunk = {movz(kW, kX16, function & 0xffff), with_imm26(kB, static_cast<std::int32_t>(distance))};
        std::memcpy(buffer.write + kThunkBytes * i, thunk.data(), kThunkBytes);
    }
    return {};
}

void* prepare_stack(void* top, void (*entry)(void*), void* argument) {
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
    auto* frame = reinterpret_cast<std::uint64_t*>(end - kSwitchFrame);
    std::fill_n(frame, kSwitchFrame / 8, 0);
    frame[kSwitchStart / 8] = reinterpret_cast<std::uint64_t>(argument);
    frame[kSwitchStart / 8 + 1] = reinterpret_cast<std::uint64_t>(entry);
    return frame;
}

}  // namespace pollux::arm64
