// Emission of the stubs of AArch64; see backend.h for what each is for.
#pragma once

#include "jit/compile/backend.h"

namespace pollux::arm64 {

Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs);
Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets, const Stubs& stubs);
Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs);
void* prepare_stack(void* top, void (*entry)(void*), void* argument);

}  // namespace pollux::arm64
