// Function framing, errors, immediates, operands and control frames of the function pass: what is out of line.
#include "jit/wasm/function_pass_base.h"

#include <algorithm>

#include "jit/base/scratch_vector.h"
#include "jit/wasm/limits.h"

namespace pollux::wasm {

FunctionPassBase::FunctionPassBase(const Module& module, FeatureSet features, FunctionPassState& state)
    : module_(module), features_(features), state_(state) {
    if (!module.memories.empty()) {
        has_memory0_ = true;
        usual_memory0_ = !module.memories[0].limits.is_64;
        memory0_address_ = module.memories[0].address_kind();
        memory0_max_offset_ = module.memories[0].limits.is_64 ? ~std::uint64_t{0} : 0xFFFF'FFFF;
    }
}

bool FunctionPassBase::begin_function(std::uint32_t function, std::span<const std::uint8_t> body) {
    function_ = function;
    type_ = &func_type(module_.functions[function].type);
    body_ = body.data();
    position_ = {body.data(), body.data() + body.size(), body.data(),
                 reinterpret_cast<std::uintptr_t>(body.data()) - module_.functions[function].body_offset};
    br_tables_ = 0;
    live_ = true;
    tracks_init_ = false;
    error_ = {};
    state_.frames_.clear();
    clear_scratch(state_.init_stack_);
    clear_scratch(state_.locals_);
    sp_ = floor_ = state_.operands_.get();
    if (sp_ == nullptr) {
        if (!grow_operands(0)) return false;
    } else {
        limit_ = sp_ + state_.capacity_ - kOperandSlack;
    }

    hint_ = hint_end_ = nullptr;
    if (!module_.branch_hints.empty()) [[unlikely]] {
        const auto hints = std::ranges::equal_range(module_.branch_hints, function, {}, &BranchHint::function);
        hint_ = hints.data();
        hint_end_ = hints.data() + hints.size();
    }
    return read_locals() && push_frame(ControlFrame::Kind::function, {{}, type_->results});
}

bool FunctionPassBase::read_locals() {
    state_.locals_.assign(type_->params.begin(), type_->params.end());
    std::uint32_t groups = 0;
    if (!read_u32(groups)) return false;
    for (std::uint32_t i = 0; i < groups; ++i) {
        std::uint32_t count = 0;
        ValType type;
        if (!read_u32(count)) return false;
        if (position_.next != position_.end && *position_.next >= 0x7C && *position_.next <= 0x7F) [[likely]] {
            type = ValType(static_cast<Kind>(0x7F - *position_.next++));
        } else if (!read_val_type(type)) {
            return false;
        }
        if (count > kMaxLocals || state_.locals_.size() + count > kMaxLocals) [[unlikely]] {
            return fail(ErrorKind::malformed, "too many locals: the limit is " + std::to_string(kMaxLocals));
        }
        if (!type.defaultable() && count != 0 && !tracks_init_) {
            tracks_init_ = true;
            state_.initialised_.assign(state_.locals_.size(), true);
        }
        state_.locals_.insert(state_.locals_.end(), count, type);
        if (tracks_init_) state_.initialised_.resize(state_.locals_.size(), type.defaultable());
    }
    locals_ = state_.locals_.data();
    local_count_ = static_cast<std::uint32_t>(state_.locals_.size());
    plain_locals_ = tracks_init_ ? 0 : std::min<std::uint32_t>(local_count_, 0x80);
    return true;
}

void FunctionPassBase::initialise(std::uint32_t local) {
    if (!tracks_init_ || state_.initialised_[local]) return;
    state_.initialised_[local] = true;
    state_.init_stack_.push_back(local);
}

void FunctionPassBase::reset_initialised(std::uint32_t height) {
    for (; state_.init_stack_.size() > height; state_.init_stack_.pop_back()) state_.initialised_[state_.init_stack_.back()] = false;
}

// --- errors ----------------------------------------------------------------------------------------------------------

bool FunctionPassBase::fail(ErrorKind kind, std::string_view message) {
    std::string where = "function " + std::to_string(function_);
    const std::uint8_t* at = position_.opcode;
    if (at == body_) {
        where += ", locals";
    } else if (at < position_.end) {
        const std::uint8_t prefix = *at >= 0xFB && *at <= 0xFE ? *at++ : std::uint8_t{0};
        std::uint32_t code = 0;
        if (prefix == 0) {
            code = *at;
        } else if (read_leb(at, position_.end, code) != LebStatus::ok) {
            code = ~0U;
        }
        if (is_opcode(prefix, code)) where += ", " + std::string(text(static_cast<Opcode>(opcode_page(prefix) + code)));
    }
    error_ = Error{kind, where + ": " + std::string(message), position_.offset()};
    return false;
}

bool FunctionPassBase::fail_leb(LebStatus status) { return fail(ErrorKind::malformed, leb_error(status)); }

bool FunctionPassBase::fail_index(std::string_view what, std::uint64_t index, std::uint64_t count) {
    return fail(ErrorKind::invalid, "unknown " + std::string(what) + " " + std::to_string(index) + ": there are " + std::to_string(count));
}

bool FunctionPassBase::refuse(Feature feature) { return fail(ErrorKind::unsupported, lacks_feature("this instruction", feature)); }

// --- immediates ------------------------------------------------------------------------------------------------------

template <class Read>
bool FunctionPassBase::read_with_cursor(Read&& read) {
    Cursor in({position_.next, position_.end}, reinterpret_cast<std::uintptr_t>(position_.next) - position_.origin);
    if (!read(in, TypeContext{module_.types, features_})) return fail(in.error().kind, in.error().message);
    position_.next = in.next();
    return true;
}

bool FunctionPassBase::read_block_type_slow(BlockType& out) {
    return read_with_cursor([&](Cursor& in, const TypeContext& context) { return wasm::read_block_type(in, context, out); });
}

bool FunctionPassBase::read_heap_type(bool nullable, ValType& out) {
    return read_with_cursor([&](Cursor& in, const TypeContext& context) { return wasm::read_heap_type(in, context, nullable, out); });
}

bool FunctionPassBase::read_val_type(ValType& out) {
    return read_with_cursor([&](Cursor& in, const TypeContext& context) { return wasm::read_val_type(in, context, out); });
}

bool FunctionPassBase::read_mem_arg_slow(std::uint32_t natural_align, bool exact_align, MemArg& out, ValType& address) {
    std::uint32_t flags = 0;
    if (!read_u32(flags)) return false;
    if (flags >= 0x80) return fail(ErrorKind::malformed, "malformed memory argument: unknown flags " + std::to_string(flags));
    if ((flags & 0x40) != 0) {
        if (!require(Feature::multi_memory) || !read_u32(out.memory)) return false;
    }
    out.align_log2 = static_cast<std::uint8_t>(flags & 0x3F);
    const LebStatus status = read_leb(position_.next, position_.end, out.offset);
    if (status != LebStatus::ok) return fail_leb(status);
    if (out.memory >= module_.memories.size()) return fail_index("memory", out.memory, module_.memories.size());
    if (out.align_log2 > natural_align) return fail(ErrorKind::invalid, "alignment must not be larger than natural");
    if (exact_align && out.align_log2 != natural_align) return fail(ErrorKind::invalid, "the alignment of an atomic must be natural");
    const MemoryType& memory = module_.memories[out.memory];
    if (!memory.limits.is_64 && out.offset > 0xFFFF'FFFF) return fail(ErrorKind::invalid, "offset out of range for a 32-bit memory");
    address = memory.address_kind();
    return true;
}

bool FunctionPassBase::read_lane(std::uint32_t lanes, std::uint8_t& out) {
    if (!read_byte(out)) return false;
    return out < lanes || fail(ErrorKind::invalid, "invalid lane index " + std::to_string(out) + ": there are " + std::to_string(lanes));
}

bool FunctionPassBase::read_memory(std::uint32_t& index, ValType& address) {
    if (!read_u32(index)) return false;
    if (index >= module_.memories.size()) return fail_index("memory", index, module_.memories.size());
    address = module_.memories[index].address_kind();
    return true;
}

bool FunctionPassBase::read_table(std::uint32_t& index) {
    return read_u32(index) && (index < module_.tables.size() || fail_index("table", index, module_.tables.size()));
}

bool FunctionPassBase::read_type(DefinedType::Form form, TypeId& out) {
    std::uint32_t index = 0;
    if (!read_u32(index)) return false;
    if (index >= module_.types.size()) return fail_index("type", index, module_.types.size());
    out = module_.types[index];
    static constexpr const char* kForms[] = {"function", "struct", "array"};
    return defined_type(out).form == form || fail(ErrorKind::invalid, "type mismatch: type " + std::to_string(index) + " is not " +
                                                                          (form == DefinedType::Form::array ? "an " : "a ") +
                                                                          kForms[static_cast<std::size_t>(form)] + " type");
}

// --- operands --------------------------------------------------------------------------------------------------------

bool FunctionPassBase::grow_operands(std::size_t count) {
    const auto size = static_cast<std::size_t>(sp_ - state_.operands_.get());
    const auto floor = static_cast<std::size_t>(floor_ - state_.operands_.get());
    if (size + count > kMaxOperands) {
        return fail(ErrorKind::resource, "more than " + std::to_string(kMaxOperands) + " operands on the stack");
    }
    const std::size_t capacity = std::max<std::size_t>(2 * state_.capacity_, size + count + 256);
    auto operands = std::make_unique<ValType[]>(capacity);
    std::copy_n(state_.operands_.get(), size, operands.get());
    state_.operands_ = std::move(operands);
    state_.capacity_ = capacity;
    sp_ = state_.operands_.get() + size;
    floor_ = state_.operands_.get() + floor;
    limit_ = state_.operands_.get() + capacity - kOperandSlack;
    return true;
}

bool FunctionPassBase::pop_slow(ValType expected) {
    ValType actual;
    if (sp_ == floor_) {
        if (top().polymorphic) return true;
        return fail(ErrorKind::invalid, "type mismatch: expected " + to_string(expected) + ", found nothing on the stack");
    }
    actual = *--sp_;
    if (matches(actual, expected)) return true;
    return fail(ErrorKind::invalid, "type mismatch: expected " + to_string(expected) + ", found " + to_string(actual));
}

bool FunctionPassBase::pop_any_slow(ValType& out) {
    out = ValType::bottom();
    return top().polymorphic || fail(ErrorKind::invalid, "type mismatch: expected a value, found nothing on the stack");
}

bool FunctionPassBase::pop_reference(ValType& out) {
    if (!pop_any(out)) return false;
    return out.is_ref() || out.is_bottom() || fail(ErrorKind::invalid, "type mismatch: expected a reference, found " + to_string(out));
}

bool FunctionPassBase::pop_all_slow(std::span<const ValType> types) {
    for (std::size_t i = types.size(); i-- > 0;) {
        if (!pop(types[i])) return false;
    }
    return true;
}

bool FunctionPassBase::check_top_slow(std::span<const ValType> types) {
    ValType* const top_of_stack = sp_;
    const bool ok = pop_all_slow(types);
    sp_ = top_of_stack;
    return ok;
}

bool FunctionPassBase::check_results_slow() {
    const std::span<const ValType> results = top().type.results;
    if (operands() < results.size()) return check_top_slow(results);
    return fail(ErrorKind::invalid, "type mismatch: expected " + to_string(results) + " at the end of the block, found " +
                                        std::to_string(operands()) + " operands");
}

// --- control ---------------------------------------------------------------------------------------------------------

bool FunctionPassBase::fail_depth() {
    return fail(ErrorKind::resource, "more than " + std::to_string(kMaxControlDepth) + " blocks within blocks");
}

bool FunctionPassBase::restart_frame(ControlFrame::Kind kind, std::span<const ValType> types) {
    ControlFrame& frame = top();
    frame.kind = kind;
    frame.polymorphic = false;
    live_ = frame.seen;
    sp_ = floor_;
    if (tracks_init_) reset_initialised(frame.init_height);
    return push_all(types);
}

bool FunctionPassBase::check_if_without_else() {
    const BlockType& type = top().type;
    if (std::ranges::equal(type.params, type.results, [](ValType from, ValType to) { return matches(from, to); })) return true;
    return fail(ErrorKind::invalid, "type mismatch: an if without else must leave what it takes, but takes " + to_string(type.params) +
                                        " and leaves " + to_string(type.results));
}

bool FunctionPassBase::check_br_table(std::uint32_t& default_depth) {
    std::uint32_t count = 0;
    if (!pop(Kind::i32) || !read_u32(count)) return false;
    if (count > static_cast<std::size_t>(position_.end - position_.next)) return fail_leb(LebStatus::truncated);
    state_.depths_.resize(count);
    for (std::uint32_t& depth : state_.depths_) {
        if (!read_label(depth)) return false;
    }
    if (!read_label(default_depth) || !check_branch(default_depth)) return false;

    const std::size_t arity = label(default_depth).label_types().size();
    ++br_tables_;
    for (const std::uint32_t depth : state_.depths_) {
        ControlFrame& target = label(depth);
        if (target.checked == br_tables_) continue;
        target.checked = br_tables_;
        if (target.label_types().size() != arity) {
            return fail(ErrorKind::invalid, "type mismatch: label " + std::to_string(depth) + " takes " + to_string(target.label_types()) +
                                                ", but the default label takes " + to_string(label(default_depth).label_types()));
        }
        if (!check_branch(depth)) return false;
    }
    return true;
}

bool FunctionPassBase::check_try_table() {
    using Catch = ValidateSink::Catch;
    std::uint32_t count = 0;
    if (!read_u32(count)) return false;
    if (count > static_cast<std::size_t>(position_.end - position_.next)) return fail_leb(LebStatus::truncated);
    state_.catches_.resize(count);
    std::vector<ValType> caught;
    for (Catch& clause : state_.catches_) {
        std::uint8_t kind = 0;
        if (!read_byte(kind)) return false;
        if (kind > 3) return fail(ErrorKind::malformed, "malformed catch clause " + std::to_string(kind));
        clause = {static_cast<Catch::Clause>(kind), kNoIndex, 0};
        caught.clear();
        if (clause.clause == Catch::Clause::catch_ || clause.clause == Catch::Clause::catch_ref) {
            if (!read_u32(clause.tag)) return false;
            if (clause.tag >= module_.tags.size()) return fail_index("tag", clause.tag, module_.tags.size());
            caught = func_type(module_.tags[clause.tag].type).params;
        }
        if (clause.clause == Catch::Clause::catch_ref || clause.clause == Catch::Clause::catch_all_ref) {
            caught.push_back(ValType::ref(Heap::exn, false));
        }
        if (!read_label(clause.depth)) return false;
        const std::span<const ValType> target = label(clause.depth).label_types();
        if (!std::ranges::equal(caught, target, [](ValType from, ValType to) { return matches(from, to); })) {
            return fail(ErrorKind::invalid,
                        "type mismatch: a catch clause gives " + to_string(caught) + ", but its label takes " + to_string(target));
        }
    }
    return true;
}

}  // namespace pollux::wasm
