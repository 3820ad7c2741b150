// poll_oneoff, as poll(2) behaves: reads all subscriptions, then reports exactly what has happened.
//
//   read all ──► evaluate: one poll(2) with timeout 0, clocks ──► something happened? ── yes ──► write the events
//                    ▲                                                  │ no
//                    └──────────── woken ◄── Reactor::park ◄────────────┘
//
// Errors are events: a bad descriptor or clock spoils only its own subscription. Only what is wrong with the call itself fails it: no
// subscription or an unknown tag (EINVAL), memory out of bounds (EFAULT), too many (ENOMEM), and EBADF when every subscription is of
// a bad descriptor. A clock is reported when it has passed, a hang-up with the bytes still to be read. That a reader is gone makes its
// pipe writable, plainly: the write says EPIPE. Descriptors are looked up again after each wait, since they may be closed meanwhile.
#include <poll.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "jit/base/syscall.h"
#include "wasi/calls.h"
#include "wasi/small_buffer.h"

namespace pollux::wasi {
namespace {

/// Host memory for one call stays below 64 MiB.
constexpr u32 kMaxSubscriptions = 1u << 18;
constexpr std::size_t kFew = 8;

struct Item {
    u64 userdata = 0;
    u64 deadline = kNever;  ///< of a clock, ns
    Fd fd = 0;
    u32 entry = 0;          ///< index into the poll(2) list
    EventType type = EventType::clock;
    bool realtime = false;  ///< which clock `deadline` is of
    bool missing = false;   ///< the descriptor is not open
    bool polled = false;    ///< `entry` is valid
    bool fired = false;
    Errno error = Errno::success;
    u64 nbytes = 0;
    u16 flags = 0;
};

/// A descriptor of the poll(2) list; kept alive while the call is parked.
struct Entry {
    std::shared_ptr<Descriptor> descriptor;
    Fd fd = 0;
};

class Poll {
public:
    Poll(Call& call, u32 count) : call_(call), items_(count), entries_(count), list_(count) {}

    Status read(Bytes subscriptions) {
        const u64 monotonic = monotonic_now();
        for (u32 i = 0; i < items_.size(); ++i) {
            Subscription subscription;
            if (call_.abi == AbiVersion::preview0) {
                const auto old = call_.memory.read(GuestPtr<SubscriptionPreview0>{subscriptions.address}.at(i));
                if (!old) return old.error();
                subscription.userdata = old->userdata;
                subscription.type = old->type;
                subscription.clock = old->clock;
                if (old->type != EventType::clock) subscription.clock.id = static_cast<u32>(old->identifier);
            } else {
                const auto read = call_.memory.read(GuestPtr<Subscription>{subscriptions.address}.at(i));
                if (!read) return read.error();
                subscription = *read;
            }
            Item& item = items_[i];
            item.userdata = subscription.userdata;
            item.type = subscription.type;
            switch (subscription.type) {
                case EventType::clock:    read_clock(item, subscription.clock, monotonic); break;
                case EventType::fd_read:
                case EventType::fd_write: item.fd = subscription.clock.id; break;
                default:                  return Errno::inval;
            }
        }
        return Errno::success;
    }

    /// Waits until something has happened.
    Status wait() {
        while (true) {
            if (const Errno error = evaluate(); error != Errno::success) return error;
            if (fired_ > 0) return Errno::success;
            parked_ = true;
            if (const Status status = park(); !status.ok()) return status;
        }
    }

    [[nodiscard]] bool parked() const noexcept { return parked_; }

    /// All of memory was found in bounds.
    Status write(GuestPtr<Event> events, OutU32 nevents) {
        u32 count = 0;
        for (const Item& item : items_) {
            if (!item.fired) continue;
            Event event;
            event.userdata = item.userdata;
            event.error = item.error;
            event.type = item.type;
            event.nbytes = item.nbytes;
            event.flags = item.flags;
            if (const Errno error = call_.memory.write(events.at(count++), event); error != Errno::success) return error;
        }
        return call_.memory.write(nevents, count);
    }

private:
    static void read_clock(Item& item, const Subscription::Clock& clock, u64 monotonic) noexcept {
        if (clock.id > static_cast<u32>(ClockId::thread_cputime) || (clock.flags & ~u32{subclockflags::kAbstime}) != 0) {
            item.error = Errno::inval;
        } else if (clock.id > static_cast<u32>(ClockId::monotonic)) {
            item.error = Errno::notsup;  // nobody wakes when a CPU clock has advanced
        } else if ((clock.flags & subclockflags::kAbstime) != 0) {
            item.deadline = clock.timeout;
            item.realtime = clock.id == static_cast<u32>(ClockId::realtime);
        } else {
            // A relative time is not changed by steps of the realtime clock.
            item.deadline = clock.timeout > kNever - monotonic ? kNever : monotonic + clock.timeout;
        }
    }

    void fire(Item& item, Errno error = Errno::success) noexcept {
        item.fired = true;
        item.error = error;
        ++fired_;
    }

