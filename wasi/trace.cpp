#include "wasi/trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <ranges>
#include <string_view>

#include "jit/base/syscall.h"
#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

constexpr std::size_t kShownBytes = 32;    // of data and paths, as strace
constexpr u32 kShownElements = 8;          // of lists

std::string decimal(u64 value) { return std::to_string(value); }

std::string hexadecimal(u64 value) {
    char text[16];
    const auto end = std::to_chars(text, text + sizeof(text), value, 16).ptr;
    return "0x" + std::string(text, end);
}

std::string quoted(std::span<const std::uint8_t> bytes, std::size_t limit) {
    std::string text = "\"";
    for (const std::uint8_t byte : bytes.first(std::min(bytes.size(), limit))) {
        switch (byte) {
            case '"':  text += "\\\""; break;
            case '\\': text += "\\\\"; break;
            case '\n': text += "\\n"; break;
            case '\r': text += "\\r"; break;
            case '\t': text += "\\t"; break;
            default:
                if (byte >= 0x20 && byte < 0x7f) {
                    text += static_cast<char>(byte);
                } else {
                    constexpr std::string_view kDigits = "0123456789abcdef";
                    text += "\\x";
                    text += kDigits[byte >> 4];
                    text += kDigits[byte & 15];
                }
        }
    }
    return text + (bytes.size() > limit ? "\"..." : "\"");
}

std::string named_flags(u64 value, std::span<const std::string_view> names) {
    if (value == 0) return "0";
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if ((value >> i & 1) == 0) continue;
        if (!text.empty()) text += '|';
        text += names[i];
        value &= ~(u64{1} << i);
    }
    if (value != 0) text += (text.empty() ? "" : "|") + hexadecimal(value);
    return text;
}

constexpr std::string_view kFdFlagNames[] = {"APPEND", "DSYNC", "NONBLOCK", "RSYNC", "SYNC"};
constexpr std::string_view kOpenFlagNames[] = {"CREAT", "DIRECTORY", "EXCL", "TRUNC"};
constexpr std::string_view kClockNames[] = {"REALTIME", "MONOTONIC", "PROCESS_CPUTIME", "THREAD_CPUTIME"};

constexpr std::string_view kLookupFlagNames[] = {"SYMLINK_FOLLOW"};
constexpr std::string_view kTimeFlagNames[] = {"ATIM", "ATIM_NOW", "MTIM", "MTIM_NOW"};
constexpr std::string_view kReceiveFlagNames[] = {"PEEK", "WAITALL"};
constexpr std::string_view kShutdownFlagNames[] = {"RD", "WR"};
constexpr std::string_view kWhenceNames[] = {"SET", "CUR", "END"};
constexpr std::string_view kFileTypeNames[] = {"UNKNOWN",      "BLOCK_DEVICE", "CHARACTER_DEVICE", "DIRECTORY",
                                               "REGULAR_FILE", "SOCKET_DGRAM", "SOCKET_STREAM",    "SYMBOLIC_LINK"};
constexpr std::string_view kWakeNames[] = {"ready", "deadline", "interrupted", "failed"};
constexpr std::string_view kGroupNames[] = {"poll", "fd", "path", "sock", "clock"};

std::string name_of(u64 value, std::span<const std::string_view> names) {
    return value < names.size() ? std::string(names[value]) : decimal(value);
}

std::string clock_name(u64 id) { return name_of(id, kClockNames); }

std::string text_at(const GuestMemory& memory, GuestAddress address, u32 length) {
    const auto bytes = memory.bytes(address, length);
    return bytes ? quoted(*bytes, kShownBytes * 4) : hexadecimal(address) + ", " + decimal(length);
}

