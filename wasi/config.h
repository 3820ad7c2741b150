// What a guest is given: arguments, environment, standard streams, directories, sockets. Filled by the command line or an embedder.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pollux::wasi {

/// A directory of the host that the guest sees under `guest_path`. Nothing outside of it is reachable.
struct PreopenDirectory {
    std::string host_path;
    std::string guest_path;
    bool read_only = false;
};

/// Where a standard stream comes from or goes to.
struct Stream {
    enum class Source : std::uint8_t {
        inherit,  ///< the process's own descriptor 0, 1 or 2; a descriptor that was closed at start is EBADF in the guest
        null,     ///< /dev/null
        file,     ///< `path`: read for stdin, created or truncated for stdout and stderr
        fd,       ///< `fd`, borrowed: never closed, its flags never changed
        closed,   ///< EBADF in the guest
    };
    Source source = Source::inherit;
    std::string path;
    int fd = -1;
};

/// Whether the guest's stdin starts out non-blocking (fdflag NONBLOCK set).
enum class StdinNonblock : std::uint8_t {
    off,      ///< what plain programs expect
    on,
    inherit,  ///< as the host's descriptor is
};

/// A socket that is opened before the guest starts.
struct PreopenSocket {
    enum class Mode : std::uint8_t { listen, connect };
    Mode mode = Mode::listen;
    std::string name;     ///< for LISTEN_FDNAMES; may be empty
    std::string address;  ///< "host:port", "[::1]:port", ":port" (all addresses), or "unix:path"
};

class CallStats;

struct Config {
    std::vector<std::string> args;  ///< args[0] is the program's name
    std::vector<std::string> env;   ///< "NAME=value"
    std::array<Stream, 3> streams;
    StdinNonblock stdin_nonblock = StdinNonblock::off;
    std::vector<PreopenDirectory> directories;  ///< descriptors 3, 4, …
    /// Descriptors after the directories. LISTEN_FDS, LISTEN_FDNAMES and WASI_LISTEN_FD_START are added to the environment.
    std::vector<PreopenSocket> sockets;
    /// Listeners that this process was given (systemd's protocol: LISTEN_FDS and LISTEN_PID, from descriptor 3 on) go to the guest, too.
    bool inherit_listeners = false;

    /// What sockets of the guest's own may reach: "host:port", "host", "10.0.0.0/8:80", "*:443", "*"; nothing by default.
    std::vector<std::string> allow_net;
    /// Host names that the guest may look up: "example.org", "*.example.org", "*"; nothing by default.
    std::vector<std::string> allow_dns;

    /// A write to a pipe without reader ends the guest with status 141 and no message.
    bool exit_on_broken_pipe = false;
    /// When the guest closes descriptor 0 or 1, the process's own is replaced by /dev/null, so that the other end sees it closed. For
    /// a process that has no other use for them.
    bool close_standard_streams = false;

    /// Where a sentence goes the first time that a rule is missing for what the program tries; -1: nowhere.
    int notice_fd = 2;

    std::uint8_t trace = 0;  ///< groups of calls that get lines (trace.h)
    int trace_fd = 2;  ///< where the lines go
    std::string trace_label;  ///< what each line begins with
    CallStats* call_stats = nullptr;  ///< counts the calls (call_stats.h); must outlive the program
};

}  // namespace pollux::wasi
