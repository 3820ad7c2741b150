// Every stencil of the x64 backend, for every tuple of registers: the same bytes as asmjit's, and one instruction for Zydis.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "backends/x64/disasm.h"
#include "backends/x64/emitter.h"
#include "backends/x64/stencils.h"
#include "tests/codegen/widths.h"

namespace pollux::x64::test {
namespace {

using stencil::Alu;
using stencil::Byte;
using stencil::Memory;
using stencil::Shift;
namespace Inst = x86::Inst;

constexpr std::array<std::int32_t, 9> kOffsets = {0, 1, -1, 127, 128, -128, -129, 0x7fff'ffff, -0x7fff'ffff};
constexpr std::array<std::int32_t, 10> kImmediates = {0, 1, -1, 127, 128, -128, -129, 0x1234'5678, 0x7fff'ffff, -0x7fff'ffff - 1};

constexpr std::array kAlus = {std::pair{Alu::add, Inst::kIdAdd}, std::pair{Alu::or_, Inst::kIdOr},   std::pair{Alu::and_, Inst::kIdAnd},
                              std::pair{Alu::sub, Inst::kIdSub}, std::pair{Alu::xor_, Inst::kIdXor}, std::pair{Alu::cmp, Inst::kIdCmp}};

class X64Stencils : public testing::Test {
protected:
    X64Stencils() { emitter_.attach({expected_.data(), expected_.size(), 0x10000}); }

    /// Compares what asmjit emits with a stencil's bytes, and keeps those for Zydis.
    template <auto kStencil, class... Arguments>
    void expect(const auto& emit, const Arguments&... arguments) {
        if (HasFatalFailure()) return;
        emitter_.attach({expected_.data(), expected_.size(), 0x10000});
        emit(emitter_.as());
        ASSERT_FALSE(emitter_.failed()) << "asmjit refuses it";
        std::array<Byte, 64> actual{};
        const auto bytes = static_cast<std::size_t>(kStencil(actual.data(), arguments...) - actual.data());
        ASSERT_LE(bytes, 15U);
        for (std::size_t i = stencil::kRoom; i < actual.size(); ++i) ASSERT_EQ(actual[i], 0) << "wrote beyond its room";
        const std::vector<Byte> want(expected_.begin(), expected_.begin() + emitter_.position());
        const std::vector<Byte> got(actual.begin(), actual.begin() + static_cast<std::ptrdiff_t>(bytes));
        ASSERT_EQ(got, want);
        code_.insert(code_.end(), got.begin(), got.end());
        ++instructions_;
    }

    void TearDown() override {
        if (HasFatalFailure()) return;
        const auto decoded = disassemble(code_, 0x10000);
        if (!decoded) GTEST_SKIP() << decoded.error().message;
        EXPECT_EQ(decoded->size(), instructions_);
        for (const DisassembledInstruction& instruction : *decoded) ASSERT_NE(instruction.text.substr(0, 5), ".byte");
    }

    /// Every register, the stack pointer too.
    template <class Action>
    static void each_reg(Action&& action) {
        for (std::uint8_t number = 0; number < 16; ++number) action(gp(number));
    }
    /// Every base, without and with every index, at every length of displacement. `scaled`: the index by 1 to 8.
    template <class Action>
    static void each_memory(bool scaled, Action&& action) {
        each_reg([&](Reg base) {
            for (const std::int32_t offset : kOffsets) {
                action(Memory(base, offset), x86::ptr(gp64(base), offset));
                each_reg([&](Reg index) {
                    if (index == kRsp) return;
                    for (unsigned shift = 0; shift <= (scaled ? 3U : 0U); ++shift)
                        action(Memory(base, index, shift, offset), x86::ptr(gp64(base), gp64(index), shift, offset));
                });
            }
        });
    }
    static x86::Mem sized_memory(x86::Mem memory, std::uint32_t bytes) {
        memory.setSize(bytes);
        return memory;
    }

    Emitter emitter_;
    std::array<Byte, 64> expected_{};
    std::vector<Byte> code_;
    std::size_t instructions_ = 0;
};

TEST_F(X64Stencils, OneRegister) {
    for (const Width width : kWidths) {
        each_reg([&](Reg d) {
            const x86::Gp target = sized(width, d);
            expect<stencil::neg>([&](auto& as) { as.neg(target); }, width, d);
            expect<stencil::not_>([&](auto& as) { as.not_(target); }, width, d);
            for (const auto& [digit, id] : {std::pair{Shift::rol, Inst::kIdRol},
                                            {Shift::ror, Inst::kIdRor},
                                            {Shift::shl, Inst::kIdShl},
                                            {Shift::shr, Inst::kIdShr},
                                            {Shift::sar, Inst::kIdSar}}) {
                for (const unsigned count : {1U, 2U, 31U})
                    expect<stencil::shift_imm>([&](auto& as) { as.emit(id, target, asmjit::Imm(count)); }, digit, width, d, count);
                expect<stencil::shift_cl>([&](auto& as) { as.emit(id, target, x86::cl); }, digit, width, d);
            }
            for (const std::int32_t value : kImmediates) {
                for (const auto& [digit, id] : kAlus) {
                    expect<stencil::alu_imm>([&](auto& as) { as.emit(id, target, asmjit::Imm(value)); }, digit, width, d, value);
                }
            }
        });
    }
    each_reg([&](Reg d) {
        for (unsigned code = 0; code < 16; ++code)
            expect<stencil::setcc>([&](auto& as) { as.emit(x86::Inst::setccFromCond(Condition(code)), gp8(d)); }, code, d);
        for (const std::int32_t value : kImmediates) {
            const auto bits = static_cast<std::uint32_t>(value);
            expect<stencil::mov_imm32>([&](auto& as) { as.mov(gp32(d), bits); }, d, bits);
            if (value < 0) expect<stencil::mov_imm32_signed>([&](auto& as) { as.mov(gp64(d), value); }, d, value);
        }
        expect<stencil::mov_imm64>([&](auto& as) { as.mov(gp64(d), 0x1234'5678'9abc'def0); }, d, std::uint64_t{0x1234'5678'9abc'def0});
    });
}

TEST_F(X64Stencils, TwoRegisters) {
    each_reg([&](Reg d) {
        each_reg([&](Reg s) {
            expect<stencil::movzx8>([&](auto& as) { as.movzx(gp32(d), gp8(s)); }, d, s);
            expect<stencil::movzx16>([&](auto& as) { as.movzx(gp32(d), gp16(s)); }, d, s);
            expect<stencil::extend>([&](auto& as) { as.movsx(gp32(d), gp8(s)); }, ExtendOp::s8_32, d, s);
            expect<stencil::extend>([&](auto& as) { as.movsx(gp32(d), gp16(s)); }, ExtendOp::s16_32, d, s);
            expect<stencil::extend>([&](auto& as) { as.movsx(gp64(d), gp8(s)); }, ExtendOp::s8_64, d, s);
            expect<stencil::extend>([&](auto& as) { as.movsx(gp64(d), gp16(s)); }, ExtendOp::s16_64, d, s);
            expect<stencil::extend>([&](auto& as) { as.movsxd(gp64(d), gp32(s)); }, ExtendOp::s32_64, d, s);
            expect<stencil::extend>([&](auto& as) { as.mov(gp32(d), gp32(s)); }, ExtendOp::u32_64, d, s);
            for (const Width width : kWidths) {
                const x86::Gp target = sized(width, d);
                const x86::Gp source = sized(width, s);
                expect<stencil::mov>([&](auto& as) { as.mov(target, source); }, width, d, s);
                expect<stencil::test>([&](auto& as) { as.test(target, source); }, width, d, s);
                expect<stencil::imul>([&](auto& as) { as.imul(target, source); }, width, d, s);
                for (const std::int32_t value : {2, 127, 128, -129})
                    expect<stencil::imul_imm>([&](auto& as) { as.imul(target, source, asmjit::Imm(value)); }, width, d, s, value);
                for (const auto& [digit, id] : kAlus) {
                    expect<stencil::alu>([&](auto& as) { as.emit(id, target, source); }, digit, width, d, s);
                }
                for (unsigned code = 0; code < 16; ++code) {
                    expect<stencil::cmovcc>([&](auto& as) { as.emit(x86::Inst::cmovccFromCond(Condition(code)), target, source); }, code,
                                            width, d, s);
                }
                each_reg([&](Reg count) {
                    for (const auto& [digit, id] :
                         {std::pair{Shift::shl, Inst::kIdShlx}, {Shift::shr, Inst::kIdShrx}, {Shift::sar, Inst::kIdSarx}}) {
                        expect<stencil::shift_reg>([&](auto& as) { as.emit(id, target, source, sized(width, count)); }, digit, width, d, s,
                                                   count);
                    }
                });
            }
        });
    });
}

TEST_F(X64Stencils, Floats) {
    for (std::uint8_t d = 0; d < 16; ++d) {
        for (std::uint8_t a = 0; a < 16; ++a) {
            expect<stencil::avx_mov>([&](auto& as) { as.vmovaps(x86::xmm(d), x86::xmm(a)); }, fp(d), fp(a));
            for (std::uint8_t b = 0; b < 16; ++b) {
                const auto three = [&](std::uint32_t id, stencil::Prefix prefix, Byte opcode) {
                    expect<stencil::avx>([&](auto& as) { as.emit(id, x86::xmm(d), x86::xmm(a), x86::xmm(b)); }, prefix, opcode, fp(d),
                                         fp(a), fp(b));
                };
                three(Inst::kIdVxorps, stencil::Prefix::none, 0x57);
                three(Inst::kIdVaddss, stencil::scalar(Width::w32), 0x58);
                three(Inst::kIdVaddsd, stencil::scalar(Width::w64), 0x58);
                three(Inst::kIdVmulss, stencil::scalar(Width::w32), 0x59);
                three(Inst::kIdVmulsd, stencil::scalar(Width::w64), 0x59);
                three(Inst::kIdVsubsd, stencil::scalar(Width::w64), 0x5c);
                three(Inst::kIdVdivsd, stencil::scalar(Width::w64), 0x5e);
            }
        }
    }
}

TEST_F(X64Stencils, Addresses) {
    for (const Width width : kWidths) {
        each_memory(true, [&](const Memory& m, const x86::Mem& memory) {
            expect<stencil::lea>([&](auto& as) { as.lea(sized(width, kR9), memory); }, width, kR9, m);
        });
    }
}

TEST_F(X64Stencils, LoadsAndStores) {
    // The register's high bit and the operand's bits do not meet, so registers of both kinds, and those whose low byte needs REX, stand for
    // all.
    for (const Reg r : {kRax, kRdi, kR13}) {
        each_memory(false, [&](const Memory& m, const x86::Mem& memory) {
            const auto load = [&](LoadOp op, std::uint32_t id, const x86::Gp& target, std::uint32_t bytes) {
                expect<stencil::load>([&](auto& as) { as.emit(id, target, sized_memory(memory, bytes)); }, op, r, m);
            };
            load(LoadOp::u8, Inst::kIdMovzx, gp32(r), 1);
            load(LoadOp::u16, Inst::kIdMovzx, gp32(r), 2);
            load(LoadOp::u32, Inst::kIdMov, gp32(r), 4);
            load(LoadOp::u64, Inst::kIdMov, gp64(r), 8);
            load(LoadOp::s8_32, Inst::kIdMovsx, gp32(r), 1);
            load(LoadOp::s16_32, Inst::kIdMovsx, gp32(r), 2);
            load(LoadOp::s8_64, Inst::kIdMovsx, gp64(r), 1);
            load(LoadOp::s16_64, Inst::kIdMovsx, gp64(r), 2);
            load(LoadOp::s32_64, Inst::kIdMovsxd, gp64(r), 4);
            expect<stencil::store>([&](auto& as) { as.mov(memory, gp8(r)); }, StoreOp::b8, m, r);
            expect<stencil::store>([&](auto& as) { as.mov(memory, gp16(r)); }, StoreOp::b16, m, r);
            expect<stencil::store>([&](auto& as) { as.mov(memory, gp32(r)); }, StoreOp::b32, m, r);
            expect<stencil::store>([&](auto& as) { as.mov(memory, gp64(r)); }, StoreOp::b64, m, r);
            for (const Width width : kWidths) {
                expect<stencil::load_whole>([&](auto& as) { as.mov(sized(width, r), memory); }, width, r, m);
                expect<stencil::store_whole>([&](auto& as) { as.mov(memory, sized(width, r)); }, width, m, r);
                expect<stencil::alu_mem>([&](auto& as) { as.add(sized(width, r), memory); }, Alu::add, width, r, m);
                expect<stencil::alu_mem>([&](auto& as) { as.cmp(sized(width, r), memory); }, Alu::cmp, width, r, m);
                expect<stencil::imul_mem>([&](auto& as) { as.imul(sized(width, r), memory); }, width, r, m);
            }
            const x86::Xmm x = x86::xmm(r.number());
            const Reg f = fp(r.number());
            expect<stencil::avx_load>([&](auto& as) { as.vmovss(x, sized_memory(memory, 4)); }, LoadOp::f32, f, m);
            expect<stencil::avx_load>([&](auto& as) { as.vmovsd(x, sized_memory(memory, 8)); }, LoadOp::f64, f, m);
            expect<stencil::avx_load>([&](auto& as) { as.vmovups(x, memory); }, LoadOp::v128, f, m);
            expect<stencil::avx_store>([&](auto& as) { as.vmovss(memory, x); }, StoreOp::f32, m, f);
            expect<stencil::avx_store>([&](auto& as) { as.vmovsd(memory, x); }, StoreOp::f64, m, f);
            expect<stencil::avx_store>([&](auto& as) { as.vmovups(memory, x); }, StoreOp::v128, m, f);
            expect<stencil::avx_mem>([&](auto& as) { as.vmulsd(x, x86::xmm9, sized_memory(memory, 8)); }, stencil::scalar(Width::w64),
                                     Byte{0x59}, f, fp(9), m);
        });
    }
    each_memory(false, [&](const Memory& m, const x86::Mem& memory) {
        for (const std::int32_t value : {0, -1, 0x1234'5678}) {
            const asmjit::Imm immediate(value);
            const asmjit::Imm low8(static_cast<std::int8_t>(value));
            const asmjit::Imm low16(static_cast<std::int16_t>(value));
            expect<stencil::store_imm>([&](auto& as) { as.mov(sized_memory(memory, 1), low8); }, StoreOp::b8, m, value);
            expect<stencil::store_imm>([&](auto& as) { as.mov(sized_memory(memory, 2), low16); }, StoreOp::b16, m, value);
            expect<stencil::store_imm>([&](auto& as) { as.mov(sized_memory(memory, 4), immediate); }, StoreOp::b32, m, value);
            expect<stencil::store_imm>([&](auto& as) { as.mov(sized_memory(memory, 8), immediate); }, StoreOp::b64, m, value);
        }
    });
}

}  // namespace
}  // namespace pollux::x64::test
