"""What the rows of the conformance suite are made of: runtimes (a command line as a template), cases (one row in one
variant, with everything that it opens and starts), stdio ends of every kind, and runs of a guest whose reports are read
as they come. Python's standard library only. Everything a case starts or opens is gone when the case ends.
"""

import collections
import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import tty

CLOCK, READ, WRITE = 0, 1, 2
SUCCESS, ACCES, AGAIN, BADF, FAULT, INPROGRESS, INVAL, ISDIR, NOTSOCK, NOTSUP, NXIO, OVERFLOW, PERM, PIPE, NOTCAPABLE = \
    0, 2, 6, 8, 21, 26, 28, 31, 57, 58, 60, 61, 63, 64, 76
NONBLOCK, HANGUP = 4, 1
MS = 1_000_000  # nanoseconds

ERRNO_NAMES = {0: "SUCCESS", 2: "ACCES", 6: "AGAIN", 8: "BADF", 14: "CONNREFUSED", 21: "FAULT", 26: "INPROGRESS", 27: "INTR",
               28: "INVAL", 29: "IO", 31: "ISDIR", 52: "NOSYS", 57: "NOTSOCK", 58: "NOTSUP", 60: "NXIO", 61: "OVERFLOW", 63: "PERM",
               64: "PIPE", 76: "NOTCAPABLE"}

