#include "jit/base/mapping.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "jit/base/syscall.h"

namespace pollux {
namespace {

std::unexpected<Error> mapping_error(const char* action, std::size_t bytes, const char* purpose, int error) {
    return fail(ErrorKind::resource,
                std::string("cannot ") + action + " " + std::to_string(bytes) + " bytes for " + purpose + ": " + sys::error_text(error));
}

void* map(void* at, std::size_t bytes, int protection, int flags, int fd, std::size_t offset) noexcept {
    return sys::call<sys::Call::mmap>([&] { return ::mmap(at, bytes, protection, flags, fd, static_cast<off_t>(offset)); });
}

}  // namespace

std::size_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

Mapping::Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

Mapping::~Mapping() {
    if (data_ != nullptr) static_cast<void>(::munmap(data_, bytes_));
}

Result<Mapping> Mapping::reserve(std::size_t bytes, const char* purpose, std::size_t alignment) {
    bytes = round_to_pages(bytes);
    const std::size_t slack = alignment > page_bytes() ? alignment : 0;
    if (bytes + slack < bytes) return mapping_error("reserve", bytes, purpose, ENOMEM);
    void* at = map(nullptr, bytes + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return mapping_error("reserve", bytes, purpose, errno);
    auto* data = static_cast<std::uint8_t*>(at);
    if (slack != 0) {  // cut both ends off
        const std::size_t before = (slack - reinterpret_cast<std::uintptr_t>(data) % alignment) % alignment;
        if (before != 0) static_cast<void>(::munmap(data, before));
        if (slack != before) static_cast<void>(::munmap(data + before + bytes, slack - before));
        data += before;
    }
    return Mapping(data, bytes);
}

Result<Mapping> Mapping::anonymous(std::size_t bytes, const char* purpose) {
    bytes = round_to_pages(bytes);
    void* at = map(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return mapping_error("map", bytes, purpose, errno);
    return Mapping(static_cast<std::uint8_t*>(at), bytes);
}

Result<Mapping> Mapping::file(int fd, std::size_t bytes, int protection, int flags, const char* purpose) {
    bytes = round_to_pages(bytes);
    void* at = map(nullptr, bytes, protection, flags, fd, 0);
    if (at == MAP_FAILED) return mapping_error("map", bytes, purpose, errno);
    return Mapping(static_cast<std::uint8_t*>(at), bytes);
}

Result<> Mapping::protect(std::size_t offset, std::size_t bytes, int protection, const char* purpose) const {
    if (bytes == 0) return {};
    const int status = sys::call<sys::Call::mprotect>([&] { return ::mprotect(data_ + offset, bytes, protection); });
    if (status != 0) return mapping_error("change the access of", bytes, purpose, errno);
    return {};
}

void Mapping::discard(std::size_t offset, std::size_t bytes) const noexcept {
    if (bytes != 0) static_cast<void>(::madvise(data_ + offset, bytes, MADV_DONTNEED));
}

Result<> Mapping::map_over(std::size_t offset, std::size_t bytes, int protection, int flags, int fd, std::size_t fd_offset,
                           const char* purpose) const {
    if (bytes == 0) return {};
    if (map(data_ + offset, bytes, protection, flags | MAP_FIXED, fd, fd_offset) == MAP_FAILED)
        return mapping_error("map", bytes, purpose, errno);
    return {};
}

bool Mapping::move_tail(std::size_t bytes, Mapping& to) noexcept {
    std::uint8_t* from = data_ + (bytes_ - bytes);
    const void* moved = sys::call<sys::Call::mremap>([&] { return ::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to.data_); });
    if (moved == MAP_FAILED) {
        to.data_ += bytes;
        to.bytes_ -= bytes;
        return false;
    }
    bytes_ -= bytes;
    if (bytes_ == 0) data_ = nullptr;
    return true;
}

Mapping Mapping::split_off(std::size_t bytes) noexcept {
    bytes = round_to_pages(bytes);
    if (bytes >= bytes_) return {};
    Mapping rest(data_ + bytes, bytes_ - bytes);
    bytes_ = bytes;
    if (bytes == 0) data_ = nullptr;
    return rest;
}

}  // namespace pollux
