// The part of the function pass that does not depend on the sink: immediates, the operand stack of types, control
// frames, and the checks of every instruction that is not hot (function_pass_checks.cpp).
//
// Validation follows the algorithm of the specification's appendix. The stack is an array of 64-bit value types with
// `sp_` one past its top; `floor_` is the height at which the innermost frame began. Before each instruction there is
// room for kOperandSlack pushes, so that single pushes need no check.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "jit/base/error.h"
#include "jit/base/scratch_vector.h"
#include "jit/wasm/bytes.h"
#include "jit/wasm/features.h"
#include "jit/wasm/limits.h"
#include "jit/wasm/module.h"
#include "jit/wasm/opcodes.h"
#include "jit/wasm/sink.h"
#include "jit/wasm/type_reader.h"
#include "jit/wasm/type_registry.h"

namespace pollux::wasm {

struct ControlFrame {
    enum class Kind : std::uint8_t { function, block, loop, if_, else_, try_table, try_, catch_, catch_all };
    BlockType type;
    std::uint32_t height = 0;       ///< operands below the frame
    std::uint32_t init_height = 0;  ///< locals initialised before it
    std::uint32_t checked = 0;      ///< the br_table that last checked this frame as a target
    Kind kind = Kind::block;
    bool polymorphic = false;       ///< the code here is unreachable: the stack holds whatever is needed
    bool seen = false;              ///< it was entered in reachable code, so the sink knows it

    [[nodiscard]] std::span<const ValType> label_types() const noexcept { return kind == Kind::loop ? type.params : type.results; }
};

/// The memory that a function pass needs, to be reused from function to function by one thread at a time.
class FunctionPassState {
public:
    FunctionPassState() = default;

private:
    friend class FunctionPassBase;
    std::unique_ptr<ValType[]> operands_;
    std::size_t capacity_ = 0;
    ScratchVector<ControlFrame> frames_;
    std::vector<ValType> locals_;
    std::vector<bool> initialised_;
    std::vector<std::uint32_t> init_stack_;
    std::vector<std::uint32_t> depths_;
    std::vector<ValidateSink::Catch> catches_;
};

class FunctionPassBase {
public:
    FunctionPassBase(const FunctionPassBase&) = delete;
    FunctionPassBase& operator=(const FunctionPassBase&) = delete;

protected:
    /// Immediates of a GC instruction, as the sink gets them.
    struct GcImmediates {
        TypeId type = kNoType;
        std::uint32_t operand = kNoIndex;
        TypeId source = kNoType;
    };
    struct TwoIndices {
        std::uint32_t first = 0;
        std::uint32_t second = 0;
    };

    static constexpr std::ptrdiff_t kOperandSlack = 8;

    FunctionPassBase(const Module& module, FeatureSet features, FunctionPassState& state);
    ~FunctionPassBase() = default;

    /// Reads the local declarations and enters the function's frame.
    [[nodiscard]] bool begin_function(std::uint32_t function, std::span<const std::uint8_t> body);

    // --- errors ------------------------------------------------------------------------------------------------------
    /// Records the error, with the name and offset of the current instruction. Always false.
    [[gnu::cold, gnu::noinline]] bool fail(ErrorKind kind, std::string_view message);
    [[gnu::cold, gnu::noinline]] bool fail_leb(LebStatus status);
    [[gnu::cold, gnu::noinline]] bool fail_index(std::string_view what, std::uint64_t index, std::uint64_t count);
    [[gnu::cold, gnu::noinline]] bool refuse(Feature feature);
    [[gnu::cold, gnu::noinline]] bool fail_depth();
    [[nodiscard]] bool require(Feature feature) { return features_.has(feature) || refuse(feature); }

