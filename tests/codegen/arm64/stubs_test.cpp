// The stubs, executed: entry with many mixed arguments, traps, host calls, helpers, lazy compilation, stack switches, preemption.
// Guest functions are made with the masm, one after another, and linked as the runtime links them.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "jit/abi/calling_convention.h"
#include "tests/codegen/arm64/runner.h"

#if defined(__aarch64__)
#include <ucontext.h>
#endif

namespace pollux::arm64::test {
namespace {

using wasm::V128;
using wasm::ValType;

/// One "module": functions, stubs, an instance.
struct World {
    World() : memory(std::size_t{1} << 20) {
        header.store = &store;
        header.memory0_base = guest.data();
        header.helpers = stubs.helpers.data();
        header.stack_limit = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) - 200'000;
        store.entry = &record;
        functions.resize(16);
        environment.function_table = reinterpret_cast<std::uint64_t>(functions.data());
    }

    void emit_stubs(const StubTargets& given) {
        targets = given;
        const auto bytes = arm64_backend().emit_stubs(memory.buffer(), targets, stubs);
        ASSERT_TRUE(bytes.has_value());
        next = (*bytes + 15) & ~std::size_t{15};
        memory.flush(next);
    }

    const void* function(std::uint32_t frame, const std::function<void(Masm&)>& body, std::uint32_t stack_area = 0) {
        Masm masm;
        FunctionOutput output;
        const CodeBuffer buffer = memory.buffer(next);
        masm.begin(environment, buffer, 100, output);
        masm.prologue();
        body(masm);
        masm.epilogue(stack_area);
        masm.finish(frame);
        EXPECT_FALSE(masm.overflowed());
        for (const Relocation& relocation : output.relocations) {
            const std::uint64_t target = reinterpret_cast<std::uint64_t>(functions[relocation.function]) - buffer.execute;
            const CallTarget call{relocation.offset, static_cast<std::uint32_t>(target)};
            arm64_backend().relocate(buffer.write, {&call, 1});
        }
        for (const Site& site : output.sites) {
            if (site.kind() == Site::Kind::trap) traps.push_back({buffer.execute + site.code_offset, site.trap()});
        }
        next += (masm.position() + 15U) & ~15U;
        memory.flush(next);
        guest_end = buffer.execute + masm.position();
        return reinterpret_cast<const void*>(buffer.execute);
    }

    const void* host_stub(const wasm::FuncType& type) {
        const CodeBuffer buffer = memory.buffer(next);
        const auto bytes = arm64_backend().emit_host_stub(buffer, type, targets, stubs);
        EXPECT_TRUE(bytes.has_value());
        next += (*bytes + 15) & ~std::size_t{15};
        memory.flush(next);
        return reinterpret_cast<const void*>(buffer.execute);
    }

    std::uint32_t enter(const void* code, EntryArguments& arguments) {
        current = this;
        return stubs.enter(&record, code, &header, &arguments);
    }

    static World* current;

