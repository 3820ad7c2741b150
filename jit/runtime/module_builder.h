// From the bytes of a module to a CompiledModule, while the bytes arrive.
//
//   feed(chunk) ─► decoder ─► bodies ─► batches ─► compiling threads ─► finish(): call targets fixed up, code made executable
//
// Errors of feed() and finish() are the first by position in the module, whatever thread found them. A module in which decoding or
// compiling failed is dropped as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "jit/base/error.h"
#include "jit/runtime/compiled_module.h"

namespace pollux {

class ModuleBuilder {
public:
    explicit ModuleBuilder(std::shared_ptr<Engine> engine);
    ModuleBuilder(const ModuleBuilder&) = delete;
    ModuleBuilder& operator=(const ModuleBuilder&) = delete;
    /// Ends the compiling threads.
    ~ModuleBuilder();

    /// The next bytes, in chunks of any size. They are copied.
    [[nodiscard]] Result<> feed(std::span<const std::uint8_t> chunk);
    /// All bytes have been fed: waits until everything is compiled (lazy: validated).
    [[nodiscard]] Result<std::shared_ptr<CompiledModule>> finish();

    /// A module whose bytes are in memory. They are copied.
    [[nodiscard]] static Result<std::shared_ptr<CompiledModule>> from_bytes(const std::shared_ptr<Engine>& engine,
                                                                            std::span<const std::uint8_t> bytes);
    /// A module in memory that the caller gives away.
    [[nodiscard]] static Result<std::shared_ptr<CompiledModule>> from_bytes(const std::shared_ptr<Engine>& engine,
                                                                            std::vector<std::uint8_t>&& bytes);
    /// A module in a file, which is mapped (private, read-only), or read as a stream if it cannot be: pipes, terminals, /dev/stdin.
    [[nodiscard]] static Result<std::shared_ptr<CompiledModule>> from_file(const std::shared_ptr<Engine>& engine, const std::string& path);
    /// A module from an open descriptor, as from_file; `name` is for messages. The descriptor is read, not closed.
    [[nodiscard]] static Result<std::shared_ptr<CompiledModule>> from_descriptor(const std::shared_ptr<Engine>& engine, int fd,
                                                                                 const std::string& name);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pollux
