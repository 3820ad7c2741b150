#include "jit/runtime/host_function.h"

#include "jit/runtime/instance.h"
#include "jit/runtime/store.h"
#include "jit/runtime/trap.h"

namespace pollux {

Store& store_of(const CallContext& context) noexcept { return Store::of(context.store); }

Instance* instance_of(const CallContext& context) noexcept { return context.caller != nullptr ? &Instance::of(context.caller) : nullptr; }

Memory* memory_of(const CallContext& context) noexcept {
    Instance* instance = instance_of(context);
    return instance != nullptr ? instance->default_memory() : nullptr;
}

void host_function_failed(CallContext& context, TrapCode code) noexcept {
    Store& store = Store::of(context.store);
    const bool thrown_on = code == TrapCode::uncaught_exception && store.uncaught() != nullptr && store.raw_backtrace().count != 0;
    if (code != TrapCode::host_exit && !thrown_on) collect_backtrace(store);
}

}  // namespace pollux
