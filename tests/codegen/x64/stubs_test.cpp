// The x64 stubs, called: entering and leaving guest code, host functions, helpers, lazy compilation, stack switches, preemption.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "backends/x64/masm.h"
#include "backends/x64/stubs.h"
#include "jit/abi/calling_convention.h"

namespace pollux::x64::test {
namespace {

using wasm::FuncType;
using wasm::V128;

/// Executable memory, handed out in pieces.
class Code {
public:
    Code() {
        void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        base_ = static_cast<std::uint8_t*>(memory);
    }
    Code(const Code&) = delete;
    Code& operator=(const Code&) = delete;
    ~Code() { munmap(base_, kBytes); }

    [[nodiscard]] CodeBuffer take(std::size_t bytes) {
        std::uint8_t* const here = base_ + used_;
        used_ += bytes;
        return {here, bytes, reinterpret_cast<std::uint64_t>(here)};
    }

private:
    static constexpr std::size_t kBytes = 1 << 18;
    std::uint8_t* base_ = nullptr;
    std::size_t used_ = 0;
};

/// What the C functions that the stubs call were called with, and what they are to return.
struct Calls {
    StoreContext* store = nullptr;
    int preempts = 0;
    std::uint32_t preempt_result = 0;
    bool preempt_clears = true;
    void* exit_frame = nullptr;
    std::uint64_t exit_pc = 0;  ///< the return address in that frame, while it lives
    std::uint32_t lazy_function = ~0U;
    InstanceHeader* lazy_instance = nullptr;
    const void* lazy_result = nullptr;
    std::uint32_t pending_trap = 0;
    std::array<std::uint64_t, 6> helper_arguments{};
};
Calls g_calls;

/// Overwrites what C may overwrite, so that stubs which rely on it are found.
void clobber_registers() {
    __asm__ volatile(
        "xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi; xor %%r8d, %%r8d; xor %%r9d, %%r9d;"
        "xor %%r10d, %%r10d; xor %%r11d, %%r11d; pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2; pxor %%xmm3, %%xmm3;"
        "pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7; pxor %%xmm8, %%xmm8; pxor %%xmm9, %%xmm9;"
        "pxor %%xmm10, %%xmm10; pxor %%xmm11, %%xmm11; pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13; pxor %%xmm14, %%xmm14;"
        "pxor %%xmm15, %%xmm15" ::
            : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
              "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
}

void see_exit_frame(const StoreContext& store) {
    g_calls.exit_frame = store.exit_frame;
    g_calls.exit_pc = static_cast<const std::uint64_t*>(store.exit_frame)[1];
}

std::uint32_t preempt(StoreContext* store) {
    ++g_calls.preempts;
    see_exit_frame(*store);
    if (g_calls.preempt_clears) store->interrupt_pending = 0;
    clobber_registers();
    return g_calls.preempt_result;
}

const void* lazy_compile(InstanceHeader* instance, std::uint32_t function) {
    g_calls.lazy_instance = instance;
    g_calls.lazy_function = function;
    see_exit_frame(*instance->store);
    clobber_registers();
    return g_calls.lazy_result;
}

std::uint32_t pending_trap(StoreContext* /*store*/) { return g_calls.pending_trap; }

std::uint64_t helper(InstanceHeader* instance, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e) {
    g_calls.helper_arguments = {reinterpret_cast<std::uint64_t>(instance), a, b, c, d, e};
    see_exit_frame(*instance->store);
    clobber_registers();
    return 0x1234'5678'9abc'def0;
}

class X64Stubs : public testing::Test {
protected:
    X64Stubs() {
        targets_.helpers.fill(reinterpret_cast<const void*>(&helper));
        targets_.preempt = preempt;
        targets_.lazy_compile = lazy_compile;
        targets_.pending_trap = pending_trap;
        g_calls = {};
    }

    void SetUp() override {
        const auto bytes = emit_stubs(code_.take(1 << 14), targets_, stubs_);
        ASSERT_TRUE(bytes) << bytes.error().message;
        EXPECT_EQ(stubs_.end - stubs_.begin, *bytes);
        instance_.store = &store_;
        instance_.memory0_base = memory_.data();
        instance_.helpers = stubs_.helpers.data();
        g_calls.store = &store_;
    }

    /// Emits a guest function and returns its address.
    template <class Body>
    const void* emit(const Body& body, std::uint32_t stack_area = 0) {
        Masm masm;
        output_ = {};
        const CodeBuffer buffer = code_.take(4096);
        masm.begin(environment_, buffer, 100, output_);
        masm.prologue();
        body(masm);
        masm.epilogue(stack_area);
        masm.finish(128);
        EXPECT_FALSE(masm.overflowed());
        return buffer.write;
    }

    TrapCode enter(const void* code, EntryArguments& arguments, void* instance = nullptr) {
        EntryRecord record;
        store_.entry = &record;
        const std::uint32_t result = stubs_.enter(&record, code, instance == nullptr ? &instance_ : instance, &arguments);
        return static_cast<TrapCode>(result);
    }

    Code code_;
    StubTargets targets_;
    Stubs stubs_;
    StoreContext store_;
    InstanceHeader instance_;
    CompileEnvironment environment_;
    FunctionOutput output_;
    std::array<std::uint8_t, 4096> memory_{};
};

TEST_F(X64Stubs, EnterPassesArgumentsAndResults) {
    const void* const code = emit(
        [&](Masm& m) {
            // All argument registers, the stack area, the context and memory base, to where they can be seen.
            std::int32_t at = 0;
            const auto store = [&](Reg reg) {
                m.store(StoreOp::b64, {Masm::kMemoryBase, kNoReg, at}, reg);
                at += 8;
            };
            for (const Reg reg : Masm::kHomesGp) store(reg);
            store(Masm::kContext);
            store(Masm::kResultPointer);
            at = 128;
            for (const Reg reg : Masm::kHomesFp) {
                m.store(StoreOp::v128, {Masm::kMemoryBase, kNoReg, at}, reg);
                at += 16;
            }
            for (std::int32_t i = 0; i < 6; ++i) {
                m.load(LoadOp::u64, kRax, {Masm::kFramePointer, kNoReg, Masm::kStackArguments + 8 * i});
                m.store(StoreOp::b64, {Masm::kMemoryBase, kNoReg, 512 + 8 * i}, kRax);
            }
            m.mov_imm(Width::w64, kRax, 0xaaaa'bbbb'cccc'dddd);
            m.v128_const(fp(0), {11, 22});
        },
        48);
    EntryArguments arguments;
    const std::array<std::uint64_t, 6> stack = {61, 62, 63, 64, 65, 66};
    for (std::size_t i = 0; i < 7; ++i) arguments.gp[i] = 100 + i;
    for (std::size_t i = 0; i < 8; ++i) arguments.fp[i] = {200 + i, 300 + i};
    arguments.stack = reinterpret_cast<const std::uint8_t*>(stack.data());
    arguments.stack_bytes = 48;
    arguments.memory_results = &arguments;
    ASSERT_EQ(enter(code, arguments), TrapCode::none);
    const auto at = [&](std::size_t offset) {
        std::uint64_t value = 0;
        std::memcpy(&value, memory_.data() + offset, 8);
        return value;
    };
    for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(at(8 * i), 100 + i);
    EXPECT_EQ(at(56), reinterpret_cast<std::uint64_t>(&instance_));
    EXPECT_EQ(at(64), reinterpret_cast<std::uint64_t>(&arguments));
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(at(128 + 16 * i), 200 + i);
        EXPECT_EQ(at(136 + 16 * i), 300 + i);
    }
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(at(512 + 8 * i), 61 + i);
    EXPECT_EQ(arguments.result_gp, 0xaaaa'bbbb'cccc'ddddU);
    EXPECT_EQ(arguments.result_fp, (V128{11, 22}));
}

TEST_F(X64Stubs, TrapExitLeavesFromDeepStacks) {
    // The guest calls itself a hundred times, then leaves through a helper whose interruption ends it.
    Masm masm;
    const CodeBuffer buffer = code_.take(4096);
    output_ = {};
    masm.begin(environment_, buffer, 100, output_);
    masm.prologue();
    Label leave;
    masm.alu(AluOp::sub, Width::w32, kRsi, kRsi, Operand::imm(1));
    masm.compare_branch(IntCond::eq, Width::w32, kRsi, Operand::imm(0), leave);
    masm.call_function(0);
    masm.bind(leave);
    masm.call_helper(Helper::memory_grow);
    masm.epilogue(0);
    masm.finish(64);
    ASSERT_EQ(output_.relocations.size(), 1U);
    const CallTarget itself{output_.relocations[0].offset, 0};
    x64_backend().relocate(buffer.write, {&itself, 1});
    store_.interrupt_pending = 1;
    g_calls.preempt_result = static_cast<std::uint32_t>(TrapCode::interrupted);
    EntryArguments arguments;
    arguments.gp[0] = 100;
    EXPECT_EQ(enter(buffer.write, arguments), TrapCode::interrupted);
    EXPECT_EQ(g_calls.preempts, 1);
    EXPECT_NE(g_calls.exit_frame, nullptr);
}

TEST_F(X64Stubs, HelpersGetTheirArguments) {
    const void* const code = emit([](Masm& m) {
        for (std::size_t i = 0; i < Masm::kHelperArguments.size(); ++i) m.mov_imm(Width::w64, Masm::kHelperArguments[i], 0x1'0000'0000 + i);
        m.call_helper(Helper::memory_copy);
    });
    EntryArguments arguments;
    ASSERT_EQ(enter(code, arguments), TrapCode::none);
    EXPECT_EQ(arguments.result_gp, 0x1234'5678'9abc'def0U);
    EXPECT_EQ(g_calls.helper_arguments[0], reinterpret_cast<std::uint64_t>(&instance_));
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(g_calls.helper_arguments[i + 1], 0x1'0000'0000 + i);
    // {caller's frame pointer, return address in guest code}
    ASSERT_NE(g_calls.exit_frame, nullptr);
    Site call;
    for (const Site& site : output_.sites) {
        if (site.kind() == Site::Kind::call) call = site;
    }
    EXPECT_EQ(g_calls.exit_pc, reinterpret_cast<std::uint64_t>(code) + call.code_offset);
    EXPECT_EQ(g_calls.preempts, 0);

    // A pending interrupt is seen before the guest goes on; the result survives.
    store_.interrupt_pending = 1;
    ASSERT_EQ(enter(code, arguments), TrapCode::none);
    EXPECT_EQ(arguments.result_gp, 0x1234'5678'9abc'def0U);
    EXPECT_EQ(g_calls.preempts, 1);
}

struct HostCall {
    CallContext context;
    std::vector<V128> values;  ///< the arguments
    std::size_t results = 0;   ///< how many to return
    TrapCode result = TrapCode::none;
};
HostCall g_host;

TrapCode host_body(CallContext& context, V128* values) {
    g_host.context = context;
    see_exit_frame(*context.store);
    for (V128& value : g_host.values) value = *values++;
    values -= g_host.values.size();
    for (std::size_t i = 0; i < g_host.results; ++i) values[i] = {0xf000'0000'0000'0000 + i, 0xe000'0000'0000'0000 + i};
    clobber_registers();
    return g_host.result;
}

class X64HostStub : public X64Stubs {
protected:
    /// A stub for `type`, whose arguments of each kind are its index.
    void check(const FuncType& type) {
        const CodeBuffer buffer = code_.take(8192);
        const auto bytes = emit_host_stub(buffer, type, targets_, stubs_);
        ASSERT_TRUE(bytes) << bytes.error().message;
        HostFunction function{&store_, host_body, nullptr, wasm::kNoType};

        // The arguments as the convention has them.
        EntryArguments arguments;
        std::array<V128, 8> memory_results{};
        std::vector<std::uint8_t> stack(1024);
        ParameterAssigner parameters(Masm::kHomesGp.size(), Masm::kHomesFp.size());
        for (std::size_t i = 0; i < type.params.size(); ++i) {
            const Location location = parameters.next(type.params[i].kind());
            const V128 value{1000 + i, 2000 + i};
            switch (location.where) {
                case Location::Where::gp:     arguments.gp[location.index] = value.low; break;
                case Location::Where::fp:     arguments.fp[location.index] = value; break;
                case Location::Where::memory: std::memcpy(stack.data() + location.index, &value.low, 8); break;
            }
            if (location.where == Location::Where::memory && type.params[i].kind() == wasm::Kind::v128) {
                std::memcpy(stack.data() + location.index + 8, &value.high, 8);
            }
        }
        arguments.stack = stack.data();
        arguments.stack_bytes = parameters.stack_bytes();
        arguments.memory_results = memory_results.data();
        g_host = {};
        g_host.values.resize(type.params.size());
        g_host.results = type.results.size();
        ASSERT_EQ(enter(buffer.write, arguments, &function), TrapCode::none);

        EXPECT_EQ(g_host.context.store, &store_);
        EXPECT_EQ(g_host.context.function, &function);
        EXPECT_EQ(g_host.context.caller, nullptr);  // not called by guest code
        for (std::size_t i = 0; i < type.params.size(); ++i) {
            EXPECT_EQ(g_host.values[i].low, 1000 + i);
            if (type.params[i].kind() == wasm::Kind::v128) {
                EXPECT_EQ(g_host.values[i].high, 2000 + i);
            }
        }
        ResultAssigner results;
        for (std::size_t i = 0; i < type.results.size(); ++i) {
            const wasm::Kind kind = type.results[i].kind();
            const Location location = results.next(kind);
            const V128 value{0xf000'0000'0000'0000 + i, 0xe000'0000'0000'0000 + i};
            switch (location.where) {
                case Location::Where::gp:
                    EXPECT_EQ(arguments.result_gp, kind == wasm::Kind::i32 ? value.low & 0xffff'ffff : value.low);
                    break;
                case Location::Where::fp:     EXPECT_EQ(arguments.result_fp, value); break;
                case Location::Where::memory: EXPECT_EQ(memory_results[location.index / 16], value); break;
            }
        }
        g_host.result = TrapCode::host_error;
        EXPECT_EQ(enter(buffer.write, arguments, &function), TrapCode::host_error);
        g_host.result = TrapCode::none;
        store_.interrupt_pending = 1;
        const int before = g_calls.preempts;
        EXPECT_EQ(enter(buffer.write, arguments, &function), TrapCode::none);
        EXPECT_EQ(g_calls.preempts, before + 1);
    }
};

TEST_F(X64HostStub, KindsOfArgumentsAndResults) {
    using wasm::Kind;
    check({{}, {}});
    check({{Kind::i32}, {Kind::i32}});
    check({{Kind::i64, Kind::f64}, {Kind::f64, Kind::i64}});
    check({{Kind::v128, wasm::kExternRef}, {wasm::kFuncRef, Kind::v128, Kind::i32, Kind::f32, Kind::i64}});
    FuncType many;
    for (int i = 0; i < 4; ++i) {
        for (const Kind kind : {Kind::i32, Kind::f32, Kind::v128, Kind::i64, Kind::f64}) many.params.push_back(kind);
        many.params.push_back(wasm::kExternRef);
    }
    many.results = {Kind::i32, Kind::i32, Kind::f32, Kind::f64, Kind::v128, Kind::i64, Kind::i32, Kind::f64};
    check(many);
}

TEST_F(X64HostStub, CallerIsTheInstanceThatCalled) {
    const FuncType type{{wasm::Kind::i32}, {wasm::Kind::i32}};
    const CodeBuffer stub = code_.take(4096);
    ASSERT_TRUE(emit_host_stub(stub, type, targets_, stubs_));
    HostFunction function{&store_, host_body, nullptr, wasm::kNoType};
    const void* const code = emit([&](Masm& m) {
        m.store_slot(Kind::i64, kCallerInstanceSlot, Masm::kContext);
        m.mov_imm(Width::w64, Masm::kContext, reinterpret_cast<std::uint64_t>(&function));
        m.mov_imm(Width::w64, kRax, stub.execute);
        m.call_code(kRax);
        m.load_slot(Kind::i64, Masm::kContext, kCallerInstanceSlot);
    });
    g_host = {};
    g_host.values.resize(1);
    EntryArguments arguments;
    arguments.gp[0] = 5;
    ASSERT_EQ(enter(code, arguments), TrapCode::none);
    EXPECT_EQ(g_host.context.caller, &instance_);
    EXPECT_EQ(g_host.values[0].low, 5U);
    Site call;
    for (const Site& site : output_.sites) {
        if (site.kind() == Site::Kind::call) call = site;
    }
    EXPECT_EQ(g_calls.exit_pc, reinterpret_cast<std::uint64_t>(code) + call.code_offset);
}

TEST_F(X64Stubs, LazyThunksCompileAndContinue) {
    const void* const callee = emit(
        [](Masm& m) {
            // A checksum of all argument registers and one stack argument, and the result pointer.
            m.mov(Kind::i64, kRax, Masm::kResultPointer);
            std::int64_t weight = 1;
            for (const Reg reg : Masm::kHomesGp) {
                m.mul(Width::w64, kRcx, reg, Operand::imm(++weight));
                m.alu(AluOp::add, Width::w64, kRax, kRax, kRcx);
            }
            for (const Reg reg : Masm::kHomesFp) {
                m.fp_to_gp(Width::w64, kRcx, reg);
                m.mul(Width::w64, kRcx, kRcx, Operand::imm(++weight));
                m.alu(AluOp::add, Width::w64, kRax, kRax, kRcx);
            }
            m.load(LoadOp::u64, kRcx, {Masm::kFramePointer, kNoReg, Masm::kStackArguments});
            m.alu(AluOp::add, Width::w64, kRax, kRax, kRcx);
        },
        16);
    const CodeBuffer thunks = code_.take(kThunkBytes * 10);
    ASSERT_TRUE(emit_lazy_thunks(thunks, 40, 10, stubs_));
    EXPECT_FALSE(emit_lazy_thunks({thunks.write, 8, thunks.execute}, 0, 1, stubs_));
    EntryArguments arguments;
    const std::array<std::uint64_t, 2> stack = {7, 8};
    std::uint64_t expected = 7;
    std::uint64_t weight = 1;
    for (std::size_t i = 0; i < 7; ++i) expected += (arguments.gp[i] = 100 + i) * ++weight;
    for (std::size_t i = 0; i < 8; ++i) expected += (arguments.fp[i].low = 200 + i) * ++weight;
    arguments.stack = reinterpret_cast<const std::uint8_t*>(stack.data());
    arguments.stack_bytes = 16;
    arguments.memory_results = memory_.data();
    expected += reinterpret_cast<std::uint64_t>(memory_.data());
    for (const std::uint32_t interrupt : {0U, 1U}) {
        g_calls.lazy_result = callee;
        store_.interrupt_pending = interrupt;
        ASSERT_EQ(enter(thunks.write + 3 * kThunkBytes, arguments), TrapCode::none);
        EXPECT_EQ(arguments.result_gp, expected);
        EXPECT_EQ(g_calls.lazy_function, 43U);
        EXPECT_EQ(g_calls.lazy_instance, &instance_);
        EXPECT_EQ(g_calls.preempts, static_cast<int>(interrupt));
    }
    g_calls.lazy_result = nullptr;
    g_calls.pending_trap = static_cast<std::uint32_t>(TrapCode::file_changed);
    EXPECT_EQ(enter(thunks.write, arguments), TrapCode::file_changed);
}

// --- stack switches --------------------------------------------------------------------------------------------------------------

struct Switch {
    const Stubs* stubs;
    void* main = nullptr;
    void* fiber = nullptr;
    std::vector<int> trace;
};

void fiber_entry(void* argument) {
    auto* const s = static_cast<Switch*>(argument);
    alignas(16) volatile double aligned[2] = {1.5, 2.5};  // an unaligned stack would fault in vector code
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&aligned) % 16, 0U);
    for (int i = 1;; i += 2) {
        s->trace.push_back(i);
        s->stubs->switch_stack(&s->fiber, s->main);
    }
}

TEST_F(X64Stubs, SwitchStackGoesBackAndForth) {
    std::vector<std::uint8_t> stack(1 << 16);
    Switch s{&stubs_, nullptr, nullptr, {}};
    s.fiber = prepare_stack(stack.data() + stack.size() - 3, fiber_entry, &s);
    for (int i = 2; i <= 6; i += 2) {
        stubs_.switch_stack(&s.main, s.fiber);
        s.trace.push_back(i);
    }
    EXPECT_EQ(s.trace, (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

// --- preemption ------------------------------------------------------------------------------------------------------------------

TEST_F(X64Stubs, PreemptKeepsEveryRegister) {
    // The guest does what the signal handler does: it pushes the pc at which to go on, and jumps to the stub.
    for (const bool odd_stack : {false, true}) {
        std::uint64_t resume = 0;
        const auto body = [&](Masm& m) {
            for (std::uint8_t i = 0; i < 16; ++i) {
                m.load(LoadOp::v128, fp(i), {Masm::kMemoryBase, kNoReg, 256 + 16 * i});
                if (i != 4 && i != 5 && i != 11 && i < 14) m.mov_imm(Width::w64, gp(i), 0x5555'0000'0000'0000 + i);
            }
            if (odd_stack) m.alu(AluOp::sub, Width::w64, kRsp, kRsp, Operand::imm(8));
            m.alu(AluOp::sub, Width::w64, kRsp, kRsp, Operand::imm(8));
            m.mov_imm(Width::w64, kR11, resume | std::uint64_t{1} << 63);  // always the long form
            m.shift(ShiftOp::shl, Width::w64, kR11, kR11, Operand::imm(1));
            m.shift(ShiftOp::shr_u, Width::w64, kR11, kR11, Operand::imm(1));
            m.store(StoreOp::b64, {kRsp, kNoReg, 0}, kR11);
            m.mov_imm(Width::w64, kR11, reinterpret_cast<std::uint64_t>(stubs_.preempt));
            m.jump_code(kR11);
            resume = m.position();
            if (odd_stack) m.alu(AluOp::add, Width::w64, kRsp, kRsp, Operand::imm(8));
            for (std::uint8_t i = 0; i < 16; ++i) {
                m.store(StoreOp::v128, {Masm::kMemoryBase, kNoReg, 1024 + 16 * i}, fp(i));
                if (i != 4 && i != 5) m.store(StoreOp::b64, {Masm::kMemoryBase, kNoReg, 2048 + 8 * i}, gp(i));
            }
        };
        static_cast<void>(emit(body));  // to learn the offset
        const CodeBuffer next = code_.take(0);
        resume += next.execute;
        const void* const code = emit(body);
        ASSERT_EQ(code, next.write);
        for (std::size_t i = 0; i < 256; ++i) memory_[256 + i] = static_cast<std::uint8_t>(i * 7 + 1);
        g_calls = {};
        EntryArguments arguments;
        ASSERT_EQ(enter(code, arguments), TrapCode::none);
        EXPECT_EQ(g_calls.preempts, 1);
        EXPECT_EQ(std::memcmp(&memory_[256], &memory_[1024], 256), 0);
        for (std::size_t i = 0; i < 14; ++i) {
            if (i == 4 || i == 5 || i == 11) continue;
            std::uint64_t value = 0;
            std::memcpy(&value, &memory_[2048 + 8 * i], 8);
            EXPECT_EQ(value, 0x5555'0000'0000'0000 + i);
        }
        g_calls.preempt_result = static_cast<std::uint32_t>(TrapCode::interrupted);
        EXPECT_EQ(enter(code, arguments), TrapCode::interrupted);
    }
}

TEST_F(X64Stubs, FarTargetsAreReached) {
    // Stubs that end more than 2 GiB from the C functions take the long way; here they merely have to be emitted.
    std::vector<std::uint8_t> bytes(1 << 14);
    Stubs far;
    const auto emitted = emit_stubs({bytes.data(), bytes.size(), 0x10'0000}, targets_, far);
    ASSERT_TRUE(emitted);
    EXPECT_EQ(far.begin, 0x10'0000U);
    EXPECT_FALSE(emit_stubs({bytes.data(), 100, 0x10'0000}, targets_, far));
    EXPECT_FALSE(emit_lazy_thunks({bytes.data(), bytes.size(), 0x7fff'0000'0000}, 0, 4, far));
}

}  // namespace
}  // namespace pollux::x64::test
