#include "jit/runtime/exceptions.h"

#include <algorithm>
#include <cstring>

#include "jit/runtime/code_map.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/no_sanitize.h"
#include "jit/runtime/stack_walker.h"
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
    const Fiber* fiber = Fiber::current();
    if (fiber == nullptr) return 0;
    std::uint64_t landing_pad = 0;
    StackWalker walker(fiber->stack());
    walker.walk_exit_frame(store.exit_frame, [&](const GuestFrame& frame) POLLUX_NO_SANITIZE {
        PcInfo info;
        if (!frame.region.find_function(frame.pc - 1, info)) return false;
        const std::span<const ExceptionHandler> handlers = frame.region.map->handlers(info.function);
        const std::uint64_t code = frame.region.map_origin + info.function_offset;
        const auto offset = static_cast<std::uint32_t>(frame.pc - code);
        const bool inside =
            std::ranges::any_of(handlers, [&](const ExceptionHandler& handler) { return offset > handler.begin && offset <= handler.end; });
        if (!inside) return true;
        // A function that has handlers writes its instance to its first slot before it enters a region.
        auto* header = *reinterpret_cast<InstanceHeader* const*>(frame.frame_pointer - 8);
        const ExceptionHandler* handler = find_handler(handlers, offset, Instance::of(header), *exception);
        if (handler == nullptr) return true;
        store.landing_frame = reinterpret_cast<void*>(frame.frame_pointer);
        store.exception = exception;
        landing_pad = code + handler->landing;
        return false;
    });
    store.set_uncaught(landing_pad == 0 ? exception : nullptr);
    return landing_pad;
}

std::uint64_t rethrow_uncaught(Store& store) noexcept {
    if (store.uncaught() == nullptr) return 0;
    const std::uint64_t landing_pad = find_landing_pad(store, store.uncaught());
    if (landing_pad != 0) store.raw_backtrace().clear();
    return landing_pad;
}

ThrownException thrown_exception(const ExceptionObject& object) {
    ThrownException thrown;
    thrown.tag = static_cast<const Tag*>(object.tag);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&object);
    std::size_t index = 0;
    for (const wasm::ValType& type : wasm::func_type(thrown.tag->type).params) {
        Value value{type.kind(), {}};
        const std::size_t size = type.kind() == wasm::Kind::v128                                    ? 16
                                 : type.kind() == wasm::Kind::i32 || type.kind() == wasm::Kind::f32 ? 4
                                                                                                    : 8;
        std::memcpy(&value.bits, bytes + ExceptionObject::argument_offset(index++), size);
        thrown.arguments.push_back(value);
    }
    return thrown;
}

}  // namespace pollux
