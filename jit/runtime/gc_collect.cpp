// Collection: what is reachable is marked, iteratively; the rest is free.
//
// Roots are the stacks of all fibers of the store, word by word (the running one from here on, others from where they were left: a switch
// or preemption saves registers on the stack), tables, globals, element segments, the exception in flight, and what the host holds. Of an
// object, exactly its references are followed.
#include <algorithm>
#include <bit>
#include <chrono>

#include "jit/runtime/fiber.h"
#include "jit/runtime/gc_heap.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/store.h"
#include "jit/wasm/object_type.h"

namespace pollux {

class Marker {
public:
    explicit Marker(GcHeap& heap) noexcept : heap_(heap), stack_(heap.mark_stack_) {}

    void mark(std::uint64_t word) {
        GcHeap::Place place;
        if (!heap_.place_of(word, place)) return;
        std::uint64_t& bits = heap_.bits_[place.block].marked[place.cell / 64];
        const std::uint64_t bit = std::uint64_t{1} << place.cell % 64;
        if ((bits & bit) != 0) return;
        bits |= bit;
        const auto* object = reinterpret_cast<const Object*>(heap_.address(place));
        // Without a type it is taken, but not filled in yet.
        if (object->type != nullptr && object->type->has_references) stack_.push_back(reinterpret_cast<std::uint64_t>(object));
    }

    POLLUX_NO_SANITIZE void mark_stack(std::uint64_t low, std::uint64_t high) {
        for (std::uint64_t at = low & ~std::uint64_t{7}; at < high; at += 8) mark(*reinterpret_cast<const std::uint64_t*>(at));
    }

    void drain() {
        while (!stack_.empty()) {
            const std::uint64_t at = stack_.back();
            stack_.pop_back();
            follow(at);
        }
    }

private:
    void follow(std::uint64_t at) {
        const wasm::ObjectType& type = *reinterpret_cast<const Object*>(at)->type;
        if (type.form == wasm::ObjectType::Form::array) {
            const std::uint32_t length = reinterpret_cast<const ArrayObject*>(at)->length;
            const auto* element = reinterpret_cast<const std::uint64_t*>(at + wasm::ObjectType::kArrayElements);
            for (std::uint32_t i = 0; i < length; ++i) mark(element[i]);
            return;
        }
        follow_words(at, type.references);
        if (type.more_references == nullptr) return;
        for (std::uint32_t word = 64; word < type.words(); word += 64) follow_words(at + word * 8, type.more_references[word / 64 - 1]);
    }

    void follow_words(std::uint64_t at, std::uint64_t references) {
        for (; references != 0; references &= references - 1) {
            mark(reinterpret_cast<const std::uint64_t*>(at)[std::countr_zero(references)]);
        }
    }

    GcHeap& heap_;
    std::vector<std::uint64_t>& stack_;
};

namespace {

void mark_tables_and_globals(Store& store, Marker& marker) {
    const auto mark = [&](std::uint64_t reference) { marker.mark(reference); };
    for (const std::unique_ptr<Instance>& instance : store.instances()) instance->visit_references(mark);
    for (const std::unique_ptr<Table>& table : store.tables()) {
        if (wasm::is_collected(table->type().element)) std::ranges::for_each(table->span(), mark);
    }
    for (const GlobalCell& global : store.host_globals()) mark(global.bits[0]);
    mark(reinterpret_cast<std::uint64_t>(store.exception));
    mark(reinterpret_cast<std::uint64_t>(store.uncaught()));
}

/// Not inlined: its frame lies below that of the caller, which has put the registers that calls preserve on the stack.
[[gnu::noinline]] POLLUX_NO_SANITIZE void mark_stacks(Store& store, Marker& marker) {
    const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
    for (const Fiber* fiber : store.fibers()) {
        if (!fiber->started() || fiber->done()) continue;
        const std::uint64_t high = fiber->stack().address() + fiber->stack().size();
        marker.mark_stack(fiber == Fiber::current() ? here : fiber->stack_pointer(), high);
    }
}

}  // namespace

void GcHeap::collect() {
    if (paused_ != 0 || capacity_ == 0) return;
    const auto begin = std::chrono::steady_clock::now();
    clear_marks();
    for (Fiber* fiber : store_.fibers()) std::ranges::for_each(fiber->windows().by_size, [this](const auto& w) { mark_window(w); });
    Marker marker(*this);
    __builtin_unwind_init();
    mark_stacks(store_, marker);
    mark_tables_and_globals(store_, marker);
    std::ranges::for_each(roots_, [&](std::uint64_t root) { marker.mark(root); });
    marker.drain();
    sweep();
    const auto pause = static_cast<std::uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count());
    ++statistics_.collections;
    statistics_.total_pause += pause;
    statistics_.longest_pause = std::max(statistics_.longest_pause, pause);
}

}  // namespace pollux
