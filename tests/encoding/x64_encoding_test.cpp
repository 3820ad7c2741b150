// Every operation of the x64 masm with every allocatable register, emitted and decoded again by Zydis: the instructions fill exactly the
// bytes that were emitted, with all CPU features and with none. Runs on every host, for nothing is executed.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "backends/x64/disasm.h"
#include "backends/x64/masm.h"
#include "tests/codegen/widths.h"

namespace pollux::x64::test {
namespace {

using wasm::Opcode;

constexpr std::array kGp = {kRax, kRcx, kRdx, kRdi, kRsi, kR8, kR9, kR10, kRbx, kR12, kR13};
constexpr std::array kFp = {fp(0), fp(1), fp(2), fp(3), fp(4), fp(5), fp(6), fp(7), fp(8), fp(9), fp(10), fp(11), fp(12), fp(13)};

class X64Encoding : public testing::Test {
protected:
    void SetUp() override {
        const std::uint8_t nop[] = {0x90};
        if (const auto available = disassemble(nop, 0); !available) GTEST_SKIP() << available.error().message;
    }

    /// Emits with all features and with none. The masm's labels are unbound, its constants unplaced: only the code is decoded.
    void check(const std::string& what, const std::function<void(Masm&)>& emit) {
        for (const CpuFeatures& features : {CpuFeatures{}, CpuFeatures{true, true, true, true, true, true}}) {
            Masm masm(features);
            FunctionOutput output;
            masm.begin(environment_, {code_.data(), code_.size(), 0x10000}, 100, output);
            emit(masm);
            ASSERT_FALSE(masm.overflowed()) << what;
            const std::uint32_t end = masm.position();
            const auto decoded = disassemble({code_.data(), end}, 0x10000);
            ASSERT_TRUE(decoded);
            for (const DisassembledInstruction& instruction : *decoded) ASSERT_NE(instruction.text.substr(0, 5), ".byte") << what;
            masm.finish(16);
            ASSERT_FALSE(masm.overflowed()) << what;
            ASSERT_EQ(output.not_compiled, "") << what;  // some operand had no encoding
        }
    }

    CompileEnvironment environment_;
    std::vector<std::uint8_t> code_ = std::vector<std::uint8_t>(1 << 20);
};

TEST_F(X64Encoding, IntegersOfTwoAndThreeRegisters) {
    for (const Width width : kWidths) {
        for (const Reg d : kGp) {
            check("d = " + std::to_string(d.code), [&](Masm& m) {
                for (const Reg a : kGp) {
                    m.mov(Kind::i32, d, a);
                    m.mov(Kind::i64, d, a);
                    for (const ExtendOp op :
                         {ExtendOp::s8_32, ExtendOp::s16_32, ExtendOp::s8_64, ExtendOp::s16_64, ExtendOp::s32_64, ExtendOp::u32_64}) {
                        m.extend(op, d, a);
                    }
                    for (const BitOp op : {BitOp::clz, BitOp::ctz, BitOp::popcnt}) m.bit_count(op, width, d, a);
                    for (const std::int64_t value :
                         {std::int64_t{1}, std::int64_t{-1}, std::int64_t{127}, std::int64_t{128}, std::int64_t{0xff},
                          std::int64_t{0x7fff'ffff}, std::int64_t{0xffff'ffff}, std::int64_t{0x1234'5678'9abc}}) {
                        for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_})
                            m.alu(op, width, d, a, Operand::imm(value));
                        m.mul(width, d, a, Operand::imm(value));
                        m.compare_set(IntCond::lt_s, width, d, a, Operand::imm(value));
                    }
                    for (const Reg b : kGp) {
                        for (const AluOp op : {AluOp::add, AluOp::sub, AluOp::and_, AluOp::or_, AluOp::xor_}) m.alu(op, width, d, a, b);
                        m.mul(width, d, a, b);
                        m.add_shifted(width, d, a, b, 3);
                        m.compare_set(IntCond::gt_u, width, d, a, b);
                        m.compare_select(IntCond::ge_s, width, a, b, Kind::i64, d, a, b);
                    }
                }
            });
        }
    }
}

TEST_F(X64Encoding, FloatsOfTwoAndThreeRegisters) {
    for (const Width width : kWidths) {
        for (const Reg d : kFp) {
            check("d = " + std::to_string(d.code), [&](Masm& m) {
                for (const Reg a : kFp) {
                    for (const FpUnOp op :
                         {FpUnOp::abs, FpUnOp::neg, FpUnOp::sqrt, FpUnOp::ceil, FpUnOp::floor, FpUnOp::trunc, FpUnOp::nearest}) {
                        m.fp_unary(op, width, d, a);
                    }
                    m.convert(Opcode::F64PromoteF32, d, a);
                    m.convert(Opcode::F32DemoteF64, d, a);
                    for (const Reg b : kFp) {
                        for (const FpBinOp op :
                             {FpBinOp::add, FpBinOp::sub, FpBinOp::mul, FpBinOp::div, FpBinOp::min, FpBinOp::max, FpBinOp::copysign}) {
                            m.fp_binary(op, width, d, a, b);
                        }
                        m.fp_compare_set(FloatCond::eq, width, kR9, a, b);
                    }
                }
                for (const Reg g : kGp) {
                    m.gp_to_fp(width, d, g);
                    m.fp_to_gp(width, g, d);
                    m.convert(Opcode::F64ConvertI64U, d, g);
                    m.convert(Opcode::F32ConvertI32S, d, g);
                    m.convert(Opcode::I64TruncF64U, g, d);
                    m.convert(Opcode::I32TruncSatF32U, g, d);
                }
            });
        }
    }
}

