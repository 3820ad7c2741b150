// Moves, memory, bounds, labels, jump tables, traps, calls and tail calls of the x64 masm, executed.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "tests/codegen/x64/runner.h"

namespace pollux::x64::test {
namespace {

std::uint64_t load_reference(const std::uint8_t* from, LoadOp op) {
    const auto read = [&](auto value) {
        std::memcpy(&value, from, sizeof value);
        return value;
    };
    switch (op) {
        case LoadOp::u8:     return read(std::uint8_t{});
        case LoadOp::u16:    return read(std::uint16_t{});
        case LoadOp::u32:
        case LoadOp::f32:    return read(std::uint32_t{});
        case LoadOp::s8_32:  return static_cast<std::uint32_t>(read(std::int8_t{}));
        case LoadOp::s16_32: return static_cast<std::uint32_t>(read(std::int16_t{}));
        case LoadOp::s8_64:  return static_cast<std::uint64_t>(read(std::int8_t{}));
        case LoadOp::s16_64: return static_cast<std::uint64_t>(read(std::int16_t{}));
        case LoadOp::s32_64: return static_cast<std::uint64_t>(read(std::int32_t{}));
        default:             return read(std::uint64_t{});
    }
}

constexpr std::array kLoads = {LoadOp::u8,     LoadOp::u16,    LoadOp::u32, LoadOp::s8_32, LoadOp::s16_32, LoadOp::s8_64,
                               LoadOp::s16_64, LoadOp::s32_64, LoadOp::u64, LoadOp::f32,   LoadOp::f64,    LoadOp::v128};
constexpr std::array kStores = {StoreOp::b8, StoreOp::b16, StoreOp::b32, StoreOp::b64, StoreOp::f32, StoreOp::f64, StoreOp::v128};
constexpr std::array<std::uint8_t, 7> kNumbers = {0, 1, 5, 6, 8, 12, 13};
constexpr std::array<std::size_t, 7> kStoreBytes = {1, 2, 4, 8, 4, 8, 16};

TEST(X64MasmMemory, GuestLoads) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const LoadOp op : kLoads) {
            const bool is_fp = op >= LoadOp::f32;
            for (const std::uint8_t d : kNumbers) {
                for (const Reg index : {kNoReg, kRax, kRsi, kR8, kR12, kR13}) {
                    const Reg target = is_fp ? fp(d) : gp(d == 5 ? 7 : d);
                    runner.compile([&](Masm& m) {
                        m.set_wasm_offset(42);
                        m.guest_load(op, target, {Masm::kMemoryBase, index, index.valid() ? 3 : kBlockMemory + 3});
                    });
                    if (index.valid()) runner.block().in.gp[index.number()] = kBlockMemory;
                    ASSERT_EQ(runner.run(), TrapCode::none);
                    const std::uint8_t* const from = runner.block().memory.data() + 3;
                    if (op == LoadOp::v128) {
                        ASSERT_EQ(std::memcmp(&runner.block().out.fp[d], from, 16), 0);
                    } else {
                        ASSERT_EQ(is_fp ? runner.block().out.fp[d].low : runner.block().out.gp[target.number()], load_reference(from, op));
                    }
                    ASSERT_EQ(runner.clobbered(RegSet::of(target)).bits(), 0U);
                    if (!index.valid()) continue;
                    runner.block().in.gp[index.number()] = 0x4000'0000'0000'0000;  // not an address
                    ASSERT_EQ(runner.run(), TrapCode::memory_out_of_bounds);
                    ASSERT_EQ(runner.trap_wasm_offset(), 42U);
                }
            }
        }
    }
}

