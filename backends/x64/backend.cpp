// The x86-64 backend as the runtime sees it.
#include <cstring>

#include "backends/x64/compile.h"
#include "backends/x64/cpu_features.h"
#include "backends/x64/disasm.h"
#include "backends/x64/registers.h"
#include "backends/x64/stubs.h"
#include "jit/compile/backend.h"

namespace pollux {

namespace {

class X64Backend final : public Backend {
public:
    std::string_view name() const override { return "x86_64"; }
    ArgumentRegisters argument_registers() const override { return {x64::kArgumentsGp.size(), x64::kArgumentsFp.size()}; }
    Result<> check_host() const override { return x64::check_baseline(); }
    std::string cpu_features() const override { return x64::names(x64::host_features()); }
    Result<> check_deterministic_simd() const override {
        if (x64::host_features().fma) return {};
        return fail(ErrorKind::unsupported, "deterministic relaxed SIMD needs FMA, which this processor lacks");
    }
    std::unique_ptr<FunctionCompiler> make_compiler() const override { return x64::make_compiler(); }

    Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs) const override {
        return x64::emit_stubs(buffer, targets, stubs);
    }
    Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets,
                                       const Stubs& stubs) const override {
        return x64::emit_host_stub(buffer, type, targets, stubs);
    }
    Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs) const override {
        return x64::emit_lazy_thunks(buffer, first, count, stubs);
    }
    std::size_t thunk_bytes() const override { return x64::kThunkBytes; }

    void relocate(std::uint8_t* write, std::span<const CallTarget> calls) const override {
        for (const CallTarget& call : calls) {
            const std::uint32_t distance = call.target - (call.call + 4);
            std::memcpy(write + call.call, &distance, sizeof distance);
        }
    }

    void* prepare_stack(void* top, void (*entry)(void*), void* argument) const override { return x64::prepare_stack(top, entry, argument); }

    /// x86-64 keeps its instruction fetch coherent with stores.
    void flush_instruction_cache(std::uint64_t /*execute*/, std::size_t /*bytes*/) const override {}

    Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address) const override {
        return x64::disassemble(code, address);
    }
};

}  // namespace

const Backend& x64_backend() {
    static const X64Backend kBackend;
    return kBackend;
}

}  // namespace pollux
