// Vector lanes: splats, extracting and replacing, tests, shuffles, and loads and stores of part of a vector.
#include <array>
#include <cstring>

#include "backends/x64/masm.h"

namespace pollux::x64 {

using wasm::Opcode;
using wasm::V128;
namespace Inst = asmjit::x86::Inst;

namespace {

constexpr Reg kT0 = kScratchFpReg;
constexpr Reg kT1 = kSecondScratchFpReg;

constexpr VectorOp kPshufb{Inst::kIdPshufb, Inst::kIdVpshufb};
constexpr VectorOp kPshufd{Inst::kIdPshufd, Inst::kIdVpshufd};
constexpr VectorOp kPshuflw{Inst::kIdPshuflw, Inst::kIdVpshuflw};
constexpr VectorOp kPalignr{Inst::kIdPalignr, Inst::kIdVpalignr};
constexpr VectorOp kPor{Inst::kIdPor, Inst::kIdVpor, true};
constexpr VectorOp kMovddup{Inst::kIdMovddup, Inst::kIdVmovddup};
constexpr VectorOp kInsertps{Inst::kIdInsertps, Inst::kIdVinsertps};
constexpr VectorOp kMovsd{Inst::kIdMovsd, Inst::kIdVmovsd};
constexpr VectorOp kMovlhps{Inst::kIdMovlhps, Inst::kIdVmovlhps};
constexpr VectorOp kPacksswb{Inst::kIdPacksswb, Inst::kIdVpacksswb};
constexpr VectorOp kShufps{Inst::kIdShufps, Inst::kIdVshufps};

/// The insertion of a lane from a GP register or memory, and the extraction to one.
struct LaneAccess {
    VectorOp insert;
    VectorOp extract;
    std::uint32_t bytes;
};
constexpr LaneAccess kLaneAccess[] = {
    {{Inst::kIdPinsrb, Inst::kIdVpinsrb}, {Inst::kIdPextrb, Inst::kIdVpextrb}, 1},
    {{Inst::kIdPinsrw, Inst::kIdVpinsrw}, {Inst::kIdPextrw, Inst::kIdVpextrw}, 2},
    {{Inst::kIdPinsrd, Inst::kIdVpinsrd}, {Inst::kIdPextrd, Inst::kIdVpextrd}, 4},
    {{Inst::kIdPinsrq, Inst::kIdVpinsrq}, {Inst::kIdPextrq, Inst::kIdVpextrq}, 8},
};

}  // namespace

void Masm::simd_splat(Opcode op, Reg d, Reg a) {
    switch (op) {
        case Opcode::I8x16Splat:
            gp_to_fp(Width::w32, d, a);
            if (features_.avx2) {
                as().vpbroadcastb(xmm(d), xmm(d));
            } else {
                zero_vector(kT0);
                vector(kPshufb, d, d, kT0);
            }
            break;
        case Opcode::I16x8Splat:
            gp_to_fp(Width::w32, d, a);
            if (features_.avx2) {
                as().vpbroadcastw(xmm(d), xmm(d));
            } else {
                vector1(kPshuflw, d, d, 0);
                vector1(kPshufd, d, d, 0);
            }
            break;
        case Opcode::I32x4Splat:
            gp_to_fp(Width::w32, d, a);
            vector1(kPshufd, d, d, 0);
            break;
        case Opcode::I64x2Splat:
            gp_to_fp(Width::w64, d, a);
            vector1(kPshufd, d, d, 0x44);
            break;
        case Opcode::F32x4Splat:
            if (features_.avx) {
                vector(kShufps, d, a, a, 0);
            } else {
                vector1(kPshufd, d, a, 0);
            }
            break;
        default: vector1(kMovddup, d, a); break;  // F64x2Splat
    }
}

void Masm::simd_extract_lane(Opcode op, Reg d, Reg a, std::uint8_t lane) {
    const auto extract = [&](std::size_t size, const x86::Gp& target) {
        const VectorOp& instruction = kLaneAccess[size].extract;
        as().emit(features_.avx ? instruction.avx : instruction.sse, target, xmm(a), asmjit::Imm(lane));
    };
    switch (op) {
        case Opcode::I8x16ExtractLaneU: extract(0, gp32(d)); break;
        case Opcode::I8x16ExtractLaneS:
            extract(0, gp32(d));
            as().movsx(gp32(d), gp8(d));
            break;
        case Opcode::I16x8ExtractLaneU: extract(1, gp32(d)); break;
        case Opcode::I16x8ExtractLaneS:
            extract(1, gp32(d));
            as().movsx(gp32(d), gp16(d));
            break;
        case Opcode::I32x4ExtractLane:
            if (lane == 0) {
                fp_to_gp(Width::w32, d, a);
            } else {
                extract(2, gp32(d));
            }
            break;
        case Opcode::I64x2ExtractLane:
            if (lane == 0) {
                fp_to_gp(Width::w64, d, a);
            } else {
                extract(3, gp64(d));
            }
            break;
        case Opcode::F32x4ExtractLane:
            if (lane == 0) {
                move_vector(d, a);
            } else {
                vector1(kPshufd, d, a, lane);
            }
            break;
        default:  // F64x2ExtractLane
            if (lane == 0) {
                move_vector(d, a);
            } else {
                vector1(kPshufd, d, a, 0xee);
            }
            break;
    }
}

void Masm::simd_replace_lane(Opcode op, Reg d, Reg a, Reg value, std::uint8_t lane) {
    const auto insert = [&](std::size_t size, const x86::Gp& source) {
        const VectorOp& instruction = kLaneAccess[size].insert;
        if (features_.avx) {
            as().emit(instruction.avx, xmm(d), xmm(a), source, asmjit::Imm(lane));
        } else {
            move_vector(d, a);
            as().emit(instruction.sse, xmm(d), source, asmjit::Imm(lane));
        }
    };
    switch (op) {
        case Opcode::I8x16ReplaceLane: insert(0, gp32(value)); break;
        case Opcode::I16x8ReplaceLane: insert(1, gp32(value)); break;
        case Opcode::I32x4ReplaceLane: insert(2, gp32(value)); break;
        case Opcode::I64x2ReplaceLane: insert(3, gp64(value)); break;
        case Opcode::F32x4ReplaceLane: vector(kInsertps, d, a, value, static_cast<std::uint8_t>(lane << 4)); break;
        default:                       vector(lane == 0 ? kMovsd : kMovlhps, d, a, value); break;  // F64x2ReplaceLane
    }
}

void Masm::simd_test(Opcode op, Reg d, Reg a) {
    const std::uint32_t ptest = features_.avx ? Inst::kIdVptest : Inst::kIdPtest;
    const auto all_true = [&](std::uint32_t sse, std::uint32_t avx) {
        zero_vector(kT0);
        vector({sse, avx, true}, kT0, kT0, a);  // ones where a lane is zero
        as().xor_(gp32(d), gp32(d));
        as().emit(ptest, xmm(kT0), xmm(kT0));
        set_condition(Condition::kZ, d, true);
    };
    const auto mask = [&](std::uint32_t sse, std::uint32_t avx, Reg from) { as().emit(features_.avx ? avx : sse, gp32(d), xmm(from)); };
    switch (op) {
        case Opcode::V128AnyTrue:
            as().xor_(gp32(d), gp32(d));
            as().emit(ptest, xmm(a), xmm(a));
            set_condition(Condition::kNZ, d, true);
            break;
        case Opcode::I8x16AllTrue: all_true(Inst::kIdPcmpeqb, Inst::kIdVpcmpeqb); break;
        case Opcode::I16x8AllTrue: all_true(Inst::kIdPcmpeqw, Inst::kIdVpcmpeqw); break;
        case Opcode::I32x4AllTrue: all_true(Inst::kIdPcmpeqd, Inst::kIdVpcmpeqd); break;
        case Opcode::I64x2AllTrue: all_true(Inst::kIdPcmpeqq, Inst::kIdVpcmpeqq); break;
        case Opcode::I8x16Bitmask: mask(Inst::kIdPmovmskb, Inst::kIdVpmovmskb, a); break;
        case Opcode::I16x8Bitmask:  // saturation keeps the sign; the upper half of the pack is zero
            zero_vector(kT1);
            vector(kPacksswb, kT0, a, kT1);
            mask(Inst::kIdPmovmskb, Inst::kIdVpmovmskb, kT0);
            break;
        case Opcode::I32x4Bitmask: mask(Inst::kIdMovmskps, Inst::kIdVmovmskps, a); break;
        default:                   mask(Inst::kIdMovmskpd, Inst::kIdVmovmskpd, a); break;  // I64x2Bitmask
    }
}

// --- shuffles ----------------------------------------------------------------------------------------------------------------

/// Shuffles that one instruction does. Lanes 0…15 are of a, 16…31 of b.
bool Masm::shuffle_special(Reg d, Reg a, Reg b, std::span<const std::uint8_t, 16> lanes) {
    // Consecutive bytes of b:a (or of a:b, or rotated within one).
    const auto consecutive = [&](unsigned first, unsigned wrap) {
        for (unsigned i = 0; i < 16; ++i) {
            if (lanes[i] != (first + i) % wrap) return false;
        }
        return true;
    };
    const unsigned first = lanes[0];
    if (consecutive(first, 32)) {
        if (first == 0) {
            move_vector(d, a);
        } else if (first == 16) {
            move_vector(d, b);
        } else if (first < 16) {
            vector(kPalignr, d, b, a, static_cast<std::uint8_t>(first));
        } else {
            vector(kPalignr, d, a, b, static_cast<std::uint8_t>(first - 16));
        }
        return true;
    }
    // Whole 4-byte lanes of one input.
    std::uint8_t order = 0;
    bool dwords = true;
    for (unsigned i = 0; i < 4 && dwords; ++i) {
        const unsigned lane = lanes[4 * i];
        dwords = lane % 4 == 0 && lane / 16 == first / 16;
        for (unsigned j = 1; j < 4; ++j) dwords = dwords && lanes[4 * i + j] == lane + j;
        order = static_cast<std::uint8_t>(order | (lane % 16 / 4) << (2 * i));
    }
    if (dwords) {
        vector1(kPshufd, d, first < 16 ? a : b, order);
        return true;
    }
    // Interleaving of the low or the high halves.
    constexpr VectorOp kInterleave[2][4] = {
        {{Inst::kIdPunpcklbw, Inst::kIdVpunpcklbw},
         {Inst::kIdPunpcklwd, Inst::kIdVpunpcklwd},
         {Inst::kIdPunpckldq, Inst::kIdVpunpckldq},
         {Inst::kIdPunpcklqdq, Inst::kIdVpunpcklqdq}},
        {{Inst::kIdPunpckhbw, Inst::kIdVpunpckhbw},
         {Inst::kIdPunpckhwd, Inst::kIdVpunpckhwd},
         {Inst::kIdPunpckhdq, Inst::kIdVpunpckhdq},
         {Inst::kIdPunpckhqdq, Inst::kIdVpunpckhqdq}},
    };
    for (unsigned high = 0; high < 2; ++high) {
        for (unsigned size = 0; size < 4; ++size) {
            for (const bool exchanged : {false, true}) {
                bool matches = true;
                const unsigned bytes = 1U << size;
                for (unsigned i = 0; i < 16 && matches; ++i) {
                    const unsigned element = i / bytes;
                    const unsigned from_second = (element & 1) ^ (exchanged ? 1U : 0U);
                    matches = lanes[i] == 16 * from_second + 8 * high + element / 2 * bytes + i % bytes;
                }
                if (!matches) continue;
                vector(kInterleave[high][size], d, exchanged ? b : a, exchanged ? a : b);
                return true;
            }
        }
    }
    return false;
}

void Masm::simd_shuffle(Reg d, Reg a, Reg b, V128 lanes) {
    std::array<std::uint8_t, 16> index;
    std::memcpy(index.data(), &lanes, 16);
    bool from_a = false;
    bool from_b = false;
    for (std::uint8_t& lane : index) {
        lane &= 31;
        if (a == b) lane &= 15;
        (lane < 16 ? from_a : from_b) = true;
    }
    if (shuffle_special(d, a, b, index)) return;
    // pshufb from each input, with lanes of the other one zeroed, and both together.
    const auto selection = [&](unsigned first) {
        std::array<std::uint8_t, 16> bytes;
        for (std::size_t i = 0; i < 16; ++i) {
            bytes[i] = index[i] / 16U == first / 16U ? static_cast<std::uint8_t>(index[i] & 15) : std::uint8_t{0x80};
        }
        V128 value;
        std::memcpy(&value, bytes.data(), 16);
        return value;
    };
    if (!from_b) return vector(kPshufb, d, a, selection(0));
    if (!from_a) return vector(kPshufb, d, b, selection(16));
    vector(kPshufb, kT0, a, selection(0));
    vector(kPshufb, kT1, b, selection(16));
    vector(kPor, d, kT0, kT1);
}

// --- loads and stores --------------------------------------------------------------------------------------------------------

void Masm::simd_load(Opcode op, Reg d, Address address) {
    const bool avx = features_.avx;
    const auto extending = [&](std::uint32_t sse, std::uint32_t avx_instruction) {
        guest_access();
        vector1({sse, avx_instruction}, d, memory(address, 8));
    };
    switch (op) {
        case Opcode::V128Load8x8S:    return extending(Inst::kIdPmovsxbw, Inst::kIdVpmovsxbw);
        case Opcode::V128Load8x8U:    return extending(Inst::kIdPmovzxbw, Inst::kIdVpmovzxbw);
        case Opcode::V128Load16x4S:   return extending(Inst::kIdPmovsxwd, Inst::kIdVpmovsxwd);
        case Opcode::V128Load16x4U:   return extending(Inst::kIdPmovzxwd, Inst::kIdVpmovzxwd);
        case Opcode::V128Load32x2S:   return extending(Inst::kIdPmovsxdq, Inst::kIdVpmovsxdq);
        case Opcode::V128Load32x2U:   return extending(Inst::kIdPmovzxdq, Inst::kIdVpmovzxdq);
        case Opcode::V128Load32Zero:  return guest_load(LoadOp::f32, d, address);
        case Opcode::V128Load64Zero:  return guest_load(LoadOp::f64, d, address);
        case Opcode::V128Load:        return guest_load(LoadOp::v128, d, address);
        case Opcode::V128Load8Splat:
        case Opcode::V128Load16Splat: {
            const bool byte = op == Opcode::V128Load8Splat;
            if (features_.avx2) {
                guest_access();
                as().emit(byte ? Inst::kIdVpbroadcastb : Inst::kIdVpbroadcastw, xmm(d), memory(address, byte ? 1 : 2));
            } else {
                guest_load(byte ? LoadOp::u8 : LoadOp::u16, kScratchGp, address);
                simd_splat(byte ? Opcode::I8x16Splat : Opcode::I16x8Splat, d, kScratchGp);
            }
            return;
        }
        case Opcode::V128Load32Splat:
            guest_access();
            if (avx) {
                as().vbroadcastss(xmm(d), memory(address, 4));
            } else {
                as().movss(xmm(d), memory(address, 4));
                as().shufps(xmm(d), xmm(d), 0);
            }
            return;
        default:  // V128Load64Splat
            guest_access();
            vector1(kMovddup, d, memory(address, 8));
            return;
    }
}

void Masm::simd_load_lane(Opcode op, Reg d, Reg a, Address address, std::uint8_t lane) {
    const LaneAccess& access = kLaneAccess[static_cast<std::size_t>(op) - static_cast<std::size_t>(Opcode::V128Load8Lane)];
    if (!features_.avx) move_vector(d, a);
    guest_access();
    if (features_.avx) {
        as().emit(access.insert.avx, xmm(d), xmm(a), memory(address, access.bytes), asmjit::Imm(lane));
    } else {
        as().emit(access.insert.sse, xmm(d), memory(address, access.bytes), asmjit::Imm(lane));
    }
}

void Masm::simd_store_lane(Opcode op, Reg a, Address address, std::uint8_t lane) {
    const std::size_t size = static_cast<std::size_t>(op) - static_cast<std::size_t>(Opcode::V128Store8Lane);
    if (lane == 0 && size >= 2) return guest_store(size == 2 ? StoreOp::f32 : StoreOp::f64, address, a);
    const LaneAccess& access = kLaneAccess[size];
    guest_access();
    as().emit(features_.avx ? access.extract.avx : access.extract.sse, memory(address, access.bytes), xmm(a), asmjit::Imm(lane));
}

}  // namespace pollux::x64