std::string buffers(const GuestMemory& memory, GuestAddress address, u32 count, bool with_data) {
    std::string text = "[";
    for (u32 i = 0; i < count; ++i) {
        if (i > 0) text += ", ";
        if (i == kShownElements) {
            text += "...";
            break;
        }
        const auto entry = memory.read(GuestPtr<Iovec>{address}.at(i));
        if (!entry) return text + "?]";
        const auto bytes = memory.bytes(entry->buf, entry->len);
        if (with_data && bytes) {
            text += quoted(*bytes, kShownBytes);
        } else {
            text += "{" + hexadecimal(entry->buf) + ", " + decimal(entry->len) + "}";
        }
    }
    return text + "]";
}

std::string_view event_name(EventType type) noexcept {
    switch (type) {
        case EventType::clock:    return "clock";
        case EventType::fd_read:  return "fd_read";
        case EventType::fd_write: return "fd_write";
    }
    return "?";
}

/// "+1.5ms" for relative times, "@…" ns for absolute ones.
std::string time_text(const Subscription::Clock& clock) {
    if ((clock.flags & subclockflags::kAbstime) != 0) return "@" + decimal(clock.timeout) + "ns";
    if (clock.timeout % 1'000'000 == 0) return "+" + decimal(clock.timeout / 1'000'000) + "ms";
    if (clock.timeout % 1'000 == 0) return "+" + decimal(clock.timeout / 1'000) + "us";
    return "+" + decimal(clock.timeout) + "ns";
}

std::string subscriptions(const Call& call, GuestAddress address, u32 count) {
    std::string text = "[";
    for (u32 i = 0; i < count; ++i) {
        if (i > 0) text += ", ";
        if (i == kShownElements) {
            text += "...";
            break;
        }
        Subscription subscription;
        if (call.abi == AbiVersion::preview0) {
            const auto old = call.memory.read(GuestPtr<SubscriptionPreview0>{address}.at(i));
            if (!old) return text + "?]";
            subscription.type = old->type;
            subscription.clock = old->clock;
            if (old->type != EventType::clock) subscription.clock.id = static_cast<u32>(old->identifier);
        } else {
            const auto read = call.memory.read(GuestPtr<Subscription>{address}.at(i));
            if (!read) return text + "?]";
            subscription = *read;
        }
        text += "{" + std::string(event_name(subscription.type)) + " ";
        if (subscription.type == EventType::clock) {
            text += clock_name(subscription.clock.id) + " " + time_text(subscription.clock);
        } else {
            text += decimal(subscription.clock.id);
        }
        text += "}";
    }
    return text + "]";
}

std::string events(const GuestMemory& memory, GuestAddress address, u32 count) {
    std::string text;
    for (u32 i = 0; i < std::min(count, kShownElements); ++i) {
        const auto event = memory.read(GuestPtr<Event>{address}.at(i));
        if (!event) break;
        text += " {" + std::string(event_name(event->type));
        if (event->error != Errno::success) text += " " + std::string(errno_name(event->error));
        if (event->type != EventType::clock && event->error == Errno::success) text += " nbytes " + decimal(event->nbytes);
        if ((event->flags & eventrwflags::kHangup) != 0) text += " HANGUP";
        text += "}";
    }
    return text + (count > kShownElements ? " ..." : "");
}

template <class Stat>
std::string filestat(const GuestMemory& memory, GuestAddress address) {
    const auto stat = memory.read(GuestPtr<Stat>{address});
    if (!stat) return "";
    return " {" + name_of(static_cast<u64>(stat->filetype), kFileTypeNames) + " size " + decimal(stat->size) + " nlink " +
           decimal(stat->nlink) + "}";
}

