// The function pass: decodes and validates one body in a single forward pass and calls a Sink (sink.h) for each
// instruction in reachable code.
//
// In: a module whose sections before the code section are decoded, and a body. Out: calls to the sink, or the first
// error. With ValidateSink it is the validator. Cases come from opcodes.def by group; what needs reasoning about types
// beyond the operand stack is in function_pass_base.h and its two .cpp files.
//
//     FunctionPassState state;                      // one per thread, reused
//     ValidateSink sink;
//     FunctionPass pass(module, features, state, sink);
//     Result<> result = pass.run(function, body);
#pragma once

#include <cstdint>
#include <span>

#include "jit/base/error.h"
#include "jit/wasm/function_pass_base.h"

namespace pollux::wasm {

template <class Sink>
class FunctionPass : private FunctionPassBase {
public:
    /// All four outlive the pass. The module may still be being decoded, beyond its code section's start.
    FunctionPass(const Module& module, FeatureSet features, FunctionPassState& state, Sink& sink)
        : FunctionPassBase(module, features, state), sink_(sink) {}

    /// Runs over the body of a function of this index. Can be called again for another function. On an error the sink has
    /// been called for the instructions before it.
    [[nodiscard]] Result<> run(std::uint32_t function, std::span<const std::uint8_t> body) {
        if (begin_function(function, body) && run_body()) return {};
        return std::unexpected(std::move(error_));
    }

private:
    using FrameKind = ControlFrame::Kind;

    // The most frequent instructions are in this function whole, and go on to the next one without a look at the switch of all others: in
    // functions of their own, python.wasm took 8 % more time. The GNU extension for this is labels as values.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
    [[nodiscard]] bool run_body() {
        // clang-format off
#define POLLUX_OTHERS &&other, &&other, &&other, &&other, &&other, &&other, &&other, &&other
        static const void* const kHandlers[256] = {
            /* 00 */ &&other, &&other, &&Block, &&other, &&If, &&other, &&other, &&other,
            /* 08 */ &&other, &&other, &&other, &&End, &&Br, &&BrIf, &&other, &&other,
            /* 10 */ &&Call, &&other, &&other, &&other, &&other, &&other, &&other, &&other,
            /* 18 */ POLLUX_OTHERS,
            /* 20 */ &&LocalGet, &&LocalSet, &&LocalTee, &&other, &&other, &&other, &&other, &&other,
            /* 28 */ &&I32Load, &&other, &&other, &&other, &&other, &&other, &&other, &&other,
            /* 30 */ &&other, &&other, &&other, &&other, &&other, &&other, &&I32Store, &&other,
            /* 38 */ POLLUX_OTHERS,
            /* 40 */ &&other, &&I32Const, &&other, &&other, &&other, &&I32Eqz, &&other, &&other,
            /* 48 */ POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS,
            /* 68 */ &&other, &&other, &&I32Add, &&other, &&other, &&other, &&other, &&other,
            /* 70 */ POLLUX_OTHERS, POLLUX_OTHERS,
            /* 80 */ POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS,
            /* c0 */ POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS, POLLUX_OTHERS,
        };
#undef POLLUX_OTHERS
#define POLLUX_NEXT(handler)                                         \
    if (!(handler)) [[unlikely]] return false;                       \
    if (position_.next == position_.end) [[unlikely]] goto finished; \
    if (sp_ > limit_ && !reserve(0)) [[unlikely]] return false;      \
    position_.opcode = position_.next++;                             \
    goto *kHandlers[*position_.opcode]
        sink_.begin(*type_, std::span(locals_, local_count_), position_);
        POLLUX_NEXT(true);
    Block:    POLLUX_NEXT(block());
    If:       POLLUX_NEXT(if_());
    End:      POLLUX_NEXT(end());
    Br:       POLLUX_NEXT(br());
    BrIf:     POLLUX_NEXT(br_if());
    Call:     POLLUX_NEXT(call());
    LocalGet: POLLUX_NEXT(local_get());
    LocalSet: POLLUX_NEXT(local_set());
    LocalTee: POLLUX_NEXT(local_tee());
    I32Load:  POLLUX_NEXT(load<Opcode::I32Load>());
    I32Store: POLLUX_NEXT(store<Opcode::I32Store>());
    I32Const: POLLUX_NEXT(i32_const());
    I32Eqz:   POLLUX_NEXT(numeric<Opcode::I32Eqz>());
    I32Add:   POLLUX_NEXT(numeric<Opcode::I32Add>());
    other:    POLLUX_NEXT(dispatch<false>(static_cast<Opcode>(*position_.opcode)));
#undef POLLUX_NEXT
        // clang-format on
    finished:
        if constexpr (requires { sink_.stopped(); }) {
            if (sink_.stopped()) return true;
        }
        if (has_frames()) return fail(ErrorKind::malformed, "unexpected end: the function's body must end in `end`");
        sink_.finish();
        return true;
    }
#pragma GCC diagnostic pop

