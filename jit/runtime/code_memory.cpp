#include "jit/runtime/code_memory.h"

#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "jit/base/syscall.h"

namespace pollux {
namespace {

long membarrier(int command) noexcept {
    return sys::call<sys::Call::membarrier>([&] { return ::syscall(SYS_membarrier, command, 0U, 0); });
}

}  // namespace

Result<> CodeMemory::reserve(CodeSharing sharing, std::size_t code_bytes, std::size_t least_bytes, std::size_t data_bytes, bool huge_pages,
                             CodePages* pages) {
    huge_pages_ = huge_pages && sharing == CodeSharing::sealed;
    granularity_ = huge_pages_ ? kHugePage : page_bytes();
    const auto round_up = [this](std::size_t bytes) { return (bytes + granularity_ - 1) / granularity_ * granularity_; };
    least_bytes = round_up(std::max<std::size_t>(least_bytes, 1));
    for (std::size_t bytes = std::max(round_up(code_bytes), least_bytes);; bytes = std::max(round_up(bytes / 2), least_bytes)) {
        auto region = Mapping::reserve(bytes + data_bytes, "machine code", granularity_);
        if (region && sharing == CodeSharing::patchable) {
            auto view = Mapping::reserve(bytes, "machine code");
            if (view) {
                writable_ = std::move(*view);
            } else {
                region = std::unexpected(std::move(view.error()));
            }
        }
        if (region) {
            region_ = std::move(*region);
            code_bytes_ = bytes;
            break;
        }
        if (bytes == least_bytes) return std::unexpected(std::move(region.error()));
    }
    if (sharing == CodeSharing::patchable) {
        memfd_.reset(sys::call<sys::Call::memfd_create>([] { return ::memfd_create("pollux-code", MFD_CLOEXEC); }));
        if (!memfd_) return fail(ErrorKind::resource, "cannot create shared memory for machine code: " + sys::error_text(errno));
    }
    if (sharing == CodeSharing::sealed && data_bytes == 0 && pages != nullptr) {
        pages_ = pages;
        // Not more than a module is likely to need; and if the system refuses, enough is left.
        reused_ = pages->take(region_, code_bytes_ / 4 / granularity_ * granularity_, huge_pages_);
        code_bytes_ = region_.size();
    }
    return region_.protect(code_bytes_, round_to_pages(data_bytes), PROT_READ | PROT_WRITE, "the table of code addresses");
}

CodeMemory::~CodeMemory() {
    if (pages_ == nullptr) return;
    // Reused pages and fresh ones are two mappings to the system, which before Linux 6.17 moves one at a time: the larger part is kept.
    region_.shrink(std::max(used_, reused_));
    Mapping fresh = region_.split_off(reused_);
    pages_->give_back(std::move(fresh.size() > region_.size() ? fresh : region_), huge_pages_);
}

Result<CodeBuffer> CodeMemory::take(std::size_t bytes) {
    bytes = (bytes + granularity_ - 1) / granularity_ * granularity_;
    const std::scoped_lock lock(mutex_);
    if (bytes > code_bytes_ - used_) {
        return fail(ErrorKind::resource,
                    "machine code does not fit: " + std::to_string(code_bytes_) + " bytes are reserved for the module");
    }
    const std::size_t at = used_;
    if (memfd_) {
        if (::ftruncate(memfd_.get(), static_cast<off_t>(at + bytes)) != 0) {
            return fail(ErrorKind::resource, "cannot enlarge the memory for machine code: " + sys::error_text(errno));
        }
        if (auto done = region_.map_over(at, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, memfd_.get(), at, "machine code"); !done) {
            return std::unexpected(std::move(done.error()));
        }
        if (auto done = writable_.map_over(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), at, "machine code"); !done) {
            return std::unexpected(std::move(done.error()));
        }
    } else if (const std::size_t fresh = std::max(at, reused_); fresh < at + bytes) {
        if (auto done = region_.protect(fresh, at + bytes - fresh, PROT_READ | PROT_WRITE, "machine code"); !done)
            return std::unexpected(std::move(done.error()));
        if (huge_pages_) static_cast<void>(::madvise(region_.data() + fresh, at + bytes - fresh, MADV_HUGEPAGE));  // a hint
    }
    used_ += bytes;
    return CodeBuffer{alias() + at, bytes, begin() + at};
}

void CodeMemory::clear_rest(const CodeBuffer& rest) const noexcept {
    const std::size_t at = rest.execute - begin();
    if (at >= reused_) return;
    const std::size_t bytes = std::min(rest.capacity, reused_ - at);
    // A huge page is written, for the system would take it apart; of small ones, those that hold no code are not needed.
    const std::size_t written = huge_pages_ ? bytes : std::min(bytes, round_to_pages(at) - at);
    std::fill_n(rest.write, written, std::uint8_t{0});
    region_.discard(at + written, bytes - written);
}

Result<> CodeMemory::seal(bool executable) {
    const std::scoped_lock lock(mutex_);
    auto sealed = region_.protect(0, used_, executable ? PROT_READ | PROT_EXEC : PROT_READ, "machine code");
    if (sealed && code_bytes_ == region_.size() && used_ != 0) {
        Mapping rest = region_.split_off(used_);
        code_bytes_ = region_.size();
        if (reused_ > used_) {
            rest.shrink(reused_ - used_);
            reused_ = used_;
            pages_->give_back(std::move(rest), huge_pages_);
        }
    }
    return sealed;
}

Result<> CodeMemory::map_file(int fd, std::size_t offset, std::size_t file_bytes, std::size_t code_bytes, std::size_t data_bytes) {
    auto region = Mapping::reserve(code_bytes + data_bytes, "machine code");
    if (!region) return std::unexpected(std::move(region.error()));
    region_ = std::move(*region);
    code_bytes_ = code_bytes;
    used_ = file_bytes;
    if (auto done = region_.map_over(0, file_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, offset, "precompiled code"); !done) return done;
    return region_.protect(code_bytes_, round_to_pages(data_bytes), PROT_READ | PROT_WRITE, "the table of code addresses");
}

void CodeMemory::publish(const Backend& backend, std::uint64_t execute, std::size_t bytes) noexcept {
    backend.flush_instruction_cache(execute, bytes);
#if defined(__aarch64__)
    static_cast<void>(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE));
#endif
}

void prepare_instruction_barrier() noexcept {
#if defined(__aarch64__)
    static_cast<void>(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE));
#else
    static_cast<void>(membarrier);
#endif
}

}  // namespace pollux