Event = collections.namedtuple("Event", "name type error nbytes flags")

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """For a worker process: end when the driver does, whatever ends it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Failure(Exception):
    """The runtime did not do what the row expects."""


class NotApplicable(Exception):
    """The row asks for an option that the runtime does not have."""


# A template is words separated by spaces. A word, or a group of words in [ ], that names a placeholder is repeated for each
# value and left out where there is none. {host} and {guest} go together: one preopened directory.
PROFILES = {
    "pollux": "{program} run --dir={host}::{guest} --env={env} --stdin={stdin} --listen={listen} --connect={connect} "
              "--allow-net={allow_net} --timeout={timeout} {wasm} {args}",
    "node": "{program} --no-warnings {here}/node-wasi.mjs --dir={host}::{guest} --env={env} {wasm} {args}",
    "wasmtime": "{program} run --dir={host}::{guest} --env={env} -Wtimeout={timeout} {wasm} {args}",
    "wazero": "{program} run -mount={host}:{guest} -env={env} -listen={listen} -timeout={timeout} {wasm} {args}",
    "iwasm": "{program} --map-dir={guest}::{host} --env={env} --timeout={timeout_ms} {wasm} {args}",
    "wasmer": "{program} run --volume={host}:{guest} --env={env} {wasm} {args}",
    "wasmedge": "{program} [--dir {guest}:{host}] [--env {env}] {wasm} {args}",
    "native": "env WASI_DIR={host}::{guest} WASI_LISTEN={listen} WASI_STDIN={stdin} {native} {args}",
}
_REPEATED = {"host", "guest", "env", "args"}


class Runtime:
    """A name and a command-line template with its placeholders still in it."""

    def __init__(self, name, template, program=None):
        self.name = name
        self.is_native = "{native}" in template
        self.is_pollux = name.startswith("pollux")
        here = os.path.dirname(os.path.abspath(__file__))
        template = template.replace("{program}", program or name).replace("{here}", here)
        self.groups = [(m.group(1) or m.group(2)).split() for m in re.finditer(r"\[([^\]]*)\]|(\S+)", template)]

    @classmethod
    def named(cls, name):
        """NAME, NAME=PROGRAM or PROFILE:NAME=PROGRAM, for one of PROFILES."""
        label, _, program = name.partition("=")
        profile, _, label = label.rpartition(":")
        profile = profile or label
        if profile not in PROFILES:
            raise ValueError(f"no profile named {profile}; there are {', '.join(PROFILES)}")
        return cls(label, PROFILES[profile], program or profile)

    def takes(self, option):
        return any("{" + option + "}" in word for group in self.groups for word in group)

    def command(self, guests, guest, args, dirs, env, options):
        values = {"wasm": [os.path.join(guests, guest + ".wasm")], "native": [os.path.join(guests, "native", guest)],
                  "args": list(args), "env": [f"{k}={v}" for k, v in env.items()]}
        for option, value in options.items():
            if not self.takes(option) and not (option == "timeout" and self.takes("timeout_ms")):
                raise NotApplicable(f"no option for {option}")
            values[option] = [value]
            if option == "timeout":
                values["timeout_ms"] = [value.removesuffix("ms")]
        result = []
        for group in self.groups:
            names = {n for word in group for n in re.findall(r"\{(\w+)\}", word)}
            if names & {"host", "guest"}:
                for host, inside in dirs:
                    result += [w.replace("{host}", host).replace("{guest}", inside) for w in group]
            elif names:
                name = names.pop()
                for value in values.get(name, []):
                    result += [w.replace("{" + name + "}", value) for w in group]
            else:
                result += group
        return result


class Line:
    """One report: label, arrival time, and its values as attributes (integers where they look like ones)."""

    def __init__(self, text, arrived):
        self.raw, self.arrived = text, arrived
        words = text.split(" ")
        self.label = words[0]
        self.values = {}
        for word in words[1:]:
            key, _, value = word.partition("=")
            self.values[key] = int(value) if re.fullmatch(r"-?\d+", value) and key not in ("text", "hex") else value

    def __getattr__(self, name):
        if name == "events":
            return [Event(e.split(":")[0], *map(int, e.split(":")[1:])) for e in self.values["events"].split(",") if e]
        try:
            return self.values[name]
        except KeyError:
            raise Failure(f"report without {name}: {self.raw}") from None


class End:
    """Stdin or stdout of a guest: `fd` is the guest's end, kept open here as the parent's own; `peer` the driver's."""

    def __init__(self, kind, fd, peer=None, path=None):
        self.kind, self.fd, self.peer, self.path = kind, fd, peer, path

    def write(self, data):
        os.write(self.peer, data)

    def close_peer(self):
        if self.peer is not None:
            os.close(self.peer)
            self.peer = None

    def close(self):
        self.close_peer()
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def nonblocking_on_host(self):
        return bool(fcntl.fcntl(self.fd, fcntl.F_GETFL) & os.O_NONBLOCK)

    def set_nonblocking_on_host(self):
        fcntl.fcntl(self.fd, fcntl.F_SETFL, fcntl.fcntl(self.fd, fcntl.F_GETFL) | os.O_NONBLOCK)

    def read_available(self, timeout=0.0):
        """What the guest has written so far, waiting at most `timeout` for the first of it; b"" at end of file."""
        data = b""
        while select.select([self.peer], [], [], timeout)[0]:
            try:
                piece = os.read(self.peer, 1 << 20)
            except OSError:  # a tty whose other side is closed, or a reset socket
                break
            if not piece:
                break
            data += piece
            timeout = 0.0
        return data

    def read_exactly(self, size, timeout):
        data, end = b"", time.monotonic() + timeout
        while len(data) < size:
            piece = self.read_available(max(0.0, min(0.2, end - time.monotonic())))
            data += piece
            if not piece and time.monotonic() >= end:
                break
        return data


