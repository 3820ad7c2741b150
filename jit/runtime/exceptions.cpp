#include "jit/runtime/exceptions.h"

#include <algorithm>

#include "jit/runtime/code_map.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/store.h"
#include "jit/wasm/type_registry.h"

namespace pollux {

ExceptionObject* new_exception(Store& store, const Tag& tag) {
    const wasm::ObjectType& type = wasm::TypeRegistry::object_type(tag.type);
    auto* exception = static_cast<ExceptionObject*>(store.heap().allocate(type, type.bytes));
    if (exception != nullptr) exception->tag = &tag;
    return exception;
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
