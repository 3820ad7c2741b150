// What one operation of a MacroAssembler costs, in ns and in bytes of code, for both ISAs: the floor under the compiler.
//
// Each benchmark emits functions of 1024 operations of one form into the same buffer, with changing registers. "mix" is what
// compiled programs are made of, in about their proportions. The prologue and the end of the function are in the figure.
#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/arm64/masm.h"
#include "backends/x64/masm.h"

namespace pollux::bench {
namespace {

constexpr std::uint32_t kOperations = 1024;
constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;

/// A register of the class, another one for each `i`.
template <class Masm>
Reg gp_home(std::uint32_t i) {
    return Masm::kHomesGp[i % Masm::kHomesGp.size()];
}
template <class Masm>
Reg fp_home(std::uint32_t i) {
    return Masm::kHomesFp[i % Masm::kHomesFp.size()];
}
std::int32_t slot(std::uint32_t i) { return -8 * static_cast<std::int32_t>(1 + i % 24); }

template <class Masm, class Emit>
void emission(benchmark::State& state, Emit emit) {
    const wasm::Module module;
    const InstanceLayout layout(module);
    const CompileEnvironment environment{.module = &module, .layout = &layout};
    std::vector<std::uint8_t> buffer(kBufferBytes);
    FunctionOutput output;
    const auto masm = std::make_unique<Masm>();
    for (auto _ : state) {
        output.sites.clear();
        output.relocations.clear();
        masm->begin(environment, {buffer.data(), buffer.size(), reinterpret_cast<std::uint64_t>(buffer.data())}, kOperations, output);
        masm->prologue();
        for (std::uint32_t i = 0; i < kOperations; ++i) emit(*masm, i);
        masm->finish(256);
        benchmark::DoNotOptimize(buffer.data());
        benchmark::ClobberMemory();
    }
    if (masm->overflowed()) state.SkipWithError("the buffer is too small, or an operand cannot be encoded");
    const auto operations = static_cast<double>(state.iterations()) * kOperations;
    state.counters["s/op"] = benchmark::Counter(operations, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["bytes/op"] = static_cast<double>(output.code_bytes) / kOperations;
}

/// Sixteen operations, by what sixteen instructions of a compiled program usually are. The last one's label is bound at once.
template <class Masm>
void emit_mixed(Masm& masm, std::uint32_t i) {
    const Reg a = gp_home<Masm>(i), b = gp_home<Masm>(i + 1), t = Masm::kResultGp;
    switch (i % 16) {
        case 0:  masm.mov(Kind::i32, t, a); break;
        case 1:  masm.alu(AluOp::add, Width::w32, t, a, b); break;
        case 2:  masm.alu(AluOp::add, Width::w32, a, a, Operand::imm(16)); break;
        case 3:  masm.guest_load(LoadOp::u32, t, {Masm::kMemoryBase, a, 12}); break;
        case 4:  masm.guest_store(StoreOp::b32, {Masm::kMemoryBase, a, 12}, b); break;
        case 5:  masm.load_slot(Kind::i32, a, slot(i)); break;
        case 6:  masm.store_slot(Kind::i32, slot(i), a); break;
        case 7:  masm.mov_imm(Width::w32, b, i); break;
        case 8:  masm.shift(ShiftOp::shl, Width::w32, t, a, Operand::imm(3)); break;
        case 9:  masm.alu(AluOp::and_, Width::w32, t, t, b); break;
        case 10: masm.guest_load(LoadOp::u8, b, {Masm::kMemoryBase, a, 1024}); break;
        case 11: masm.alu(AluOp::sub, Width::w64, a, a, b); break;
        case 12: masm.fp_binary(FpBinOp::add, Width::w64, fp_home<Masm>(i), fp_home<Masm>(i), fp_home<Masm>(i + 1)); break;
        case 13: masm.guest_load(LoadOp::f64, fp_home<Masm>(i), {Masm::kMemoryBase, a, 0}); break;
        case 14: masm.alu(AluOp::xor_, Width::w32, b, b, a); break;
        default: {
            Label label;
            masm.compare_branch(IntCond::lt_u, Width::w32, a, b, label);
            masm.bind(label);
        }
    }
}

template <class Masm>
void register_forms(const std::string& isa) {
    const auto form = [&](const std::string& name, auto emit) {
        benchmark::RegisterBenchmark(("emission/" + isa + "/" + name).c_str(),
                                     [emit](benchmark::State& state) { emission<Masm>(state, emit); });
    };
    static constexpr auto g = gp_home<Masm>;
    static constexpr auto f = fp_home<Masm>;
    form("mix", [](Masm& m, std::uint32_t i) { emit_mixed(m, i); });
    form("mov", [](Masm& m, std::uint32_t i) { m.mov(Kind::i64, g(i), g(i + 1)); });
    form("mov_imm", [](Masm& m, std::uint32_t i) { m.mov_imm(Width::w32, g(i), i + 1); });
    form("mov_imm64", [](Masm& m, std::uint32_t i) { m.mov_imm(Width::w64, g(i), 0x123456789abcdef0 + i); });
    form("load_slot", [](Masm& m, std::uint32_t i) { m.load_slot(Kind::i64, g(i), slot(i)); });
    form("store_slot", [](Masm& m, std::uint32_t i) { m.store_slot(Kind::i64, slot(i), g(i)); });
    form("alu_in_place", [](Masm& m, std::uint32_t i) { m.alu(AluOp::add, Width::w32, g(i), g(i), g(i + 1)); });
    form("alu_3_operands", [](Masm& m, std::uint32_t i) { m.alu(AluOp::add, Width::w32, g(i), g(i + 1), g(i + 2)); });
    form("alu_immediate", [](Masm& m, std::uint32_t i) { m.alu(AluOp::add, Width::w32, g(i), g(i), Operand::imm(8)); });
    form("alu_slot", [](Masm& m, std::uint32_t i) { m.alu(AluOp::add, Width::w32, g(i), g(i), Operand::at(slot(i))); });
    form("mul", [](Masm& m, std::uint32_t i) { m.mul(Width::w32, g(i), g(i + 1), g(i + 2)); });
    form("shift_immediate", [](Masm& m, std::uint32_t i) { m.shift(ShiftOp::shl, Width::w32, g(i), g(i), Operand::imm(3)); });
    form("add_shifted", [](Masm& m, std::uint32_t i) { m.add_shifted(Width::w64, g(i), g(i + 1), g(i + 2), 3); });
    form("compare_set", [](Masm& m, std::uint32_t i) { m.compare_set(IntCond::lt_s, Width::w32, Masm::kResultGp, g(i), g(i + 1)); });
    form("compare_branch_bind", [](Masm& m, std::uint32_t i) {
        Label label;
        m.compare_branch(IntCond::ne, Width::w32, g(i), g(i + 1), label);
        m.bind(label);
    });
    form("jump_bind", [](Masm& m, std::uint32_t) {
        Label label;
        m.jump(label);
        m.bind(label);
    });
    form("guest_load", [](Masm& m, std::uint32_t i) { m.guest_load(LoadOp::u32, g(i), {Masm::kMemoryBase, g(i + 1), 16}); });
    form("guest_store", [](Masm& m, std::uint32_t i) { m.guest_store(StoreOp::b32, {Masm::kMemoryBase, g(i), 16}, g(i + 1)); });
    form("fp_binary", [](Masm& m, std::uint32_t i) { m.fp_binary(FpBinOp::mul, Width::w64, f(i), f(i + 1), f(i + 2)); });
    form("convert", [](Masm& m, std::uint32_t i) { m.convert(wasm::Opcode::F64ConvertI32S, f(i), g(i)); });
    form("simd_binary", [](Masm& m, std::uint32_t i) { m.simd_binary(wasm::Opcode::I32x4Add, f(i), f(i + 1), f(i + 2)); });
    form("call_helper", [](Masm& m, std::uint32_t) { m.call_helper(Helper{}); });
}

}  // namespace
}  // namespace pollux::bench

int main(int argc, char** argv) {
    pollux::bench::register_forms<pollux::x64::Masm>("x86_64");
    pollux::bench::register_forms<pollux::arm64::Masm>("aarch64");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
