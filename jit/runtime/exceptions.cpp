#include "jit/runtime/exceptions.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "jit/runtime/code_map.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/store.h"
#include "jit/wasm/type_registry.h"

namespace pollux {

void ExceptionHeap::Free::operator()(ExceptionObject* object) const noexcept { std::free(object); }

ExceptionObject* ExceptionHeap::allocate(Store& store, const Tag& tag) {
    if (objects_.size() >= limit_) collect(store);
    const auto arguments = wasm::func_type(tag.type).params.size();
    void* memory = std::calloc(1, static_cast<std::size_t>(ExceptionObject::argument_offset(arguments)));
    if (memory == nullptr) return nullptr;
    objects_.emplace_back(new (memory) ExceptionObject{.tag = &tag});
    return objects_.back().get();
}

void ExceptionHeap::mark(std::uint64_t word) noexcept {
    const auto address = [](const Owned& object) { return reinterpret_cast<std::uint64_t>(object.get()); };
    const auto found = std::ranges::lower_bound(objects_, word, {}, address);
    if (found != objects_.end() && address(*found) == word) (*found)->marked = 1;
}

POLLUX_NO_SANITIZE void ExceptionHeap::collect(Store& store) {
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr || &fiber->store() != &store) return;
    std::ranges::sort(objects_, {}, [](const Owned& object) { return reinterpret_cast<std::uint64_t>(object.get()); });

    // Guest frames have all their references in memory: only calls get here, and they keep nothing in registers.
    const auto* word = static_cast<const std::uint64_t*>(store.exit_frame);
    const auto* top = reinterpret_cast<const std::uint64_t*>(fiber->stack().address() + fiber->stack().size());
    for (; word < top; ++word) mark(*word);
    for (const std::unique_ptr<Instance>& instance : store.instances()) {
        const wasm::Module& module = instance->module();
        for (std::uint32_t i = 0; i < module.globals.size(); ++i) {
            if (module.globals[i].type.type.is_ref()) mark(instance->global(i).cell->bits[0]);
        }
        for (std::uint32_t i = 0; i < module.tables.size(); ++i) {
            for (const std::uint64_t element : instance->table(i).span()) mark(element);
        }
    }
    mark(reinterpret_cast<std::uint64_t>(store.exception));

    std::erase_if(objects_, [](const Owned& object) { return object->marked == 0; });
    for (const Owned& object : objects_) object->marked = 0;
    limit_ = std::max<std::size_t>(4096, objects_.size() * 2);
}

namespace {

/// The first handler of a function that catches `exception` thrown by the call that returns to `offset`, or null.
const ExceptionHandler* find_handler(std::span<const ExceptionHandler> handlers, std::uint32_t offset, Instance& instance,
                                     const ExceptionObject& exception) noexcept {
    using Kind = ExceptionHandler::Kind;
    bool skipping = false;
    std::uint32_t delegate_target = 0;
    for (const ExceptionHandler& handler : handlers) {
        if (offset <= handler.begin || offset > handler.end) continue;
        if (skipping && handler.region != delegate_target) continue;
        skipping = false;
        if (handler.kind == Kind::catch_all || (handler.kind == Kind::catch_tag && instance.tag(handler.operand) == exception.tag))
            return &handler;
        if (handler.kind == Kind::delegate) {
            if (handler.operand == ExceptionHandler::kNoRegion) return nullptr;
            skipping = true;
            delegate_target = handler.operand;
        }
    }
    return nullptr;
}

}  // namespace

POLLUX_NO_SANITIZE std::uint64_t find_landing_pad(Store& store, ExceptionObject* exception) noexcept {
    struct Links {
        std::uint64_t frame;
        std::uint64_t pc;
    };
    Links at = *static_cast<const Links*>(store.exit_frame);
    CodeRegion region;
    // Guest frames up to the entry stub, whose code is in no module's region.
    while (find_code_region(at.pc, region) && region.map != nullptr) {
        PcInfo info;
        if (!region.find(at.pc - 1, info)) break;
        const std::span<const ExceptionHandler> handlers = region.map->handlers(info.function);
        const std::uint64_t code = region.map_origin + info.function_offset;
        if (!handlers.empty()) {
            // A function that has handlers writes its instance to its first slot before it enters a region.
            auto* header = *reinterpret_cast<InstanceHeader* const*>(at.frame - 8);
            const auto offset = static_cast<std::uint32_t>(at.pc - code);
            const bool inside = std::ranges::any_of(
                handlers, [&](const ExceptionHandler& handler) { return offset > handler.begin && offset <= handler.end; });
            const ExceptionHandler* handler = inside ? find_handler(handlers, offset, Instance::of(header), *exception) : nullptr;
            if (handler != nullptr) {
                store.landing_frame = reinterpret_cast<void*>(at.frame);
                store.exception = exception;
                return code + handler->landing;
            }
        }
        at = *reinterpret_cast<const Links*>(at.frame);
    }
    return 0;
}

}  // namespace pollux
