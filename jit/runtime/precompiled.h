// Precompiled modules: a module and its machine code in one file, for this ISA or another, which is run by mapping it.
//
//   header | module as it was | functions of the code map | their sites | code offsets | handlers | not compiled | … 64 KiB: code
//
// The header names format, ISA, CPU features and ways of checking; a checksum covers the rest. Code is relative to itself and knows no
// id, address or counter of the process that made it (EngineOptions::portable), so its pages are mapped as they are, executable, never
// writable. It is trusted: the checksum finds damage, not malice, so a file that others may write is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "jit/base/error.h"
#include "jit/runtime/compiled_module.h"

namespace pollux {

class PrecompiledFile {
public:
    /// Raised with every change of generated code or of what it takes for granted that the fingerprint of layouts does not show.
    static constexpr std::uint32_t kVersion = 3;
    static constexpr std::uint32_t kVersionOffset = 8;    ///< of the version, in the file
    static constexpr std::uint32_t kChecksumOffset = 16;  ///< of the checksum, which covers all bytes behind it

    /// Writes a module that an engine with the options mode eager and portable compiled to `fd`, an empty regular file open for reading
    /// and writing.
    [[nodiscard]] static Result<> write(const CompiledModule& module, int fd);

    /// Loads a file. Error: io; unsupported: made by another version, for another ISA or CPU, or with other checks than the engine's;
    /// malformed: not such a file, or damaged. io, too: it is not a regular file, or others than the user and root may have written it.
    [[nodiscard]] static Result<std::shared_ptr<CompiledModule>> load(const std::shared_ptr<Engine>& engine, const std::string& path);

    /// Whether `bytes` are a whole and undamaged file of this version. Same errors.
    [[nodiscard]] static Result<> check(std::span<const std::uint8_t> bytes);
    /// Of any bytes. Each change that is confined to one aligned group of eight bytes changes it.
    [[nodiscard]] static std::uint64_t checksum(std::span<const std::uint8_t> bytes) noexcept;
};

}  // namespace pollux