    // --- immediates --------------------------------------------------------------------------------------------------
    [[nodiscard]] bool read_byte(std::uint8_t& out) {
        if (position_.next == position_.end) [[unlikely]]
            return fail_leb(LebStatus::truncated);
        out = *position_.next++;
        return true;
    }
    [[nodiscard]] bool read_u32(std::uint32_t& out) {
        const LebStatus status = read_leb(position_.next, position_.end, out);
        return status == LebStatus::ok || fail_leb(status);
    }
    template <class T>
    [[nodiscard]] bool read_signed(T& out) {
        const LebStatus status = read_leb(position_.next, position_.end, out);
        return status == LebStatus::ok || fail_leb(status);
    }
    template <class T>
    [[nodiscard]] bool read_fixed(T& out) {
        if (static_cast<std::size_t>(position_.end - position_.next) < sizeof(T)) [[unlikely]]
            return fail_leb(LebStatus::truncated);
        std::memcpy(&out, position_.next, sizeof(T));
        position_.next += sizeof(T);
        return true;
    }
    /// Reads a memory argument; `address` is the memory's address type. Every form but the usual one, memory 0 with a
    /// one-byte alignment, is out of line, and so are the errors.
    [[nodiscard, gnu::always_inline]] bool read_mem_arg(std::uint32_t natural_align, bool exact_align, MemArg& out, ValType& address) {
        const std::uint8_t* const start = position_.next;
        if (start != position_.end && *start <= natural_align && has_memory0_ && !exact_align) [[likely]] {
            out.align_log2 = *position_.next++;
            if (read_leb(position_.next, position_.end, out.offset) == LebStatus::ok && out.offset <= memory0_max_offset_) [[likely]] {
                address = memory0_address_;
                return true;
            }
            position_.next = start;
        }
        return read_mem_arg_slow(natural_align, exact_align, out, address);
    }
    /// Reads the memory argument of an access in its usual form: memory 0, a 32-bit one, an alignment of one byte and an offset of one or
    /// two, and something behind. In every other case it reads nothing.
    [[nodiscard, gnu::always_inline]] bool read_usual_mem_arg(std::uint32_t natural_align, std::uint32_t& offset) {
        const std::uint8_t* const at = position_.next;
        if (position_.end - at < 4 || at[0] > natural_align || !usual_memory0_) [[unlikely]]
            return false;
        offset = at[1];
        position_.next = at + 2;
        if (offset < 0x80) [[likely]]
            return true;
        offset = (offset & 0x7f) | static_cast<std::uint32_t>(at[2]) << 7;
        position_.next = at[2] < 0x80 ? at + 3 : at;
        return at[2] < 0x80;
    }
    [[nodiscard]] bool read_block_type(BlockType& out) {
        if (position_.next != position_.end && *position_.next == 0x40) [[likely]] {
            ++position_.next;
            out = {};
            return true;
        }
        return read_block_type_slow(out);
    }
    [[nodiscard]] bool read_lane(std::uint32_t lanes, std::uint8_t& out);
    /// A label, checked.
    [[nodiscard]] bool read_label(std::uint32_t& depth) {
        if (!read_u32(depth)) return false;
        return depth < state_.frames_.size() || fail_index("label", depth, state_.frames_.size());
    }
    [[nodiscard]] bool read_memory(std::uint32_t& index, ValType& address);
    [[nodiscard]] bool read_table(std::uint32_t& index);
    /// A type index that must be of this form.
    [[nodiscard]] bool read_type(DefinedType::Form form, TypeId& out);
    [[nodiscard]] bool read_heap_type(bool nullable, ValType& out);
    [[nodiscard]] bool read_val_type(ValType& out);

    // --- operands ----------------------------------------------------------------------------------------------------
    [[nodiscard]] std::size_t operands() const noexcept { return static_cast<std::size_t>(sp_ - floor_); }
    /// Room for `count` pushes and the slack for the instruction after.
    [[nodiscard]] bool reserve(std::size_t count) { return limit_ - sp_ >= static_cast<std::ptrdiff_t>(count) || grow_operands(count); }
    void push(ValType type) noexcept { *sp_++ = type; }
    [[nodiscard]] bool pop(ValType expected) {
        if (sp_ > floor_ && sp_[-1] == expected) [[likely]] {
            --sp_;
            return true;
        }
        return pop_slow(expected);
    }
    /// Pops whatever is there; bottom when the stack is polymorphic.
    [[nodiscard]] bool pop_any(ValType& out) {
        if (sp_ > floor_) [[likely]] {
            out = *--sp_;
            return true;
        }
        return pop_any_slow(out);
    }
    /// Pops a reference of whatever type, or bottom.
    [[nodiscard]] bool pop_reference(ValType& out);
    [[nodiscard, gnu::always_inline]] bool pop_all(std::span<const ValType> types) {
        const std::size_t count = types.size();
        if (count <= operands()) [[likely]] {
            ValType* const first = sp_ - count;
            bool exact = true;
            for (std::size_t i = 0; i < count; ++i) exact &= first[i] == types[i];
            if (exact) [[likely]] {
                sp_ = first;
                return true;
            }
        }
        return pop_all_slow(types);
    }
    [[nodiscard]] bool push_all(std::span<const ValType> types) {
        if (types.size() == 1) {
            push(types[0]);
            return true;
        }
        if (!reserve(types.size())) [[unlikely]]
            return false;
        for (const ValType type : types) *sp_++ = type;
        return true;
    }
    /// The operands on top match `types`; they stay as they are.
    [[nodiscard]] bool check_top(std::span<const ValType> types) {
        if (types.empty() || (types.size() == 1 && sp_ > floor_ && sp_[-1] == types[0])) [[likely]]
            return true;
        return check_top_slow(types);
    }
    /// The operands on top match `types` and become them.
    [[nodiscard]] bool convert_top(std::span<const ValType> types) {
        if (types.empty() || (types.size() == 1 && sp_ > floor_ && sp_[-1] == types[0])) [[likely]]
            return true;
        return pop_all_slow(types) && push_all(types);
    }
    /// Pops the parameters and pushes the results of an instruction of fixed type.
    template <Signature kSignature>
    [[nodiscard, gnu::always_inline]] bool apply() {
        constexpr std::uint8_t kParams = kSignature.param_count;
        bool exact = sp_ - floor_ >= kParams;
        if (exact) [[likely]] {
            for (std::uint8_t i = 0; i < kParams; ++i) exact &= sp_[i - kParams] == ValType(kSignature.param_kinds[i]);
        }
        if (exact) [[likely]] {
            sp_ -= kParams;
        } else {
            for (std::uint8_t i = kParams; i-- > 0;) {
                if (!pop(kSignature.param_kinds[i])) return false;
            }
        }
        for (std::uint8_t i = 0; i < kSignature.result_count; ++i) push(kSignature.result_kinds[i]);
        return true;
    }
    /// The same, where the first parameter is an address.
    template <Signature kSignature>
    [[nodiscard, gnu::always_inline]] bool apply_at(ValType address) {
        for (std::uint8_t i = kSignature.param_count; i-- > 1;) {
            if (!pop(kSignature.param_kinds[i])) return false;
        }
        if (!pop(address)) return false;
        if constexpr (kSignature.result_count != 0) push(kSignature.result_kinds[0]);
        return true;
    }

