// What the masm emits, read back by LLVM's disassembler. Skipped where its library is not installed.
#include <gtest/gtest.h>

#include <functional>

#include "backends/arm64/disasm.h"
#include "backends/arm64/masm.h"
#include "tests/codegen/arm64/runner.h"

namespace pollux::arm64::test {
namespace {

using wasm::Opcode;

/// The instructions that `emit` yields, out-of-line traps last.
std::vector<std::string> code_of(const std::function<void(Masm&)>& emit, Branches branches = Branches::shortest, std::uint32_t frame = 32,
                                 const CpuFeatures& features = {}) {
    static std::vector<std::uint8_t> buffer(8 << 20);
    Masm masm(features);
    FunctionOutput output;
    CompileEnvironment environment;
    environment.function_table = 0x2000'0000;
    masm.begin(environment, {buffer.data(), branches == Branches::shortest ? std::size_t{16384} : buffer.size(), 0x1000'0000},
               branches == Branches::shortest ? 4 : 1 << 20, output);
    emit(masm);
    masm.finish(frame);
    EXPECT_FALSE(masm.overflowed());
    const auto instructions = disassemble({buffer.data(), masm.position()}, 0x1000'0000);
    std::vector<std::string> text;
    if (!instructions) return text;
    for (const DisassembledInstruction& instruction : *instructions) text.push_back(instruction.text);
    return text;
}

#define POLLUX_NEEDS_LLVM() \
    if (const auto result = disassemble({}, 0); !result) GTEST_SKIP() << result.error().message

using Lines = std::vector<std::string>;

TEST(Arm64Golden, Frames) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.prologue();
                  m.epilogue(0);
              }),
              (Lines{"stp x29, x30, [sp, #-16]!", "mov x29, sp", "ldr x17, [x28, #8]", "sub x16, sp, #32", "nop", "cmp x16, x17",
                     "b.lo #20", "mov sp, x16", "mov sp, x29", "ldp x29, x30, [sp], #16", "ret", "udf #9"}));
    EXPECT_EQ(code_of(
                  [](Masm& m) {
                      m.prologue();
                      m.epilogue(480);
                  },
                  Branches::longest, 0x12345),
              (Lines{"stp x29, x30, [sp, #-16]!", "mov x29, sp", "ldr x17, [x28, #8]", "sub x16, sp, #18, lsl #12", "sub x16, x16, #848",
                     "cmp x16, x17", "b.hs #8", "udf #9", "mov sp, x16", "mov sp, x29", "ldp x29, x30, [sp], #496", "ret"}));
}

TEST(Arm64Golden, LandingPadsKnowNothingOfX16) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of(
                  [](Masm& m) {
                      m.store_slot(Kind::i64, -1000, gp(1));
                      m.restore_stack_pointer();
                      m.load_slot(Kind::i64, gp(1), -1000);
                  },
                  Branches::shortest, 1040),
              (Lines{"sub x16, x29, #1, lsl #12", "str x1, [x16, #3096]", "sub x16, x29, #1040", "nop", "mov sp, x16",
                     "sub x16, x29, #1, lsl #12", "ldr x1, [x16, #3096]"}));
}

TEST(Arm64Golden, Integers) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.alu(AluOp::add, Width::w32, gp(0), gp(1), Operand::imm(-3));
                  m.alu(AluOp::add, Width::w64, gp(0), gp(1), Operand::imm(0x12345));
                  m.alu(AluOp::and_, Width::w32, gp(8), gp(9), Operand::imm(0xff));
                  m.alu(AluOp::and_, Width::w64, gp(8), gp(9), Operand::imm(0x1234));
                  m.alu(AluOp::xor_, Width::w32, gp(8), gp(9), Operand::imm(-1));
                  m.alu(AluOp::sub, Width::w64, gp(8), gp(9), Operand::at(-24));
                  m.alu(AluOp::or_, Width::w32, gp(8), gp(9), Operand::at(-1000));
                  m.mul(Width::w32, gp(2), gp(3), Operand::imm(9));
                  m.mul(Width::w64, gp(2), gp(3), Operand::imm(64));
                  m.shift(ShiftOp::rotl, Width::w32, gp(2), gp(3), Operand::imm(5));
                  m.shift(ShiftOp::rotl, Width::w64, gp(2), gp(3), gp(4));
                  m.add_shifted(Width::w64, gp(2), gp(3), gp(4), 3);
                  m.extend(ExtendOp::u32_64, gp(2), gp(2));
                  m.mov_imm(Width::w64, gp(5), 0xffff'ffff'ffff'1234);
                  m.mov_imm(Width::w64, gp(5), 0x00ff'00ff'00ff'00ff);
                  m.mov_imm(Width::w64, gp(5), 0x1'0000'0001);
              }),
              (Lines{"sub w0, w1, #3",
                     "add x0, x1, #18, lsl #12",
                     "add x0, x0, #837",
                     "and w8, w9, #0xff",
                     "mov w16, #4660",
                     "and x8, x9, x16",
                     "mvn w8, w9",
                     "ldur x16, [x29, #-24]",
                     "sub x8, x9, x16",
                     "sub x16, x29, #1, lsl #12",
                     "ldr w16, [x16, #3096]",
                     "orr w8, w9, w16",
                     "add w2, w3, w3, lsl #3",
                     "lsl x2, x3, #6",
                     "ror w2, w3, #27",
                     "neg x16, x4",
                     "ror x2, x3, x16",
                     "add x2, x3, x4, lsl #3",
                     "mov w2, w2",
                     "mov x5, #-60876",
                     "mov x5, #71777214294589695",
                     "mov x5, #4294967297"}));
}

