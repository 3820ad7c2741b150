// Frame, moves, control, calls, and what comes behind a function's code.
#include "backends/x64/masm.h"

#include <algorithm>
#include <bit>

namespace pollux::x64 {

static_assert(MacroAssembler<Masm>);

Masm::Masm(const CpuFeatures& features) : features_(features) {}

// --- one function ----------------------------------------------------------------------------------------------------------

void Masm::begin(const CompileEnvironment& environment, CodeBuffer buffer, std::size_t /*body_bytes*/, FunctionOutput& output) {
    environment_ = &environment;
    output_ = &output;
    wasm_offset_ = 0;
    frame_field_ = -1;
    flags_ = {};
    if (!pool_.empty()) pool_cache_.fill(0);
    clear_scratch(stack_restores_);
    clear_scratch(traps_);
    clear_scratch(slow_paths_);
    clear_scratch(pool_);
    emitter_.attach(buffer);
}

void Masm::finish(std::uint32_t frame_bytes) {
    const std::uint32_t frame = (std::min(frame_bytes, kMaxFrameBytes) + 15) & ~std::uint32_t{15};
    if (frame_field_ >= 0 && !overflowed()) emitter_.set_dword(frame_field_, frame);
    for (const std::int32_t field : stack_restores_) {
        if (!overflowed()) emitter_.set_dword(field, 0U - frame);
    }
    for (std::size_t i = 0; i < slow_paths_.size() && !overflowed(); ++i) emit_slow_path(slow_paths_[i]);
    for (TrapStub& stub : traps_) {
        if (overflowed()) return;
        emitter_.bind(stub.entry);
        if (stub.status.valid() && stub.status != kResultGp) as().mov(gp32(kResultGp), gp32(stub.status));
        wasm_offset_ = stub.wasm_offset;
        trap(stub.code);
    }
    emit_constants();
    if (overflowed()) return;
    if (emitter_.failed() || frame_bytes > kMaxFrameBytes) {
        output_->not_compiled = frame_bytes > kMaxFrameBytes ? "a frame of more than 1 GiB" : "an instruction that has no encoding";
        output_->sites.clear();
        output_->relocations.clear();
        emitter_.set_dword(0, 0x0b0f);  // ud2
        output_->sites.push_back({0, wasm_offset_, Site::Kind::trap, TrapCode::not_compiled});
    }
    output_->code_bytes = position();
}

void Masm::prologue() {
    site(Site::Kind::frameless);
    emitter_.byte(0x55);  // push rbp
    site(Site::Kind::framed);
    emitter_.put<stencil::mov>(Width::w64, kRbp, kRsp);
    emitter_.bytes({0x48, 0x81, 0xec});  // sub rsp, imm32
    frame_field_ = emitter_.position();
    emitter_.dword(0);
    emitter_.put<stencil::alu_mem>(stencil::Alu::cmp, Width::w64, kRsp, stencil::Memory(kContext, kStackLimitOffset));
    trap_if(Condition::kB, TrapCode::stack_overflow);
}

void Masm::restore_stack_pointer() {
    emitter_.bytes({0x48, 0x8d, 0xa5});  // lea rsp, [rbp + disp32]
    stack_restores_.push_back(emitter_.position());
    emitter_.dword(0);
}

/// Not by `mov rsp, rbp` and `pop rbp`: Zen 4 then no longer forwards stack slots at no cost, and `calls/direct` takes 1.85 ns, not 1.37.
void Masm::leave_frame() {
    emitter_.byte(0xc9);  // leave
    site(Site::Kind::frameless);
}

void Masm::epilogue(std::uint32_t stack_area) {
    leave_frame();
    if (stack_area == 0) {
        emitter_.byte(0xc3);
    } else {
        as().ret(stack_area);
    }
    site(Site::Kind::framed);
}

/// At a cache line, unless the loop fits into what is left of one: it will have about as many bytes as its wasm, or less.
/// (CoreMark takes 0.94 of the time that it took with headers at multiples of 16.)
void Masm::align_loop(std::uint32_t wasm_bytes) {
    constexpr std::uint32_t kCacheLine = 64;
    const std::uint64_t here = emitter_.execute_address() + static_cast<std::uint32_t>(position());
    if (here % kCacheLine + wasm_bytes > kCacheLine) emitter_.align(kCacheLine);
}

Label& Masm::trap_label(TrapCode code, Reg status) {
    if (!traps_.empty()) {
        TrapStub& last = traps_.back();
        if (last.code == code && last.wasm_offset == wasm_offset_ && last.status == status && !last.entry.bound()) return last.entry;
    }
    traps_.push_back({code, wasm_offset_, status, {}});
    return traps_.back().entry;
}

Masm::SlowPath& Masm::slow_path(SlowPath::Kind kind, Width width, Reg d, Reg a, Reg b) {
    slow_paths_.push_back({kind, width, {}, d, a, b, wasm_offset_, {}, {}});
    return slow_paths_.back();
}

// --- constants -------------------------------------------------------------------------------------------------------------

void Masm::refer_to_constant(wasm::V128 value, bool wide) {
    const std::uint64_t hash = (value.low ^ std::rotl(value.high, 29) ^ (wide ? 1U : 0U)) * 0x9e37'79b9'7f4a'7c15U;
    std::uint32_t& cached = pool_cache_[hash >> 58];
    if (cached == 0 || pool_[cached - 1].value != value || pool_[cached - 1].wide != wide) {
        pool_.push_back({value, -1, wide});
        cached = static_cast<std::uint32_t>(pool_.size());
    }
    PoolConstant& constant = pool_[cached - 1];
    const std::int32_t field = emitter_.position() - 4;
    emitter_.set_dword(field, static_cast<std::uint32_t>(constant.link));
    constant.link = field;
}

void Masm::emit_constants() {
    if (pool_.empty() || overflowed()) return;
    emitter_.align(16);
    for (const bool wide : {true, false}) {
        for (const PoolConstant& constant : pool_) {
            if (constant.wide != wide) continue;
            Label here{-1, constant.link};
            const auto half = [this](std::uint64_t bits) {
                emitter_.dword(static_cast<std::uint32_t>(bits));
                emitter_.dword(static_cast<std::uint32_t>(bits >> 32));
            };
            emitter_.bind(here);
            half(constant.value.low);
            if (wide) half(constant.value.high);
        }
    }
}

// --- moves -----------------------------------------------------------------------------------------------------------------

void Masm::fp_const(Width width, Reg d, std::uint64_t bits) {
    if (width == Width::w32) bits = static_cast<std::uint32_t>(bits);
    if (bits == 0) {
        zero_vector(d);
        return;
    }
    const bool narrow = width == Width::w32;
    const std::uint32_t sse = narrow ? x86::Inst::kIdMovss : x86::Inst::kIdMovsd;
    const std::uint32_t avx = narrow ? x86::Inst::kIdVmovss : x86::Inst::kIdVmovsd;
    emit_with_constant(features_.avx ? avx : sse, {bits, 0}, false, xmm(d));
}

void Masm::v128_const(Reg d, wasm::V128 value) {
    if (value == wasm::V128{}) {
        zero_vector(d);
    } else if (value == wasm::V128{~std::uint64_t{0}, ~std::uint64_t{0}}) {
        all_ones(d);
    } else {
        emit_with_constant(features_.avx ? x86::Inst::kIdVmovaps : x86::Inst::kIdMovaps, value, true, xmm(d));
    }
}

void Masm::gp_to_fp(Width width, Reg d, Reg s) {
    if (width == Width::w32) {
        as().emit(features_.avx ? x86::Inst::kIdVmovd : x86::Inst::kIdMovd, xmm(d), gp32(s));
    } else {
        as().emit(features_.avx ? x86::Inst::kIdVmovq : x86::Inst::kIdMovq, xmm(d), gp64(s));
    }
}

void Masm::fp_to_gp(Width width, Reg d, Reg s) {
    if (width == Width::w32) {
        as().emit(features_.avx ? x86::Inst::kIdVmovd : x86::Inst::kIdMovd, gp32(d), xmm(s));
    } else {
        as().emit(features_.avx ? x86::Inst::kIdVmovq : x86::Inst::kIdMovq, gp64(d), xmm(s));
    }
}

// --- control ---------------------------------------------------------------------------------------------------------------

void Masm::jump_table(Reg index, std::span<Label* const> labels) {
    const auto last = static_cast<std::uint32_t>(labels.size() - 1);
    if (last == 0) {
        jump(*labels[0]);
        return;
    }
    as().mov(gp32(kScratchGp), last);
    as().cmp(gp32(index), gp32(kScratchGp));
    as().cmova(gp32(index), gp32(kScratchGp));
    // Each entry is its label's distance from the entry's own end, as in a jump, so that labels need only one kind of use.
    //   lea r11, [rip + table + 4]; lea index, [r11 + 4 index]; movsxd r11, [index - 4]; add r11, index; jmp r11
    Label table;
    emitter_.bytes({0x4c, 0x8d, 0x1d});
    emitter_.label_field(table);
    as().lea(gp64(index), x86::ptr(gp64(kScratchGp), gp64(index), 2, 4));
    as().movsxd(gp64(kScratchGp), x86::dword_ptr(gp64(index), -4));
    as().add(gp64(kScratchGp), gp64(index));
    as().jmp(gp64(kScratchGp));
    emitter_.bind(table);
    for (Label* label : labels) emitter_.label_field(*label);
}

void Masm::trap(TrapCode code) {
    site(Site::Kind::trap, code);
    emitter_.bytes({0x0f, 0x0b});  // ud2
}

// --- calls -----------------------------------------------------------------------------------------------------------------

void Masm::reserve_stack_arguments(std::uint32_t bytes) {
    if (bytes != 0) as().sub(gp64(kRsp), (bytes + 15) & ~std::uint32_t{15});
}

/// call or jmp through the module's table of code addresses.
void Masm::table_branch(std::uint8_t modrm, std::uint32_t function) {
    const std::uint64_t slot = environment_->function_table + std::uint64_t{8} * function;
    emitter_.bytes({0xff, modrm});
    emitter_.dword(static_cast<std::uint32_t>(slot - (emitter_.execute_address() + position() + 4)));
}

void Masm::jump_function(std::uint32_t function) {
    if (environment_->calls == CallMode::direct) {
        emitter_.bytes({0xe9});
        output_->relocations.push_back({position(), function});
        emitter_.dword(0);
    } else {
        table_branch(0x25, function);
    }
    site(Site::Kind::framed);
}

void Masm::call_code(Reg code) {
    as().call(gp64(code));
    site(Site::Kind::call);
}

void Masm::jump_code(Reg code) {
    as().jmp(gp64(code));
    site(Site::Kind::framed);
}

void Masm::call_helper(Helper helper) {
    // The stub moves the context to the first C argument: that is shorter than to do it at every call.
    load(LoadOp::u64, kScratchGp, {kContext, kNoReg, kHelpersOffset});
    as().call(x86::qword_ptr(gp64(kScratchGp), 8 * static_cast<std::int32_t>(helper)));
    site(Site::Kind::call);
}

void Masm::trap_on_status(Reg status) {
    emitter_.put<stencil::test>(Width::w32, status, status);
    emitter_.jump_if(Condition::kNZ, trap_label(TrapCode::status, status));
}

void Masm::tail_frame(std::uint32_t own_area, std::uint32_t callee_area) {
    if (own_area == 0 && callee_area == 0) {
        leave_frame();
        return;
    }
    // The callee pops its own area, and must leave rsp where we would have: both areas end at the same address.
    //   rdx: where the return address goes. The arguments are copied upwards, from the last one down, for they may overlap.
    //   rbp is the caller's while they are: the old frame may be overwritten, and whoever walks the stack then needs a valid one.
    const Reg target = kRdx;
    const Reg piece = fp(0);
    const auto end = static_cast<std::int32_t>(own_area) + kStackArguments;
    const auto area = static_cast<std::int32_t>((callee_area + 15) & ~std::uint32_t{15});
    as().mov(gp64(kScratchGp), x86::ptr(gp64(kRbp), 8));
    as().lea(gp64(target), x86::ptr(gp64(kRbp), end - area - 8));
    as().mov(gp64(kRbp), x86::ptr(gp64(kRbp)));
    const auto move_piece = [&](const stencil::Memory& from, const stencil::Memory& to) {
        load_from(LoadOp::v128, piece, from);
        store_to(StoreOp::v128, to, piece);
    };
    if (area <= 128) {
        for (std::int32_t at = area - 16; at >= 0; at -= 16) {
            move_piece({kRsp, at}, {target, at + 8});
        }
    } else {
        as().mov(gp32(kRcx), area);
        Label next;
        emitter_.bind(next);
        move_piece({kRsp, kRcx, 0, -16}, {target, kRcx, 0, -8});
        as().sub(gp32(kRcx), 16);
        emitter_.jump_if(Condition::kNZ, next);
    }
    as().mov(x86::ptr(gp64(target)), gp64(kScratchGp));
    as().mov(gp64(kRsp), gp64(target));
    site(Site::Kind::frameless);
}

void Masm::consume_fuel(std::uint32_t amount) {
    as().mov(gp64(kScratchGp), x86::ptr(gp64(kContext), kStoreOffset));
    const x86::Mem fuel = x86::qword_ptr(gp64(kScratchGp), kFuelOffset);
    while (amount > 0x7fff'ffffU) {
        as().sub(fuel, 0x7fff'ffff);
        amount -= 0x7fff'ffffU;
    }
    as().sub(fuel, static_cast<std::int32_t>(amount));
    trap_if(Condition::kS, TrapCode::fuel_exhausted);
}

}  // namespace pollux::x64
