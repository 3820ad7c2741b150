#include "wasi/descriptor_table.h"

#include <algorithm>
#include <utility>

namespace pollux::wasi {

std::shared_ptr<Descriptor> DescriptorTable::get(Fd fd) const {
    const std::scoped_lock lock(mutex_);
    return fd < slots_.size() ? slots_[fd] : nullptr;
}

Expected<Fd> DescriptorTable::insert(std::shared_ptr<Descriptor> descriptor) {
    const std::scoped_lock lock(mutex_);
    while (lowest_free_ < slots_.size() && slots_[lowest_free_]) ++lowest_free_;
    if (lowest_free_ >= kMaxDescriptors) return std::unexpected(Errno::mfile);
    if (lowest_free_ == slots_.size()) slots_.emplace_back();
    slots_[lowest_free_] = std::move(descriptor);
    return static_cast<Fd>(lowest_free_++);
}

Errno DescriptorTable::insert_at(Fd fd, std::shared_ptr<Descriptor> descriptor) {
    const std::scoped_lock lock(mutex_);
    if (fd >= kMaxDescriptors) return Errno::mfile;
    if (fd >= slots_.size()) slots_.resize(fd + std::size_t{1});
    if (slots_[fd]) return Errno::exist;
    slots_[fd] = std::move(descriptor);
    return Errno::success;
}

Errno DescriptorTable::close(Fd fd) {
    std::shared_ptr<Descriptor> closed;
    {
        const std::scoped_lock lock(mutex_);
        if (fd >= slots_.size() || !slots_[fd]) return Errno::badf;
        closed = std::move(slots_[fd]);
        slots_[fd] = nullptr;
        lowest_free_ = std::min<std::size_t>(lowest_free_, fd);
    }
    closed->wake_waiters();
    return Errno::success;
}

Errno DescriptorTable::renumber(Fd from, Fd to) {
    std::shared_ptr<Descriptor> moved;
    std::shared_ptr<Descriptor> replaced;
    {
        const std::scoped_lock lock(mutex_);
        if (from >= slots_.size() || !slots_[from] || to >= slots_.size() || !slots_[to]) return Errno::badf;
        if (from == to) return Errno::success;
        moved = slots_[from];
        replaced = std::exchange(slots_[to], std::move(slots_[from]));
        slots_[from] = nullptr;
        lowest_free_ = std::min<std::size_t>(lowest_free_, from);
    }
    replaced->wake_waiters();
    moved->wake_waiters();
    return Errno::success;
}

}  // namespace pollux::wasi