TEST(X64MasmMemory, GuestStores) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        for (const StoreOp op : kStores) {
            const bool is_fp = op >= StoreOp::f32;
            for (const std::uint8_t s : kNumbers) {
                const Reg source = is_fp ? fp(s) : gp(s == 5 ? 7 : s);
                fill(runner);
                runner.compile([&](Masm& m) { m.guest_store(op, {Masm::kMemoryBase, kR10, 5}, source); });
                runner.block().in.gp[10] = kBlockMemory;
                auto expected = runner.block().memory;
                const void* const value =
                    is_fp ? static_cast<const void*>(&runner.block().in.fp[s]) : &runner.block().in.gp[source.number()];
                std::memcpy(expected.data() + 5, value, kStoreBytes[static_cast<std::size_t>(op)]);
                ASSERT_EQ(runner.run(), TrapCode::none);
                ASSERT_EQ(runner.block().memory, expected);
                ASSERT_EQ(runner.clobbered({}).bits(), 0U);
            }
            if (is_fp) continue;
            for (const std::int64_t value :
                 {std::int64_t{0}, std::int64_t{-1}, std::int64_t{0x7f}, std::int64_t{0xff}, std::int64_t{0x8000},
                  std::int64_t{0xffff'ffff}, std::int64_t{0x8000'0000}, std::int64_t{0x1234'5678'9abc'def0}}) {
                fill(runner);
                runner.compile([&](Masm& m) {
                    m.set_wasm_offset(9);
                    m.guest_store(op, {Masm::kMemoryBase, kRdi, 16}, Operand::imm(value));
                });
                runner.block().in.gp[7] = kBlockMemory;
                auto expected = runner.block().memory;
                std::memcpy(expected.data() + 16, &value, kStoreBytes[static_cast<std::size_t>(op)]);
                ASSERT_EQ(runner.run(), TrapCode::none);
                ASSERT_EQ(runner.block().memory, expected);
                ASSERT_EQ(runner.clobbered({}).bits(), 0U);
                runner.block().in.gp[7] = 0x4000'0000'0000'0000;
                ASSERT_EQ(runner.run(), TrapCode::memory_out_of_bounds);
            }
        }
    }
}

TEST(X64MasmMemory, SlotsMovesAndImmediates) {
    for (const CpuFeatures& features : feature_sets()) {
        Runner runner(features);
        fill(runner);
        for (const std::uint64_t value :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x7fff'ffff}, std::uint64_t{0x8000'0000}, std::uint64_t{0xffff'ffff},
              std::uint64_t{0xffff'ffff'8000'0000}, ~std::uint64_t{0}, std::uint64_t{0x1234'5678'9abc'def0}}) {
            runner.compile([&](Masm& m) {
                m.store_slot_imm(-72, static_cast<std::int64_t>(value));
                m.load_slot(Kind::i64, kRax, -72);
                m.load_slot(Kind::i32, kRcx, -72);
                m.mov_imm(Width::w64, kRdx, value);
                m.mov_imm(Width::w32, kRdi, value);
                m.mov(Kind::i32, kR8, kRdx);
                m.mov(Kind::i64, kR9, kRdx);
                m.mov(Kind::ref, kR10, kRdx);
                m.store_slot(Kind::v128, -96, fp(6));
                m.load_slot(Kind::v128, fp(0), -96);
                m.mov(Kind::v128, fp(1), fp(0));
                m.store_slot(Kind::f64, -104, fp(7));
                m.load_slot(Kind::f64, fp(2), -104);
                m.store_slot(Kind::f32, -112, fp(8));
                m.load_slot(Kind::f32, fp(3), -112);
                m.lea_slot(kRbx, -96);
                m.load(LoadOp::u64, kR12, {kRbx, kNoReg, 8});
                m.store(StoreOp::b64, {kRbx, kNoReg, 0}, kRdx);
                m.load_slot(Kind::ref, kR13, -96);
            });
            ASSERT_EQ(runner.run(), TrapCode::none);
            const State& in = runner.block().in;
            const State& out = runner.block().out;
            const std::uint64_t narrow = value & 0xffff'ffff;
            EXPECT_EQ(out.gp[0], value);
            EXPECT_EQ(out.gp[1], narrow);
            EXPECT_EQ(out.gp[2], value);
            EXPECT_EQ(out.gp[7], narrow);
            EXPECT_EQ(out.gp[8], narrow);
            EXPECT_EQ(out.gp[9], value);
            EXPECT_EQ(out.gp[10], value);
            EXPECT_EQ(out.gp[12], in.fp[6].high);
            EXPECT_EQ(out.gp[13], value);
            EXPECT_EQ(out.fp[0], in.fp[6]);
            EXPECT_EQ(out.fp[1], in.fp[6]);
            EXPECT_EQ(out.fp[2].low, in.fp[7].low);
            EXPECT_EQ(static_cast<std::uint32_t>(out.fp[3].low), static_cast<std::uint32_t>(in.fp[8].low));
        }
    }
}

