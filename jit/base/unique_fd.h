// An owned file descriptor: closed exactly once.
#pragma once

#include <unistd.h>

#include <utility>

namespace pollux {

class UniqueFd {
public:
    constexpr UniqueFd() noexcept = default;
    explicit constexpr UniqueFd(int fd) noexcept : fd_(fd) {}
    constexpr UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] constexpr int get() const noexcept { return fd_; }
    [[nodiscard]] constexpr bool valid() const noexcept { return fd_ >= 0; }
    explicit constexpr operator bool() const noexcept { return valid(); }
    /// Gives the descriptor up: the caller closes it.
    [[nodiscard]] constexpr int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the present descriptor and owns `fd` from now on. An error of close() (EINTR, EIO) leaves it closed on Linux.
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) static_cast<void>(::close(fd_));
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

}  // namespace pollux