TEST(Arm64Golden, Division) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.div(DivOp::div_s, Width::w32, gp(0), gp(1), gp(2), true, true);
                  m.div(DivOp::rem_u, Width::w64, gp(0), gp(1), gp(2), false, false);
              }),
              (Lines{"cbz w2, #28", "cmn w2, #1", "ccmp w1, #1, #0, eq", "b.vs #20", "sdiv w0, w1, w2", "udiv x16, x1, x2",
                     "msub x0, x16, x2, x1", "udf #6", "udf #7"}));
}

TEST(Arm64Golden, Comparisons) {
    POLLUX_NEEDS_LLVM();
    const auto emit = [](Masm& m) {
        Label label;
        m.compare_branch(IntCond::eq, Width::w32, gp(1), Operand::imm(0), label);
        m.compare_branch(IntCond::lt_s, Width::w64, gp(1), Operand::imm(0), label);
        m.compare_branch(IntCond::gt_u, Width::w32, gp(1), Operand::imm(-5), label);
        m.bind(label);
        m.compare_set(IntCond::ne, Width::w64, gp(3), gp(1), gp(2));
        m.compare_select(IntCond::lt_u, Width::w32, gp(1), gp(2), Kind::i64, gp(3), gp(4), gp(5));
        m.compare_branch(IntCond::ne, Width::w64, gp(1), Operand::imm(0), label);
    };
    EXPECT_EQ(code_of(emit), (Lines{"cbz w1, #16", "tbnz x1, #63, #12", "cmn w1, #5", "b.hi #4", "cmp x1, x2", "cset w3, ne", "cmp w1, w2",
                                    "csel x3, x4, x5, lo", "cbnz x1, #-16"}));
    EXPECT_EQ(code_of(emit, Branches::longest),
              (Lines{"cbnz w1, #8", "b #28", "cmp x1, #0", "b.ge #8", "b #16", "cmn w1, #5", "b.ls #8", "b #4", "cmp x1, x2", "cset w3, ne",
                     "cmp w1, w2", "csel x3, x4, x5, lo", "cbnz x1, #-16"}));
}

TEST(Arm64Golden, GuestMemory) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.guest_load(LoadOp::u32, gp(0), {kMemoryBase, gp(1), 0});
                  m.guest_load(LoadOp::f64, fp(0), {kMemoryBase, gp(1), 24});
                  m.guest_load(LoadOp::s8_32, gp(0), {kMemoryBase, kNoReg, 100});
                  m.guest_load(LoadOp::u64, gp(0), {kMemoryBase, gp(1), 0x12345});
                  m.guest_load(LoadOp::u64, gp(0), {kMemoryBase, gp(1), 0x7fff'fff0});
                  m.guest_store(StoreOp::b8, {kMemoryBase, gp(1), 0}, gp(2));
                  m.guest_store(StoreOp::b32, {kMemoryBase, gp(1), 8}, gp(2));
                  m.guest_store(StoreOp::b64, {kMemoryBase, gp(1), 0}, Operand::imm(0));
              }),
              (Lines{"ldr w0, [x27, x1]", "add x16, x27, x1", "ldr d0, [x16, #24]", "ldrsb w0, [x27, #100]", "add x16, x27, x1",
                     "add x16, x16, #18, lsl #12", "add x16, x16, #837", "ldr x0, [x16]", "mov w16, #2147483632", "add x16, x16, x1",
                     "add x16, x27, x16", "ldr x0, [x16]", "strb w2, [x27, x1]", "add x16, x27, x1", "ldrb wzr, [x16, #11]",
                     "str w2, [x16, #8]", "ldr xzr, [x27, x1]", "str xzr, [x27, x1]"}));
    EXPECT_EQ(code_of([](Masm& m) { m.check_bounds(Width::w64, gp(1), 16, 48); }),
              (Lines{"ldr x16, [x28, #48]", "ldr x16, [x16, #8]", "adds x17, x1, #16", "ccmp x17, x16, #2, lo", "b.hi #4", "udf #2"}));
}