    // --- control -----------------------------------------------------------------------------------------------------
    [[nodiscard]] ControlFrame& top() noexcept { return state_.frames_.back(); }
    [[nodiscard]] ControlFrame& label(std::uint32_t depth) noexcept { return state_.frames_[state_.frames_.size() - 1 - depth]; }
    /// Enters a frame whose parameters were popped.
    [[nodiscard]] bool push_frame(ControlFrame::Kind kind, const BlockType& type) {
        if (state_.frames_.size() == kMaxControlDepth) [[unlikely]]
            return fail_depth();
        ControlFrame& frame = state_.frames_.push();
        frame.type = type;
        frame.height = static_cast<std::uint32_t>(sp_ - state_.operands_.get());
        frame.init_height = tracks_init_ ? static_cast<std::uint32_t>(state_.init_stack_.size()) : 0;
        frame.checked = 0;
        frame.kind = kind;
        frame.polymorphic = false;
        frame.seen = live_;
        floor_ = sp_;
        return type.params.empty() || push_all(type.params);
    }
    /// The innermost frame's results, and nothing else, are on the stack.
    [[nodiscard]] bool check_results() {
        return operands() == top().type.results.size() ? check_top(top().type.results) : check_results_slow();
    }
    /// Starts the frame's next part (else, catch): as check_results must have found it, with `types` on the stack.
    [[nodiscard]] bool restart_frame(ControlFrame::Kind kind, std::span<const ValType> types);
    /// Leaves the frame, pushing its results in the outer one.
    [[nodiscard]] bool pop_frame() {
        const ControlFrame& frame = top();
        const std::span<const ValType> results = frame.type.results;
        live_ = frame.seen;
        sp_ = state_.operands_.get() + frame.height;
        if (tracks_init_) [[unlikely]]
            reset_initialised(frame.init_height);
        state_.frames_.pop_back();
        floor_ = state_.operands_.get() + (state_.frames_.empty() ? 0 : top().height);
        return results.empty() || push_all(results);
    }
    /// The rest of the frame is unreachable.
    void set_unreachable() noexcept {
        sp_ = floor_;
        top().polymorphic = true;
        live_ = false;
    }
    /// A branch to `depth` finds its operands on the stack.
    [[nodiscard]] bool check_branch(std::uint32_t depth) { return check_top(label(depth).label_types()); }
    [[nodiscard]] bool check_br_table(std::uint32_t& default_depth);
    /// Reads the catch clauses; to be called before the frame is entered.
    [[nodiscard]] bool check_try_table();
    [[nodiscard]] bool check_if_without_else();

