// The operations of helpers.def that are too large for generated code: bulk memory and table operations, growth, references, waiting.
//
// All run on the guest's stack, called through stubs. Arguments come from the guest: every range is checked in 64-bit arithmetic before
// anything is written (a trapping bulk operation writes nothing). Long copies go in slices, with a look at the interrupt flag between them.
#include "jit/runtime/helpers.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "jit/abi/layout.h"
#include "jit/abi/trap_code.h"
#include "jit/runtime/exceptions.h"
#include "jit/runtime/gc_helpers.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/sanitizer_fiber.h"
#include "jit/runtime/store.h"
#include "jit/runtime/wait.h"
#include "jit/wasm/type_registry.h"

namespace pollux {
namespace {

constexpr std::uint64_t kSliceBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kFailed = ~std::uint64_t{0};

/// A TrapCode as generated code tests it.
using Status = std::uint64_t;
constexpr Status status(TrapCode code) noexcept { return static_cast<Status>(code); }

/// Between slices: whether the guest must end.
Status check_interrupt(Store& store) noexcept {
    if (store.interrupt_pending.load(std::memory_order_relaxed) == 0) [[likely]]
        return 0;
    return status(store.act_on_interrupt());
}

/// Calls slice(offset, bytes) for [0, count) in pieces, from the end if `backwards`.
template <class F>
Status in_slices(Store& store, std::uint64_t count, bool backwards, F slice) noexcept {
    for (std::uint64_t done = 0; done < count;) {
        const std::uint64_t bytes = std::min(kSliceBytes, count - done);
        slice(backwards ? count - done - bytes : done, bytes);
        done += bytes;
        if (done == count) break;
        if (const Status interrupted = check_interrupt(store)) return interrupted;
    }
    return 0;
}

std::uint64_t failed_grow(wasm::Kind address_kind) noexcept { return address_kind == wasm::Kind::i32 ? 0xffff'ffff : kFailed; }

/// The result of a wait or notify: low half, TrapCode in the high half.
constexpr std::uint64_t halves(std::uint32_t value, TrapCode code) noexcept { return static_cast<std::uint64_t>(code) << 32 | value; }

/// Why `bytes` bytes at index + offset cannot be waited for.
TrapCode check_wait_address(const Memory& memory, std::uint64_t index, std::uint64_t offset, std::uint32_t bytes) noexcept {
    const std::uint64_t address = index + offset;
    if (address % bytes != 0) return TrapCode::unaligned_atomic;
    return address >= index && in_bounds(address, bytes, memory.bytes().size()) ? TrapCode::none : TrapCode::memory_out_of_bounds;
}

std::uint64_t atomic_wait(InstanceHeader* header, std::uint64_t index, std::uint64_t expected, std::uint64_t timeout, std::uint64_t offset,
                          std::uint64_t memory_index, std::uint32_t bytes) {
    Instance& instance = Instance::of(header);
    const Memory& memory = instance.memory(static_cast<std::uint32_t>(memory_index));
    if (const TrapCode bad = check_wait_address(memory, index, offset, bytes); bad != TrapCode::none) return halves(0, bad);
    if (!memory.type().limits.shared) return halves(0, TrapCode::expected_shared_memory);
    const std::uint64_t address = index + offset;
    auto result = wait_at(instance.store(), memory.base + address, bytes, expected, static_cast<std::int64_t>(timeout));
    return result ? halves(static_cast<std::uint32_t>(*result), TrapCode::none) : halves(0, result.error());
}

}  // namespace

extern "C" {

std::uint64_t pollux_helper_memory_grow(InstanceHeader* header, std::uint64_t delta, std::uint64_t memory_index) {
    Memory& memory = Instance::of(header).memory(static_cast<std::uint32_t>(memory_index));
    const std::uint64_t old = memory.grow(delta);
    return old != kFailed ? old : failed_grow(memory.type().address_kind());
}

Status pollux_helper_memory_init(InstanceHeader* header, std::uint64_t to, std::uint64_t from, std::uint64_t count, std::uint64_t segment,
                                 std::uint64_t memory_index) {
    Instance& instance = Instance::of(header);
    const std::span<std::uint8_t> memory = instance.memory(static_cast<std::uint32_t>(memory_index)).bytes();
    const std::span<const std::uint8_t> data = instance.data_segment(static_cast<std::uint32_t>(segment));
    if (!in_bounds(from, count, data.size()) || !in_bounds(to, count, memory.size())) return status(TrapCode::memory_out_of_bounds);
    const Status interrupted = in_slices(instance.store(), count, false, [&](std::uint64_t at, std::uint64_t bytes) {
        std::memcpy(memory.data() + to + at, data.data() + from + at, bytes);
    });
    return instance.compiled().file_changed() ? status(TrapCode::file_changed) : interrupted;
}

Status pollux_helper_memory_copy(InstanceHeader* header, std::uint64_t to, std::uint64_t from, std::uint64_t count, std::uint64_t to_memory,
                                 std::uint64_t from_memory) {
    Instance& instance = Instance::of(header);
    const std::span<std::uint8_t> target = instance.memory(static_cast<std::uint32_t>(to_memory)).bytes();
    const std::span<const std::uint8_t> source = instance.memory(static_cast<std::uint32_t>(from_memory)).bytes();
    if (!in_bounds(from, count, source.size()) || !in_bounds(to, count, target.size())) return status(TrapCode::memory_out_of_bounds);
    return in_slices(instance.store(), count, to > from, [&](std::uint64_t at, std::uint64_t bytes) {
        std::memmove(target.data() + to + at, source.data() + from + at, bytes);
    });
}

Status pollux_helper_memory_fill(InstanceHeader* header, std::uint64_t to, std::uint64_t value, std::uint64_t count,
                                 std::uint64_t memory_index) {
    Instance& instance = Instance::of(header);
    const std::span<std::uint8_t> memory = instance.memory(static_cast<std::uint32_t>(memory_index)).bytes();
    if (!in_bounds(to, count, memory.size())) return status(TrapCode::memory_out_of_bounds);
    return in_slices(instance.store(), count, false, [&](std::uint64_t at, std::uint64_t bytes) {
        std::memset(memory.data() + to + at, static_cast<int>(value & 0xff), bytes);
    });
}

void pollux_helper_data_drop(InstanceHeader* header, std::uint64_t segment) {
    Instance::of(header).drop_data(static_cast<std::uint32_t>(segment));
}

std::uint64_t pollux_helper_table_grow(InstanceHeader* header, std::uint64_t value, std::uint64_t delta, std::uint64_t table_index) {
    Table& table = Instance::of(header).table(static_cast<std::uint32_t>(table_index));
    const std::uint64_t old = table.grow(delta, value);
    return old != kFailed ? old : failed_grow(table.type().address_kind());
}

Status pollux_helper_table_init(InstanceHeader* header, std::uint64_t to, std::uint64_t from, std::uint64_t count, std::uint64_t segment,
                                std::uint64_t table_index) {
    Instance& instance = Instance::of(header);
    const std::span<std::uint64_t> table = instance.table(static_cast<std::uint32_t>(table_index)).span();
    const auto index = static_cast<std::uint32_t>(segment);
    if (!in_bounds(from, count, instance.element_count(index)) || !in_bounds(to, count, table.size()))
        return status(TrapCode::table_out_of_bounds);
    for (std::uint64_t i = 0; i < count; ++i) table[to + i] = instance.element(index, from + i);
    return 0;
}

Status pollux_helper_table_copy(InstanceHeader* header, std::uint64_t to, std::uint64_t from, std::uint64_t count, std::uint64_t to_table,
                                std::uint64_t from_table) {
    Instance& instance = Instance::of(header);
    const std::span<std::uint64_t> target = instance.table(static_cast<std::uint32_t>(to_table)).span();
    const std::span<const std::uint64_t> source = instance.table(static_cast<std::uint32_t>(from_table)).span();
    if (!in_bounds(from, count, source.size()) || !in_bounds(to, count, target.size())) return status(TrapCode::table_out_of_bounds);
    if (count != 0) std::memmove(target.data() + to, source.data() + from, count * sizeof(std::uint64_t));
    return 0;
}

Status pollux_helper_table_fill(InstanceHeader* header, std::uint64_t to, std::uint64_t value, std::uint64_t count,
                                std::uint64_t table_index) {
    const std::span<std::uint64_t> table = Instance::of(header).table(static_cast<std::uint32_t>(table_index)).span();
    if (!in_bounds(to, count, table.size())) return status(TrapCode::table_out_of_bounds);
    std::ranges::fill(table.subspan(to, count), value);
    return 0;
}

void pollux_helper_elem_drop(InstanceHeader* header, std::uint64_t segment) {
    Instance::of(header).drop_elements(static_cast<std::uint32_t>(segment));
}

std::uint64_t pollux_helper_ref_func(InstanceHeader* header, std::uint64_t function) {
    return reinterpret_cast<std::uint64_t>(Instance::of(header).func_ref(static_cast<std::uint32_t>(function)));
}

std::uint64_t pollux_helper_type_matches(InstanceHeader* /*header*/, std::uint64_t actual, std::uint64_t expected) {
    return wasm::is_subtype(static_cast<wasm::TypeId>(actual), static_cast<wasm::TypeId>(expected)) ? 1 : 0;
}

std::uint64_t pollux_helper_atomic_notify(InstanceHeader* header, std::uint64_t index, std::uint64_t count, std::uint64_t offset,
                                          std::uint64_t memory_index) {
    const Memory& memory = Instance::of(header).memory(static_cast<std::uint32_t>(memory_index));
    if (const TrapCode bad = check_wait_address(memory, index, offset, 4); bad != TrapCode::none) return halves(0, bad);
    if (!memory.type().limits.shared) return 0;  // nobody can wait there
    return halves(notify_at(memory.base + index + offset, static_cast<std::uint32_t>(count)), TrapCode::none);
}

std::uint64_t pollux_helper_atomic_wait32(InstanceHeader* header, std::uint64_t index, std::uint64_t expected, std::uint64_t timeout,
                                          std::uint64_t offset, std::uint64_t memory_index) {
    return atomic_wait(header, index, expected, timeout, offset, memory_index, 4);
}

std::uint64_t pollux_helper_atomic_wait64(InstanceHeader* header, std::uint64_t index, std::uint64_t expected, std::uint64_t timeout,
                                          std::uint64_t offset, std::uint64_t memory_index) {
    return atomic_wait(header, index, expected, timeout, offset, memory_index, 8);
}

std::uint64_t pollux_helper_exception_new(InstanceHeader* header, std::uint64_t tag) {
    Instance& instance = Instance::of(header);
    return reinterpret_cast<std::uint64_t>(new_exception(instance.store(), *instance.tag(static_cast<std::uint32_t>(tag))));
}

std::uint64_t pollux_helper_exception_throw(InstanceHeader* header, std::uint64_t exception) {
    return find_landing_pad(Instance::of(header).store(), reinterpret_cast<ExceptionObject*>(exception));
}

}  // extern "C"

#if defined(POLLUX_TSAN)
/// A guest's threads order their accesses to its memory with instructions that ThreadSanitizer does not see.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier): its name
    return "race:pollux_helper_memory_\n";
}
#endif

std::array<const void*, kHelperCount> helper_functions() noexcept {
    return {
#define HELPER(name, result, ...) reinterpret_cast<const void*>(&pollux_helper_##name),
#include "jit/abi/helpers.def"
#undef HELPER
    };
}

}  // namespace pollux