TEST_F(X64Encoding, MemoryOperands) {
    constexpr std::array kBases = {kR14, kR15, kRbp, kRsp, kRax, kR12, kR13};
    constexpr std::array kLoads = {LoadOp::u8,     LoadOp::u16,    LoadOp::u32, LoadOp::s8_32, LoadOp::s16_32, LoadOp::s8_64,
                                   LoadOp::s16_64, LoadOp::s32_64, LoadOp::u64, LoadOp::f32,   LoadOp::f64,    LoadOp::v128};
    constexpr std::array kStores = {StoreOp::b8, StoreOp::b16, StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128};
    for (const Reg base : kBases) {
        for (const std::int32_t offset : {0, 1, 127, 128, -128, -129, 0x7fff'ffff}) {
            check("base " + std::to_string(base.code) + " offset " + std::to_string(offset), [&](Masm& m) {
                for (std::size_t i = 0; i <= kGp.size(); ++i) {
                    const Reg index = i == kGp.size() ? kNoReg : kGp[i];
                    for (std::size_t r = 0; r < kGp.size(); ++r) {
                        for (const LoadOp op : kLoads) m.guest_load(op, op >= LoadOp::f32 ? kFp[r] : kGp[r], {base, index, offset});
                        for (const StoreOp op : kStores) m.guest_store(op, {base, index, offset}, op >= StoreOp::f32 ? kFp[r] : kGp[r]);
                    }
                }
            });
        }
    }
}

TEST_F(X64Encoding, AllVectorOpcodes) {
    // Which method takes an opcode follows from its group and signature.
    for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
        const auto op = static_cast<Opcode>(i);
        const wasm::OpcodeInfo& info = wasm::info(op);
        if (info.group == wasm::Group::none || info.prefix != 0xfd) continue;
        const auto params = wasm::params(op);
        const auto results = wasm::results(op);
        const auto lane = static_cast<std::uint8_t>(wasm::lane_count(op) == 0 ? 0 : wasm::lane_count(op) - 1);
        check(std::string(wasm::text(info)), [&](Masm& m) {
            for (const Reg d : kFp) {
                for (const Reg a : {fp(0), fp(5), fp(9), fp(13)}) {
                    const Reg b = kFp[(d.number() + 3U) % kFp.size()];
                    const Reg g = kGp[d.number() % kGp.size()];
                    const Address address{kR14, g, 1000};
                    switch (info.group) {
                        case wasm::Group::load:       m.simd_load(op, d, address); break;
                        case wasm::Group::load_lane:  m.simd_load_lane(op, d, a, address, lane); break;
                        case wasm::Group::store_lane: m.simd_store_lane(op, d, address, lane); break;
                        case wasm::Group::lane:
                            if (params.size() == 1) {
                                m.simd_extract_lane(op, wasm::is_fp(results[0]) ? d : g, a, lane);
                            } else {
                                m.simd_replace_lane(op, d, a, wasm::is_fp(params[1]) ? b : g, lane);
                            }
                            break;
                        case wasm::Group::numeric:
                            if (params.size() == 3) {
                                m.simd_ternary(op, d, a, b, fp(7));
                            } else if (params.size() == 2 && params[1] == Kind::v128) {
                                m.simd_binary(op, d, a, b);
                            } else if (params.size() == 2) {
                                m.simd_shift(op, d, a, g);
                                m.simd_shift(op, d, a, Operand::imm(5));
                            } else if (params[0] != Kind::v128) {
                                m.simd_splat(op, d, wasm::is_fp(params[0]) ? a : g);
                            } else if (results[0] == Kind::i32) {
                                m.simd_test(op, g, a);
                            } else {
                                m.simd_unary(op, d, a);
                            }
                            break;
                        default: break;
                    }
                }
            }
        });
    }
}

/// No single operation emits more than the compiler reserves for it.
TEST_F(X64Encoding, OperationsFitTheirReservation) {
    for (const CpuFeatures& features : {CpuFeatures{}, CpuFeatures{true, true, true, true, true, true}}) {
        Masm masm(features);
        FunctionOutput output;
        masm.begin(environment_, {code_.data(), code_.size(), 0x10000}, 100, output);
        std::uint32_t before = 0;
        const auto fits = [&](const char* what) {
            EXPECT_LE(masm.position() - before, Masm::kMaxInstructionBytes) << what;
            before = masm.position();
        };
        for (std::size_t i = 0; i < wasm::kOpcodeLimit; ++i) {
            const auto op = static_cast<Opcode>(i);
            const wasm::OpcodeInfo& info = wasm::info(op);
            if (info.prefix != 0xfd || info.group != wasm::Group::numeric) continue;
            const auto params = wasm::params(op);
            if (params.size() == 2 && params[1] == Kind::v128) masm.simd_binary(op, fp(9), fp(10), fp(11));
            if (params.size() == 3) masm.simd_ternary(op, fp(9), fp(10), fp(11), fp(12));
            if (params.size() == 2 && params[1] != Kind::v128) masm.simd_shift(op, fp(9), fp(10), kR13);
            if (params.size() == 1 && params[0] == Kind::v128 && wasm::results(op)[0] == Kind::v128) masm.simd_unary(op, fp(9), fp(10));
            fits(std::string(wasm::text(info)).c_str());
        }
        masm.tail_frame(16, 128);
        fits("tail_frame");
        masm.tail_frame(16, 16000);
        fits("tail_frame of many");
        masm.prologue();
        fits("prologue");
        masm.check_bounds(Width::w64, kR13, ~std::uint64_t{0}, 0x7fff'fff0);
        fits("check_bounds");
        masm.div(DivOp::rem_s, Width::w64, kRdx, kRax, kR13, true, true);
        fits("div");
        masm.consume_fuel(0xffff'ffff);
        fits("consume_fuel");
    }
}

}  // namespace
}  // namespace pollux::x64::test
