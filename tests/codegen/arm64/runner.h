// Runs masm sequences on an AArch64 host: all registers are loaded from a State, the sequence runs in a frame with slots, all
// registers go back to the State. Traps end the sequence and are reported by their site.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "backends/arm64/masm.h"
#include "jit/abi/layout.h"

namespace pollux::arm64::test {

#if defined(__aarch64__)
inline constexpr bool kCanExecute = true;
#else
inline constexpr bool kCanExecute = false;
#endif

#define POLLUX_NEEDS_ARM64() \
    if (!kCanExecute) GTEST_SKIP() << "executes AArch64 code, and this host cannot"

/// Executable memory.
class CodeMemory {
public:
    explicit CodeMemory(std::size_t bytes);
    ~CodeMemory();
    CodeMemory(const CodeMemory&) = delete;
    CodeMemory& operator=(const CodeMemory&) = delete;
    [[nodiscard]] CodeBuffer buffer(std::size_t offset = 0, std::size_t bytes = ~std::size_t{0}) const;
    void flush(std::size_t bytes) const;

private:
    std::uint8_t* data_ = nullptr;
    std::size_t bytes_ = 0;
};

struct alignas(16) State {
    std::array<std::uint64_t, 32> gp{};
    std::array<wasm::V128, 32> fp{};
    [[nodiscard]] std::uint64_t& operator[](Reg reg) { return gp[reg.number()]; }
    [[nodiscard]] wasm::V128& vector(Reg reg) { return fp[reg.number()]; }
};

enum class Branches { shortest, longest };

/// One sequence, compiled when constructed.
class Sequence {
public:
    static constexpr std::int32_t kSlotBytes = 12288;

    explicit Sequence(const std::function<void(Masm&)>& emit, Branches branches = Branches::shortest);
    /// Runs it; returns how it trapped, or none.
    TrapCode run(State& state);

    /// What the context register and the memory base point to.
    struct Context {
        InstanceHeader header;
        StoreContext store;
        MemoryCell memory;
        MemoryCell* memories[1] = {nullptr};
    };
    [[nodiscard]] static Context& context();
    /// 64 KiB of readable memory, then 3 GiB that fault.
    [[nodiscard]] static std::uint8_t* guest_memory();
    static constexpr std::size_t kGuestBytes = 65536;
    static constexpr std::int32_t kMemoryCellOffset = offsetof(Context, memories);

    [[nodiscard]] const FunctionOutput& output() const { return output_; }

private:
    CompileEnvironment environment_;
    FunctionOutput output_;
    std::uint32_t exit_ = 0;
};

/// A State whose registers hold distinct values.
[[nodiscard]] State scrambled();

/// Runs `sequence` with `before` and checks that exactly the registers in `written` differ afterwards.
TrapCode run_checked(Sequence& sequence, State& state, RegSet written);

/// Edge cases of integers and floats.
extern const std::vector<std::uint64_t> kIntegers;
extern const std::vector<double> kDoubles;
extern const std::vector<wasm::V128> kVectors;

/// A destination and two sources.
struct Registers {
    Reg d, a, b;
};
/// Ways in which they can be the same register.
inline constexpr std::array<Registers, 6> kFpAliases = {{{fp(0), fp(1), fp(2)},
                                                         {fp(1), fp(1), fp(2)},
                                                         {fp(2), fp(1), fp(2)},
                                                         {fp(1), fp(2), fp(2)},
                                                         {fp(3), fp(3), fp(3)},
                                                         {fp(20), fp(9), fp(29)}}};

}  // namespace pollux::arm64::test
