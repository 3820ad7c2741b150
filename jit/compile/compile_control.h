// Control flow of SinglePassCompiler: blocks, branches, merges. Included by compiler.h.
//
// A label's results are in the same places on every path: the first of each class in that class's result register, the others in the
// slots that they have at the label's height (for a loop all are in slots). Homes agree by HomeState, fixed by the first branch:
//
//      path A: valid {a b}  dirty {a}          path B: valid {a b c}  dirty {b}
//               │ first to branch: fixes the state     │ reconcile: store b (clean at the label), a is clean here: fine
//               └────────► label: valid {a b} dirty {a} ◄────┘
//
// A loop header's state comes from a look at its body (loop_scan.h).
#pragma once

#include <utility>

#include "jit/compile/compiler.h"

namespace pollux {

template <class M>
ControlFrame& SinglePassCompiler<M>::push_frame(ControlFrame::Type type, const wasm::BlockType& block) {
    const std::size_t height = stack_.size() - block.params.size();
    const std::uint32_t depth = height == 0 ? 0 : stack_[height - 1].depth;
    return frames_.emplace_back(type, block, static_cast<std::uint32_t>(height), depth);
}

template <class M>
std::span<const wasm::ValType> SinglePassCompiler<M>::label_types(const ControlFrame& frame) {
    return frame.type == ControlFrame::Type::loop ? frame.block.params : frame.block.results;
}

namespace detail {

/// Slots of values pushed one after another from a given depth.
class SlotCounter {
public:
    explicit SlotCounter(std::uint32_t depth) noexcept : depth_(depth) {}
    std::uint32_t next(Kind kind) noexcept { return depth_ = wasm::align_slot(depth_, kind) + wasm::slot_bytes(kind); }

private:
    std::uint32_t depth_;
};

}  // namespace detail

/// Whether the values on top of the stack are where the label wants its results already.
template <class M>
bool SinglePassCompiler<M>::results_in_place(const ControlFrame& frame) const {
    const auto types = label_types(frame);
    if (types.empty()) return true;
    const std::size_t first = stack_.size() - types.size();
    ResultAssigner assigner;
    detail::SlotCounter slots(frame.depth);
    for (std::size_t i = 0; i < types.size(); ++i) {
        const AbstractValue& value = stack_[first + i];
        const std::uint32_t slot = slots.next(value.kind);
        const Location location = assigner.next(value.kind);
        if (frame.type == ControlFrame::Type::loop || location.where == Location::Where::memory) {
            if (value.type != AbstractValue::Type::spilled || value.depth != slot) return false;
        } else if (value.type != AbstractValue::Type::reg || value.reg != (wasm::is_fp(value.kind) ? M::kResultFp : M::kResultGp)) {
            return false;
        }
    }
    return true;
}

/// Emits the moves of the top values to where the label wants its results. Changes no state: the values may be needed on another path.
///
/// Ascending order is safe: a result's slot at the label is not above its present slot, so a move can only overwrite slots of values
/// that were moved before. What sits in a result register without being destined for it goes to its present slot first.
template <class M>
inline void SinglePassCompiler<M>::place_results(const ControlFrame& frame) {
    if (!label_types(frame).empty()) place_some_results(frame);
}

template <class M>
void SinglePassCompiler<M>::place_some_results(const ControlFrame& frame) {
    const auto types = label_types(frame);
    const std::size_t first = stack_.size() - types.size();
    const bool is_loop = frame.type == ControlFrame::Type::loop;

    const auto for_each = [&](auto&& action) {
        ResultAssigner assigner;
        detail::SlotCounter slots(frame.depth);
        for (std::size_t i = 0; i < types.size(); ++i) {
            const AbstractValue& value = stack_[first + i];
            const std::uint32_t slot = slots.next(value.kind);
            const bool in_memory = assigner.next(value.kind).where == Location::Where::memory || is_loop;
            const Reg result = wasm::is_fp(value.kind) ? M::kResultFp : M::kResultGp;
            const bool moved_aside = in_memory && value.type == AbstractValue::Type::reg && value.reg == result && !is_loop;
            action(value, slot, in_memory, result, moved_aside);
        }
    };
    for_each([&](const AbstractValue& value, std::uint32_t, bool, Reg result, bool moved_aside) {
        if (moved_aside) masm_.store_slot(value.kind, slot_of(value), result);
    });
    for_each([&](const AbstractValue& value, std::uint32_t slot, bool in_memory, Reg result, bool moved_aside) {
        if (!in_memory) {
            if (value.type != AbstractValue::Type::reg || value.reg != result) load_value(value, result);
            return;
        }
        const std::int32_t to = -static_cast<std::int32_t>(operands_base_ + slot);
        const Reg from = moved_aside ? kNoReg : register_of(value);
        if (from.valid()) {
            masm_.store_slot(value.kind, to, from);
        } else if (value.is_constant()) {
            masm_.store_slot_imm(to, static_cast<std::int64_t>(value.bits));
        } else if (value.type == AbstractValue::Type::local || value.depth != slot) {
            const Reg scratch = wasm::is_fp(value.kind) ? M::kScratchFp : M::kScratchGp;
            masm_.load_slot(value.kind, scratch, value.type == AbstractValue::Type::local ? locals_[value.bits].slot : slot_of(value));
            masm_.store_slot(value.kind, to, scratch);
        }
    });
}

/// Pushes a label's results as they are behind it.
template <class M>
inline void SinglePassCompiler<M>::push_results(const ControlFrame& frame) {
    if (!frame.block.results.empty()) push_some_results(frame);
}

template <class M>
void SinglePassCompiler<M>::push_some_results(const ControlFrame& frame) {
    ResultAssigner assigner;
    for (const ValType& type : frame.block.results) {
        const Kind kind = type.kind();
        if (assigner.next(kind).where == Location::Where::memory) {
            push_spilled(kind);
        } else {
            push_register_result(kind);
        }
    }
}

/// The label is branched to from here: the first to do so fixes its home state.
template <class M>
void SinglePassCompiler<M>::reach(ControlFrame& frame) {
    if (frame.targeted) return;
    frame.targeted = true;
    if (frame.type != ControlFrame::Type::loop) frame.label_state = homes_;
}

template <class M>
bool SinglePassCompiler<M>::agrees(const ControlFrame& frame) const {
    if (frame.type == ControlFrame::Type::function) return true;  // no local is read behind the function's end
    const HomeMoves moves = moves_to(frame.label_state);
    return moves.store.empty() && moves.load.empty();
}

/// What makes homes as a label wants them.
template <class M>
typename SinglePassCompiler<M>::HomeMoves SinglePassCompiler<M>::moves_to(const HomeState& target) const {
    return {homes_.dirty - (target.valid & target.dirty), target.valid - homes_.valid};
}

/// Changes no state.
template <class M>
void SinglePassCompiler<M>::emit_moves(HomeMoves moves) {
    while (!moves.store.empty()) {
        const Reg home = moves.store.first();
        moves.store.remove(home);
        const Local& local = locals_[home_local_[home.code]];
        masm_.store_slot(local.kind, local.slot, home);
    }
    while (!moves.load.empty()) {
        const Reg home = moves.load.first();
        moves.load.remove(home);
        const Local& local = locals_[home_local_[home.code]];
        masm_.load_slot(local.kind, home, local.slot);
    }
}

/// Moves and jump to a label; the state stays that of this point.
template <class M>
void SinglePassCompiler<M>::branch(ControlFrame& frame) {
    place_results(frame);
    reach(frame);
    if (frame.type != ControlFrame::Type::function) reconcile(frame.label_state);
    masm_.jump(frame.label);
}

/// Emits a jump to `label` for condition == when, and takes the condition's registers back. Its operands are in registers, but for a
/// constant on an integer's right.
template <class M>
void SinglePassCompiler<M>::emit_condition(Condition& condition, bool when, Label& label) {
    if (condition.is_float) {
        const Reg a = use(condition.a);
        const Reg b = use(condition.b);
        masm_.fp_compare_branch(condition.floating, condition.width, condition.when == when, a, b, label);
    } else {
        const IntCond integer = when ? condition.integer : negate(condition.integer);
        const Reg a = register_of(condition.a);
        if (condition.b.is_constant()) {
            masm_.compare_branch(integer, condition.width, a, immediate_of(condition.b), label);
        } else {
            masm_.compare_branch(integer, condition.width, a, register_of(condition.b), label);
        }
    }
    release(condition.a);
    release(condition.b);
}

/// Branches to the label if the condition holds. One instruction where results and homes agree; else around the moves.
template <class M>
void SinglePassCompiler<M>::branch_when(Condition& condition, ControlFrame& frame, bool unlikely) {
    // Operands first: bringing them into registers may make homes valid, which belongs to both paths.
    use(condition.a);
    if (!condition.b.is_constant() || condition.is_float) use(condition.b);
    reach(frame);
    const bool in_place = results_in_place(frame);
    if (in_place && agrees(frame)) return emit_condition(condition, true, frame.label);
    if (in_place && unlikely) return branch_out_of_line(condition, frame);
    Label skip;
    emit_condition(condition, false, skip);
    place_results(frame);
    if (frame.type != ControlFrame::Type::function) reconcile(frame.label_state);
    masm_.jump(frame.label);
    masm_.bind(skip);
}

/// The usual path falls through; the moves are behind the function's end.
template <class M>
void SinglePassCompiler<M>::branch_out_of_line(Condition& condition, ControlFrame& frame) {
    OutOfLineBranch& branch = out_of_line_.emplace_back();
    branch.target = frame.label;
    branch.next = std::exchange(frame.out_of_line, static_cast<std::uint32_t>(out_of_line_.size()));
    branch.moves = moves_to(frame.label_state);
    emit_condition(condition, true, branch.entry);
}

/// The frame's label is bound: branches to it know where to go.
template <class M>
void SinglePassCompiler<M>::settle_out_of_line(const ControlFrame& frame) {
    for (std::uint32_t at = frame.out_of_line; at != 0; at = out_of_line_[at - 1].next) out_of_line_[at - 1].target = frame.label;
}

/// Behind the function's end.
template <class M>
void SinglePassCompiler<M>::emit_out_of_line() {
    for (OutOfLineBranch& branch : out_of_line_) {
        if (!masm_.has_space(std::size_t{128} * 16 + M::kMaxInstructionBytes)) {
            out_of_space_ = true;
            return;
        }
        masm_.bind(branch.entry);
        emit_moves(branch.moves);
        masm_.jump(branch.target);
    }
}

template <class M>
void SinglePassCompiler<M>::block(const wasm::BlockType& type) {
    prepare();
    flush_for_block();
    force_to_slots(type.params.size());
    push_frame(ControlFrame::Type::block, type);
}

/// Chooses the home state of a loop header. What the body touches is valid there, so that back edges and not each use pay for reloads;
/// what it writes is dirty, since its back edges are not known yet. Where it calls, what counts is before the first call, and the rest is
/// clean, so that its calls store nothing in vain.
template <class M>
LoopUse SinglePassCompiler<M>::settle_homes_for_loop() {
    LoopUse use;
    if (tuning.scan_loops) use = loop_scan_(position_->next, position_->end, locals_);
    if (!use.complete) use = {.touched = assigned_homes_, .written = assigned_homes_, .calls = true};
    if (use.calls) save_homes();
    for (RegSet missing = use.touched - homes_.valid; !missing.empty();) {
        const Reg home = missing.first();
        missing.remove(home);
        load_home(home);
    }
    if (use.calls) homes_.valid = use.touched;
    homes_.dirty = (homes_.dirty | use.written) & homes_.valid;
    return use;
}

template <class M>
void SinglePassCompiler<M>::loop(const wasm::BlockType& type) {
    prepare();
    flush_for_block();
    force_to_slots(type.params.size());
    const LoopUse use = settle_homes_for_loop();
    ControlFrame& frame = push_frame(ControlFrame::Type::loop, type);
    frame.label_state = homes_;
    if (!use.calls) masm_.align_loop(use.wasm_bytes);
    bind(frame.label);
    if (environment_->fuel) masm_.consume_fuel(1);
}

template <class M>
void SinglePassCompiler<M>::if_(const wasm::BlockType& type) {
    prepare();
    unlikely_ = false;  // its body comes next in any case
    Condition& condition = pop_condition();
    use(condition.a);
    if (!condition.b.is_constant() || condition.is_float) use(condition.b);
    flush_for_block();
    force_to_slots(type.params.size());
    ControlFrame& frame = push_frame(ControlFrame::Type::if_, type);
    frame.else_state = homes_;
    emit_condition(condition, false, frame.else_label);
}

template <class M>
void SinglePassCompiler<M>::else_(bool then_reachable) {
    prepare();
    begin_else(frames_.back(), then_reachable);
}

template <class M>
inline void SinglePassCompiler<M>::begin_else(ControlFrame& frame, bool then_reachable) {
    if (then_reachable) branch(frame);
    truncate(frame.height);
    bind(frame.else_label);
    homes_ = frame.else_state;
    for (const ValType& type : frame.block.params) push_spilled(type.kind());
    flushed_ = stack_.size();
    frame.type = ControlFrame::Type::else_;
}

template <class M>
void SinglePassCompiler<M>::end(bool reachable) {
    prepare();
    if (frames_.back().type == ControlFrame::Type::if_) {
        ControlFrame& frame = frames_.back();
        if (reachable && frame.block.results.empty() && !frame.targeted) {
            // No else, nothing to pass on: the label takes the state of the path that skips the block.
            frame.targeted = true;
            frame.label_state = frame.else_state;
            reconcile(frame.label_state);
            bind(frame.else_label);
            reachable = false;
        } else {
            begin_else(frame, reachable);
            reachable = true;
        }
    }
    ControlFrame& frame = frames_.back();
    if (frame.type >= ControlFrame::Type::try_table) [[unlikely]] {
        if (frame.type == ControlFrame::Type::try_table) {
            if (reachable) branch(frame);
            reachable = false;
            emit_landing_pads(frame);
        } else if (frame.type == ControlFrame::Type::try_) {
            frame.region_end = masm_.position();
            add_handler(frame, ExceptionHandler::Kind::region_end, 0);
        } else if (reachable) {
            reach(frame);  // catch_: results come out from above the exception's slot
        }
    }
    if (frame.type == ControlFrame::Type::function) {
        if (reachable) place_results(frame);
        if (reachable || frame.targeted) {
            bind(frame.label);
            truncate(0);
            emit_return();
        }
        frames_.pop_back();
        return;
    }
    if (frame.type == ControlFrame::Type::loop || !frame.targeted) {
        if (!reachable) {  // what follows is compiled, though it never runs
            truncate(frame.height);
            for (const ValType& type : frame.block.results) push_spilled(type.kind());
        }
        frames_.pop_back();
        return;
    }
    if (reachable) {
        place_results(frame);
        reconcile(frame.label_state);
    }
    bind(frame.label);
    settle_out_of_line(frame);
    truncate(frame.height);
    homes_ = frame.label_state;
    push_results(frame);
    frames_.pop_back();
}

template <class M>
void SinglePassCompiler<M>::br(std::uint32_t depth) {
    prepare();
    branch(frame_at(depth));
}

template <class M>
void SinglePassCompiler<M>::br_if(std::uint32_t depth) {
    prepare();
    branch_when(pop_condition(), frame_at(depth), std::exchange(unlikely_, false));
}

/// Targets whose results and homes agree are jumped to directly; the others through a stub each, behind the table jump.
template <class M>
void SinglePassCompiler<M>::br_table(std::span<const std::uint32_t> depths, std::uint32_t default_depth) {
    prepare();
    AbstractValue index = pop();
    const Reg selector = own(index);
    const std::size_t count = depths.size() + 1;
    const auto depth_of = [&](std::size_t i) { return i < depths.size() ? depths[i] : default_depth; };

    table_stubs_.assign(frames_.size(), Label{});  // by depth
    clear_scratch(table_labels_);
    for (std::size_t i = 0; i < count; ++i) {
        ControlFrame& frame = frame_at(depth_of(i));
        reach(frame);
        table_labels_.push_back(results_in_place(frame) && agrees(frame) ? &frame.label : &table_stubs_[depth_of(i)]);
    }
    masm_.jump_table(selector, table_labels_);
    release(index);
    for (std::size_t i = 0; i < count; ++i) {
        Label& stub = table_stubs_[depth_of(i)];
        if (table_labels_[i] != &stub || stub.bound()) continue;
        prepare();
        masm_.bind(stub);
        branch(frame_at(depth_of(i)));
    }
}

template <class M>
void SinglePassCompiler<M>::return_() {
    prepare();
    const ControlFrame& frame = frames_.front();
    place_results(frame);
    emit_return();
}

/// Results are in place: those in memory go to where the caller wants them, then the frame goes.
template <class M>
void SinglePassCompiler<M>::emit_return() {
    if (has_memory_results_) {
        masm_.load_slot(Kind::i64, M::kResultPointer, kResultPointerSlot);
        ResultAssigner assigner;
        detail::SlotCounter slots(0);
        for (const ValType& type : type_->results) {
            const Kind kind = type.kind();
            const std::uint32_t slot = slots.next(kind);
            const Location location = assigner.next(kind);
            if (location.where != Location::Where::memory) continue;
            const Reg scratch = wasm::is_fp(kind) ? M::kScratchFp : M::kScratchGp;
            masm_.load_slot(kind, scratch, -static_cast<std::int32_t>(operands_base_ + slot));
            masm_.store(detail::whole_store(kind), {M::kResultPointer, kNoReg, static_cast<std::int32_t>(location.index)}, scratch);
        }
    }
    masm_.epilogue(stack_area_);
}

}  // namespace pollux
