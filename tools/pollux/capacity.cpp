#include "tools/pollux/capacity.h"

#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <utility>

#include "jit/runtime/memory.h"

namespace pollux::cli {
namespace {

/// Of a guest: a stack and its guard page; of each memory: the accessible part and the rest.
constexpr std::size_t kStackMappings = 2;
constexpr std::size_t kMappingsPerMemory = 2;
/// For the allocator, the pools, signal stacks and threads.
constexpr std::size_t kSpareMappings = 1000;
/// For what guests open, and the program's messages.
constexpr std::size_t kSpareDescriptors = 32;
constexpr std::size_t kDefaultMapCount = 65'530;
/// Of user space, less what everything else needs.
#if defined(__aarch64__)
constexpr std::uint64_t kAddressSpace = std::uint64_t{250} << 40;
#else
constexpr std::uint64_t kAddressSpace = std::uint64_t{125} << 40;
#endif

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};

std::size_t max_map_count() {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen("/proc/sys/vm/max_map_count", "re"));
    std::size_t count = 0;
    return file && std::fscanf(file.get(), "%zu", &count) == 1 ? count : kDefaultMapCount;
}

std::size_t present_mappings() {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen("/proc/self/maps", "re"));
    std::size_t lines = 0;
    std::array<char, 4096> buffer{};
    while (file && std::feof(file.get()) == 0 && std::ferror(file.get()) == 0) {
        const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
        lines += static_cast<std::size_t>(std::count(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got), '\n'));
    }
    return lines;
}

std::size_t open_descriptors() {
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return kSpareDescriptors;
    std::size_t entries = 0;
    while (::readdir(folder) != nullptr) ++entries;
    static_cast<void>(::closedir(folder));
    return entries;
}

std::size_t room(std::size_t total, std::size_t used, std::size_t each) noexcept { return total > used ? (total - used) / each : 0; }

}  // namespace

std::size_t raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    if (limit.rlim_cur != limit.rlim_max) {
        const rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    }
    return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

Capacity system_capacity(const GuestNeeds& needs, std::size_t descriptor_limit) {
    Capacity least{room(descriptor_limit, open_descriptors() + kSpareDescriptors, needs.descriptors),
                   "descriptors (" + std::to_string(descriptor_limit) + "; ulimit -Hn raises that)"};
    const auto consider = [&least](std::size_t guests, std::string limit) {
        if (guests < least.guests) least = {guests, std::move(limit)};
    };
    const std::size_t mappings = max_map_count();
    consider(room(mappings, present_mappings() + kSpareMappings, kStackMappings + kMappingsPerMemory * needs.memories),
             "memory mappings (" + std::to_string(mappings) + "; sysctl vm.max_map_count raises that)");
    if (needs.guard_pages && needs.memories > 0) {
        consider(static_cast<std::size_t>(kAddressSpace / ((MemoryPool::kSlotBytes + MemoryPool::kGuardBytes) * needs.memories)),
                 "address space (-O signals-based-traps=n needs less)");
    }
    return least;
}

}  // namespace pollux::cli