    // --- instructions that are not hot (function_pass_checks.cpp) ----------------------------------------------------
    /// Reads a local's index.
    [[nodiscard]] bool read_local(std::uint32_t& local, ValType& type) {
        if (!read_u32(local)) return false;
        if (local >= local_count_) [[unlikely]]
            return fail_index("local", local, local_count_);
        type = locals_[local];
        return true;
    }
    /// A local that is read has been set, if its type has no default value.
    [[nodiscard]] bool check_initialised(std::uint32_t local);
    /// Reads a global's index.
    [[nodiscard]] bool read_global(std::uint32_t& global, GlobalType& type) {
        if (!read_u32(global)) return false;
        if (global >= module_.globals.size()) [[unlikely]]
            return fail_index("global", global, module_.globals.size());
        type = module_.globals[global].type;
        return true;
    }
    /// Reads a function's index.
    [[nodiscard]] bool read_function(std::uint32_t& function) {
        const LebStatus status = read_leb_of_any_length(position_.next, position_.end, function);
        if (status != LebStatus::ok) return fail_leb(status);
        return function < module_.functions.size() || fail_index("function", function, module_.functions.size());
    }
    [[nodiscard]] bool check_select(bool typed, Kind& kind);
    [[nodiscard]] bool check_call_indirect(TypeId& type, std::uint32_t& table);
    [[nodiscard]] bool check_callee_reference(TypeId& type);
    [[nodiscard]] bool check_call(const FuncType& type) { return pop_all(type.params) && push_all(type.results); }
    [[nodiscard]] bool check_tail_call(const FuncType& type);
    [[nodiscard]] bool check_throw(std::uint32_t& tag);
    [[nodiscard]] bool check_memory_op(Opcode op, TwoIndices& out);
    [[nodiscard]] bool check_table_op(Opcode op, TwoIndices& out);
    [[nodiscard]] bool check_ref_func(std::uint32_t& function);
    [[nodiscard]] bool check_br_on_null(std::uint32_t& depth);
    [[nodiscard]] bool check_br_on_non_null(std::uint32_t& depth);
    [[nodiscard]] bool check_gc(Opcode op, GcImmediates& out);
    [[nodiscard]] bool check_ref_test_or_cast(Opcode op, ValType& source, ValType& target);
    [[nodiscard]] bool check_br_on_cast(Opcode op, std::uint32_t& depth, ValType& source, ValType& target);

    const Module& module_;
    FeatureSet features_;
    FunctionPassState& state_;
    PassPosition position_;
    ValType* sp_ = nullptr;
    ValType* floor_ = nullptr;
    ValType* limit_ = nullptr;  ///< the end of the operand array less the slack
    const ValType* locals_ = nullptr;
    std::uint32_t local_count_ = 0;
    std::uint32_t plain_locals_ = 0;  ///< locals below this can be read just so, their indices being bytes
    bool live_ = true;  ///< the code here is reachable
    bool has_memory0_ = false;
    bool usual_memory0_ = false;  ///< it is a 32-bit one
    bool tracks_init_ = false;  ///< some local has no default value
    ValType memory0_address_;
    std::uint64_t memory0_max_offset_ = 0;
    const FuncType* type_ = nullptr;
    const std::uint8_t* body_ = nullptr;
    std::uint32_t function_ = 0;
    std::uint32_t br_tables_ = 0;
    const BranchHint* hint_ = nullptr;
    const BranchHint* hint_end_ = nullptr;
    Error error_;

    // The state's vectors, for FunctionPass.
    [[nodiscard]] std::span<const std::uint32_t> br_table_depths() const noexcept { return state_.depths_; }
    [[nodiscard]] std::span<const ValidateSink::Catch> catches() const noexcept { return state_.catches_; }
    [[nodiscard]] bool has_frames() const noexcept { return !state_.frames_.empty(); }
    [[nodiscard]] std::size_t frame_count() const noexcept { return state_.frames_.size(); }
    void initialise(std::uint32_t local);

private:
    [[nodiscard]] bool read_mem_arg_slow(std::uint32_t natural_align, bool exact_align, MemArg& out, ValType& address);
    [[nodiscard]] bool read_block_type_slow(BlockType& out);
    /// Reads a type with type_reader.h.
    template <class Read>
    [[nodiscard]] bool read_with_cursor(Read&& read);
    [[nodiscard]] bool read_locals();
    [[nodiscard]] bool grow_operands(std::size_t count);
    [[nodiscard]] bool pop_slow(ValType expected);
    [[nodiscard]] bool pop_any_slow(ValType& out);
    [[nodiscard]] bool pop_all_slow(std::span<const ValType> types);
    [[nodiscard]] bool check_top_slow(std::span<const ValType> types);
    [[nodiscard]] bool check_results_slow();
    void reset_initialised(std::uint32_t height);

    // Parts of the GC checks.
    [[nodiscard]] bool check_struct_op(Opcode op, GcImmediates& out);
    [[nodiscard]] bool check_array_op(Opcode op, GcImmediates& out);
    [[nodiscard]] bool check_array_segment_op(Opcode op, GcImmediates& out);
    [[nodiscard]] bool check_conversion(ValType from, Heap to);
    [[nodiscard]] bool check_packing(Opcode plain, Opcode op, const FieldType& field);
    [[nodiscard]] bool read_data_segment(std::uint32_t& segment);
    [[nodiscard]] bool read_element_segment(std::uint32_t& segment);
};

}  // namespace pollux::wasm