/// The structure that a call has written; empty for other kinds.
std::string structure(const Call& call, ParamKind kind, GuestAddress address) {
    if (kind == ParamKind::filestat) {
        return call.abi == AbiVersion::preview0 ? filestat<FilestatPreview0>(call.memory, address)
                                                : filestat<Filestat>(call.memory, address);
    }
    if (kind == ParamKind::fdstat) {
        const auto stat = call.memory.read(GuestPtr<Fdstat>{address});
        if (!stat) return "";
        return " {" + name_of(static_cast<u64>(stat->filetype), kFileTypeNames) + " flags " + named_flags(stat->flags, kFdFlagNames) +
               " rights " + hexadecimal(stat->rights_base) + " " + hexadecimal(stat->rights_inheriting) + "}";
    }
    if (kind == ParamKind::prestat) {
        const auto prestat = call.memory.read(GuestPtr<Prestat>{address});
        if (prestat) return " {DIRECTORY name length " + decimal(prestat->name_length) + "}";
    }
    return "";
}

bool is_number_result(ParamKind kind) noexcept {
    return kind == ParamKind::out_u16 || kind == ParamKind::out_u32 || kind == ParamKind::out_u64;
}

/// What is printed after the call only.
bool is_result(ParamKind kind) noexcept {
    return is_number_result(kind) || kind == ParamKind::events || kind == ParamKind::text || kind == ParamKind::fdstat ||
           kind == ParamKind::filestat || kind == ParamKind::prestat;
}

/// The beginning of what was read into a buffer.
std::string text_that_came(const GuestMemory& memory, GuestAddress address, u32 length, std::optional<u32> count) {
    const auto bytes = memory.bytes(address, std::min(length, count.value_or(length)));
    return bytes && !bytes->empty() ? " " + quoted(*bytes, kShownBytes) : "";
}

/// What a call says it has read: where its last 32-bit result goes.
std::optional<u32> result_count(const Import& import, const Call& call, Arguments arguments) {
    std::optional<u32> count;
    const auto* slot = arguments;
    for (const ParamKind kind : import.params) {
        if (kind == ParamKind::out_u32) {
            if (const auto value = call.memory.read(OutU32{static_cast<u32>(slot->low)})) count = *value;
        }
        slot += wasm_params(kind).size();
    }
    return count;
}

u32 low(const wasm::V128& slot) noexcept { return static_cast<u32>(slot.low); }

}  // namespace

CallGroup group_of(std::string_view import_name) noexcept {
    if (import_name == "epoll_oneoff") return CallGroup::poll;
    const auto* const found = std::ranges::find(kGroupNames, import_name.substr(0, import_name.find('_')));
    return static_cast<CallGroup>(found - std::begin(kGroupNames));
}

std::optional<std::uint8_t> parse_call_groups(std::string_view list) noexcept {
    if (list.empty()) return (1u << (static_cast<unsigned>(CallGroup::other) + 1)) - 1;
    unsigned groups = 0;
    for (const auto part : std::views::split(list, ',')) {
        const auto* const found = std::ranges::find(kGroupNames, std::string_view(part));
        if (found == std::end(kGroupNames)) return std::nullopt;
        groups |= 1u << (found - std::begin(kGroupNames));
    }
    return static_cast<std::uint8_t>(groups);
}