    /// An opcode that starts with a prefix byte.
    [[nodiscard, gnu::noinline]] bool dispatch_prefixed(std::uint8_t prefix) {
        std::uint32_t code = 0;
        if (prefix < 0xFB || prefix > 0xFE) return fail(ErrorKind::malformed, "illegal opcode " + std::to_string(prefix));
        if (!read_u32(code)) return false;
        if (!is_opcode(prefix, code)) {
            return fail(ErrorKind::malformed, "illegal opcode " + std::to_string(prefix) + " " + std::to_string(code));
        }
        return dispatch<true>(static_cast<Opcode>(opcode_page(prefix) + code));
    }

    [[nodiscard]] static constexpr bool is_in_run_body(Opcode op) noexcept {
        using enum Opcode;
        switch (op) {
            case Block:
            case If:
            case End:
            case Br:
            case BrIf:
            case Call:
            case LocalGet:
            case LocalSet:
            case LocalTee:
            case I32Load:
            case I32Store:
            case I32Const:
            case I32Eqz:
            case I32Add:   return true;
            default:       return false;
        }
    }

    /// One switch for one-byte opcodes and one for those with a prefix. Each names every opcode; those of the other one and
    /// of run_body() vanish at compile time.
    template <bool kPrefixed>
    [[nodiscard, gnu::always_inline]] bool dispatch(Opcode op) {
        switch (op) {
#define POLLUX_CASE(Name, handler)                                                                      \
    case Opcode::Name:                                                                                  \
        if constexpr ((info(Opcode::Name).prefix != 0) == kPrefixed && !is_in_run_body(Opcode::Name)) { \
            return enabled<Opcode::Name>() && (handler);                                                \
        }                                                                                               \
        break;
#define POLLUX_CASE_numeric(Name) POLLUX_CASE(Name, numeric<Opcode::Name>())
#define POLLUX_CASE_lane(Name) POLLUX_CASE(Name, simd_lane<Opcode::Name>())
#define POLLUX_CASE_load(Name) POLLUX_CASE(Name, load<Opcode::Name>())
#define POLLUX_CASE_store(Name) POLLUX_CASE(Name, store<Opcode::Name>())
#define POLLUX_CASE_load_lane(Name) POLLUX_CASE(Name, lane_access<Opcode::Name>())
#define POLLUX_CASE_store_lane(Name) POLLUX_CASE(Name, lane_access<Opcode::Name>())
#define POLLUX_CASE_atomic(Name) POLLUX_CASE(Name, atomic<Opcode::Name>())
#define POLLUX_CASE_gc(Name) POLLUX_CASE(Name, gc<Opcode::Name>())
#define POLLUX_CASE_table(Name) POLLUX_CASE(Name, table<Opcode::Name>())
#define POLLUX_CASE_memory(Name) POLLUX_CASE(Name, memory<Opcode::Name>())
#define POLLUX_CASE_control(Name)
#define POLLUX_CASE_parametric(Name)
#define POLLUX_CASE_variable(Name)
#define POLLUX_CASE_constant(Name)
#define POLLUX_CASE_reference(Name)
#define POLLUX_CASE_cast(Name)
#define POLLUX_CASE_refused(Name) POLLUX_CASE(Name, refuse(Feature::custom_descriptors))
#define OPCODE(group, Name, ...) POLLUX_CASE_##group(Name)
#include "jit/wasm/opcodes.def"
            POLLUX_CASE(Unreachable, unreachable())
            POLLUX_CASE(Nop, nop())
            POLLUX_CASE(Block, block())
            POLLUX_CASE(Loop, loop())
            POLLUX_CASE(If, if_())
            POLLUX_CASE(Else, else_())
            POLLUX_CASE(End, end())
            POLLUX_CASE(Br, br())
            POLLUX_CASE(BrIf, br_if())
            POLLUX_CASE(BrTable, br_table())
            POLLUX_CASE(Return, return_())
            POLLUX_CASE(Call, call())
            POLLUX_CASE(CallIndirect, call_indirect())
            POLLUX_CASE(CallRef, call_ref())
            POLLUX_CASE(ReturnCall, return_call())
            POLLUX_CASE(ReturnCallIndirect, return_call_indirect())
            POLLUX_CASE(ReturnCallRef, return_call_ref())
            POLLUX_CASE(BrOnNull, br_on_null())
            POLLUX_CASE(BrOnNonNull, br_on_non_null())
            POLLUX_CASE(TryTable, try_table())
            POLLUX_CASE(Throw, throw_())
            POLLUX_CASE(ThrowRef, throw_ref())
            POLLUX_CASE(Try, try_())
            POLLUX_CASE(Catch, catch_())
            POLLUX_CASE(CatchAll, catch_all())
            POLLUX_CASE(Delegate, delegate())
            POLLUX_CASE(Rethrow, rethrow())
            POLLUX_CASE(Drop, drop())
            POLLUX_CASE(Select, select<false>())
            POLLUX_CASE(SelectT, select<true>())
            POLLUX_CASE(LocalGet, local_get())
            POLLUX_CASE(LocalSet, local_set())
            POLLUX_CASE(LocalTee, local_tee())
            POLLUX_CASE(GlobalGet, global_get())
            POLLUX_CASE(GlobalSet, global_set())
            POLLUX_CASE(I32Const, i32_const())
            POLLUX_CASE(I64Const, i64_const())
            POLLUX_CASE(F32Const, f32_const())
            POLLUX_CASE(F64Const, f64_const())
            POLLUX_CASE(V128Const, v128_const())
            POLLUX_CASE(I8x16Shuffle, i8x16_shuffle())
            POLLUX_CASE(RefNull, ref_null())
            POLLUX_CASE(RefIsNull, ref_is_null())
            POLLUX_CASE(RefFunc, ref_func())
            POLLUX_CASE(RefEq, ref_eq())
            POLLUX_CASE(RefAsNonNull, ref_as_non_null())
            POLLUX_CASE(RefTest, ref_test_or_cast<Opcode::RefTest>())
            POLLUX_CASE(RefTestNull, ref_test_or_cast<Opcode::RefTestNull>())
            POLLUX_CASE(RefCast, ref_test_or_cast<Opcode::RefCast>())
            POLLUX_CASE(RefCastNull, ref_test_or_cast<Opcode::RefCastNull>())
            POLLUX_CASE(BrOnCast, br_on_cast<Opcode::BrOnCast>())
            POLLUX_CASE(BrOnCastFail, br_on_cast<Opcode::BrOnCastFail>())
        }
        if constexpr (kPrefixed) {
            return false;  // not reached: dispatch_prefixed has looked the opcode up in the table
        } else {
            return dispatch_prefixed(static_cast<std::uint8_t>(op));
        }
    }
#undef POLLUX_CASE
#undef POLLUX_CASE_numeric
#undef POLLUX_CASE_lane
#undef POLLUX_CASE_load
#undef POLLUX_CASE_store
#undef POLLUX_CASE_load_lane
#undef POLLUX_CASE_store_lane
#undef POLLUX_CASE_atomic
#undef POLLUX_CASE_gc
#undef POLLUX_CASE_table
#undef POLLUX_CASE_memory
#undef POLLUX_CASE_control
#undef POLLUX_CASE_parametric
#undef POLLUX_CASE_variable
#undef POLLUX_CASE_constant
#undef POLLUX_CASE_reference
#undef POLLUX_CASE_cast
#undef POLLUX_CASE_refused