class Run:
    """A runtime that runs one guest."""

    def __init__(self, case, argv, stdin, stdout, closed, stderr_too):
        self.case, self.stdin, self.stdout = case, stdin, stdout
        self.lines, self.cursor, self.noise = [], 0, b""
        self.status = self.rusage = None
        self.output = b""
        self.drains = stdout.kind == "pipe"
        self._partial = b""
        self._stderr, write_end = os.pipe()
        os.set_blocking(self._stderr, False)

        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            for fd in closed:
                os.close(fd)

        self.argv = argv
        self.started = time.monotonic()
        try:
            self.process = subprocess.Popen(argv, stdin=stdin.fd, stdout=stdout.fd, preexec_fn=prepare, process_group=0,
                                            stderr=stdout.fd if stderr_too else write_end, env=case.environment)
        except OSError as error:
            os.close(self._stderr)
            raise Failure(f"cannot start {argv[0]}: {error.strerror}") from None
        finally:
            os.close(write_end)
        self.pid = self.process.pid

    # Reports.

    def _read_stderr(self):
        """False at end of file."""
        while True:
            try:
                data = os.read(self._stderr, 65536)
            except BlockingIOError:
                return True
            arrived = time.monotonic()
            if not data:
                return False
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                if line.startswith(b"@ "):
                    self.lines.append(Line(line[2:].decode(errors="replace"), arrived))
                else:
                    self.noise += line + b"\n"

    def _wait_for_input(self, timeout):
        """Waits until stderr has something (or has ended); takes stdout meanwhile where the case leaves it to us."""
        fds = [self._stderr]
        if self.drains and self.stdout.peer is not None:
            fds.append(self.stdout.peer)
        ready = select.select(fds, [], [], max(0.0, timeout))[0]
        if self.stdout.peer in ready:
            piece = self.stdout.read_available()
            self.output += piece
            if not piece:
                self.drains = False
        return self._stderr in ready

    def line(self, label, timeout=None):
        """The next report with this label."""
        timeout = self.case.timeout if timeout is None else timeout
        end = time.monotonic() + timeout
        while True:
            while self.cursor < len(self.lines):
                line = self.lines[self.cursor]
                self.cursor += 1
                if line.label == label:
                    return line
            left = end - time.monotonic()
            if left <= 0:
                raise Failure(f"hangs: no report \"{label}\" within {timeout:g} s{self._last()}")
            if self._wait_for_input(left) and not self._read_stderr() and self.cursor == len(self.lines):
                self.reap(1.0)
                raise Failure(f"ended ({self.how_it_ended()}) before report \"{label}\"{self._last()}")

    def peek_lines(self, seconds):
        """Lets `seconds` pass; returns every report so far."""
        end = time.monotonic() + seconds
        open_end = True
        while (left := end - time.monotonic()) > 0:
            if not open_end:
                time.sleep(left)
            elif self._wait_for_input(left):
                open_end = self._read_stderr()
        return self.lines

    def _last(self):
        words = self.noise.decode(errors="replace").strip().splitlines()
        return f"; it said: {words[-1][:100]}" if words else ""

    # The process.

    def alive(self):
        return self.status is None and not self._poll_exit()

    def _poll_exit(self):
        if self.status is not None:
            return True
        pid, status, rusage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.rusage = rusage
        return True

    def reap(self, timeout):
        """Waits for the end; False if it does not come in time."""
        end = time.monotonic() + timeout
        pause = 0.0005
        while not self._poll_exit():
            if time.monotonic() >= end:
                return False
            if self._wait_for_input(pause):
                if not self._read_stderr():
                    time.sleep(pause)
            pause = min(pause * 2, 0.01)
        self._read_stderr()
        if self.stdout.peer is not None and self.stdout.kind == "pipe" and self.drains:
            self.output += self.stdout.read_available()
        return True

    def finish(self, status=0, timeout=None):
        """Waits for the end and expects this exit status (None: any that is not a crash)."""
        timeout = self.case.timeout if timeout is None else timeout
        if not self.reap(timeout):
            raise Failure(f"hangs: has not ended after {timeout:g} s{self._last()}")
        if status is None:
            if self.status < 0 and -self.status in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE):
                raise Failure(f"the runtime crashed ({self.how_it_ended()})")
        elif self.status != status:
            raise Failure(f"{self.how_it_ended()}, expected exit status {status}{self._last()}")
        return self

    def how_it_ended(self):
        if self.status is None:
            return "still running"
        return f"exit status {self.status}" if self.status >= 0 else f"killed by {signal.Signals(-self.status).name}"

    def cpu(self):
        """Seconds of processor time of the process and its children so far."""
        total, pids = 0, [self.pid]
        while pids:
            pid = pids.pop()
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                        total += int(f.read().split()[0])
                    with open(f"/proc/{pid}/task/{task}/children") as f:
                        pids += map(int, f.read().split())
            except OSError:
                continue
        return total / 1e9

    def signal(self, number):
        os.kill(self.pid, number)

    def close(self):
        if not self._poll_exit():
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.reap(5.0)
        else:
            try:
                os.killpg(self.pid, signal.SIGKILL)  # children that a wrapper left behind
            except (ProcessLookupError, PermissionError):
                pass
        os.close(self._stderr)


