// Loads and stores of the AArch64 masm: addresses that no instruction holds, frame slots, guest memory and its bounds.
#include "backends/arm64/masm.h"

#include <array>

#include "jit/abi/layout.h"

namespace pollux::arm64 {

using namespace words;

namespace {

constexpr std::array kLoads = {kLdrb, kLdrh, kLdrW, kLdrsbW, kLdrshW, kLdrsbX, kLdrshX, kLdrsw, kLdrX, kLdrS, kLdrD, kLdrQ};
constexpr std::array kStores = {kStrb, kStrh, kStrW, kStrX, kStrS, kStrD, kStrQ};
static_assert(kLoads.size() == static_cast<std::size_t>(LoadOp::v128) + 1);
static_assert(kStores.size() == static_cast<std::size_t>(StoreOp::v128) + 1);

constexpr Access access_of(LoadOp op) { return kLoads[static_cast<std::size_t>(op)]; }
constexpr Access access_of(StoreOp op) { return kStores[static_cast<std::size_t>(op)]; }

/// By Kind. A slot is at least 8 bytes, and an i32 fills it.
constexpr std::array kSlotLoads = {kLdrW, kLdrX, kLdrS, kLdrD, kLdrQ, kLdrX};
constexpr std::array kSlotStores = {kStrX, kStrX, kStrS, kStrD, kStrQ, kStrX};

/// Largest multiple of 4096 that is not above `offset`.
constexpr std::int32_t page_of(std::int32_t offset) { return offset & ~std::int32_t{4095}; }

}  // namespace

/// Makes x16 = x29 + offset (a multiple of 4096), unless it is that already: slots come in rows, and only 256 bytes below
/// the frame pointer are in reach of its own.
void Masm::put_window(std::int32_t offset) {
    if (window_ == offset) return;
    put_add(kX16, kFp, offset);
    window_ = offset;
}

Masm::Place Masm::place(const Address& address, unsigned log2, bool last_byte) {
    const std::int32_t last = static_cast<std::int32_t>((1U << log2) - 1);
    const auto fits = [&](std::int32_t offset) {
        return fits_offset(log2, offset) && (!last_byte || fits_offset(0, std::int64_t{offset} + last));
    };
    const unsigned base = address.base.number();
    const std::int32_t offset = address.offset;
    if (!address.index.valid()) {
        if (fits(offset)) return {base, offset};
        const std::int32_t page = page_of(offset);
        if (address.base == kFramePointer && !last_byte && fits(offset - page)) {
            put_window(page);
            return {kX16, offset - page};
        }
        if (offset > -(1 << 24) && offset < 1 << 24) {
            const std::int32_t rest = fits(offset - page) ? offset - page : 0;
            put_add(x16(), base, offset - rest);
            return {kX16, rest};
        }
        put_constant(Width::w64, x16(), static_cast<std::uint64_t>(std::int64_t{offset}));
        put_add_registers(kX16, base, kX16);
        return {kX16, 0};
    }
    if (fits(offset) || (offset >= 0 && offset < 1 << 24)) {
        put_add_registers(x16(), base, address.index.number());
        if (fits(offset)) return {kX16, offset};
        const std::int32_t page = page_of(offset);
        const std::int32_t rest = fits(offset - page) ? offset - page : 0;
        put_add(kX16, kX16, offset - rest);
        return {kX16, rest};
    }
    put_constant(Width::w64, x16(), static_cast<std::uint64_t>(std::int64_t{offset}));
    put_add_registers(kX16, kX16, address.index.number());
    put_add_registers(kX16, base, kX16);
    return {kX16, 0};
}

void Masm::put_access(Access op, unsigned t, const Address& address) {
    if (address.index.valid() && address.offset == 0) {
        put(access_indexed(op, t, address.base.number(), address.index.number()));
        return;
    }
    const Place at = place(address, op.log2, false);
    put(access(op, t, at.base, at.offset));
}

unsigned Masm::address_in_register(const Address& address) {
    if (!address.index.valid() && address.offset == 0) return address.base.number();
    if (!address.index.valid()) {
        put_add(x16(), address.base.number(), address.offset);
        return kX16;
    }
    if (address.offset >= 0 && address.offset < 1 << 24) {
        put_add_registers(x16(), address.base.number(), address.index.number());
        put_add(kX16, kX16, address.offset);
        return kX16;
    }
    put_constant(Width::w64, x16(), static_cast<std::uint64_t>(std::int64_t{address.offset}));
    put_add_registers(kX16, kX16, address.index.number());
    put_add_registers(kX16, address.base.number(), kX16);
    return kX16;
}

// --- host memory and slots -------------------------------------------------------------------------------------------------------

void Masm::load(LoadOp op, Reg d, Address address) { put_access(access_of(op), d.number(), address); }
void Masm::store(StoreOp op, Address address, Reg s) { put_access(access_of(op), s.number(), address); }

void Masm::load_slot(Kind kind, Reg d, std::int32_t slot) {
    put_access(kSlotLoads[static_cast<std::size_t>(kind)], d.number(), {kFramePointer, kNoReg, slot});
}

void Masm::store_slot(Kind kind, std::int32_t slot, Reg s) {
    put_access(kSlotStores[static_cast<std::size_t>(kind)], s.number(), {kFramePointer, kNoReg, slot});
}

void Masm::store_slot_imm(std::int32_t slot, std::int64_t value) {
    if (value != 0) put_constant(Width::w64, kX17, static_cast<std::uint64_t>(value));
    put_access(kStrX, value != 0 ? kX17 : kZr, {kFramePointer, kNoReg, slot});
}

void Masm::lea_slot(Reg d, std::int32_t slot) { put_add(d.number(), kFp, slot); }

// --- guest memory ----------------------------------------------------------------------------------------------------------------

void Masm::guest_load(LoadOp op, Reg d, const Address& address) {
    const Access word = access_of(op);
    if (address.index.valid() && address.offset == 0) {
        site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        put(access_indexed(word, d.number(), address.base.number(), address.index.number()));
        return;
    }
    const Place at = place(address, word.log2, false);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(access(word, d.number(), at.base, at.offset));
}

/// A store across the end of memory may write its first bytes before it faults, so its last byte is read first.
void Masm::probe_last_byte(const Place& at, unsigned log2) {
    if (log2 == 0) return;
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(access(kLdrb, kZr, at.base, at.offset + static_cast<std::int32_t>((1U << log2) - 1)));
}

void Masm::guest_store(StoreOp op, const Address& address, Operand s) {
    const Access word = access_of(op);
    unsigned t = kZr;
    if (s.is_reg()) {
        t = s.reg.number();
    } else if (s.immediate != 0) {
        put_constant(Width::w64, kX17, static_cast<std::uint64_t>(s.immediate));
        t = kX17;
    }
    // Checked accesses are within bounds when they get here.
    const bool probe = word.log2 != 0 && (environment_ == nullptr || environment_->bounds == BoundsMode::guard_pages);
    if (address.index.valid() && address.offset == 0 && (!probe || word.log2 <= 3)) {
        site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        if (probe) {  // all of it, which needs no other address
            static constexpr std::array kLoads = {kLdrb, kLdrh, kLdrW, kLdrX};
            put(access_indexed(kLoads[word.log2], kZr, address.base.number(), address.index.number()));
            site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
        }
        put(access_indexed(word, t, address.base.number(), address.index.number()));
        return;
    }
    const Place at = place(address, word.log2, probe);
    if (probe) probe_last_byte(at, word.log2);
    site(Site::Kind::trap, TrapCode::memory_out_of_bounds);
    put(access(word, t, at.base, at.offset));
}

void Masm::check_bounds(Width width, Reg index, std::uint64_t end, std::int32_t cell_offset) {
    put_access(kLdrX, x16(), {kContext, kNoReg, cell_offset});
    put(access(kLdrX, x16(), kX16, offsetof(MemoryCell, length)));
    // x17 = index + end
    const Arith add = width == Width::w64 ? Arith::adds : Arith::add;
    if (end < 4096) {
        put(arith_imm(add, Width::w64, kX17, index.number(), static_cast<std::uint32_t>(end)));
    } else {
        put_constant(Width::w64, kX17, end);
        put(arith(add, Width::w64, kX17, index.number(), kX17));
    }
    if (width == Width::w64) {
        // A carry makes the condition `hi` by itself.
        put(ccmp(Width::w64, kX17, kX16, 0b0010, Cond::lo));
    } else {
        put(arith(Arith::subs, Width::w64, kZr, kX17, kX16));
    }
    trap_when(b_cond(Cond::hi), TrapCode::memory_out_of_bounds);
}

}  // namespace pollux::arm64
