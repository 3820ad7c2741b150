// The fixed stubs of x86-64, and those made per host function type; implementation of the stub part of Backend.
#pragma once

#include <cstddef>
#include <cstdint>

#include "jit/compile/backend.h"

namespace pollux::x64 {

inline constexpr std::size_t kThunkBytes = 16;

Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs);
Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets, const Stubs& stubs);
Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs);
[[nodiscard]] void* prepare_stack(void* top, void (*entry)(void*), void* argument);

}  // namespace pollux::x64