class Case:
    """One row in one variant under one runtime. The checks raise Failure; notes are printed with the verdict."""

    def __init__(self, runtime, guests, variant, timeout, disable):
        self.runtime, self.guests, self.variant, self.timeout = runtime, guests, variant, timeout
        self.words = variant.split()
        self.kind = self.words[0] if self.words else ""
        self.notes, self._open = [], []
        self.environment = dict(os.environ)
        if disable is not None:
            self.environment["POLLUX_DISABLE"] = disable

    def close(self):
        for item in reversed(self._open):
            try:
                item.close()
            except OSError:
                pass
        self._open.clear()

    def keep(self, item):
        self._open.append(item)
        return item

    # Set-up.

    def temp_dir(self):
        path = tempfile.mkdtemp(prefix="wasi-conformance-")
        self.keep(_Cleanup(lambda: shutil.rmtree(path, ignore_errors=True)))
        return path

    def data_dir(self, text="file contents\n"):
        """A directory with one file named data."""
        path = self.temp_dir()
        with open(os.path.join(path, "data"), "w") as f:
            f.write(text)
        return path

    def stdin(self, kind=None, data=b"", raw=False):
        """An end of the kind (by default the variant's first word), with `data` in it already."""
        kind = kind or self.kind
        if kind == "pipe":
            fd, peer = os.pipe()
            end = End(kind, fd, peer)
        elif kind == "socket":
            a, b = socket.socketpair()
            end = End(kind, a.detach(), b.detach())
        elif kind == "fifo":
            path = os.path.join(self.temp_dir(), "fifo")
            os.mkfifo(path)
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(fd, True)
            end = End(kind, fd, os.open(path, os.O_WRONLY), path)
        elif kind == "tty":
            end = self._tty(raw)
        elif kind == "file":
            path = os.path.join(self.temp_dir(), "stdin")
            with open(path, "wb") as f:
                f.write(data)
            end = End(kind, os.open(path, os.O_RDONLY), path=path)
        elif kind == "null":
            end = End(kind, os.open("/dev/null", os.O_RDONLY))
        elif kind == "directory":
            end = End(kind, os.open(self.temp_dir(), os.O_RDONLY | os.O_DIRECTORY))
        else:
            raise ValueError(kind)
        self.keep(end)
        if data and end.peer is not None:
            end.write(data)
            if kind == "tty":
                _wait_until_delivered(end.fd, data)
        return end

    def _tty(self, raw):
        master, slave = os.openpty()
        if raw:
            tty.setraw(slave)
        else:
            mode = termios.tcgetattr(slave)
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(slave, termios.TCSANOW, mode)
        return End("tty", slave, master)

    def stdout(self, kind, raw=True):
        """Likewise for stdout. "packets" is a socket on which every write is a message of its own."""
        if kind == "pipe":
            peer, fd = os.pipe()
            end = End(kind, fd, peer)
        elif kind == "packets":
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            end = End(kind, a.detach(), b.detach())
        elif kind in ("file", "append"):
            path = os.path.join(self.temp_dir(), "stdout")
            with open(path, "wb") as f:
                f.write(b"before\n" if kind == "append" else b"")
            end = End(kind, os.open(path, os.O_WRONLY | (os.O_APPEND if kind == "append" else 0)), path=path)
        elif kind == "null":
            end = End(kind, os.open("/dev/null", os.O_WRONLY))
        elif kind == "tty":
            end = self._tty(raw)
        elif kind == "socket":
            a, b = socket.socketpair()
            end = End(kind, a.detach(), b.detach())
        else:
            raise ValueError(kind)
        return self.keep(end)

    def free_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def connect(self, port):
        end = time.monotonic() + self.timeout
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=self.timeout)
                return self.keep(connection)
            except OSError as error:
                if time.monotonic() >= end:
                    raise Failure(f"cannot connect to the listener: {error}") from None
                time.sleep(0.01)

    def process(self, argv, **options):
        """Another program, killed when the case ends."""
        process = subprocess.Popen(argv, **options)
        self.keep(_Cleanup(lambda: (process.kill(), process.wait())))
        return process

    def run(self, guest, *args, stdin=None, stdout=None, dirs=(), env=None, closed=(), stderr_too=False, stdin_mode=None,
            **options):
        if self.runtime.is_native and not os.path.exists(os.path.join(self.guests, "native", guest)):
            raise NotApplicable("no native form")
        if stdin_mode and self.runtime.takes("stdin"):
            options["stdin"] = stdin_mode
        stdin = stdin or self.stdin("null")
        stdout = stdout or self.stdout("pipe")
        preopens = [(path, "/" if i == 0 else f"/{i}") for i, path in enumerate(dirs)]
        argv = self.runtime.command(self.guests, guest, [str(a) for a in args], preopens, env or {}, options)
        return self.keep(Run(self, argv, stdin, stdout, closed, stderr_too))

    # Checks.

    def note(self, text):
        self.notes.append(text)

    def check(self, condition, message):
        if not condition:
            raise Failure(message)

    def expect(self, line, **values):
        for key, wanted in values.items():
            found = getattr(line, key)
            if found not in wanted if isinstance(wanted, (tuple, set, range)) else found != wanted:
                show = (lambda e: f"{ERRNO_NAMES.get(e, '')}({e})") if key in ("errno", "value") else str
                wanted = " or ".join(map(show, wanted)) if isinstance(wanted, (tuple, set)) else show(wanted)
                raise Failure(f"{line.label}: {key} is {show(found)}, expected {wanted}")
        return line

    def events(self, line, *wanted, errno=0):
        """Exactly these events, in any order: (name, type, error, nbytes, flags); None matches anything, a tuple its members."""
        self.expect(line, errno=errno)
        found = sorted(line.events)
        self.check(len(found) == line.n, f"{line.label}: count is {line.n}, events are {len(found)}")

        def matches(event, want):
            want = tuple(want) + (None,) * (5 - len(want))
            return all(w is None or (e in w if isinstance(w, tuple) else e == w) for e, w in zip(event, want))

        wanted = sorted(wanted, key=lambda w: w[:2])
        if len(found) != len(wanted) or not all(map(matches, found, wanted)):
            raise Failure(f"{line.label}: found {_describe(found)}, expected {_describe(wanted)}")
        return line

    def lasted(self, line, at_least_ns=0, bound_ns=1500 * MS):
        """Never early; late only within a generous bound."""
        self.check(line.ns >= at_least_ns, f"{line.label}: early, after {line.ns / MS:.3f} ms instead of {at_least_ns / MS:g}")
        self.check(line.ns <= bound_ns, f"{line.label}: took {line.ns / MS:.0f} ms, bound is {bound_ns / MS:g}")

    def idle(self, run, cpu_before, seconds, share=0.5):
        """The processor was used for less than `share` of the time since cpu_before was taken."""
        used = run.cpu() - cpu_before
        self.note(f"cpu {used * 1000:.1f} of {seconds * 1000:.0f} ms")
        self.check(used < share * seconds, f"spins: {used * 1000:.0f} ms of processor time in {seconds * 1000:.0f} ms of waiting")


