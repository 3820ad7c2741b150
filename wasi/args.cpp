// args_get, args_sizes_get, environ_get, environ_sizes_get: lists of strings, each ended by a NUL.
#include <limits>
#include <string>
#include <vector>

#include "wasi/calls.h"

namespace pollux::wasi {
namespace {

std::uint64_t total_bytes(const std::vector<std::string>& strings) noexcept {
    std::uint64_t total = 0;
    for (const std::string& string : strings) total += string.size() + 1;
    return total;
}

Status sizes(const Call& call, const std::vector<std::string>& strings, OutU32 count, OutU32 bytes) {
    const std::uint64_t total = total_bytes(strings);
    if (total > std::numeric_limits<u32>::max()) return Errno::overflow;
    if (const Errno error = call.memory.write(count, static_cast<u32>(strings.size())); error != Errno::success) return error;
    return call.memory.write(bytes, static_cast<u32>(total));
}

Status copy(const Call& call, const std::vector<std::string>& strings, GuestPtr<GuestAddress> pointers, Bytes buffer) {
    if (!call.memory.has(pointers, strings.size()) || !call.memory.has(buffer, total_bytes(strings))) return Errno::fault;
    GuestAddress at = buffer.address;
    u32 index = 0;
    for (const std::string& string : strings) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(string.c_str());
        if (const Errno error = call.memory.write(pointers.at(index++), at); error != Errno::success) return error;
        if (const Errno error = call.memory.write_bytes(at, {bytes, string.size() + 1}); error != Errno::success) return error;
        at += static_cast<GuestAddress>(string.size() + 1);
    }
    return Errno::success;
}

}  // namespace

Status args_get(Call& call, GuestPtr<GuestAddress> argv, Bytes buffer) { return copy(call, call.context.args(), argv, buffer); }
Status args_sizes_get(Call& call, OutU32 count, OutU32 bytes) { return sizes(call, call.context.args(), count, bytes); }
Status environ_get(Call& call, GuestPtr<GuestAddress> environ, Bytes buffer) { return copy(call, call.context.env(), environ, buffer); }
Status environ_sizes_get(Call& call, OutU32 count, OutU32 bytes) { return sizes(call, call.context.env(), count, bytes); }

}  // namespace pollux::wasi
