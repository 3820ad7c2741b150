// The functions of WASI preview 1, one for each import, in the order of the specification.
//
// Source: witx/p1/wasi_snapshot_preview1.witx. A parameter is what the wasm parameter is: a number or a guest address. The functions check
// everything, return an errno or the end of the guest, and may park the calling task. They know nothing of the engine.
#pragma once

#include "wasi/context.h"

namespace pollux::wasi {

using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using Bytes = GuestPtr<std::uint8_t>;
using OutU32 = GuestPtr<std::uint32_t>;
using OutU64 = GuestPtr<std::uint64_t>;

// args.cpp
Status args_get(Call& call, GuestPtr<GuestAddress> argv, Bytes buffer);
Status args_sizes_get(Call& call, OutU32 count, OutU32 bytes);
Status environ_get(Call& call, GuestPtr<GuestAddress> environ, Bytes buffer);
Status environ_sizes_get(Call& call, OutU32 count, OutU32 bytes);

// clock.cpp
Status clock_res_get(Call& call, u32 id, OutU64 resolution);
Status clock_time_get(Call& call, u32 id, u64 precision, OutU64 time);

// fd.cpp
Status fd_advise(Call& call, Fd fd, u64 offset, u64 length, u32 advice);
Status fd_allocate(Call& call, Fd fd, u64 offset, u64 length);
Status fd_close(Call& call, Fd fd);
Status fd_datasync(Call& call, Fd fd);
Status fd_fdstat_get(Call& call, Fd fd, GuestPtr<Fdstat> stat);
Status fd_fdstat_set_flags(Call& call, Fd fd, u32 flags);
Status fd_fdstat_set_rights(Call& call, Fd fd, Rights base, Rights inheriting);
Status fd_filestat_get(Call& call, Fd fd, Bytes stat);
Status fd_filestat_set_size(Call& call, Fd fd, u64 size);
Status fd_filestat_set_times(Call& call, Fd fd, u64 atim, u64 mtim, u32 flags);
Status fd_prestat_get(Call& call, Fd fd, GuestPtr<Prestat> prestat);
Status fd_prestat_dir_name(Call& call, Fd fd, Bytes path, u32 length);
Status fd_renumber(Call& call, Fd from, Fd to);
Status fd_seek(Call& call, Fd fd, i64 offset, u32 whence, OutU64 position);
Status fd_sync(Call& call, Fd fd);
Status fd_tell(Call& call, Fd fd, OutU64 position);

// io.cpp
Status fd_pread(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u64 offset, OutU32 nread);
Status fd_pwrite(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u64 offset, OutU32 nwritten);
Status fd_read(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, OutU32 nread);
Status fd_write(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, OutU32 nwritten);

// readdir.cpp
Status fd_readdir(Call& call, Fd fd, Bytes buffer, u32 length, u64 cookie, OutU32 used);

// path_calls.cpp
Status path_create_directory(Call& call, Fd fd, Bytes path, u32 length);
Status path_filestat_get(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, Bytes stat);
Status path_filestat_set_times(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, u64 atim, u64 mtim, u32 flags);
Status path_link(Call& call, Fd old_fd, u32 lookup, Bytes old_path, u32 old_length, Fd new_fd, Bytes new_path, u32 new_length);
Status path_open(Call& call, Fd fd, u32 lookup, Bytes path, u32 length, u32 open_flags, Rights base, Rights inheriting, u32 flags,
                 OutU32 opened);
Status path_readlink(Call& call, Fd fd, Bytes path, u32 length, Bytes buffer, u32 buffer_length, OutU32 used);
Status path_remove_directory(Call& call, Fd fd, Bytes path, u32 length);
Status path_rename(Call& call, Fd old_fd, Bytes old_path, u32 old_length, Fd new_fd, Bytes new_path, u32 new_length);
Status path_symlink(Call& call, Bytes target, u32 target_length, Fd fd, Bytes path, u32 length);
Status path_unlink_file(Call& call, Fd fd, Bytes path, u32 length);

// poll.cpp
Status poll_oneoff(Call& call, Bytes subscriptions, GuestPtr<Event> events, u32 count, OutU32 nevents);

// process.cpp
Status proc_exit(Call& call, u32 code);
Status proc_raise(Call& call, u32 signal);
Status random_get(Call& call, Bytes buffer, u32 length);
Status sched_yield(Call& call);

// sockets.cpp
Status sock_accept(Call& call, Fd fd, u32 flags, OutU32 accepted);
Status sock_recv(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, OutU32 nread, GuestPtr<u16> out_flags);
Status sock_send(Call& call, Fd fd, GuestPtr<Iovec> iovs, u32 count, u32 flags, OutU32 nwritten);
Status sock_shutdown(Call& call, Fd fd, u32 how);

}  // namespace pollux::wasi