TEST(Arm64Golden, Atomics) {
    POLLUX_NEEDS_LLVM();
    const auto emit = [](Masm& m) {
        m.check_alignment(gp(1), 0, 4);
        m.atomic_load(LoadOp::u16, gp(0), {kMemoryBase, gp(1), 0});
        m.atomic_store(StoreOp::b64, {kMemoryBase, kNoReg, 0}, gp(2));
        m.atomic_update(AtomicOp::sub, StoreOp::b32, gp(0), {kMemoryBase, gp(1), 16}, gp(2));
        m.atomic_update(AtomicOp::exchange, StoreOp::b8, kNoReg, {kMemoryBase, kNoReg, 0}, gp(2));
        m.atomic_compare_exchange(StoreOp::b8, gp(0), {kMemoryBase, kNoReg, 0}, gp(2), gp(3));
        m.atomic_fence();
    };
    EXPECT_EQ(code_of(emit), (Lines{"tst w1, #0x3",
                                    "b.ne #80",
                                    "add x16, x27, x1",
                                    "ldarh w0, [x16]",
                                    "stlr x2, [x27]",
                                    "add x16, x27, x1",
                                    "add x16, x16, #16",
                                    "ldaxr w0, [x16]",
                                    "sub x17, x0, x2",
                                    "stlxr w30, w17, [x16]",
                                    "cbnz w30, #-12",
                                    "ldaxrb w17, [x27]",
                                    "stlxrb w30, w2, [x27]",
                                    "cbnz w30, #-8",
                                    "uxtb w17, w2",
                                    "ldaxrb w0, [x27]",
                                    "cmp w0, w17",
                                    "b.ne #12",
                                    "stlxrb w30, w3, [x27]",
                                    "cbnz w30, #-16",
                                    "dmb ish",
                                    "udf #13"}));
    EXPECT_EQ(code_of(emit, Branches::shortest, 32, {.lse = true}),
              (Lines{"tst w1, #0x3", "b.ne #48", "add x16, x27, x1", "ldarh w0, [x16]", "stlr x2, [x27]", "add x16, x27, x1",
                     "add x16, x16, #16", "neg x17, x2", "ldaddal w17, w0, [x16]", "swpalb w2, w17, [x27]", "mov x0, x2",
                     "casalb w0, w3, [x27]", "dmb ish", "udf #13"}));
}

TEST(Arm64Golden, SlotsShareTheirWindow) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.store_slot(Kind::i64, -8, gp(1));
                  m.store_slot(Kind::i32, -1000, gp(1));
                  m.store_slot(Kind::f64, -2000, fp(1));
                  m.load_slot(Kind::v128, fp(2), -4096);
                  m.load_slot(Kind::v128, fp(2), -4112);
              }),
              (Lines{"stur x1, [x29, #-8]", "sub x16, x29, #1, lsl #12", "str x1, [x16, #3096]", "str d1, [x16, #2096]", "ldr q2, [x16]",
                     "sub x16, x29, #2, lsl #12", "ldr q2, [x16, #4080]"}));
}

TEST(Arm64Golden, Calls) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.reserve_stack_arguments(32);
                  m.call_function(7);
                  m.call_code(kCallTarget);
                  m.call_helper(Helper::memory_grow);
                  m.trap_on_status(gp(3));
                  m.tail_frame(16, 32);
                  m.jump_code(kCallTarget);
              }),
              (Lines{"sub sp, sp, #32",
                     "bl #0",
                     "blr x2",
                     "mov x0, x28",
                     "ldr x16, [x28, #24]",
                     "ldr x16, [x16]",
                     "blr x16",
                     "cbnz w3, #44",
                     "add x16, x29, #32",
                     "ldp x29, x30, [x29]",
                     "mov w3, #32",
                     "add x3, sp, x3",
                     "ldr q31, [x3, #-16]!",
                     "str q31, [x16, #-16]!",
                     "ldr q31, [x3, #-16]!",
                     "str q31, [x16, #-16]!",
                     "mov sp, x16",
                     "br x2",
                     "mov w0, w3",
                     "udf #23"}));
}

