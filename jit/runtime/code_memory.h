// Executable memory of one module (or of the stubs), never writable and executable through one address.
//
//   sealed:     | code … (writable until seal(), then executable) | data |             one mapping; eager compilation
//   patchable:  | code … (executable)                             | data |             two views of a memfd; lazy compilation
//               | code … (the same bytes, writable)               |
//
// Pages of a sealed region go to a CodePages when it ends, and may come from there: all that no function fills must be cleared before
// seal(), by FunctionEmitter. Address space is reserved at once and taken piece by piece, so that everything in it reaches everything else
// within ±2 GiB. `data` is plain memory in the same reservation: the table of code addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "jit/base/error.h"
#include "jit/base/mapping.h"
#include "jit/base/unique_fd.h"
#include "jit/compile/backend.h"
#include "jit/runtime/code_pages.h"

namespace pollux {

enum class CodeSharing : std::uint8_t { sealed, patchable };

class CodeMemory {
public:
    CodeMemory() = default;
    CodeMemory(const CodeMemory&) = delete;
    CodeMemory& operator=(const CodeMemory&) = delete;
    ~CodeMemory();

    /// Reserves up to `code_bytes` for code (less where address space is short, but at least `least_bytes`) and `data_bytes` of zeroed
    /// memory. `pages`: where a sealed region without data takes pages from and gives them to; outlives it.
    [[nodiscard]] Result<> reserve(CodeSharing sharing, std::size_t code_bytes, std::size_t least_bytes, std::size_t data_bytes,
                                   bool huge_pages, CodePages* pages = nullptr);

    /// The next `bytes` (rounded up to whole pages) of the region, writable. Thread-safe. Error: resource.
    [[nodiscard]] Result<CodeBuffer> take(std::size_t bytes);
    /// Clears what a buffer of take() still holds from `rest.write` on, where its pages had been used before.
    void clear_rest(const CodeBuffer& rest) const noexcept;
    /// Sealed: makes all that was taken executable (or, code for another ISA, only readable) and gives the rest of the reservation back.
    /// Once.
    [[nodiscard]] Result<> seal(bool executable = true);
    /// Instead of reserve and take: code that a file holds, from `offset` on (a multiple of 64 KiB), executable, never writable.
    /// `code_bytes`, at least `file_bytes`: distance from the code to `data_bytes` of zeroed memory.
    [[nodiscard]] Result<> map_file(int fd, std::size_t offset, std::size_t file_bytes, std::size_t code_bytes, std::size_t data_bytes);
    /// Makes new code visible to instruction fetch on all threads: call after writing, before the first jump to it.
    static void publish(const Backend& backend, std::uint64_t execute, std::size_t bytes) noexcept;

    [[nodiscard]] std::uint64_t begin() const noexcept { return region_.address(); }
    [[nodiscard]] std::uint64_t end() const noexcept { return begin() + code_bytes_; }  ///< of the code part
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] std::uint8_t* data() const noexcept { return region_.data() + code_bytes_; }
    /// Where the byte that executes at `execute` is written; sealed: only before seal().
    [[nodiscard]] std::uint8_t* writable(std::uint64_t execute) const noexcept { return alias() + (execute - begin()); }

private:
    [[nodiscard]] std::uint8_t* alias() const noexcept { return writable_ ? writable_.data() : region_.data(); }

    Mapping region_;
    Mapping writable_;  ///< patchable: the second view
    UniqueFd memfd_;
    std::size_t code_bytes_ = 0;
    std::size_t used_ = 0;
    CodePages* pages_ = nullptr;
    std::size_t reused_ = 0;  ///< bytes at the start that came from there, all writable until seal()
    std::size_t granularity_ = 0;
    bool huge_pages_ = false;
    std::mutex mutex_;
};

/// Asks the kernel once for the right to make all threads of the process refetch instructions; needed where caches are not coherent.
void prepare_instruction_barrier() noexcept;

}  // namespace pollux