    /// Returns an errno only for the whole call.
    Errno evaluate() {
        fired_ = 0;
        entry_count_ = 0;
        by_fd_.clear();
        std::size_t missing = 0;
        for (Item& item : items_) {
            item.fired = false;
            item.polled = false;
            if (item.type == EventType::clock) {
                if (item.error != Errno::success) fire(item, item.error);
                continue;
            }
            look_up(item);
            missing += item.missing ? 1 : 0;
        }
        if (missing == items_.size()) return Errno::badf;

        if (entry_count_ > 0) {
            // More descriptors than the process may open cannot be among them, which is poll(2)'s limit.
            const int ready = sys::call_again<sys::Call::poll>([&] { return ::poll(list_.data(), entry_count_, 0); });
            if (ready < 0) return errno_from_host(errno);
            if (ready > 0) {
                for (Item& item : items_) {
                    if (item.polled) judge(item, list_[item.entry].revents);
                }
            }
        }
        judge_clocks();
        return Errno::success;
    }

    void look_up(Item& item) {
        item.missing = false;
        const u32 known = find_entry(item.fd);
        std::shared_ptr<Descriptor> descriptor;
        if (known == entry_count_) {
            descriptor = call_.context.descriptors().get(item.fd);
            if (!descriptor) {
                item.missing = true;
                return fire(item, Errno::badf);
            }
            if (descriptor->is_directory()) return fire(item, Errno::badf);
            if (descriptor->kind() == Kind::regular) {
                // Always ready, whatever the direction; epoll would refuse it.
                if (item.type == EventType::fd_read) item.nbytes = descriptor->readable_bytes();
                if (item.type == EventType::fd_write) item.nbytes = descriptor->writable_bytes();
                return fire(item);
            }
            entries_[known] = {std::move(descriptor), item.fd};
            list_[known] = {entries_[known].descriptor->fd(), 0, 0};
            if (items_.size() > kFew) by_fd_.emplace(item.fd, known);
            ++entry_count_;
        }
        item.entry = known;
        item.polled = true;
        const int events = item.type == EventType::fd_read ? POLLIN | POLLRDHUP : POLLOUT;
        list_[known].events = static_cast<short>(list_[known].events | events);
    }

    /// Index of the descriptor's entry, or entry_count_.
    u32 find_entry(Fd fd) {
        if (items_.size() > kFew) {
            const auto found = by_fd_.find(fd);
            return found == by_fd_.end() ? entry_count_ : found->second;
        }
        u32 i = 0;
        while (i < entry_count_ && entries_[i].fd != fd) ++i;
        return i;
    }

    void judge(Item& item, short revents) noexcept {
        const Descriptor& descriptor = *entries_[item.entry].descriptor;
        item.flags = 0;
        item.nbytes = 0;
        if ((revents & POLLNVAL) != 0) return fire(item, Errno::badf);
        if (item.type == EventType::fd_read) {
            if ((revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) == 0) return;
            item.nbytes = descriptor.readable_bytes();
            if ((revents & (POLLHUP | POLLRDHUP)) != 0) item.flags = eventrwflags::kHangup;
        } else {
            if ((revents & (POLLOUT | POLLHUP | POLLERR)) == 0) return;
            item.nbytes = descriptor.writable_bytes();
        }
        fire(item);
    }

    void judge_clocks() noexcept {
        deadlines_ = {};
        u64 monotonic = 0;
        u64 realtime = 0;
        for (Item& item : items_) {
            if (item.type != EventType::clock || item.fired || item.deadline == kNever) continue;
            u64& now = item.realtime ? realtime : monotonic;
            if (now == 0) now = item.realtime ? realtime_now() : monotonic_now();
            if (item.deadline <= now) {
                fire(item);
            } else {
                u64& earliest = item.realtime ? deadlines_.realtime : deadlines_.monotonic;
                earliest = std::min(earliest, item.deadline);
            }
        }
    }

    Status park() {
        SmallBuffer<Interest, kFew> interests(entry_count_);
        for (u32 i = 0; i < entry_count_; ++i) {
            entries_[i].descriptor->note_parked();
            std::uint32_t events = 0;
            if ((list_[i].events & POLLIN) != 0) events |= EPOLLIN | EPOLLRDHUP;
            if ((list_[i].events & POLLOUT) != 0) events |= EPOLLOUT;
            interests[i] = {list_[i].fd, events};
        }
        return status_of(call_.reactor.park(interests.span(), deadlines_, call_.interrupt));
    }

    Call& call_;
    SmallBuffer<Item, kFew> items_;
    SmallBuffer<Entry, kFew> entries_;
    SmallBuffer<pollfd, kFew> list_;
    u32 entry_count_ = 0;
    u32 fired_ = 0;
    bool parked_ = false;
    std::unordered_map<Fd, u32> by_fd_;  ///< entries by descriptor, for long lists
    Deadlines deadlines_;
};

}  // namespace

Status poll_oneoff(Call& call, Bytes subscriptions, GuestPtr<Event> events, u32 count, OutU32 nevents) {
    if (count == 0) return Errno::inval;
    const u64 bytes = u64{count} * (call.abi == AbiVersion::preview0 ? sizeof(SubscriptionPreview0) : sizeof(Subscription));
    if (bytes > call.memory.size() || subscriptions.address > call.memory.size() - bytes) return Errno::fault;
    if (!call.memory.has(events, count) || !call.memory.has(nevents)) return Errno::fault;
    if (count > kMaxSubscriptions) return Errno::nomem;
    Poll poll(call, count);
    if (const Status status = poll.read(subscriptions); !status.ok()) return status;
    if (const Status status = poll.wait(); !status.ok()) return status;
    const Status written = poll.write(events, nevents);
    // A guest that polls without waiting must let those run that wait for it.
    if (!poll.parked() && call.reactor.has_other_tasks()) call.reactor.yield();
    return written;
}

}  // namespace pollux::wasi
