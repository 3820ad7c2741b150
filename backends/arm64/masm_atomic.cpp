// Atomic accesses of the AArch64 masm: acquire and release throughout, which among themselves is sequentially consistent.
//
// With the Large System Extensions one instruction each; without them a loop of load-exclusive and store-exclusive. A thread that is
// interrupted in such a loop loses its reservation, and tries again.
#include "backends/arm64/masm.h"

namespace pollux::arm64 {

using namespace words;

namespace {

constexpr unsigned log2_of(StoreOp store) { return static_cast<unsigned>(store); }
static_assert(log2_of(StoreOp::b8) == 0 && log2_of(StoreOp::b64) == 3);

constexpr Width width_of(StoreOp store) { return store == StoreOp::b64 ? Width::w64 : Width::w32; }

constexpr Word combine(AtomicOp op, unsigned d, unsigned n, unsigned m) {
    switch (op) {
        case AtomicOp::add:      return arith(Arith::add, Width::w64, d, n, m);
        case AtomicOp::sub:      return arith(Arith::sub, Width::w64, d, n, m);
        case AtomicOp::and_:     return logic(Logic::and_, Width::w64, d, n, m);
        case AtomicOp::or_:      return logic(Logic::orr, Width::w64, d, n, m);
        case AtomicOp::xor_:     return logic(Logic::eor, Width::w64, d, n, m);
        case AtomicOp::exchange: return words::mov(Width::w64, d, m);
    }
    return kNop;
}

}  // namespace

void Masm::check_alignment(Reg index, std::uint32_t offset, std::uint32_t bytes) {
    unsigned sum = index.number();
    if (offset != 0) {
        put(arith_imm(Arith::add, Width::w64, kX17, sum, offset));
        sum = kX17;
    }
    put(logic_imm(Logic::ands, Width::w32, kZr, sum, *logical_immediate(Width::w32, bytes - 1)));
    trap_when(b_cond(Cond::ne), TrapCode::unaligned_atomic);
}

void Masm::atomic_load(LoadOp op, Reg d, Address address) {
    constexpr unsigned kLog2[] = {0, 1, 2, 0, 0, 0, 0, 0, 3};
    const unsigned at = address_in_register(address);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(ldar(kLog2[static_cast<std::size_t>(op)], d.number(), at));
}

void Masm::atomic_store(StoreOp op, Address address, Reg s) {
    const unsigned at = address_in_register(address);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(stlr(log2_of(op), s.number(), at));
}

void Masm::atomic_update(AtomicOp op, StoreOp store, Reg d, Address address, Reg value) {
    const unsigned at = address_in_register(address);
    const unsigned log2 = log2_of(store);
    const unsigned old = d.valid() ? d.number() : kX17;  // a load into the zero register would not acquire
    unsigned s = value.number();
    if (features_.lse) {
        // By AtomicOp: subtracting adds the negative, and-ing clears the complement.
        constexpr AtomicRmw kOps[] = {AtomicRmw::ldaddal, AtomicRmw::ldaddal, AtomicRmw::ldclral,
                                      AtomicRmw::ldsetal, AtomicRmw::ldeoral, AtomicRmw::swpal};
        if (op == AtomicOp::sub) put(arith(Arith::sub, Width::w64, kX17, kZr, s));
        if (op == AtomicOp::and_) put(logic(Logic::orn, Width::w64, kX17, kZr, s));
        if (op == AtomicOp::sub || op == AtomicOp::and_) s = kX17;
        site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        put(atomic_rmw(kOps[static_cast<std::size_t>(op)], log2, s, old, at));
        return;
    }
    Label again;
    bind(again);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(ldaxr(log2, old, at));
    if (op != AtomicOp::exchange) {
        put(combine(op, kX17, old, s));
        s = kX17;
    }
    put(stlxr(log2, kLr, s, at));
    put_branch(cbnz(Width::w32, kLr), again);
}

void Masm::atomic_compare_exchange(StoreOp store, Reg d, Address address, Reg expected, Reg replacement) {
    const unsigned at = address_in_register(address);
    const unsigned log2 = log2_of(store);
    if (features_.lse) {
        put(words::mov(Width::w64, d.number(), expected.number()));
        site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        put(atomic_rmw(AtomicRmw::casal, log2, d.number(), replacement.number(), at));
        return;
    }
    unsigned wanted = expected.number();
    if (log2 < 2) {
        put(bitfield(false, Width::w32, kX17, wanted, 0, (8U << log2) - 1));
        wanted = kX17;
    }
    Label again;
    Label done;
    bind(again);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(ldaxr(log2, d.number(), at));
    put(arith(Arith::subs, width_of(store), kZr, d.number(), wanted));
    put_branch(b_cond(Cond::ne), done);
    put(stlxr(log2, kLr, replacement.number(), at));
    put_branch(cbnz(Width::w32, kLr), again);
    bind(done);
}

void Masm::atomic_fence() { put(kDmbIsh); }

}  // namespace pollux::arm64