def _wait_until_delivered(fd, data):
    """What is written to a terminal's master reaches the other side a moment later; a line without its end never shows there."""
    size = data.rfind(b"\n") + 1
    end = time.monotonic() + (1.0 if size else 0.05)
    while time.monotonic() < end:
        if size and struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0] >= size:
            break
        time.sleep(0.001)


def _describe(events):
    """Events, or patterns of them, in words: "r0 read, clock"."""
    def words(name, kind, error=0, nbytes=0, flags=0):
        yield name
        yield ("clock", "read", "write")[kind] if kind in (0, 1, 2) else f"type={kind}"
        if error:
            yield "error " + "|".join(ERRNO_NAMES.get(e, str(e)) for e in (error if isinstance(error, tuple) else (error,)))
        if nbytes:
            yield f"nbytes={nbytes}"
        if flags:
            yield "hangup" if flags == HANGUP else f"flags={flags}"
    return "[" + ", ".join(" ".join(words(*event)) for event in events) + "]"


class _Cleanup:
    def __init__(self, close):
        self.close = close


class Row:
    def __init__(self, number, name, variants, test):
        self.number, self.name, self.variants, self.test = number, name, variants, test


ROWS = {}


def row(number, name, *variants):
    """Registers a behaviour. Without variants it runs once."""

    def register(test):
        if number in ROWS:
            raise ValueError(f"two rows {number}")
        ROWS[number] = Row(number, name, variants or ("",), test)
        return test

    return register
