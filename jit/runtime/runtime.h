// The public face of the runtime: include this to run modules.
//
//     auto engine = Engine::create({.mode = CompileMode::eager});                    // once per process; thread-safe, shared
//     auto module = ModuleBuilder::from_file(*engine, "app.wasm");                   // or feed() chunks as they arrive; shared between
//     threads auto store  = Store::create(*engine, {.max_memory_bytes = 1 << 30});           // one guest; one thread Linker
//     linker(**store); linker.define("env", "log", host_function<&log>(), &logger);                   // host_function.h says what `log`
//     may look like Result<> ran = (*store)->run_on_fiber([&] {                                    // guests run on fibers; call() makes
//     one itself if need be
//         auto instance = linker.instantiate(*module);                               // InstantiationError {error, trap}
//         if (!instance) return report(instance.error());
//         auto result = (*instance)->find_function("_start").call();                 // std::expected<std::vector<Value>, Trap>
//         if (!result && result.error().code == TrapCode::host_exit) status = (*store)->exit_status();
//     });
//
// In a host function: memory_of(context)->bytes(), host_data<T>(context), store_of(context), instance_of(context); ending the guest:
// `return store.set_exit(status)` (proc_exit), `return store.set_host_error({…})`. Waiting: on the fiber, with the store's Scheduler or in
// place; after every wake-up and EINTR test store.interrupted() (or the flag store.interrupt_pending) and return it if it is not none.
// Ending from outside: store.interrupt(TrapCode::interrupted), any thread or signal handler. Traps: Trap::to_string() has message and
// backtrace. Times for --time: module->times(). Limits: StoreOptions, Store::set_fuel (EngineOptions::fuel), EngineOptions::max_wasm_stack.
#pragma once

#include "jit/runtime/compiled_module.h"
#include "jit/runtime/engine.h"
#include "jit/runtime/extern.h"
#include "jit/runtime/fiber.h"
#include "jit/runtime/func.h"
#include "jit/runtime/gc_object.h"
#include "jit/runtime/global.h"
#include "jit/runtime/host_function.h"
#include "jit/runtime/instance.h"
#include "jit/runtime/linker.h"
#include "jit/runtime/memory.h"
#include "jit/runtime/module_builder.h"
#include "jit/runtime/scheduler.h"
#include "jit/runtime/store.h"
#include "jit/runtime/table.h"
#include "jit/runtime/trap.h"
#include "jit/runtime/value.h"
