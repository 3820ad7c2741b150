// Every masm operation with every register of its classes and hard immediates: all must have an encoding, and stay within the
// bytes promised. Runs on every host.
#include <gtest/gtest.h>

#include <functional>

#include "backends/arm64/masm.h"
#include "tests/codegen/arm64/runner.h"
#include "tests/codegen/widths.h"

namespace pollux::arm64::test {
namespace {

using wasm::Opcode;

std::vector<Reg> registers(bool floats) {
    std::vector<Reg> all;
    for (std::uint8_t n = 0; n < 27; ++n) {
        if (floats || n < 16 || n > 18) all.push_back(floats ? fp(n) : gp(n));
    }
    if (floats) all.insert(all.end(), {fp(27), fp(28), fp(29)});
    return all;
}

const std::vector<std::int64_t> kImmediates = {0,
                                               1,
                                               -1,
                                               2,
                                               255,
                                               256,
                                               4095,
                                               4096,
                                               4097,
                                               -4095,
                                               -4096,
                                               -4097,
                                               0xfff000,
                                               0xfff001,
                                               0x1000000,
                                               -0x1000000,
                                               0x7fff'ffff,
                                               0x8000'0000,
                                               -0x8000'0000LL,
                                               0xffff'ffff,
                                               0x1'0000'0000,
                                               0x5555'5555'5555'5555,
                                               0x1234'5678'9abc'def0,
                                               INT64_MAX,
                                               INT64_MIN};
const std::vector<std::int32_t> kOffsets = {0,    1,     -1,    4,     8,     255,       256,        -256,        -257,       4095,
                                            4096, 32760, 32761, 65520, 65536, 0xff'ffff, 0x100'0000, 0x7fff'ffff, -0x100'0000};

class Encoder {
public:
    explicit Encoder(Branches branches) : buffer_(1 << 20) {
        const bool shortest = branches == Branches::shortest;
        environment_.function_table = 0x1234'5678'9000;
        masm_.begin(environment_, {buffer_.data(), buffer_.size(), 0x10'0000}, shortest ? 4 : 1 << 20, output_);
    }
    /// One operation: within the promised bytes and encodable.
    void operator()(const char* what, const std::function<void(Masm&)>& emit) {
        const std::uint32_t before = masm_.position();
        emit(masm_);
        ASSERT_LE(masm_.position() - before, Masm::kMaxInstructionBytes) << what;
        ASSERT_FALSE(masm_.encoding_failed()) << what;
        ASSERT_FALSE(masm_.overflowed()) << what;
        if (masm_.position() > 20'000) restart();
    }
    void restart() {
        for (Label& label : labels) {
            if (!label.bound()) masm_.bind(label);
        }
        masm_.finish(0);
        ASSERT_FALSE(masm_.overflowed());
        labels.assign(1, {});
        masm_.begin(environment_, {buffer_.data(), buffer_.size(), 0x10'0000}, 4, output_);
        output_.sites.clear();
        output_.relocations.clear();
    }
    CompileEnvironment environment_;
    std::vector<Label> labels = std::vector<Label>(1);

private:
    std::vector<std::uint8_t> buffer_;
    FunctionOutput output_;
    Masm masm_;
};

std::vector<Operand> operands(const std::vector<Reg>& regs) {
    std::vector<Operand> all;
    for (const Reg reg : regs) all.emplace_back(reg);
    for (const std::int64_t value : kImmediates) all.push_back(Operand::imm(value));
    for (const std::int32_t slot : {-8, -256, -264, -4096, -40'000, -0x200'0000, 16, 1000}) all.push_back(Operand::at(slot));
    return all;
}

TEST(Arm64Encode, Integers) {
    const auto regs = registers(false);
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        Encoder encode(branches);
        for (const Width w : kWidths) {
            for (const Reg d : regs) {
                for (const Reg a : {gp(0), gp(15), gp(26), d}) {
                    for (const Operand& b : operands(regs)) {
                        for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_})
                            encode("alu", [&](Masm& m) { m.alu(op, w, d, a, b); });
                        encode("mul", [&](Masm& m) { m.mul(w, d, a, b); });
                        encode("compare_set", [&](Masm& m) { m.compare_set(IntCond::gt_u, w, d, a, b); });
                        encode("compare_branch", [&](Masm& m) { m.compare_branch(IntCond::lt_s, w, a, b, encode.labels[0]); });
                        encode("compare_trap", [&](Masm& m) { m.compare_trap(IntCond::ne, w, a, b, TrapCode::unreachable); });
                        if (b.type == Operand::Type::slot) continue;
                        for (const ShiftOp op : {ShiftOp::shl, ShiftOp::shr_s, ShiftOp::shr_u, ShiftOp::rotl, ShiftOp::rotr})
                            encode("shift", [&](Masm& m) { m.shift(op, w, d, a, b); });
                    }
                    for (const DivOp op : {DivOp::div_s, DivOp::div_u, DivOp::rem_s, DivOp::rem_u})
                        encode("div", [&](Masm& m) { m.div(op, w, d, a, gp(3), true, true); });
                    for (const BitOp op : {BitOp::clz, BitOp::ctz, BitOp::popcnt})
                        encode("bit_count", [&](Masm& m) { m.bit_count(op, w, d, a); });
                    for (const ExtendOp op :
                         {ExtendOp::s8_32, ExtendOp::s16_32, ExtendOp::s8_64, ExtendOp::s16_64, ExtendOp::s32_64, ExtendOp::u32_64})
                        encode("extend", [&](Masm& m) { m.extend(op, d, a); });
                    encode("add_shifted", [&](Masm& m) { m.add_shifted(w, d, a, gp(4), 3); });
                    encode("mov", [&](Masm& m) { m.mov(Kind::i64, d, a); });
                    for (const Kind kind : {Kind::i32, Kind::i64, Kind::ref})
                        encode("compare_select",
                               [&](Masm& m) { m.compare_select(IntCond::le_s, w, a, Operand::imm(77'777), kind, d, a, gp(9)); });
                }
                for (const std::int64_t value : kImmediates)
                    encode("mov_imm", [&](Masm& m) { m.mov_imm(w, d, static_cast<std::uint64_t>(value)); });
                encode("check_bounds", [&](Masm& m) { m.check_bounds(w, d, 0x1'0000'0007, 40'000); });
                encode("trap_on_status", [&](Masm& m) { m.trap_on_status(d); });
            }
        }
        encode("consume_fuel", [](Masm& m) { m.consume_fuel(0xffff'ffff); });
    }
}

TEST(Arm64Encode, MemoryAccesses) {
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        Encoder encode(branches);
        for (const std::int32_t offset : kOffsets) {
            for (const Reg index : {kNoReg, gp(0), gp(26)}) {
                for (const Reg base : {kMemoryBase, kStackPointer, kFramePointer, gp(7)}) {
                    const Address address{base, index, offset};
                    for (unsigned op = 0; op <= static_cast<unsigned>(LoadOp::v128); ++op) {
                        for (const Reg d : registers(op >= static_cast<unsigned>(LoadOp::f32))) {
                            encode("load", [&](Masm& m) { m.load(static_cast<LoadOp>(op), d, address); });
                            encode("guest_load", [&](Masm& m) { m.guest_load(static_cast<LoadOp>(op), d, address); });
                        }
                    }
                    for (unsigned op = 0; op <= static_cast<unsigned>(StoreOp::v128); ++op) {
                        const bool floats = op >= static_cast<unsigned>(StoreOp::f32);
                        for (const Reg s : registers(floats)) {
                            encode("store", [&](Masm& m) { m.store(static_cast<StoreOp>(op), address, s); });
                            encode("guest_store", [&](Masm& m) { m.guest_store(static_cast<StoreOp>(op), address, s); });
                        }
                        if (!floats)
                            encode("guest_store", [&](Masm& m) { m.guest_store(static_cast<StoreOp>(op), address, Operand::imm(-2)); });
                    }
                    for (std::size_t i = wasm::opcode_page(0xFD); i < wasm::opcode_page(0xFE); ++i) {
                        const auto op = static_cast<Opcode>(i);
                        for (std::uint8_t lane = 0; lane == 0 || lane < wasm::lane_count(op); ++lane) {
                            if (wasm::group(op) == wasm::Group::load)
                                encode("simd_load", [&](Masm& m) { m.simd_load(op, fp(29), address); });
                            if (wasm::group(op) == wasm::Group::load_lane)
                                encode("simd_load_lane", [&](Masm& m) { m.simd_load_lane(op, fp(3), fp(29), address, lane); });
                            if (wasm::group(op) == wasm::Group::store_lane)
                                encode("simd_store_lane", [&](Masm& m) { m.simd_store_lane(op, fp(29), address, lane); });
                        }
                    }
                }
            }
            for (unsigned kind = 0; kind <= static_cast<unsigned>(Kind::ref); ++kind) {
                const Reg reg = wasm::is_fp(static_cast<Kind>(kind)) ? kScratchFp : kScratchGp;
                encode("load_slot", [&](Masm& m) { m.load_slot(static_cast<Kind>(kind), reg, offset); });
                encode("store_slot", [&](Masm& m) { m.store_slot(static_cast<Kind>(kind), offset, reg); });
            }
            for (const std::int64_t value : kImmediates) encode("store_slot_imm", [&](Masm& m) { m.store_slot_imm(offset, value); });
            encode("lea_slot", [&](Masm& m) { m.lea_slot(gp(3), offset); });
        }
    }
}

TEST(Arm64Encode, Floats) {
    const auto regs = registers(true);
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        Encoder encode(branches);
        for (const Width w : kWidths) {
            for (const Reg d : regs) {
                for (const Reg a : {fp(0), fp(15), fp(29), d}) {
                    for (unsigned op = 0; op <= static_cast<unsigned>(FpBinOp::copysign); ++op) {
                        for (const Reg b : regs) encode("fp_binary", [&](Masm& m) { m.fp_binary(static_cast<FpBinOp>(op), w, d, a, b); });
                        encode("fp_binary", [&](Masm& m) { m.fp_binary(static_cast<FpBinOp>(op), w, d, a, Operand::at(-100'000)); });
                    }
                    for (unsigned op = 0; op <= static_cast<unsigned>(FpUnOp::nearest); ++op)
                        encode("fp_unary", [&](Masm& m) { m.fp_unary(static_cast<FpUnOp>(op), w, d, a); });
                    encode("fp_compare_set", [&](Masm& m) { m.fp_compare_set(FloatCond::le, w, gp(3), d, a); });
                    encode("fp_compare_branch", [&](Masm& m) { m.fp_compare_branch(FloatCond::le, w, false, d, a, encode.labels[0]); });
                    for (const Kind kind : {Kind::f32, Kind::f64, Kind::v128}) {
                        encode("mov", [&](Masm& m) { m.mov(kind, d, a); });
                        encode("compare_select", [&](Masm& m) { m.compare_select(IntCond::eq, w, gp(3), gp(4), kind, d, a, fp(5)); });
                    }
                }
                for (const std::int64_t value : kImmediates) {
                    encode("fp_const", [&](Masm& m) { m.fp_const(w, d, static_cast<std::uint64_t>(value)); });
                    encode("v128_const", [&](Masm& m) { m.v128_const(d, {static_cast<std::uint64_t>(value), 0x1234'5678'9abc'def1}); });
                }
                encode("gp_to_fp", [&](Masm& m) { m.gp_to_fp(w, d, gp(3)); });
                encode("fp_to_gp", [&](Masm& m) { m.fp_to_gp(w, gp(3), d); });
            }
        }
        for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
            const auto op = static_cast<Opcode>(i);
            if (wasm::group(op) != wasm::Group::numeric || wasm::params(op).size() != 1 || wasm::results(op).size() != 1) continue;
            const Kind from = wasm::params(op)[0];
            const Kind to = wasm::results(op)[0];
            if (from == to || from == Kind::v128 || to == Kind::v128 || wasm::text(op).ends_with("eqz")) continue;
            const Reg d = wasm::is_fp(to) ? fp(20) : gp(20);
            const Reg a = wasm::is_fp(from) ? fp(20) : gp(20);
            encode(wasm::text(op).data(), [&](Masm& m) { m.convert(op, d, a); });
        }
    }
}

TEST(Arm64Encode, EverySimdOpcode) {
    for (const Branches branches : {Branches::shortest, Branches::longest}) {
        Encoder encode(branches);
        for (std::size_t i = wasm::opcode_page(0xFD); i < wasm::opcode_page(0xFE); ++i) {
            const auto op = static_cast<Opcode>(i);
            const char* text = wasm::text(op).data();
            if (wasm::group(op) == wasm::Group::lane) {
                for (unsigned lane = 0; lane < wasm::lane_count(op); ++lane) {
                    const Kind scalar = wasm::params(op).size() == 2 ? wasm::params(op)[1] : wasm::results(op)[0];
                    for (const std::uint8_t n : {std::uint8_t{0}, std::uint8_t{26}}) {
                        const Reg reg = wasm::is_fp(scalar) ? fp(n) : gp(n);
                        encode(text, [&](Masm& m) {
                            if (wasm::params(op).size() == 2) {
                                m.simd_replace_lane(op, fp(3), fp(26), reg, static_cast<std::uint8_t>(lane));
                            } else {
                                m.simd_extract_lane(op, reg, fp(26), static_cast<std::uint8_t>(lane));
                            }
                        });
                    }
                }
            }
            if (wasm::group(op) != wasm::Group::numeric) continue;
            const auto params = wasm::params(op);
            for (const Reg d : registers(true)) {
                for (const Reg a : {fp(0), fp(29), d}) {
                    encode(text, [&](Masm& m) {
                        if (params.size() == 3) {
                            m.simd_ternary(op, d, a, fp(4), fp(5));
                        } else if (params.size() == 2 && params[1] == Kind::v128) {
                            m.simd_binary(op, d, a, fp(4));
                        } else if (params.size() == 2) {
                            m.simd_shift(op, d, a, Operand::imm(77));
                            m.simd_shift(op, d, a, gp(20));
                        } else if (params[0] != Kind::v128) {
                            m.simd_splat(op, d, wasm::is_fp(params[0]) ? a : gp(20));
                        } else if (wasm::results(op)[0] != Kind::v128) {
                            m.simd_test(op, gp(20), a);
                        } else {
                            m.simd_unary(op, d, a);
                        }
                    });
                }
            }
        }
        for (unsigned seed = 0; seed < 200; ++seed) {
            const std::uint64_t bits = (seed * 0x9e37'79b9'7f4a'7c15U) & 0x1f1f'1f1f'1f1f'1f1f;
            encode("shuffle", [&](Masm& m) {
                m.simd_shuffle(fp(static_cast<std::uint8_t>(seed % 3)), fp(1), fp(2), {bits, bits ^ 0x0101'0101'0101'0101});
            });
        }
    }
}

TEST(Arm64Encode, CallsInEveryMode) {
    for (const CallMode mode : {CallMode::direct, CallMode::table}) {
        for (const std::uint64_t table : {std::uint64_t{0x10'2000}, std::uint64_t{0xffff'ffff'f000}}) {
            Encoder encode(Branches::shortest);
            encode.environment_.calls = mode;
            encode.environment_.function_table = table;
            encode("call_function", [](Masm& m) { m.call_function(12'345); });
            encode("jump_function", [](Masm& m) { m.jump_function(12'345); });
            encode("call_code", [](Masm& m) { m.call_code(kCallTarget); });
            encode("jump_code", [](Masm& m) { m.jump_code(kCallTarget); });
            encode("call_helper", [](Masm& m) { m.call_helper(Helper::memory_grow); });
            encode("prologue", [](Masm& m) { m.prologue(); });
            for (const std::uint32_t area : {0U, 16U, 480U, 496U, 5008U, 16'000U}) {
                encode("epilogue", [&](Masm& m) { m.epilogue(area); });
                encode("reserve", [&](Masm& m) { m.reserve_stack_arguments(area); });
                for (const std::uint32_t own : {0U, 16U, 5008U}) encode("tail_frame", [&](Masm& m) { m.tail_frame(own, area); });
            }
        }
    }
}

TEST(Arm64Encode, AFullBufferIsReportedAtEveryPosition) {
    std::vector<std::uint8_t> bytes(4096, 0xee);
    const auto emit = [](Masm& masm) {
        Label label;
        masm.prologue();
        masm.compare_branch(IntCond::eq, Width::w32, gp(1), gp(2), label);
        masm.div(DivOp::div_s, Width::w32, gp(1), gp(2), gp(3), true, true);
        masm.simd_binary(Opcode::I64x2Mul, fp(1), fp(2), fp(3));
        masm.bind(label);
        Label* labels[] = {&label, &label};
        masm.jump_table(gp(1), labels);
        masm.epilogue(0);
        masm.finish(32);
    };
    Masm masm;
    FunctionOutput output;
    CompileEnvironment environment;
    masm.begin(environment, {bytes.data(), bytes.size(), 0}, 10, output);
    emit(masm);
    ASSERT_FALSE(masm.overflowed());
    const std::uint32_t needed = masm.position();
    for (std::uint32_t capacity = 0; capacity < needed; ++capacity) {
        std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xee});
        masm.begin(environment, {bytes.data(), capacity, 0}, 10, output);
        emit(masm);
        ASSERT_TRUE(masm.overflowed()) << capacity;
        ASSERT_EQ(bytes[capacity], 0xee) << capacity;
    }
}

TEST(Arm64Encode, ABodyTooLongForShortBranchesGetsLongOnes) {
    std::vector<std::uint8_t> bytes(3 << 20);
    Masm masm;
    FunctionOutput output;
    CompileEnvironment environment;
    const auto emit = [&] {
        Label end;
        masm.begin(environment, {bytes.data(), bytes.size(), 0}, 40'000, output);
        masm.prologue();
        masm.compare_branch(IntCond::eq, Width::w32, gp(1), Operand::imm(0), end);
        while (masm.position() < (2 << 20) && masm.has_space(Masm::kMaxInstructionBytes)) {
            masm.alu(AluOp::add, Width::w32, gp(1), gp(1), gp(2));
        }
        if (!masm.has_space(Masm::kMaxInstructionBytes)) return false;
        masm.bind(end);
        masm.epilogue(0);
        masm.finish(0);
        return !masm.overflowed();
    };
    EXPECT_FALSE(emit());
    EXPECT_TRUE(emit());
}

}  // namespace
}  // namespace pollux::arm64::test
