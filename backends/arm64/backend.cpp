// The AArch64 backend behind the Backend interface. It emits on every host; only check_host and the cache maintenance know which
// one this is.
#include "jit/compile/backend.h"

#include <bit>
#include <cstring>

#include "backends/arm64/abi.h"
#include "backends/arm64/compile.h"
#include "backends/arm64/cpu_features.h"
#include "backends/arm64/disasm.h"
#include "backends/arm64/registers.h"
#include "backends/arm64/stencils.h"
#include "backends/arm64/stubs.h"

#if defined(__aarch64__) && defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace pollux {

namespace arm64 {

namespace {

#if defined(__aarch64__)
/// Makes all threads of this process discard instructions they have fetched. Kernels without it (4.15 and older, emulators) have
/// no other way either; there, code is made visible by the fence of whatever hands its address over.
void synchronize_instruction_fetch() {
#if defined(__linux__)
    static const bool registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0;
    if (registered) static_cast<void>(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
#endif
}
#endif

class Arm64Backend final : public Backend {
public:
    std::string_view name() const override { return "aarch64"; }
    ArgumentRegisters argument_registers() const override { return {kHomesGp.size(), kHomesFp.size()}; }

    Result<> check_host() const override {
#if defined(__aarch64__)
        return {};  // nothing beyond Armv8.0 with Advanced SIMD is used
#else
        return fail(ErrorKind::unsupported, "code for aarch64 cannot run on this host, whose processor is of another architecture");
#endif
    }

    std::string cpu_features() const override { return host_features().lse ? "lse" : ""; }
    std::unique_ptr<FunctionCompiler> make_compiler() const override { return arm64::make_compiler(); }

    Result<std::size_t> emit_stubs(CodeBuffer buffer, const StubTargets& targets, Stubs& stubs) const override {
        return arm64::emit_stubs(buffer, targets, stubs);
    }
    Result<std::size_t> emit_host_stub(CodeBuffer buffer, const wasm::FuncType& type, const StubTargets& targets,
                                       const Stubs& stubs) const override {
        return arm64::emit_host_stub(buffer, type, targets, stubs);
    }
    Result<> emit_lazy_thunks(CodeBuffer buffer, std::uint32_t first, std::uint32_t count, const Stubs& stubs) const override {
        return arm64::emit_lazy_thunks(buffer, first, count, stubs);
    }
    std::size_t thunk_bytes() const override { return kThunkBytes; }

    void relocate(std::uint8_t* write, std::span<const CallTarget> calls) const override {
        for (const CallTarget& call : calls) {
            Word word = 0;
            std::memcpy(&word, write + call.call, sizeof word);
            word = words::with_imm26(word, static_cast<std::int32_t>(call.target - call.call) / 4);
            std::memcpy(write + call.call, &word, sizeof word);
        }
    }

    void* prepare_stack(void* top, void (*entry)(void*), void* argument) const override {
        return arm64::prepare_stack(top, entry, argument);
    }

    void flush_instruction_cache([[maybe_unused]] std::uint64_t execute, [[maybe_unused]] std::size_t bytes) const override {
#if defined(__aarch64__)
        // By the address that will be executed: data caches are physically tagged, so what the writable alias wrote is cleaned too.
        auto* begin = std::bit_cast<char*>(execute);
        __builtin___clear_cache(begin, begin + bytes);
        synchronize_instruction_fetch();
#endif
    }

    Result<std::vector<DisassembledInstruction>> disassemble(std::span<const std::uint8_t> code, std::uint64_t address) const override {
        return arm64::disassemble(code, address);
    }
};

}  // namespace
}  // namespace arm64

const Backend& arm64_backend() {
    static const arm64::Arm64Backend backend;
    return backend;
}

}  // namespace pollux