TEST(Arm64Golden, Tables) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  Label first, second;
                  Label* labels[] = {&first, &second, &first};
                  m.jump_table(gp(1), labels);
                  m.bind(first);
                  m.bind(second);
              }),
              (Lines{"mov w16, #2", "cmp w1, w16", "csel w1, w1, w16, lo", "adr x16, #12", "add x16, x16, x1, lsl #2", "br x16", "b #12",
                     "b #8", "b #4"}));
}

TEST(Arm64Golden, FloatsAndVectors) {
    POLLUX_NEEDS_LLVM();
    EXPECT_EQ(code_of([](Masm& m) {
                  m.fp_binary(FpBinOp::min, Width::w64, fp(0), fp(1), fp(2));
                  m.fp_binary(FpBinOp::copysign, Width::w32, fp(0), fp(1), fp(2));
                  m.fp_const(Width::w64, fp(3), 0x3ff0'0000'0000'0000);
                  m.fp_const(Width::w32, fp(3), 0x4048'f5c3);
                  m.convert(Opcode::I32TruncSatF64U, gp(0), fp(1));
                  m.convert(Opcode::I32TruncF32S, gp(0), fp(1));
              }),
              (Lines{"fmin d0, d1, d2", "movi v30.2d, #0000000000000000", "fneg s30, s30", "mov v0.16b, v1.16b",
                     "bit v0.16b, v2.16b, v30.16b", "fmov d3, #1.00000000", "ldr s3, #40", "fcvtzu w0, d1", "fcmp s1, s1", "b.vs #20",
                     "fcvtzs x16, s1", "cmp x16, w16, sxtw", "b.ne #12", "mov w0, w16", "udf #8", "udf #7", ".word 1078523331", "udf #0"}));
    EXPECT_EQ(code_of([](Masm& m) {
                  m.simd_binary(Opcode::I32x4LtU, fp(0), fp(1), fp(2));
                  m.simd_binary(Opcode::I32x4DotI16x8S, fp(0), fp(1), fp(2));
                  m.simd_unary(Opcode::I64x2ExtendHighI32x4U, fp(0), fp(1));
                  m.simd_shuffle(fp(0), fp(1), fp(2), {0x1302'1202'1101'1000, 0x1707'1606'1505'1404});
                  m.simd_shuffle(fp(0), fp(1), fp(2), {0x1303'1202'1101'1000, 0x1707'1606'1505'1404});
              }),
              (Lines{"cmhi v0.4s, v2.4s, v1.4s", "smull v30.4s, v1.4h, v2.4h", "smull2 v31.4s, v1.8h, v2.8h", "addp v0.4s, v30.4s, v31.4s",
                     "ushll2 v0.2d, v1.4s, #0", "mov v30.16b, v1.16b", "mov v31.16b, v2.16b", "ldr d0, #36", "mov x16, #5124",
                     "movk x16, #5381, lsl #16", "movk x16, #5638, lsl #32", "movk x16, #5895, lsl #48", "mov v0.d[1], x16",
                     "tbl v0.16b, { v30.16b, v31.16b }, v0.16b", "zip1 v0.16b, v1.16b, v2.16b", "nop", "add w0, w0, #68",
                     "sbfx w2, w16, #2, #3"}));  // the last two: its bits
}

TEST(Arm64Golden, DisassemblerNamesBranchTargets) {
    POLLUX_NEEDS_LLVM();
    const std::array<Word, 5> code = {words::with_imm26(words::kBl, 4), words::with_imm19(words::cbz(Width::w64, 3), -1),
                                      words::with_imm14(words::tbz(3, 5), 2), words::kNop, words::udf(3)};
    const auto result = disassemble({reinterpret_cast<const std::uint8_t*>(code.data()), sizeof code}, 0x1000);
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(result->size(), 5U);
    EXPECT_EQ((*result)[0].branch_target, 0x1010U);
    EXPECT_EQ((*result)[1].branch_target, 0x1000U);
    EXPECT_EQ((*result)[2].branch_target, 0x1010U);
    EXPECT_EQ((*result)[3].branch_target, 0U);
    EXPECT_EQ((*result)[4].text, "udf #3");
}

}  // namespace
}  // namespace pollux::arm64::test
