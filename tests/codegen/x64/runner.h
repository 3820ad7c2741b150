// Runs what the x64 masm emits: one operation between loading and storing every register that the compiler may allocate.
//
// In: a function that emits an operation, and the registers' contents. Out: the registers afterwards, or the trap.
// All registers are compared, so an operation that clobbers what it must keep is found. What is emitted must also decode.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backends/x64/masm.h"
#include "jit/abi/layout.h"

namespace pollux::x64::test {

struct State {
    std::array<std::uint64_t, 16> gp{};
    alignas(16) std::array<wasm::V128, 16> fp{};
};

/// What the memory base points at in tested code.
struct Block {
    State in;
    State out;
    alignas(16) std::array<std::uint8_t, 512> memory{};
};

inline constexpr std::int32_t kBlockMemory = offsetof(Block, memory);

/// Feature sets that tests go through: all that the host has, AVX alone, and the baseline.
[[nodiscard]] std::vector<CpuFeatures> feature_sets();
[[nodiscard]] std::string describe(const CpuFeatures& features);

class Runner {
public:
    explicit Runner(const CpuFeatures& features);
    ~Runner();
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    /// What an operation emits in place: instructions only, or a jump table too.
    enum class Contains : std::uint8_t { code, data };

    /// Emits a function around `operation`. Fails the test when it overflows or does not decode.
    void compile(const std::function<void(Masm&)>& operation, Contains contains = Contains::code);
    /// Runs it on block().in. Returns how it ended; the state is in block().out if without a trap.
    TrapCode run();
    /// The registers, FP or GP, that differ between in and out, except those in `changed`.
    [[nodiscard]] RegSet clobbered(RegSet changed) const;

    [[nodiscard]] Block& block() noexcept { return *block_; }
    [[nodiscard]] const FunctionOutput& output() const noexcept { return output_; }
    [[nodiscard]] Masm& masm() noexcept { return masm_; }
    [[nodiscard]] InstanceHeader& instance() noexcept { return instance_; }
    [[nodiscard]] StoreContext& store() noexcept { return store_; }
    [[nodiscard]] CompileEnvironment& environment() noexcept { return environment_; }
    [[nodiscard]] std::uint8_t* code() const noexcept { return code_; }
    [[nodiscard]] const Stubs& stubs() const noexcept { return stubs_; }
    /// Wasm offset of the site at which run() trapped.
    [[nodiscard]] std::uint32_t trap_wasm_offset() const noexcept { return trap_wasm_offset_; }

    /// The trap that a signal at `pc` means; for the signal handler.
    [[nodiscard]] const Site* trap_site(std::uint64_t pc) const noexcept;

private:
    static constexpr std::size_t kCodeBytes = 1 << 16;
    static constexpr std::size_t kStubBytes = 1 << 14;

    Masm masm_;
    CompileEnvironment environment_;
    FunctionOutput output_;
    Stubs stubs_;
    StoreContext store_;
    InstanceHeader instance_;
    std::unique_ptr<Block> block_;
    std::uint8_t* code_ = nullptr;
    std::uint32_t trap_wasm_offset_ = 0;
};

/// Gives every register and every byte of memory another value.
void fill(Runner& runner);

/// Targets of stubs that no test expects to be called.
[[nodiscard]] StubTargets unused_targets();

}  // namespace pollux::x64::test