TEST(X64MasmMemory, CheckBounds) {
    Runner runner(host_features());
    fill(runner);
    MemoryCell cell;
    struct Header {
        InstanceHeader header;
        MemoryCell* cell;
    } header;
    header.header = runner.instance();
    header.cell = &cell;
    const auto cell_offset =
        static_cast<std::int32_t>(reinterpret_cast<std::uint8_t*>(&header.cell) - reinterpret_cast<std::uint8_t*>(&header));
    for (const std::uint64_t end : {std::uint64_t{1}, std::uint64_t{16}, std::uint64_t{0x7fff'ffff}, std::uint64_t{0x8000'0000},
                                    std::uint64_t{0x1'0000'0010}, ~std::uint64_t{0}}) {
        runner.compile([&](Masm& m) {
            m.load(LoadOp::u64, kRax, {Masm::kMemoryBase, kNoReg, kBlockMemory});  // the header's address
            m.mov(Kind::i64, kRcx, Masm::kContext);
            m.mov(Kind::i64, Masm::kContext, kRax);
            m.check_bounds(Width::w64, kRsi, end, cell_offset);
            m.mov(Kind::i64, Masm::kContext, kRcx);
        });
        const auto address = reinterpret_cast<std::uintptr_t>(&header);
        std::memcpy(runner.block().memory.data(), &address, 8);
        for (const std::uint64_t length :
             {std::uint64_t{0}, std::uint64_t{15}, std::uint64_t{0x1'0000}, std::uint64_t{0x1'0000'0000}, std::uint64_t{0x2'0000'0000}}) {
            cell.length = length;
            for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, length - end, length - end + 1, length - end - 1, length,
                                              std::uint64_t{0xffff'ffff}, ~std::uint64_t{0}, ~std::uint64_t{0} - 15}) {
                runner.block().in.gp[6] = index;
                const bool fits = index + end >= index && index + end <= length;
                ASSERT_EQ(runner.run(), fits ? TrapCode::none : TrapCode::memory_out_of_bounds) << index << "+" << end << " of " << length;
                if (fits) {
                    ASSERT_EQ(runner.clobbered(RegSet::of(kRax, kRcx)).bits(), 0U);
                }
            }
        }
    }
}

TEST(X64MasmControl, JumpTable) {
    Runner runner(host_features());
    fill(runner);
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{200}}) {
        for (const Reg index : {kRax, kR8, kR12, kR13}) {
            runner.compile(
                [&](Masm& m) {
                    Label backward;
                    Label start;
                    m.jump(start);
                    m.bind(backward);  // table entry 0 is bound already
                    Label end;
                    m.mov_imm(Width::w32, kRcx, 0);
                    m.jump(end);
                    m.bind(start);
                    std::vector<Label> labels(count);
                    std::vector<Label*> pointers;
                    for (Label& label : labels) pointers.push_back(&label);
                    pointers[0] = &backward;
                    m.jump_table(index, pointers);
                    for (std::size_t i = 1; i < count; ++i) {
                        m.bind(labels[i]);
                        m.mov_imm(Width::w32, kRcx, i);
                        m.jump(end);
                    }
                    m.bind(end);
                },
                Runner::Contains::data);
            for (const std::uint64_t x : {0U, 1U, 2U, 3U, 100U, 199U, 200U, 0x7fff'ffffU, 0x8000'0000U, 0xffff'ffffU}) {
                runner.block().in.gp[index.number()] = x;
                ASSERT_EQ(runner.run(), TrapCode::none);
                ASSERT_EQ(runner.block().out.gp[1], std::min<std::uint64_t>(x, count - 1));
                ASSERT_EQ(runner.clobbered(RegSet::of(kRcx, index)).bits(), 0U);
            }
        }
    }
}

TEST(X64MasmControl, TrapsAndStatus) {
    Runner runner(host_features());
    fill(runner);
    runner.compile([](Masm& m) {
        m.set_wasm_offset(5);
        m.trap(TrapCode::unreachable);
    });
    EXPECT_EQ(runner.run(), TrapCode::unreachable);
    EXPECT_EQ(runner.trap_wasm_offset(), 5U);
    for (const Reg status : {kRax, kR8}) {
        runner.compile([&](Masm& m) {
            m.set_wasm_offset(6);
            m.trap_on_status(status);
        });
        runner.block().in.gp[status.number()] = 0;
        EXPECT_EQ(runner.run(), TrapCode::none);
        runner.block().in.gp[status.number()] = static_cast<std::uint64_t>(TrapCode::table_out_of_bounds);
        EXPECT_EQ(runner.run(), TrapCode::table_out_of_bounds);
        EXPECT_EQ(runner.trap_wasm_offset(), 6U);
    }
}

TEST(X64MasmControl, StackLimit) {
    Runner runner(host_features());
    fill(runner);
    runner.compile([](Masm&) {});
    EXPECT_EQ(runner.run(), TrapCode::none);
    runner.instance().stack_limit = ~std::uint64_t{0};
    EXPECT_EQ(runner.run(), TrapCode::stack_overflow);
}

TEST(X64MasmControl, Fuel) {
    Runner runner(host_features());
    fill(runner);
    runner.compile([](Masm& m) {
        m.consume_fuel(10);
        m.consume_fuel(0xffff'ffff);
    });
    runner.store().fuel = 10 + 0xffff'ffffLL;
    EXPECT_EQ(runner.run(), TrapCode::none);
    EXPECT_EQ(runner.store().fuel, 0);
    runner.store().fuel = 9;
    EXPECT_EQ(runner.run(), TrapCode::fuel_exhausted);
    runner.store().fuel = 11;
    EXPECT_EQ(runner.run(), TrapCode::fuel_exhausted);
}

/// A loop whose wasm has 16 bytes starts at a cache line, or lies in one.
TEST(X64MasmControl, AlignedLoop) {
    Runner runner(host_features());
    fill(runner);
    constexpr std::uint32_t kWasmBytes = 16;
    for (int padding = 0; padding < 32; ++padding) {  // every two bytes of a line
        std::uint32_t before = 0;
        std::uint32_t header = 0;
        runner.compile([&](Masm& m) {
            for (int i = 0; i < padding; ++i) m.extend(ExtendOp::u32_64, kRbx, kRbx);  // 2 bytes
            m.mov_imm(Width::w32, kRcx, 0);
            m.mov_imm(Width::w32, kRdx, 100);
            Label top;
            before = m.position();
            m.align_loop(kWasmBytes);
            header = m.position();
            m.bind(top);
            m.alu(AluOp::add, Width::w32, kRcx, kRcx, kRdx);
            m.alu(AluOp::sub, Width::w32, kRdx, kRdx, Operand::imm(1));
            m.compare_branch(IntCond::ne, Width::w32, kRdx, Operand::imm(0), top);
        });
        const auto line_offset = [&](std::uint32_t position) { return std::bit_cast<std::uintptr_t>(runner.code() + position) % 64; };
        if (line_offset(before) + kWasmBytes <= 64) {
            ASSERT_EQ(header, before);
        } else {
            ASSERT_EQ(line_offset(header), 0U);
        }
        ASSERT_EQ(runner.run(), TrapCode::none);
        ASSERT_EQ(runner.block().out.gp[1], 5050U);
    }
}

/// A callee with `area` bytes of stack arguments that adds up their quadwords into rax, and a function between it and the test's
/// own that tail-calls it with another area: whatever the sizes, the caller's frame and stack pointer come out unharmed.
TEST(X64MasmCalls, TailCallsMoveStackArguments) {
    for (const std::uint32_t own_area : {0U, 16U, 48U, 512U}) {
        for (const std::uint32_t callee_area : {0U, 16U, 32U, 128U, 144U, 1024U}) {
            Runner runner(host_features());
            fill(runner);
            Masm inner(host_features());
            FunctionOutput output;
            std::uint8_t* const base = runner.code() + 0x8000;
            const auto buffer = [&](std::uint32_t at) { return CodeBuffer{base + at, 0x2000, reinterpret_cast<std::uint64_t>(base + at)}; };
            const auto slot = [](std::uint32_t i) { return static_cast<std::int32_t>(8 * i); };

            // callee: rax = sum of its stack arguments, weighted
            inner.begin(runner.environment(), buffer(0), 100, output);
            inner.prologue();
            inner.mov_imm(Width::w32, kRax, 0);
            for (std::uint32_t i = 0; i < callee_area / 8; ++i) {
                inner.load(LoadOp::u64, kRcx, {kRbp, kNoReg, Masm::kStackArguments + slot(i)});
                inner.mul(Width::w64, kRcx, kRcx, Operand::imm(i + 1));
                inner.alu(AluOp::add, Width::w64, kRax, kRax, kRcx);
            }
            inner.epilogue(callee_area);
            inner.finish(32);
            ASSERT_FALSE(inner.overflowed());

            // between: makes the callee's arguments 1000, 1001, …, then jumps to it
            inner.begin(runner.environment(), buffer(0x4000), 100, output);
            inner.prologue();
            inner.reserve_stack_arguments(callee_area);
            for (std::uint32_t i = 0; i < callee_area / 8; ++i) {
                inner.mov_imm(Width::w32, kRcx, 1000 + i);
                inner.store(StoreOp::b64, {kRsp, kNoReg, slot(i)}, kRcx);
            }
            inner.mov_imm(Width::w64, kRax, reinterpret_cast<std::uint64_t>(base));
            inner.tail_frame(own_area, callee_area);
            inner.jump_code(kRax);
            inner.finish(64);
            ASSERT_FALSE(inner.overflowed());

            runner.compile([&](Masm& m) {
                m.lea_slot(kRbx, 0);
                m.store_slot(Kind::i64, -24, kRbx);
                m.reserve_stack_arguments(own_area);
                m.mov_imm(Width::w64, kRcx, reinterpret_cast<std::uint64_t>(base) + 0x4000);
                m.mov(Kind::i64, kR12, kRsp);
                m.store_slot(Kind::i64, -32, kR12);
                m.call_code(kRcx);
                m.mov(Kind::i64, kR12, kRsp);
                m.load_slot(Kind::i64, kR13, -32);
                m.lea_slot(kR10, 0);
            });
            ASSERT_EQ(runner.run(), TrapCode::none);
            std::uint64_t expected = 0;
            for (std::uint64_t i = 0; i < callee_area / 8; ++i) expected += (1000 + i) * (i + 1);
            const State& out = runner.block().out;
            ASSERT_EQ(out.gp[0], expected);
            ASSERT_EQ(out.gp[12], out.gp[13] + own_area);  // the area of the function that was called is popped
            ASSERT_EQ(out.gp[10], out.gp[3]);              // rbp
        }
    }
}

TEST(X64MasmCalls, DirectAndTableCalls) {
    Runner runner(host_features());
    fill(runner);
    Masm callee(host_features());
    FunctionOutput output;
    std::uint8_t* const base = runner.code() + 0x8000;
    callee.begin(runner.environment(), {base, 0x1000, reinterpret_cast<std::uint64_t>(base)}, 10, output);
    callee.prologue();
    callee.mov_imm(Width::w32, kRax, 4711);
    callee.epilogue(0);
    callee.finish(16);

    const auto call = [](Masm& m) {
        m.set_wasm_offset(31);
        m.call_function(3);
    };
    runner.compile(call);
    ASSERT_EQ(runner.output().relocations.size(), 1U);
    EXPECT_EQ(runner.output().relocations[0].function, 3U);
    const auto call_site = [&] {
        for (const Site& site : runner.output().sites) {
            if (site.kind() == Site::Kind::call) return site;
        }
        return Site{};
    };
    EXPECT_EQ(call_site().wasm_offset(0), 31U);
    EXPECT_EQ(call_site().code_offset, runner.output().relocations[0].offset + 4);
    const CallTarget to_callee{runner.output().relocations[0].offset, static_cast<std::uint32_t>(base - runner.code())};
    x64_backend().relocate(runner.code(), {&to_callee, 1});
    EXPECT_EQ(runner.run(), TrapCode::none);
    EXPECT_EQ(runner.block().out.gp[0], 4711U);

    std::uint8_t* const table = runner.code() + 0xa000;
    const auto target = reinterpret_cast<std::uintptr_t>(base);
    std::memcpy(table + 24, &target, 8);
    runner.environment().calls = CallMode::table;
    runner.environment().function_table = reinterpret_cast<std::uint64_t>(table);
    runner.compile(call);
    EXPECT_TRUE(runner.output().relocations.empty());
    EXPECT_EQ(runner.run(), TrapCode::none);
    EXPECT_EQ(runner.block().out.gp[0], 4711U);
}

TEST(X64MasmControl, SmallBuffersOverflowWithoutHarm) {
    std::vector<std::uint8_t> memory(4096, 0xee);
    CompileEnvironment environment;
    for (std::size_t capacity = 0; capacity < 600; ++capacity) {
        std::fill(memory.begin(), memory.end(), std::uint8_t{0xee});
        Masm masm(host_features());
        FunctionOutput output;
        masm.begin(environment, {memory.data(), capacity, reinterpret_cast<std::uint64_t>(memory.data())}, 10, output);
        masm.prologue();
        Label label;
        masm.fp_const(Width::w64, fp(0), 0x3ff0'1234'0000'0000);
        masm.compare_branch(IntCond::eq, Width::w32, kRax, Operand::imm(7), label);
        masm.fp_binary(FpBinOp::min, Width::w64, fp(0), fp(1), fp(2));
        masm.convert(wasm::Opcode::I64TruncF64U, kRax, fp(3));
        std::array<Label*, 4> labels = {&label, &label, &label, &label};
        masm.jump_table(kRax, labels);
        masm.bind(label);
        masm.v128_const(fp(3), {1, 2});
        masm.compare_trap(IntCond::eq, Width::w32, kRax, Operand::imm(7), TrapCode::unreachable);
        masm.epilogue(0);
        masm.finish(64);
        for (std::size_t i = capacity; i < memory.size(); ++i) ASSERT_EQ(memory[i], 0xee) << "capacity " << capacity << " byte " << i;
        if (!masm.overflowed()) {
            ASSERT_LE(output.code_bytes, capacity);
        }
        if (capacity == 0) {
            ASSERT_TRUE(masm.overflowed());
        }
    }
}

}  // namespace
}  // namespace pollux::x64::test
