// Moves between registers that happen all at once: arguments into argument registers.
//
// In: pairs (destination, source), each destination at most once. Out: single moves in an order in which no source is
// overwritten before it is read; a cycle is opened through the scratch register of its class.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "jit/compile/macro_assembler.h"
#include "jit/compile/registers.h"

namespace pollux {

template <class M>
class ParallelMove {
public:
    void add(Kind kind, Reg to, Reg from) noexcept {
        if (to == from) return;
        moves_[count_++] = {kind, to, from};
        sources_.add(from);
        targets_.add(to);
    }

    void emit(M& masm) {
        if ((sources_ & targets_).empty()) [[likely]] {
            for (std::size_t i = 0; i < count_; ++i) masm.mov(moves_[i].kind, moves_[i].to, moves_[i].from);
        } else {
            emit_in_order(masm);
        }
        count_ = 0;
        sources_ = targets_ = {};
    }

private:
    struct Move {
        Kind kind = Kind::i64;
        Reg to, from;
    };
    using Readers = std::array<std::uint8_t, 64>;  // by register: moves that have it as their source

    static constexpr Kind widest(Reg reg) noexcept { return reg.is_fp() ? Kind::v128 : Kind::i64; }

    void emit_in_order(M& masm) {
        Readers readers{};
        for (std::size_t i = 0; i < count_; ++i) ++readers[moves_[i].from.code];
        while (count_ != 0) {
            if (emit_ready(masm, readers)) continue;
            // Only cycles are left: everyone's destination has a reader. Free one destination by moving what it holds aside.
            const Reg held = moves_[0].to;
            const Reg aside = held.is_fp() ? M::kScratchFp : M::kScratchGp;
            masm.mov(widest(held), aside, held);
            for (std::size_t i = 0; i < count_; ++i) {
                if (moves_[i].from == held) moves_[i].from = aside;
            }
            readers[aside.code] = readers[held.code];
            readers[held.code] = 0;
        }
    }

    /// Emits every move whose destination nobody reads any more.
    bool emit_ready(M& masm, Readers& readers) {
        bool any = false;
        for (std::size_t i = 0; i < count_;) {
            const Move move = moves_[i];
            if (readers[move.to.code] != 0) {
                ++i;
                continue;
            }
            masm.mov(move.kind, move.to, move.from);
            --readers[move.from.code];
            moves_[i] = moves_[--count_];
            any = true;
        }
        return any;
    }

    std::array<Move, 64> moves_{};  // destinations are distinct registers
    std::size_t count_ = 0;
    RegSet sources_, targets_;
};

}  // namespace pollux
