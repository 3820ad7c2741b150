#include "wasi/trace.h"

#include <algorithm>
#include <charconv>
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

std::string clock_name(u64 id) { return id < std::size(kClockNames) ? std::string(kClockNames[id]) : decimal(id); }

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

bool is_result(ParamKind kind) noexcept {
    return kind == ParamKind::out_u16 || kind == ParamKind::out_u32 || kind == ParamKind::out_u64 || kind == ParamKind::events;
}

u32 low(const wasm::V128& slot) noexcept { return static_cast<u32>(slot.low); }

}  // namespace

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
            case ParamKind::events:        break;
        }
        slot += wasm_params(kind).size();
    }
    return text + ")";
}

std::string Trace::after(const Import& import, const Call& call, Arguments arguments, Status status) {
    if (status.trap() == TrapCode::host_exit) return " = exit\n";
    if (status.trap() != TrapCode::none) return " = interrupted\n";
    if (status.error() != Errno::success) return " = " + std::string(errno_name(status.error())) + "\n";
    std::string text = " = 0";
    std::string results;
    std::string happened;
    const auto* slot = arguments;
    for (const ParamKind kind : import.params) {
        u64 value = 0;
        switch (kind) {
            case ParamKind::out_u16: value = call.memory.read(GuestPtr<u16>{low(*slot)}).value_or(0); break;
            case ParamKind::out_u32: value = call.memory.read(OutU32{low(*slot)}).value_or(0); break;
            case ParamKind::out_u64: value = call.memory.read(OutU64{low(*slot)}).value_or(0); break;
            default:                 break;
        }
        if (is_result(kind) && kind != ParamKind::events) results += (results.empty() ? "" : ", ") + decimal(value);
        if (kind == ParamKind::events) happened = events(call.memory, low(slot[0]), call.memory.read(OutU32{low(slot[2])}).value_or(0));
        if (kind == ParamKind::iovs && import.signature.size() >= 4) {
            // What was read: as many bytes as the count that follows says.
            const auto entry = call.memory.read(GuestPtr<Iovec>{low(slot[0])});
            const auto count = call.memory.read(OutU32{low(arguments[import.signature.size() - (import.name == "sock_recv" ? 2 : 1)])});
            if (entry && count) {
                const auto bytes = call.memory.bytes(entry->buf, std::min(entry->len, *count));
                if (bytes && !bytes->empty()) happened = " " + quoted(*bytes, kShownBytes);
            }
        }
        slot += wasm_params(kind).size();
    }
    if (!results.empty()) text += " [" + results + "]";
    return text + happened + "\n";
}

void Trace::print(std::string_view text) const noexcept { sys::write_message(fd_, text); }

}  // namespace pollux::wasi