    alignas(16) std::array<std::uint8_t, 65536> guest{};
    CodeMemory memory;
    std::size_t next = 0;
    StoreContext store;
    EntryRecord record;
    InstanceHeader header;
    StubTargets targets;
    Stubs stubs;
    CompileEnvironment environment;
    std::vector<const void*> functions;
    std::vector<std::pair<std::uint64_t, TrapCode>> traps;
    std::uint64_t guest_end = 0;
};
World* World::current = nullptr;

#if defined(__aarch64__)
/// What the runtime's handler does on a trap: leaves through trap_exit.
void on_trap(int, siginfo_t*, void* context) {
    auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    World& world = *World::current;
    if (machine.pc == reinterpret_cast<std::uint64_t>(world.stubs.preempt_resume)) {
        machine.pc = *reinterpret_cast<std::uint64_t*>(machine.sp);
        machine.sp += 16;
        return;
    }
    for (const auto& [pc, code] : world.traps) {
        if (pc != machine.pc) continue;
        const std::uint64_t status = code == TrapCode::status ? machine.regs[0] : static_cast<std::uint64_t>(code);
        machine.regs[0] = reinterpret_cast<std::uint64_t>(world.store.entry);
        machine.regs[1] = status;
        machine.pc = reinterpret_cast<std::uint64_t>(world.stubs.trap_exit);
        return;
    }
    _exit(99);
}
void on_timer(int, siginfo_t*, void* context) {
    auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    World& world = *World::current;
    world.store.interrupt_pending = 1;
    if (machine.pc < world.stubs.end || machine.pc >= world.guest_end) return;
    machine.sp -= 16;
    *reinterpret_cast<std::uint64_t*>(machine.sp) = machine.pc;
    machine.pc = reinterpret_cast<std::uint64_t>(world.stubs.preempt);
}
void install(int signal, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    sigaction(signal, &action, nullptr);
}
#else
void on_trap(int, siginfo_t*, void*) {}
void on_timer(int, siginfo_t*, void*) {}
void install(int, void (*)(int, siginfo_t*, void*)) {}
#endif

struct TrapHandlers {
    TrapHandlers() {
        for (const int signal : {SIGILL, SIGSEGV}) sigaction(signal, nullptr, &old[signal == SIGILL ? 0 : 1]);
        for (const int signal : {SIGILL, SIGSEGV}) install(signal, on_trap);
    }
    ~TrapHandlers() {
        for (const int signal : {SIGILL, SIGSEGV}) sigaction(signal, &old[signal == SIGILL ? 0 : 1], nullptr);
    }
    std::array<struct sigaction, 2> old{};
};

/// Pseudo-random signature.
std::vector<ValType> mixed_types(std::size_t count, unsigned seed) {
    constexpr std::array kKinds = {Kind::i32, Kind::i64, Kind::f32, Kind::f64, Kind::v128};
    std::mt19937 random(seed);
    std::vector<ValType> types;
    for (std::size_t i = 0; i < count; ++i) types.emplace_back(kKinds[random() % kKinds.size()]);
    return types;
}
V128 value_for(std::size_t i, Kind kind) {
    const std::uint64_t bits = (i + 1) * 0x9e37'79b9'7f4a'7c15U;
    switch (kind) {
        case Kind::i32:
        case Kind::f32:  return {bits & 0xffff'ffff, 0};
        case Kind::v128: return {bits, ~bits};
        default:         return {bits, 0};
    }
}
/// Puts arguments of these types into EntryArguments.
std::vector<std::uint8_t> place(const std::vector<ValType>& types, EntryArguments& arguments) {
    ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
    std::vector<std::uint8_t> stack(types.size() * 16 + 16);
    for (std::size_t i = 0; i < types.size(); ++i) {
        const Kind kind = types[i].kind();
        const V128 value = value_for(i, kind);
        const Location at = assigner.next(kind);
        switch (at.where) {
            case Location::Where::gp:     arguments.gp[at.index] = value.low; break;
            case Location::Where::fp:     arguments.fp[at.index] = value; break;
            case Location::Where::memory: std::memcpy(&stack[at.index], &value, wasm::slot_bytes(kind)); break;
        }
    }
    stack.resize(assigner.stack_bytes());
    arguments.stack_bytes = stack.size();
    return stack;
}
constexpr StoreOp store_of(Kind kind) {
    constexpr std::array kOps = {StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128, StoreOp::b64};
    return kOps[static_cast<std::size_t>(kind)];
}
constexpr LoadOp load_of(Kind kind) {
    constexpr std::array kOps = {LoadOp::u32, LoadOp::u64, LoadOp::f32, LoadOp::f64, LoadOp::v128, LoadOp::u64};
    return kOps[static_cast<std::size_t>(kind)];
}
/// Emits: every parameter to guest memory, 16 bytes each from `at`. Returns the stack area.
std::uint32_t store_parameters(Masm& masm, const std::vector<ValType>& types, std::int32_t at) {
    ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
    for (const ValType& type : types) {
        const Kind kind = type.kind();
        const Location from = assigner.next(kind);
        Reg reg = wasm::is_fp(kind) ? kScratchFp : kScratchGp;
        switch (from.where) {
            case Location::Where::gp:     reg = kHomesGp[from.index]; break;
            case Location::Where::fp:     reg = kHomesFp[from.index]; break;
            case Location::Where::memory: masm.load_slot(kind, reg, Masm::kStackArguments + static_cast<std::int32_t>(from.index)); break;
        }
        masm.store(store_of(kind), {kMemoryBase, kNoReg, at}, reg);
        at += 16;
    }
    return assigner.stack_bytes();
}
void expect_values(const World& world, const std::vector<ValType>& types, std::size_t at) {
    for (std::size_t i = 0; i < types.size(); ++i) {
        V128 got;
        std::memcpy(&got, &world.guest[at + 16 * i], sizeof got);
        ASSERT_EQ(got, value_for(i, types[i].kind())) << i;
    }
}

TEST(Arm64Stubs, EnterPassesEveryKindOfArgument) {
    POLLUX_NEEDS_ARM64();
    World world;
    world.emit_stubs({});
    for (const std::size_t count : {0U, 1U, 7U, 20U, 38U, 60U, 200U}) {
        const auto types = mixed_types(count, static_cast<unsigned>(count));
        std::uint32_t area = 0;
        {
            ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
            for (const ValType& type : types) assigner.next(type.kind());
            area = assigner.stack_bytes();
        }
        const void* code = world.function(
            64,
            [&](Masm& masm) {
                store_parameters(masm, types, 0);
                masm.mov_imm(Width::w64, kResultGp, 0x1122'3344'5566'7788);
                masm.v128_const(kResultFp, {5, 6});
                masm.store(StoreOp::b64, {kResultPointer, kNoReg, 0}, kResultGp);
            },
            area);
        world.guest.fill(0);
        EntryArguments arguments;
        const auto stack = place(types, arguments);
        arguments.stack = stack.data();
        std::uint64_t memory_result = 0;
        arguments.memory_results = &memory_result;
        ASSERT_EQ(world.enter(code, arguments), 0U);
        expect_values(world, types, 0);
        EXPECT_EQ(arguments.result_gp, 0x1122'3344'5566'7788U);
        EXPECT_EQ(arguments.result_fp, (V128{5, 6}));
        EXPECT_EQ(memory_result, 0x1122'3344'5566'7788U);
    }
}

TEST(Arm64Stubs, TrapsLeaveByTheEntryStub) {
    POLLUX_NEEDS_ARM64();
    TrapHandlers handlers;
    World world;
    world.emit_stubs({});
    const void* inner = world.function(100'000, [&](Masm& masm) {
        for (const Reg home : kHomesGp) masm.mov_imm(Width::w64, home, 1);
        for (const Reg home : kHomesFp) masm.fp_const(Width::w64, home, 0);
        masm.trap(TrapCode::unreachable);
    });
    world.functions[1] = inner;
    const void* outer = world.function(5000, [&](Masm& masm) {
        masm.call_function(1);
        masm.trap(TrapCode::cast_failure);
    });
    EntryArguments arguments;
    volatile double kept = 3.25;
    const std::uint32_t code = world.enter(outer, arguments);
    EXPECT_EQ(code, static_cast<std::uint32_t>(TrapCode::unreachable));
    EXPECT_EQ(kept, 3.25);
}

TEST(Arm64Stubs, StackOverflowTraps) {
    POLLUX_NEEDS_ARM64();
    TrapHandlers handlers;
    for (const std::uint32_t frame : {0U, 16U, 5000U, 100'000U, 300'000U, 0x100'0000U, 0xffff'fff0U}) {
        World world;
        world.emit_stubs({});
        const std::uint64_t self = world.memory.buffer(world.next).execute;
        world.functions[1] = reinterpret_cast<const void*>(self);
        const void* recursive = world.function(frame, [&](Masm& masm) { masm.call_function(1); });
        EntryArguments arguments;
        EXPECT_EQ(world.enter(recursive, arguments), static_cast<std::uint32_t>(TrapCode::stack_overflow)) << frame;
    }
}

TEST(Arm64Stubs, CallsThroughRegistersAndTables) {
    POLLUX_NEEDS_ARM64();
    for (const CallMode mode : {CallMode::direct, CallMode::table}) {
        World world;
        world.emit_stubs({});
        world.environment.calls = mode;
        const auto types = mixed_types(90, 5);
        std::uint32_t area = 0;
        ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
        for (const ValType& type : types) assigner.next(type.kind());
        area = assigner.stack_bytes();
        world.functions[3] = world.function(
            64,
            [&](Masm& masm) {
                store_parameters(masm, types, 0);
                masm.mov_imm(Width::w64, kResultGp, 77);
            },
            area);
        const void* outer = world.function(
            64,
            [&](Masm& masm) {
            // Hands its own arguments on, three times; sp must be back each time.
                masm.lea_slot(gp(7), -64);
                for (int i = 0; i < 3; ++i) {
                    masm.mov_imm(Width::w64, gp(3), 0);
                    masm.reserve_stack_arguments(area);
                    for (std::uint32_t at = 0; at < area; at += 16) {
                        masm.load_slot(Kind::v128, fp(1), Masm::kStackArguments + static_cast<std::int32_t>(at));
                        masm.store(StoreOp::v128, {kStackPointer, kNoReg, static_cast<std::int32_t>(at)}, fp(1));
                    }
                    // Registers but v1 are still as they came; none is preserved by the call, so only the last round's count.
                    if (i == 0) masm.call_function(3);
                    if (i == 1) {
                        masm.mov_imm(Width::w64, kCallTarget, reinterpret_cast<std::uint64_t>(world.functions[3]));
                        masm.call_code(kCallTarget);
                    }
                    if (i == 2) masm.call_function(3);
                }
                masm.lea_slot(gp(7), -64);
                masm.mov(Kind::i64, gp(6), kStackPointer);
                masm.alu(AluOp::sub, Width::w64, gp(6), gp(7), gp(6));
                masm.alu(AluOp::add, Width::w64, kResultGp, kResultGp, gp(6));
            },
            area);
        EntryArguments arguments;
        const auto stack = place(types, arguments);
        arguments.stack = stack.data();
        ASSERT_EQ(world.enter(outer, arguments), 0U);
        EXPECT_EQ(arguments.result_gp, 77U);
        expect_values(world, types, 0);
    }
}

TEST(Arm64Stubs, TailCalls) {
    POLLUX_NEEDS_ARM64();
    // Areas that grow, shrink and stay, short and long, through a register and by function index.
    for (const CallMode mode : {CallMode::direct, CallMode::table}) {
        for (const std::size_t own : {0U, 40U, 80U, 200U}) {
            for (const std::size_t theirs : {0U, 40U, 42U, 80U, 300U}) {
                World world;
                world.emit_stubs({});
                world.environment.calls = mode;
                const std::vector<ValType> own_types(own, Kind::i64);
                const std::vector<ValType> types(theirs, Kind::i64);
                const auto area_of = [](std::size_t count) {
                    ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
                    for (std::size_t i = 0; i < count; ++i) assigner.next(Kind::i64);
                    return assigner.stack_bytes();
                };
                const std::uint32_t own_area = area_of(own);
                const std::uint32_t area = area_of(theirs);
                world.functions[3] = world.function(64, [&](Masm& masm) { store_parameters(masm, types, 0); }, area);
                const void* middle = world.function(
                    128,
                    [&](Masm& masm) {
                        masm.reserve_stack_arguments(area);
                        for (std::uint32_t i = 0; i < area / 8; ++i) {
                            masm.mov_imm(Width::w64, gp(0), value_for(i + kHomesGp.size(), Kind::i64).low);
                            masm.store(StoreOp::b64, {kStackPointer, kNoReg, static_cast<std::int32_t>(8 * i)}, gp(0));
                        }
                        for (std::size_t i = 0; i < kHomesGp.size(); ++i)
                            masm.mov_imm(Width::w64, kHomesGp[i], value_for(i, Kind::i64).low);
                        masm.mov_imm(Width::w64, kCallTarget, reinterpret_cast<std::uint64_t>(world.functions[3]));
                        masm.tail_frame(own_area, area);
                        if (theirs % 4 == 0) {
                            masm.jump_function(3);
                        } else {
                            masm.jump_code(kCallTarget);
                        }
                    },
                    own_area);
                world.functions[4] = middle;
                const void* outer = world.function(64, [&](Masm& masm) {
                    masm.mov(Kind::i64, gp(7), kStackPointer);
                    masm.store_slot(Kind::i64, -16, gp(7));
                    masm.reserve_stack_arguments(own_area);
                    masm.call_function(4);
                    masm.load_slot(Kind::i64, gp(7), -16);
                    masm.mov(Kind::i64, gp(6), kStackPointer);
                    masm.alu(AluOp::sub, Width::w64, kResultGp, gp(7), gp(6));
                });
                EntryArguments arguments;
                ASSERT_EQ(world.enter(outer, arguments), 0U);
                ASSERT_EQ(arguments.result_gp, 0U) << "sp moved: " << own << ' ' << theirs;
                for (std::size_t i = 0; i < theirs; ++i) {
                    std::uint64_t got = 0;
                    std::memcpy(&got, &world.guest[16 * i], sizeof got);
                    ASSERT_EQ(got, value_for(i, Kind::i64).low) << own << ' ' << theirs << ' ' << i;
                }
            }
        }
    }
}

struct HostCall {
    std::vector<ValType> params, results;
    InstanceHeader* caller = nullptr;
    TrapCode status = TrapCode::none;
    int calls = 0;
    bool matches = true;
};
TrapCode host_body(CallContext& context, V128* values) {
    auto& call = *static_cast<HostCall*>(context.function->data);
    ++call.calls;
    call.caller = context.caller;
    call.matches = context.store == context.function->store;
    for (std::size_t i = 0; i < call.params.size(); ++i) call.matches = call.matches && values[i] == value_for(i, call.params[i].kind());
    // The exit frame is the stub's: its return address is in guest code.
    const auto* frame = static_cast<const std::uint64_t*>(context.store->exit_frame);
    call.matches = call.matches && frame[1] >= World::current->stubs.end && frame[1] < World::current->guest_end;
    for (std::size_t i = 0; i < call.results.size(); ++i) {
        values[i] = value_for(100 + i, call.results[i].kind());
        if (call.results[i].kind() == Kind::i32) values[i].low |= 0xdead'0000'0000'0000;
    }
    return call.status;
}

TEST(Arm64Stubs, HostCalls) {
    POLLUX_NEEDS_ARM64();
    for (const std::size_t params : {0U, 3U, 50U, 300U}) {
        for (const std::size_t results : {0U, 1U, 9U, 300U}) {
            World world;
            world.emit_stubs({});
            HostCall call{mixed_types(params, 11), mixed_types(results, 12)};
            wasm::FuncType type{call.params, call.results};
            HostFunction host{&world.store, host_body, &call};
            const void* stub = world.host_stub(type);
            ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
            for (const ValType& param : call.params) assigner.next(param.kind());
            const std::uint32_t area = assigner.stack_bytes();
            const void* code = world.function(
                64,
                [&](Masm& masm) {
                    masm.store_slot(Kind::i64, kCallerInstanceSlot, kContext);
                    masm.mov(Kind::i64, gp(7), kStackPointer);
                    masm.store_slot(Kind::i64, -16, gp(7));
                    masm.reserve_stack_arguments(area);
                    for (std::uint32_t at = 0; at < area; at += 16) {
                        masm.load_slot(Kind::v128, fp(1), Masm::kStackArguments + static_cast<std::int32_t>(at));
                        masm.store(StoreOp::v128, {kStackPointer, kNoReg, static_cast<std::int32_t>(at)}, fp(1));
                    }
                    masm.alu(AluOp::add, Width::w64, kResultPointer, kMemoryBase, Operand::imm(0x8000));
                    masm.mov_imm(Width::w64, kContext, reinterpret_cast<std::uint64_t>(&host));
                    masm.mov_imm(Width::w64, kCallTarget, reinterpret_cast<std::uint64_t>(stub));
                    masm.call_code(kCallTarget);
                    masm.load_slot(Kind::i64, kContext, kCallerInstanceSlot);
                    masm.load_slot(Kind::i64, gp(7), -16);
                    masm.mov(Kind::i64, gp(6), kStackPointer);
                    masm.alu(AluOp::sub, Width::w64, gp(6), gp(7), gp(6));
                    masm.store(StoreOp::b64, {kMemoryBase, kNoReg, 0x7ff0}, gp(6));
                },
                area);
            EntryArguments arguments;
            const auto stack = place(call.params, arguments);
            arguments.stack = stack.data();
            ASSERT_EQ(world.enter(code, arguments), 0U);
            EXPECT_EQ(call.calls, 1);
            EXPECT_TRUE(call.matches) << params << ' ' << results;
            EXPECT_EQ(call.caller, &world.header);
            std::uint64_t moved = 1;
            std::memcpy(&moved, &world.guest[0x7ff0], sizeof moved);
            EXPECT_EQ(moved, 0U);
            ResultAssigner assign;
            for (std::size_t i = 0; i < results; ++i) {
                const Kind kind = call.results[i].kind();
                const V128 wanted = value_for(100 + i, kind);
                const Location at = assign.next(kind);
                V128 got;
                switch (at.where) {
                    case Location::Where::gp:     got = {arguments.result_gp, 0}; break;
                    case Location::Where::fp:     got = arguments.result_fp; break;
                    case Location::Where::memory: std::memcpy(&got, &world.guest[0x8000 + at.index], sizeof got); break;
                }
                if (kind == Kind::i32 && at.where == Location::Where::memory) got.low &= 0xffff'ffff;
                EXPECT_EQ(got, wanted) << i;
            }
            // A status other than none leaves at once.
            call.status = TrapCode::host_exit;
            EXPECT_EQ(world.enter(code, arguments), static_cast<std::uint32_t>(TrapCode::host_exit));
            // Entered directly, a host function has no caller.
            call.status = TrapCode::none;
            call.params.clear();
        }
    }
}

struct Recorded {
    std::vector<std::uint64_t> arguments;
    std::uint64_t result = 0;
    int preemptions = 0;
    std::uint32_t preempt_code = 0;
    std::uint32_t lazy_index = 0;
    const void* lazy_code = nullptr;
    std::uint64_t exit_pc = 0;
};
Recorded recorded;

std::uint64_t record_helper(InstanceHeader* instance, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e) {
    recorded.arguments = {reinterpret_cast<std::uint64_t>(instance), a, b, c, d, e};
    recorded.exit_pc = static_cast<const std::uint64_t*>(instance->store->exit_frame)[1];
    return recorded.result;
}
/// Clobbers what C may clobber.
std::uint32_t record_preempt(StoreContext* store) {
    ++recorded.preemptions;
    recorded.exit_pc = static_cast<const std::uint64_t*>(store->exit_frame)[1];
    store->interrupt_pending = 0;
#if defined(__aarch64__)
    asm volatile(
        "movi v0.2d, #-1\n movi v1.2d, #-1\n movi v7.2d, #-1\n movi v16.2d, #-1\n movi v31.2d, #-1\n ins v8.d[1], xzr\n ins v15.d[1], xzr\n"
        "mov x0, #-1\n mov x1, #-1\n mov x7, #-1\n mov x8, #-1\n mov x15, #-1\n mov x16, #-1\n mov x17, #-1\n cmp xzr, xzr\n" ::
            : "x0", "x1", "x7", "x8", "x15", "x16", "x17", "v0", "v1", "v7", "v16", "v31", "cc", "memory");
#endif
    return recorded.preempt_code;
}
const void* record_lazy(InstanceHeader*, std::uint32_t function) {
    recorded.lazy_index = function;
    record_preempt(World::current->header.store);
    --recorded.preemptions;
    return recorded.lazy_code;
}
std::uint32_t pending(StoreContext*) { return static_cast<std::uint32_t>(TrapCode::file_changed); }

StubTargets recording_targets() {
    StubTargets targets;
    targets.helpers.fill(reinterpret_cast<const void*>(record_helper));
    targets.preempt = record_preempt;
    targets.lazy_compile = record_lazy;
    targets.pending_trap = pending;
    return targets;
}

TEST(Arm64Stubs, Helpers) {
    POLLUX_NEEDS_ARM64();
    TrapHandlers handlers;
    World world;
    world.emit_stubs(recording_targets());
    const auto caller = [&](Helper helper, bool is_status) {
        return world.function(64, [&](Masm& masm) {
            for (std::size_t i = 0; i < kHelperArguments.size(); ++i) masm.mov_imm(Width::w64, kHelperArguments[i], 1000 + i);
            masm.call_helper(helper);
            if (is_status) masm.trap_on_status(kResultGp);
        });
    };
    recorded = {};
    recorded.result = 0xffff'ffff'0000'0005;
    EntryArguments arguments;
    ASSERT_EQ(world.enter(caller(Helper::memory_grow, false), arguments), 0U);
    EXPECT_EQ(recorded.arguments,
              (std::vector<std::uint64_t>{reinterpret_cast<std::uint64_t>(&world.header), 1000, 1001, 1002, 1003, 1004}));
    EXPECT_EQ(arguments.result_gp, 0xffff'ffff'0000'0005U);
    EXPECT_GE(recorded.exit_pc, world.stubs.end);
    ASSERT_EQ(world.enter(caller(Helper::type_matches, false), arguments), 0U);
    EXPECT_EQ(arguments.result_gp, 5U) << "an i32 result is zero-extended";
    EXPECT_EQ(world.enter(caller(Helper::memory_fill, true), arguments), 5U);
    recorded.result = 0xffff'ffff'0000'0000;
    EXPECT_EQ(world.enter(caller(Helper::memory_fill, true), arguments), 0U);
    // An interrupt that came during the helper is seen before the return, and the result survives it.
    world.store.interrupt_pending = 1;
    recorded.result = 42;
    ASSERT_EQ(world.enter(caller(Helper::memory_grow, false), arguments), 0U);
    EXPECT_EQ(recorded.preemptions, 1);
    EXPECT_EQ(arguments.result_gp, 42U);
    world.store.interrupt_pending = 1;
    recorded.preempt_code = static_cast<std::uint32_t>(TrapCode::interrupted);
    EXPECT_EQ(world.enter(caller(Helper::memory_grow, false), arguments), static_cast<std::uint32_t>(TrapCode::interrupted));
}

TEST(Arm64Stubs, LazyThunksKeepEveryArgument) {
    POLLUX_NEEDS_ARM64();
    World world;
    world.emit_stubs(recording_targets());
    const auto types = mixed_types(60, 21);
    ParameterAssigner assigner(kHomesGp.size(), kHomesFp.size());
    for (const ValType& type : types) assigner.next(type.kind());
    recorded = {};
    recorded.lazy_code = world.function(
        64,
        [&](Masm& masm) {
            store_parameters(masm, types, 0);
            masm.store(StoreOp::b64, {kResultPointer, kNoReg, 0}, kContext);
        },
        assigner.stack_bytes());
    for (const std::uint32_t first : {0U, 0xfffeU, 0x12'3456U}) {
        const CodeBuffer buffer = world.memory.buffer(world.next, 4 * arm64_backend().thunk_bytes());
        ASSERT_TRUE(arm64_backend().emit_lazy_thunks(buffer, first, 4, world.stubs).has_value());
        world.next += buffer.capacity;
        world.memory.flush(world.next);
        for (std::uint32_t i = 0; i < 4; ++i) {
            for (const bool interrupted : {false, true}) {
                world.guest.fill(0);
                EntryArguments arguments;
                const auto stack = place(types, arguments);
                arguments.stack = stack.data();
                std::uint64_t context = 0;
                arguments.memory_results = &context;
                if (interrupted) world.store.interrupt_pending = 1;
                ASSERT_EQ(world.enter(reinterpret_cast<const void*>(buffer.execute + i * arm64_backend().thunk_bytes()), arguments), 0U);
                EXPECT_EQ(recorded.lazy_index, first + i);
                EXPECT_EQ(context, reinterpret_cast<std::uint64_t>(&world.header));
                expect_values(world, types, 0);
            }
        }
        recorded.lazy_code = nullptr;
        EntryArguments arguments;
        EXPECT_EQ(world.enter(reinterpret_cast<const void*>(buffer.execute), arguments),
                  static_cast<std::uint32_t>(TrapCode::file_changed));
        recorded.lazy_code = world.function(
            64,
            [&](Masm& masm) {
                store_parameters(masm, types, 0);
                masm.store(StoreOp::b64, {kResultPointer, kNoReg, 0}, kContext);
            },
            assigner.stack_bytes());
    }
    const CodeBuffer small = world.memory.buffer(world.next, 8);
    EXPECT_FALSE(arm64_backend().emit_lazy_thunks(small, 0, 2, world.stubs).has_value());
}

struct Fibers {
    Stubs* stubs = nullptr;
    void* main = nullptr;
    void* fiber = nullptr;
    std::vector<int> log;
};
Fibers fibers;
void fiber_body(void* argument) {
    fibers.log.push_back(static_cast<int>(reinterpret_cast<std::uintptr_t>(argument)));
    double value = 0.5;
    for (int i = 0;; ++i) {
        fibers.log.push_back(i);
        value = value * 2;
        fibers.stubs->switch_stack(&fibers.fiber, fibers.main);
        EXPECT_EQ(value, static_cast<double>(1 << i));
    }
}

TEST(Arm64Stubs, StackSwitch) {
    POLLUX_NEEDS_ARM64();
    World world;
    world.emit_stubs({});
    fibers = {};
    fibers.stubs = &world.stubs;
    std::vector<std::uint8_t> stack(65536);
    fibers.fiber = arm64_backend().prepare_stack(stack.data() + stack.size(), fiber_body, reinterpret_cast<void*>(std::uintptr_t{1234}));
    double here = 1;
    for (int i = 0; i < 5; ++i) {
        world.stubs.switch_stack(&fibers.main, fibers.fiber);
        here += 0.25;
    }
    EXPECT_EQ(here, 2.25);
    EXPECT_EQ(fibers.log, (std::vector<int>{1234, 0, 1, 2, 3, 4}));
}

TEST(Arm64Stubs, PreemptionKeepsEveryRegisterAndFlag) {
    POLLUX_NEEDS_ARM64();
    TrapHandlers handlers;
    World world;
    world.emit_stubs(recording_targets());
    // A loop that mixes all registers, scratch ones and flags included, and ends with a digest of them.
    const void* code = world.function(64, [&](Masm& masm) {
        using namespace words;
        Label loop;
        for (unsigned r = 0; r < 28; ++r) {
            if (r != 18 && r != 27) masm.put(movz(Width::w64, r, 0x101 * (r + 1)));
        }
        for (unsigned r = 0; r < 32; ++r) masm.put(dup_2d(r, r % 16));
        masm.mov_imm(Width::w64, gp(0), 3'000'000);
        masm.bind(loop);
        for (unsigned r = 1; r < 27; ++r) {
            if (r == 18 || r == 17) continue;
            masm.put(arith(Arith::adds, Width::w64, r, r, r + 1 == 18 ? 17U : r + 1 == 27 ? 1U : r + 1));
            masm.put(0x9A1F'03E0U | r << 5 | 17U);  // adc x17, xr, xzr: the carry
        }
        for (unsigned r = 0; r < 32; ++r) masm.put(bitwise(Bitwise::eor, r, r, (r + 1) % 32));
        masm.put(dup_2d(3, 17));
        masm.alu(AluOp::sub, Width::w64, gp(0), gp(0), Operand::imm(1));
        masm.compare_branch(IntCond::ne, Width::w64, gp(0), Operand::imm(0), loop);
        for (unsigned r = 1; r < 27; ++r) {
            if (r != 18) masm.put(logic(Logic::eor, Width::w64, 0, 0, r, r));
        }
        for (unsigned r = 1; r < 32; ++r) masm.put(0x4EE0'8400U | r << 16);  // add v0.2d, v0.2d, vr.2d
    });
    const auto run = [&](bool timer) {
        EntryArguments arguments;
        if (timer) {
            install(SIGALRM, on_timer);
            const itimerval every_millisecond{{0, 1000}, {0, 1000}};
            World::current = &world;
            setitimer(ITIMER_REAL, &every_millisecond, nullptr);
        }
        EXPECT_EQ(world.enter(code, arguments), 0U);
        const itimerval never{};
        setitimer(ITIMER_REAL, &never, nullptr);
        return std::pair{arguments.result_gp, arguments.result_fp};
    };
    recorded = {};
    const auto calm = run(false);
    const auto disturbed = run(true);
    EXPECT_EQ(calm, disturbed);
    EXPECT_GT(recorded.preemptions, 3);
    EXPECT_GE(recorded.exit_pc, world.stubs.end);
    EXPECT_LT(recorded.exit_pc, world.guest_end);
    recorded.preempt_code = static_cast<std::uint32_t>(TrapCode::interrupted);
    install(SIGALRM, on_timer);
    const itimerval every_millisecond{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &every_millisecond, nullptr);
    EntryArguments arguments;
    EXPECT_EQ(world.enter(code, arguments), static_cast<std::uint32_t>(TrapCode::interrupted));
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
}

}  // namespace
}  // namespace pollux::arm64::test
