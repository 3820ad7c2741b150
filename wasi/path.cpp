#include "wasi/path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <vector>

#include "jit/base/syscall.h"

namespace pollux::wasi {
namespace {

constexpr int kMaxSymlinks = 40;  // as Linux
/// openat2 gives EAGAIN when something was renamed meanwhile and it cannot tell whether a `..` escapes.
constexpr int kRaceRetries = 32;

std::atomic<bool> openat2_missing{false};

bool use_openat2() noexcept { return sys::available(sys::Call::openat2) && !openat2_missing.load(std::memory_order_relaxed); }

bool is_symlink(int directory, const char* name) noexcept {
    struct stat info{};
    return ::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

UniqueFd open_at(int directory, const char* name, int flags, mode_t mode = 0) noexcept {
    return UniqueFd(sys::call_again<sys::Call::open>([&] { return ::openat(directory, name, flags, mode); }));
}

/// The fallback of open_beneath().
class Walk {
public:
    Walk(int root, std::string path, int flags, mode_t mode) : root_(root), rest_(std::move(path)), flags_(flags), mode_(mode) {}

    Expected<UniqueFd> run() {
        for (;;) {
            const Component component = next();
            if (component.name == "..") {
                if (directories_.empty()) return std::unexpected(Errno::notcapable);
                directories_.pop_back();
            } else if (component.name != ".") {
                auto opened = component.is_last ? open_last(component) : enter(component.name);
                if (!opened) return std::unexpected(opened.error());
                if (opened->valid()) return opened;
                continue;
            }
            if (component.is_last) return open_here();
        }
    }

private:
    struct Component {
        std::string name;
        bool is_last = false;
        bool slash = false;  ///< the last one, with a slash after it
    };

    [[nodiscard]] int here() const noexcept { return directories_.empty() ? root_ : directories_.back().get(); }

    Component next() {
        const std::size_t begin = std::min(rest_.find_first_not_of('/'), rest_.size());
        const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
        const std::size_t following = std::min(rest_.find_first_not_of('/', end), rest_.size());
        Component component{rest_.substr(begin, end - begin), following == rest_.size(), end != rest_.size()};
        rest_.erase(0, following);
        if (component.name.empty()) component.name = ".";
        return component;
    }

    /// The path ended in `.` or `..`.
    Expected<UniqueFd> open_here() const {
        if ((flags_ & O_CREAT) != 0) return std::unexpected((flags_ & O_EXCL) != 0 ? Errno::exist : Errno::isdir);
        UniqueFd opened = open_at(here(), ".", flags_ | O_CLOEXEC, mode_);
        if (!opened) return host_error();
        return opened;
    }

    /// Goes into a directory, or puts a symbolic link's target in front of what remains. Returns no descriptor.
    Expected<UniqueFd> enter(const std::string& name) {
        UniqueFd entry = open_at(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (!entry) return host_error();
        struct stat info{};
        if (::fstat(entry.get(), &info) != 0) return host_error();
        if (S_ISLNK(info.st_mode)) return expand(entry.get(), "", true);
        if (!S_ISDIR(info.st_mode)) return std::unexpected(Errno::notdir);
        directories_.push_back(std::move(entry));
        return UniqueFd{};
    }

    Expected<UniqueFd> open_last(const Component& component) {
        if (component.slash && (flags_ & O_CREAT) != 0) return std::unexpected(Errno::isdir);
        const int flags = flags_ | O_CLOEXEC | O_NOFOLLOW | (component.slash ? O_DIRECTORY : 0);
        const bool follow = (flags_ & O_NOFOLLOW) == 0 || component.slash;
        UniqueFd opened = open_at(here(), component.name.c_str(), flags, mode_);
        const int error = opened ? 0 : errno;
        if (follow) {
            struct stat info{};
            const bool link = opened ? (flags & O_PATH) != 0 && ::fstat(opened.get(), &info) == 0 && S_ISLNK(info.st_mode)
                                     : (error == ELOOP || error == ENOTDIR) && is_symlink(here(), component.name.c_str());
            if (link) return expand(here(), component.name, component.slash);
        }
        if (!opened) return std::unexpected(errno_from_host(error));
        return opened;
    }

    Expected<UniqueFd> expand(int directory, const std::string& name, bool slash) {
        if (++symlinks_ > kMaxSymlinks) return std::unexpected(Errno::loop);
        std::array<char, PATH_MAX> target;
        const ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
        if (length < 0) return host_error();
        if (length == 0) return std::unexpected(Errno::noent);
        if (target[0] == '/') return std::unexpected(Errno::notcapable);
        if (static_cast<std::size_t>(length) + rest_.size() + 1 >= PATH_MAX) return std::unexpected(Errno::nametoolong);
        rest_ = std::string(target.data(), static_cast<std::size_t>(length)) + (slash ? "/" : "") + rest_;
        return UniqueFd{};
    }

    int root_;
    std::string rest_;
    int flags_;
    mode_t mode_;
    int symlinks_ = 0;
    std::vector<UniqueFd> directories_;
};

}  // namespace

Expected<std::string> guest_path(const GuestMemory& memory, GuestPtr<std::uint8_t> address, std::uint32_t length) {
    if (!memory.has(address, length)) return std::unexpected(Errno::fault);
    if (length == 0) return std::unexpected(Errno::noent);
    if (length >= PATH_MAX) return std::unexpected(Errno::nametoolong);
    const auto bytes = memory.bytes(address.address, length);
    if (!bytes) return std::unexpected(bytes.error());
    std::string path(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    if (path.find('\0') != std::string::npos) return std::unexpected(Errno::ilseq);
    if (path.front() == '/') return std::unexpected(Errno::notcapable);
    return path;
}

Expected<UniqueFd> open_beneath(int root, const std::string& path, int flags, mode_t mode) {
    if (path.empty()) return std::unexpected(Errno::noent);
    if (path.front() == '/') return std::unexpected(Errno::notcapable);
    if (use_openat2()) {
        open_how how{};
        how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
        how.mode = (flags & O_CREAT) != 0 ? mode : 0;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
        for (int tries = 0; tries < kRaceRetries; ++tries) {
            const long result =
                sys::call_again<sys::Call::openat2>([&] { return ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how)); });
            if (result >= 0) return UniqueFd(static_cast<int>(result));
            if (errno == EXDEV) return std::unexpected(Errno::notcapable);
            if (errno == ENOSYS) {
                openat2_missing.store(true, std::memory_order_relaxed);
                break;
            }
            if (errno != EAGAIN) return host_error();
        }
    }
    return Walk(root, path, flags, mode).run();
}

Expected<Parent> open_parent(int root, const std::string& path) {
    const std::size_t last = path.find_last_not_of('/');
    if (last == std::string::npos) return std::unexpected(path.empty() ? Errno::noent : Errno::notcapable);
    const std::size_t slash = path.rfind('/', last);
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    const std::string_view component = std::string_view(path).substr(begin, last + 1 - begin);
    if (component == "." || component == "..") {
        // The kernel refuses to change such a name, each call with its own errno; that it leads outside is for us to say.
        if (const auto whole = open_beneath(root, path, O_PATH); !whole) return std::unexpected(whole.error());
    }
    Parent parent{{}, root, path.substr(begin)};
    if (begin > 0) {
        auto directory = open_beneath(root, path.substr(0, begin), O_PATH | O_DIRECTORY);
        if (!directory) return std::unexpected(directory.error());
        parent.fd = directory->get();
        parent.owned = std::move(*directory);
    }
    return parent;
}

bool is_single_component(std::string_view path) noexcept {
    return !path.empty() && path != ".." && path.find('/') == std::string_view::npos;
}

}  // namespace pollux::wasi