std::string Trace::before(const Import& import, const Call& call, Arguments arguments) {
    std::string text(import.name);
    text += '(';
    const auto* slot = arguments;
    bool first = true;
    for (const ParamKind kind : import.params) {
        if (!is_result(kind)) {
            if (!first) text += ", ";
            first = false;
        }
        switch (kind) {
            case ParamKind::fd:
            case ParamKind::number:        text += std::to_string(static_cast<std::int32_t>(low(slot[0]))); break;
            case ParamKind::number64:      text += decimal(slot->low); break;
            case ParamKind::signed64:      text += std::to_string(static_cast<i64>(slot->low)); break;
            case ParamKind::clock:         text += clock_name(low(*slot)); break;
            case ParamKind::fdflags:       text += named_flags(low(*slot), kFdFlagNames); break;
            case ParamKind::oflags:        text += named_flags(low(*slot), kOpenFlagNames); break;
            case ParamKind::lookup:        text += named_flags(low(*slot), kLookupFlagNames); break;
            case ParamKind::fstflags:      text += named_flags(low(*slot), kTimeFlagNames); break;
            case ParamKind::riflags:       text += named_flags(low(*slot), kReceiveFlagNames); break;
            case ParamKind::sdflags:       text += named_flags(low(*slot), kShutdownFlagNames); break;
            case ParamKind::whence:        text += name_of(low(*slot), kWhenceNames); break;
            case ParamKind::rights:        text += hexadecimal(slot->low); break;
            case ParamKind::flags:
            case ParamKind::pointer:       text += hexadecimal(low(*slot)); break;
            case ParamKind::path:          text += text_at(call.memory, low(slot[0]), low(slot[1])); break;
            case ParamKind::iovs:          text += buffers(call.memory, low(slot[0]), low(slot[1]), false); break;
            case ParamKind::ciovs:         text += buffers(call.memory, low(slot[0]), low(slot[1]), true); break;
            case ParamKind::buffer:        text += hexadecimal(low(slot[0])) + ", " + decimal(low(slot[1])); break;
            case ParamKind::subscriptions: text += subscriptions(call, low(slot[0]), low(slot[2])); break;
            case ParamKind::out_u16:
            case ParamKind::out_u32:
            case ParamKind::out_u64:
            case ParamKind::events:
            case ParamKind::text:
            case ParamKind::fdstat:
            case ParamKind::filestat:
            case ParamKind::prestat:       break;
        }
        slot += wasm_params(kind).size();
    }
    return text + ")";
}

std::string Trace::after(const Import& import, const Call& call, Arguments arguments, Status status) {
    if (status.trap() == TrapCode::host_exit) return " = exit";
    if (status.trap() != TrapCode::none) return " = interrupted";
    if (status.error() != Errno::success) return " = " + std::string(errno_name(status.error()));
    std::string numbers;
    std::string happened;
    const auto* slot = arguments;
    for (const ParamKind kind : import.params) {
        u64 value = 0;
        switch (kind) {
            case ParamKind::out_u16: value = call.memory.read(GuestPtr<u16>{low(*slot)}).value_or(0); break;
            case ParamKind::out_u32: value = call.memory.read(OutU32{low(*slot)}).value_or(0); break;
            case ParamKind::out_u64: value = call.memory.read(OutU64{low(*slot)}).value_or(0); break;
            case ParamKind::events:
                happened += events(call.memory, low(slot[0]), call.memory.read(OutU32{low(slot[2])}).value_or(0));
                break;
            case ParamKind::iovs: {
                const auto entry = call.memory.read(GuestPtr<Iovec>{low(slot[0])});
                if (entry) happened += text_that_came(call.memory, entry->buf, entry->len, result_count(import, call, arguments));
                break;
            }
            case ParamKind::text:
                happened += text_that_came(call.memory, low(slot[0]), low(slot[1]), result_count(import, call, arguments));
                break;
            default: happened += structure(call, kind, low(*slot)); break;
        }
        if (is_number_result(kind)) numbers += (numbers.empty() ? "" : ", ") + decimal(value);
        slot += wasm_params(kind).size();
    }
    return " = 0" + (numbers.empty() ? "" : " [" + numbers + "]") + happened;
}

void Trace::print(std::string_view text) const { sys::write_message(fd_, label_ + std::string(text) + "\n"); }

void TracedCall::parks() {
    trace_.print(begin_ + " <parks ...>");
    begin_ = "<... " + std::string(import_.name);
}

void TracedCall::wakes(Wake reason) {
    trace_.print(begin_ + " wakes: " + name_of(static_cast<u64>(reason), kWakeNames) + ">");
    begin_ += " resumed>";
}

void TracedCall::ends(Status status) {
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), " <%.6f>", static_cast<double>(monotonic_now() - begun_) / 1e9);
    trace_.print(begin_ + Trace::after(import_, call_, arguments_, status) + time.data());
}

}  // namespace pollux::wasi