    template <Opcode op>
    [[nodiscard]] bool enabled() {
        if constexpr (feature(op) == Feature::mvp) return true;
        return require(feature(op));
    }

    // --- constants, numeric, SIMD ------------------------------------------------------------------------------------

    template <Opcode op>
    [[nodiscard]] bool numeric() {
        if (!apply<signature(op)>()) return false;
        if (live_) sink_.template numeric<op>();
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool simd_lane() {
        std::uint8_t lane = 0;
        if (!read_lane(lane_count(op), lane) || !apply<signature(op)>()) return false;
        if (live_) sink_.template simd_lane<op>(lane);
        return true;
    }
    [[nodiscard, gnu::always_inline]] bool i32_const() {
        std::int32_t value = 0;
        const LebStatus status = read_leb_of_any_length(position_.next, position_.end, value);
        if (status != LebStatus::ok) return fail_leb(status);
        if constexpr (requires { sink_.alu_constant(Opcode::I32Add, 0); }) {
            if (consume_constant(value)) return true;
        }
        push(Kind::i32);
        if (live_) sink_.i32_const(value);
        return true;
    }
    /// An instruction behind an i32.const whose right operand that is, and perhaps a local.set or local.tee of its result.
    [[nodiscard, gnu::always_inline]] bool consume_constant(std::int32_t value) {
        const std::uint8_t* const at = position_.next;
        if (position_.end - at < 2 || !takes_constant(static_cast<Opcode>(*at)) || !live_ || sp_ == floor_ ||
            sp_[-1] != ValType(Kind::i32)) {
            return false;
        }
        const std::uint8_t* const constant = position_.opcode;
        position_.opcode = at;
        position_.next = at + 1;
        const auto op = static_cast<Opcode>(*at);
        if (op == Opcode::I32Store) {
            std::uint32_t offset = 0;
            if (read_usual_mem_arg(natural_align_log2(op), offset)) [[likely]] {
                --sp_;
                sink_.store_constant(offset, value);
                return true;
            }
            position_.opcode = constant;
            position_.next = at;
            return false;
        }
        const auto to_local = [&](std::uint32_t local, bool tee) { return sink_.alu_constant_to_local(op, value, local, tee); };
        if (!compute_to_local(Kind::i32, to_local)) sink_.alu_constant(op, value);
        return true;
    }
    [[nodiscard]] static constexpr bool takes_constant(Opcode op) noexcept {
        using enum Opcode;
        return op == I32Add || op == I32Sub || op == I32And || op == I32Or || op == I32Xor || op == I32Store;
    }
    /// Whether a local.set or local.tee comes next, of a plain local of this kind.
    [[nodiscard]] bool sets_local_next(Kind kind) const noexcept {
        const std::uint8_t* const at = position_.next;
        return position_.end - at > 1 && (*at == static_cast<std::uint8_t>(Opcode::LocalSet) || tees_next()) && at[1] < plain_locals_ &&
               locals_[at[1]] == ValType(kind);
    }
    [[nodiscard]] bool tees_next() const noexcept { return *position_.next == static_cast<std::uint8_t>(Opcode::LocalTee); }
    /// If a local.set or local.tee of a plain local of this kind comes next: has the sink compute what it sets right there, and goes over
    /// it if the sink could. False, and nothing done, if something else comes.
    template <class ToLocal>
    [[nodiscard, gnu::always_inline]] bool compute_to_local(Kind kind, const ToLocal& to_local) {
        if (!sets_local_next(kind)) return false;
        const std::uint8_t* const set = position_.next;
        if (to_local(std::uint32_t{set[1]}, tees_next())) {
            if (*set == static_cast<std::uint8_t>(Opcode::LocalSet)) --sp_;
            if (position_.next == set) position_.next = set + 2;  // else the sink has ended the pass
        }
        return true;
    }
    [[nodiscard]] bool i64_const() {
        std::int64_t value = 0;
        if (!read_signed(value)) return false;
        push(Kind::i64);
        if (live_) sink_.i64_const(value);
        return true;
    }
    [[nodiscard]] bool f32_const() {
        std::uint32_t bits = 0;
        if (!read_fixed(bits)) return false;
        push(Kind::f32);
        if (live_) sink_.f32_const(bits);
        return true;
    }
    [[nodiscard]] bool f64_const() {
        std::uint64_t bits = 0;
        if (!read_fixed(bits)) return false;
        push(Kind::f64);
        if (live_) sink_.f64_const(bits);
        return true;
    }
    [[nodiscard]] bool v128_const() {
        V128 value;
        if (!read_fixed(value)) return false;
        push(Kind::v128);
        if (live_) sink_.v128_const(value);
        return true;
    }
    [[nodiscard]] bool i8x16_shuffle() {
        V128 lanes;
        if (!read_fixed(lanes)) return false;
        constexpr std::uint64_t kTooHigh = 0xE0E0E0E0E0E0E0E0;
        if (((lanes.low | lanes.high) & kTooHigh) != 0) return fail(ErrorKind::invalid, "invalid lane index: a shuffle has lanes 0 to 31");
        if (!apply<signature(Opcode::I8x16Shuffle)>()) return false;
        if (live_) sink_.i8x16_shuffle(lanes);
        return true;
    }

    // --- memory ------------------------------------------------------------------------------------------------------

    template <Opcode op>
    [[nodiscard]] bool access(MemArg& arg) {
        ValType address;
        return read_mem_arg(natural_align_log2(op), group(op) == Group::atomic, arg, address) && apply_at<signature(op)>(address);
    }
    template <Opcode op>
    [[nodiscard, gnu::always_inline]] bool load() {
        std::uint32_t offset = 0;
        if (sp_ > floor_ && sp_[-1] == ValType(Kind::i32) && read_usual_mem_arg(natural_align_log2(op), offset)) [[likely]] {
            constexpr Kind kResult = signature(op).result_kinds[0];
            sp_[-1] = kResult;
            if (live_) {
                if constexpr (requires { sink_.template load_to_local<op>(offset, 0U, false); }) {
                    const auto to_local = [&](std::uint32_t local, bool tee) {
                        return sink_.template load_to_local<op>(offset, local, tee);
                    };
                    if (compute_to_local(kResult, to_local)) return true;
                }
                if constexpr (requires { sink_.template usual_load<op>(offset); }) {
                    sink_.template usual_load<op>(offset);
                } else {
                    sink_.template load<op>({.offset = offset});
                }
            }
            return true;
        }
        return any_load<op>();
    }
    template <Opcode op>
    [[gnu::noinline]] bool any_load() {
        MemArg arg;
        if (!access<op>(arg)) return false;
        if (live_) sink_.template load<op>(arg);
        return true;
    }
    template <Opcode op>
    [[nodiscard, gnu::always_inline]] bool store() {
        std::uint32_t offset = 0;
        if (operands() >= 2 && sp_[-1] == ValType(signature(op).param_kinds[1]) && sp_[-2] == ValType(Kind::i32) &&
            read_usual_mem_arg(natural_align_log2(op), offset)) [[likely]] {
            sp_ -= 2;
            if (live_) {
                if constexpr (requires { sink_.template usual_store<op>(offset); }) {
                    sink_.template usual_store<op>(offset);
                } else {
                    sink_.template store<op>({.offset = offset});
                }
            }
            return true;
        }
        return any_store<op>();
    }
    template <Opcode op>
    [[gnu::noinline]] bool any_store() {
        MemArg arg;
        if (!access<op>(arg)) return false;
        if (live_) sink_.template store<op>(arg);
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool lane_access() {
        MemArg arg;
        ValType address;
        std::uint8_t lane = 0;
        if (!read_mem_arg(natural_align_log2(op), false, arg, address) || !read_lane(lane_count(op), lane)) return false;
        if (!apply_at<signature(op)>(address)) return false;
        if (live_) {
            if constexpr (group(op) == Group::load_lane) {
                sink_.template load_lane<op>(arg, lane);
            } else {
                sink_.template store_lane<op>(arg, lane);
            }
        }
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool atomic() {
        MemArg arg;
        if (!access<op>(arg)) return false;
        if (live_) sink_.template atomic<op>(arg);
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool memory() {
        if constexpr (op == Opcode::AtomicFence) {
            std::uint8_t zero = 0;
            if (!read_byte(zero)) return false;
            if (zero != 0) return fail(ErrorKind::malformed, "zero byte expected");
            if (live_) sink_.atomic_fence();
            return true;
        }
        TwoIndices at;
        if (!check_memory_op(op, at)) return false;
        if (!live_) return true;
        if constexpr (op == Opcode::MemorySize) sink_.memory_size(at.first);
        if constexpr (op == Opcode::MemoryGrow) sink_.memory_grow(at.first);
        if constexpr (op == Opcode::MemoryInit) sink_.memory_init(at.first, at.second);
        if constexpr (op == Opcode::DataDrop) sink_.data_drop(at.first);
        if constexpr (op == Opcode::MemoryCopy) sink_.memory_copy(at.first, at.second);
        if constexpr (op == Opcode::MemoryFill) sink_.memory_fill(at.first);
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool table() {
        TwoIndices at;
        if (!check_table_op(op, at)) return false;
        if (!live_) return true;
        if constexpr (op == Opcode::TableGet) sink_.table_get(at.first);
        if constexpr (op == Opcode::TableSet) sink_.table_set(at.first);
        if constexpr (op == Opcode::TableSize) sink_.table_size(at.first);
        if constexpr (op == Opcode::TableGrow) sink_.table_grow(at.first);
        if constexpr (op == Opcode::TableFill) sink_.table_fill(at.first);
        if constexpr (op == Opcode::TableCopy) sink_.table_copy(at.first, at.second);
        if constexpr (op == Opcode::TableInit) sink_.table_init(at.first, at.second);
        if constexpr (op == Opcode::ElemDrop) sink_.elem_drop(at.first);
        return true;
    }

    // --- variables, parametric ---------------------------------------------------------------------------------------

    [[nodiscard, gnu::always_inline]] bool local_get() {
        const std::uint8_t* const at = position_.next;
        if (at == position_.end || *at >= plain_locals_) [[unlikely]]
            return any_local_get();
        if constexpr (requires { sink_.load_at_local(0U, 0U); }) {
            constexpr auto kLoad = static_cast<std::uint8_t>(Opcode::I32Load);  // the most frequent pair
            if (position_.end - at > 5 && at[1] == kLoad) return load_at_local();
        }
        return plain_local_get();
    }
    [[nodiscard, gnu::always_inline]] bool plain_local_get() {
        const std::uint32_t local = *position_.next++;
        push(locals_[local]);
        if (live_) sink_.local_get(local);
        return true;
    }
    /// A local.get and the i32.load behind it, in its usual form.
    [[nodiscard, gnu::always_inline]] bool load_at_local() {
        const std::uint8_t* const at = position_.next;
        const std::uint32_t local = *at;
        if (!live_ || locals_[local] != ValType(Kind::i32)) return plain_local_get();
        std::uint32_t offset = 0;
        position_.next = at + 2;
        if (!read_usual_mem_arg(natural_align_log2(Opcode::I32Load), offset)) [[unlikely]] {
            position_.next = at;
            return plain_local_get();
        }
        position_.opcode = at + 1;
        push(Kind::i32);
        const auto to_local = [&](std::uint32_t to, bool tee) { return sink_.load_at_local_to_local(local, offset, to, tee); };
        if (!compute_to_local(Kind::i32, to_local)) sink_.load_at_local(local, offset);
        return true;
    }
    [[gnu::noinline]] bool any_local_get() {
        std::uint32_t local = 0;
        ValType type;
        if (!read_local(local, type) || (tracks_init_ && !check_initialised(local))) return false;
        push(type);
        if (live_) sink_.local_get(local);
        return true;
    }
    [[nodiscard]] bool local_set() {
        std::uint32_t local = 0;
        ValType type;
        if (!read_local(local, type) || !pop(type)) return false;
        if (tracks_init_) initialise(local);
        if (live_) sink_.local_set(local);
        return true;
    }
    [[nodiscard]] bool local_tee() {
        std::uint32_t local = 0;
        ValType type;
        if (!read_local(local, type) || !pop(type)) return false;
        push(type);
        if (tracks_init_) initialise(local);
        if (live_) sink_.local_tee(local);
        return true;
    }
    [[nodiscard]] bool global_get() {
        std::uint32_t global = 0;
        GlobalType type;
        if (!read_global(global, type)) return false;
        push(type.type);
        if (live_) sink_.global_get(global);
        return true;
    }
    [[nodiscard]] bool global_set() {
        std::uint32_t global = 0;
        GlobalType type;
        if (!read_global(global, type)) return false;
        if (!type.is_mutable) return fail(ErrorKind::invalid, "immutable global " + std::to_string(global));
        if (!pop(type.type)) return false;
        if (live_) sink_.global_set(global);
        return true;
    }
    [[nodiscard]] bool drop() {
        ValType type;
        if (!pop_any(type)) return false;
        if (live_) sink_.drop();
        return true;
    }
    template <bool kTyped>
    [[nodiscard]] bool select() {
        Kind kind = Kind::i32;
        if (!check_select(kTyped, kind)) return false;
        if (live_) sink_.select(kind);
        return true;
    }

    // --- control -----------------------------------------------------------------------------------------------------

    [[nodiscard]] bool nop() {
        if (live_) sink_.nop();
        return true;
    }
    [[nodiscard]] bool unreachable() {
        if (live_) sink_.unreachable();
        set_unreachable();
        return true;
    }
    [[nodiscard, gnu::always_inline]] bool block() {
        BlockType type;
        if (!read_block_type(type) || !pop_all(type.params) || !push_frame(FrameKind::block, type)) return false;
        if (live_) sink_.block(type);
        return true;
    }
    [[nodiscard]] bool loop() {
        BlockType type;
        if (!read_block_type(type) || !pop_all(type.params) || !push_frame(FrameKind::loop, type)) return false;
        if (live_) sink_.loop(type);
        return true;
    }
    [[nodiscard, gnu::always_inline]] bool if_() {
        BlockType type;
        if (!read_block_type(type) || !pop(Kind::i32) || !pop_all(type.params) || !push_frame(FrameKind::if_, type)) return false;
        if (live_) {
            give_hint();
            sink_.if_(type);
        }
        return true;
    }
    [[nodiscard]] bool else_() {
        if (top().kind != FrameKind::if_) return fail(ErrorKind::malformed, "else without an if");
        if (!check_results()) return false;
        if (top().seen) sink_.else_(live_);
        return restart_frame(FrameKind::else_, top().type.params);
    }
    [[nodiscard, gnu::always_inline]] bool end() {
        if (!check_results()) return false;
        if (top().kind == FrameKind::if_ && !check_if_without_else()) return false;
        if (top().seen) sink_.end(live_);
        return leave_frame();
    }
    /// Once the function's own frame is left, the body must be over.
    [[nodiscard]] bool leave_frame() {
        if (!pop_frame()) return false;
        return has_frames() || position_.next == position_.end || fail(ErrorKind::malformed, "unexpected bytes after the function's `end`");
    }
    [[nodiscard, gnu::always_inline]] bool br() {
        std::uint32_t depth = 0;
        if (!read_label(depth) || !check_branch(depth)) return false;
        if (live_) sink_.br(depth);
        set_unreachable();
        return true;
    }
    [[nodiscard, gnu::always_inline]] bool br_if() {
        std::uint32_t depth = 0;
        if (!read_label(depth) || !pop(Kind::i32) || !convert_top(label(depth).label_types())) return false;
        if (live_) {
            give_hint();
            sink_.br_if(depth);
        }
        return true;
    }
    [[nodiscard]] bool br_table() {
        std::uint32_t default_depth = 0;
        if (!check_br_table(default_depth)) return false;
        if (live_) sink_.br_table(br_table_depths(), default_depth);
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool return_() {
        if (!check_top(type_->results)) return false;
        if (live_) sink_.return_();
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool br_on_null() {
        std::uint32_t depth = 0;
        if (!check_br_on_null(depth)) return false;
        if (live_) sink_.br_on_null(depth);
        return true;
    }
    [[nodiscard]] bool br_on_non_null() {
        std::uint32_t depth = 0;
        if (!check_br_on_non_null(depth)) return false;
        if (live_) sink_.br_on_non_null(depth);
        return true;
    }
    /// Passes on a branch hint for this instruction, if there is one.
    void give_hint() {
        if (hint_ == hint_end_) [[likely]]
            return;
        const auto here = static_cast<std::uint32_t>(position_.opcode - body_);
        while (hint_ != hint_end_ && hint_->offset < here) ++hint_;
        if (hint_ != hint_end_ && hint_->offset == here) sink_.branch_hint(hint_->likely);
    }

    // --- calls -------------------------------------------------------------------------------------------------------

    [[nodiscard, gnu::always_inline]] bool call() {
        std::uint32_t function = 0;
        if (!read_function(function)) return false;
        const FuncType& type = func_type(module_.functions[function].type);
        if (!check_call(type)) return false;
        if (live_) sink_.call(function, type);
        return true;
    }
    [[nodiscard]] bool call_indirect() {
        TypeId type = kNoType;
        std::uint32_t table_index = 0;
        if (!check_call_indirect(type, table_index) || !check_call(func_type(type))) return false;
        if (live_) sink_.call_indirect(type, table_index);
        return true;
    }
    [[nodiscard]] bool call_ref() {
        TypeId type = kNoType;
        if (!check_callee_reference(type) || !check_call(func_type(type))) return false;
        if (live_) sink_.call_ref(type);
        return true;
    }
    [[nodiscard]] bool return_call() {
        std::uint32_t function = 0;
        if (!read_function(function)) return false;
        const FuncType& type = func_type(module_.functions[function].type);
        if (!check_tail_call(type)) return false;
        if (live_) sink_.return_call(function, type);
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool return_call_indirect() {
        TypeId type = kNoType;
        std::uint32_t table_index = 0;
        if (!check_call_indirect(type, table_index) || !check_tail_call(func_type(type))) return false;
        if (live_) sink_.return_call_indirect(type, table_index);
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool return_call_ref() {
        TypeId type = kNoType;
        if (!check_callee_reference(type) || !check_tail_call(func_type(type))) return false;
        if (live_) sink_.return_call_ref(type);
        set_unreachable();
        return true;
    }

    // --- exceptions --------------------------------------------------------------------------------------------------

    [[nodiscard]] bool try_table() {
        BlockType type;
        if (!read_block_type(type) || !check_try_table() || !pop_all(type.params) || !push_frame(FrameKind::try_table, type)) return false;
        if (live_) sink_.try_table(type, catches());
        return true;
    }
    [[nodiscard]] bool throw_() {
        std::uint32_t tag = 0;
        if (!check_throw(tag)) return false;
        if (live_) sink_.throw_(tag);
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool throw_ref() {
        if (!pop(ValType::ref(Heap::exn, true))) return false;
        if (live_) sink_.throw_ref();
        set_unreachable();
        return true;
    }
    [[nodiscard]] bool try_() {
        BlockType type;
        if (!read_block_type(type) || !pop_all(type.params) || !push_frame(FrameKind::try_, type)) return false;
        if (live_) sink_.try_(type);
        return true;
    }
    [[nodiscard]] bool catch_() {
        std::uint32_t tag = 0;
        if (!read_u32(tag)) return false;
        if (tag >= module_.tags.size()) return fail_index("tag", tag, module_.tags.size());
        if (top().kind != FrameKind::try_ && top().kind != FrameKind::catch_) return fail(ErrorKind::malformed, "catch without a try");
        if (!check_results()) return false;
        if (top().seen) sink_.catch_(tag, live_);
        return restart_frame(FrameKind::catch_, func_type(module_.tags[tag].type).params);
    }
    [[nodiscard]] bool catch_all() {
        if (top().kind != FrameKind::try_ && top().kind != FrameKind::catch_) return fail(ErrorKind::malformed, "catch_all without a try");
        if (!check_results()) return false;
        if (top().seen) sink_.catch_all(live_);
        return restart_frame(FrameKind::catch_all, {});
    }
    [[nodiscard]] bool delegate() {
        std::uint32_t depth = 0;
        if (top().kind != FrameKind::try_) return fail(ErrorKind::malformed, "delegate without a try");
        if (!read_u32(depth)) return false;
        if (depth + std::uint64_t{1} >= frame_count()) return fail_index("label", depth, frame_count() - 1);
        if (!check_results()) return false;
        if (top().seen) sink_.delegate(depth, live_);
        return leave_frame();
    }
    [[nodiscard]] bool rethrow() {
        std::uint32_t depth = 0;
        if (!read_label(depth)) return false;
        const FrameKind kind = label(depth).kind;
        if (kind != FrameKind::catch_ && kind != FrameKind::catch_all) {
            return fail(ErrorKind::invalid, "invalid rethrow label: not of a catch");
        }
        if (live_) sink_.rethrow(depth);
        set_unreachable();
        return true;
    }

    // --- references, GC ----------------------------------------------------------------------------------------------

    [[nodiscard]] bool ref_null() {
        ValType type;
        if (!read_heap_type(true, type)) return false;
        push(type);
        if (live_) sink_.ref_null(type);
        return true;
    }
    [[nodiscard]] bool ref_is_null() {
        ValType type;
        if (!pop_reference(type)) return false;
        push(Kind::i32);
        if (live_) sink_.ref_is_null();
        return true;
    }
    [[nodiscard]] bool ref_func() {
        std::uint32_t function = 0;
        if (!check_ref_func(function)) return false;
        if (live_) sink_.ref_func(function);
        return true;
    }
    [[nodiscard]] bool ref_eq() {
        constexpr ValType kEqRef = ValType::ref(Heap::eq, true);
        if (!pop(kEqRef) || !pop(kEqRef)) return false;
        push(Kind::i32);
        if (live_) sink_.ref_eq();
        return true;
    }
    [[nodiscard]] bool ref_as_non_null() {
        ValType type;
        if (!pop_reference(type)) return false;
        push(type.is_bottom() ? type : type.with_null(false));
        if (live_) sink_.ref_as_non_null();
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool gc() {
        GcImmediates immediates;
        if (!check_gc(op, immediates)) return false;
        if (live_) sink_.template gc<op>(immediates.type, immediates.operand, immediates.source);
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool ref_test_or_cast() {
        ValType source;
        ValType target;
        if (!check_ref_test_or_cast(op, source, target)) return false;
        if (live_) sink_.template ref_test_or_cast<op>(source, target);
        return true;
    }
    template <Opcode op>
    [[nodiscard]] bool br_on_cast() {
        std::uint32_t depth = 0;
        ValType source;
        ValType target;
        if (!check_br_on_cast(op, depth, source, target)) return false;
        if (live_) sink_.template br_on_cast<op>(depth, source, target);
        return true;
    }

    Sink& sink_;
};

}  // namespace pollux::wasm
