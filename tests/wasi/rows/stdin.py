"""Behaviours 1 to 24: stdin."""

import os
import signal
import subprocess
import time

from harness import AGAIN, BADF, CLOCK, HANGUP, ISDIR, MS, NONBLOCK, READ, row


@row(1, "stdin made non-blocking: EAGAIN at once", "pipe")
def nonblocking_silent(t):
    run = t.run("nonblocking_read", stdin=t.stdin())
    t.expect(run.line("before"), errno=0, flags=0)
    t.expect(run.line("set"), errno=0)
    t.expect(run.line("after"), errno=0, flags=NONBLOCK)
    line = t.expect(run.line("read"), errno=AGAIN, n=0)
    t.note(f"{line.ns / 1000:.0f} us")
    t.lasted(line, bound_ns=200 * MS)
    run.finish()


@row(2, "the same on terminal, socket, FIFO and regular file", "tty", "socket", "fifo", "file")
def nonblocking_kinds(t):
    run = t.run("nonblocking_read", stdin=t.stdin(data=b"hello" if t.kind == "file" else b""))
    t.expect(run.line("before"), errno=0, flags=0)
    t.expect(run.line("set"), errno=0)
    t.expect(run.line("after"), errno=0, flags=NONBLOCK)
    if t.kind == "file":
        t.expect(run.line("read"), errno=0, n=5, text="hello")
        t.expect(run.line("again"), errno=0, n=0)
    else:
        t.lasted(t.expect(run.line("read"), errno=AGAIN, n=0), bound_ns=200 * MS)
        t.expect(run.line("again"), errno=AGAIN)
    run.finish()


@row(3, "O_NONBLOCK cleared again: the read waits", "pipe", "tty", "socket", "fifo")
def blocking_again(t):
    stdin = t.stdin()
    run = t.run("blocking_again", stdin=stdin)
    t.expect(run.line("set"), errno=0)
    t.expect(run.line("empty"), errno=AGAIN)
    t.expect(run.line("clear"), errno=0)
    t.expect(run.line("stat"), errno=0, flags=0)
    run.line("reading")
    run.peek_lines(0.1)
    stdin.write(b"data\n")
    line = t.expect(run.line("read"), errno=0, n=5, text="data_")
    t.lasted(line, 50 * MS)
    run.finish()


@row(4, "the parent's F_GETFL never changes", *(f"{kind} {end}" for kind in ("pipe", "tty", "socket", "fifo")
                                                for end in ("return", "exit", "trap", "sigkill")))
def host_flags(t):
    stdin, ending = t.stdin(), t.words[1]
    stdout = t.stdout("pipe" if t.kind == "fifo" else t.kind)

    def unchanged(when):
        for name, end in (("stdin", stdin), ("stdout", stdout)):
            t.check(not end.nonblocking_on_host(), f"O_NONBLOCK shows on the host's {name} {when}")

    run = t.run("host_flags", "wait" if ending == "sigkill" else ending, stdin=stdin, stdout=stdout)
    t.expect(run.line("set0"), errno=0)
    t.expect(run.line("set1"), errno=0)
    unchanged("once the guest has set it")
    run.line("poll")
    t.expect(run.line("read"), errno=AGAIN)
    run.line("ready")
    for _ in range(5):
        unchanged("during the run")
        run.peek_lines(0.01)
    if ending == "sigkill":
        run.signal(signal.SIGKILL)
        run.finish(-signal.SIGKILL)
    else:
        run.line("wait")
        trap_status = -signal.SIGILL if t.runtime.is_native else None
        run.finish({"return": 0, "exit": 3, "trap": trap_status}[ending])
        t.check(ending != "trap" or run.status != 0, "a trap ended with exit status 0")
    unchanged(f"after the end by {ending}")


@row(5, "host stdin already O_NONBLOCK: a blocking read waits", "pipe", "tty", "socket", "fifo", "pipe poll", "tty poll",
     "socket poll", "fifo poll")
def host_nonblocking(t):
    stdin = t.stdin()
    if t.words[1:] != ["poll"]:
        stdin.set_nonblocking_on_host()
    run = t.run("blocking_read", *t.words[1:], stdin=stdin)
    run.line("reading")
    run.peek_lines(0.1)
    stdin.write(b"x\n")
    line = t.expect(run.line("read"), errno=0, n=2)
    t.lasted(line, 50 * MS)
    run.finish()


@row(6, "option: the host's O_NONBLOCK shows at start", "pipe", "tty", "socket", "pipe off")
def inherited_flag(t):
    stdin = t.stdin()
    nonblocking = len(t.words) == 1
    if nonblocking:
        stdin.set_nonblocking_on_host()
    run = t.run("start_flags", stdin=stdin, stdin_mode="inherit")
    t.expect(run.line("stat"), errno=0, flags=NONBLOCK if nonblocking else 0)
    if nonblocking:
        t.expect(run.line("read"), errno=AGAIN)
    run.finish()
    t.check(stdin.nonblocking_on_host() == nonblocking, "the host's own flag has changed")


@row(7, "GHC's scheduler: a waiting getLine stalls no other thread", "pipe", "tty", "socket")
def ghc_threads(t):
    stdin = t.stdin()
    run = t.run("ghc_threads", stdin=stdin)
    t.expect(run.line("set"), errno=0)
    run.line("tick")
    sent = 0
    for text in (b"one\n", b"second line\n", b"3\n"):
        run.peek_lines(0.11)
        stdin.write(text)
        sent += len(text)
    run.finish()
    ticks = [line.arrived for line in run.lines if line.label == "tick"]
    lines = [line for line in run.lines if line.label == "line"]
    t.check(sum(line.n for line in lines if line.errno == 0) == sent and len(lines) == 3,
            f"read {len(lines)} times, {sum(line.n for line in lines)} bytes; 3 lines of {sent} bytes were sent")
    gap = max(b - a for a, b in zip(ticks, ticks[1:]))
    t.note(f"longest gap {gap * 1000:.0f} of 20 ms")
    t.check(len(ticks) == 30 and gap < 0.5, f"{len(ticks)} ticks, longest gap {gap * 1000:.0f} ms of 20")


@row(8, "Content-Length messages in odd pieces; idle between", "pipe", "tty", "socket")
def lsp_framing(t):
    stdin = t.stdin(raw=True)
    run = t.run("lsp_framing", stdin=stdin)
    t.expect(run.line("set"), errno=0)

    def expect_message(body):
        total = 0
        for byte in body:
            total = (total * 31 + byte) & 0xffffffff
        t.expect(run.line("message"), length=len(body), sum=total)

    def framed(body):
        return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)

    bodies = [b'{"id":%d,"text":"%s"}' % (i, b"x" * (7 * i)) for i in range(4)]
    for byte in framed(bodies[0]):
        stdin.write(bytes([byte]))
        run.peek_lines(0.001)
    expect_message(bodies[0])
    stream = framed(bodies[1]) + framed(bodies[2]) + framed(bodies[3])
    for start in range(0, len(stream), 37):
        stdin.write(stream[start:start + 37])
        run.peek_lines(0.005)
    for body in bodies[1:]:
        expect_message(body)
    before = run.cpu()
    run.peek_lines(0.2)
    t.idle(run, before, 0.2)
    stdin.close_peer()
    if t.kind != "tty":
        t.expect(run.line("end"), left=0)
        run.finish()


@row(9, "poll(0) with data ready: readable on the first call", "pipe", "tty", "socket", "file")
def poll_zero_ready(t):
    run = t.run("poll_zero", stdin=t.stdin(data=b"hello\n"))
    line = run.line("poll")
    t.expect(line, errno=0)
    events = {event.name: event for event in line.events}
    t.check("r0" in events, f"only {list(events)} reported although data is there")
    t.check(events["r0"].type == READ and events["r0"].error == 0 and events["r0"].flags == 0, f"wrong event {events['r0']}")
    run.finish()


@row(10, "poll(0) on a silent stdin: nothing, cheaply", "pipe", "tty", "socket")
def poll_zero_silent(t):
    run = t.run("poll_zero", "rate", stdin=t.stdin())
    t.events(run.line("poll"), ("clock", CLOCK, 0))
    rate = t.expect(run.line("rate"), wrong=0)
    per_second = rate.calls / (rate.ns / 1e9)
    t.note(f"{per_second:,.0f} calls/s")
    t.check(per_second > 5000, f"only {per_second:.0f} calls per second")
    run.finish()


@row(11, "poll(-1) on a silent stdin waits; one byte wakes it", "pipe", "tty", "socket", "fifo")
def poll_forever(t):
    stdin = t.stdin()
    run = t.run("poll_wait", "forever", stdin=stdin)
    run.line("waiting")
    t.check(not any(line.label == "poll" for line in run.peek_lines(0.15)), "returned before there was data")
    written = time.monotonic()
    stdin.write(b"\n")
    line = t.events(run.line("poll"), ("r0", READ, 0, None, 0))
    wake = line.arrived - written
    t.note(f"woken in {wake * 1000:.2f} ms")
    t.check(wake < 0.5, f"woken only after {wake * 1000:.0f} ms")
    run.finish()


@row(12, "poll(100 ms) on a silent stdin: on time and idle", "pipe", "tty", "socket")
def poll_timeout(t):
    run = t.run("poll_wait", "100", stdin=t.stdin())
    run.line("waiting")
    before = run.cpu()
    run.peek_lines(0.08)
    t.idle(run, before, 0.08)
    line = t.events(run.line("poll"), ("clock", CLOCK, 0))
    t.note(f"{line.ns / MS:.2f} ms")
    t.lasted(line, 100 * MS)
    run.finish()


@row(13, "poll takes nothing from stdin: cat afterwards gets it all", "pipe", "tty", "socket", "file")
def poll_does_not_consume(t):
    text = b"first line\nsecond line\n"
    stdin = t.stdin(data=text)
    if t.kind == "tty":
        stdin.write(b"\x04")
    run = t.run("poll_wait", "1000", stdin=stdin)
    t.events(run.line("poll"), ("r0", READ, 0, None, 0))
    run.finish()
    if t.kind != "tty":
        stdin.close_peer()
    rest = subprocess.run(["cat"], stdin=stdin.fd, stdout=subprocess.PIPE, timeout=t.timeout, check=False).stdout
    t.check(rest == text, f"cat got {rest!r} of {text!r}")


@row(14, "read(n) moves a seekable stdin by exactly n", "file", "file later")
def read_offset(t):
    text = b"0123456789abcdefghijklmnopqrstuvwxyz" * 400
    stdin = t.stdin("file", text)
    start = 100 if t.words[1:] else 0
    os.lseek(stdin.fd, start, os.SEEK_SET)
    run = t.run("read_offset", stdin=stdin)
    t.expect(run.line("first"), errno=0, n=10, text=text[start:start + 10].decode())
    t.expect(run.line("second"), errno=0, n=7, text=text[start + 10:start + 17].decode())
    run.finish()
    offset = os.lseek(stdin.fd, 0, os.SEEK_CUR)
    t.check(offset == start + 17, f"the host's offset is {offset}, expected {start + 17}")


@row(15, "end of file on stdin: FD_READ with HANGUP, read 0, each time", "pipe", "socket", "tty")
def poll_eof(t):
    stdin = t.stdin()
    stdin.close_peer()
    run = t.run("poll_eof", stdin=stdin)
    for i in range(4):
        t.events(run.line(f"poll{i}"), ("r0", READ, 0, 0, HANGUP))
        t.expect(run.line(f"read{i}"), errno=0, n=0)
    run.finish()


@row(16, "data left by a writer that has gone: nbytes and HANGUP", "pipe", "socket", "fifo")
def data_then_eof(t):
    stdin = t.stdin(data=b"hello")
    stdin.close_peer()
    run = t.run("poll_eof", stdin=stdin)
    t.events(run.line("poll0"), ("r0", READ, 0, 5, HANGUP))
    t.expect(run.line("read0"), errno=0, n=5, text="hello")
    t.events(run.line("poll1"), ("r0", READ, 0, 0, HANGUP))
    t.expect(run.line("read1"), errno=0, n=0)
    run.finish()


@row(17, "FIONREAD (nbytes) is exact", "pipe", "tty", "socket", "file", "pipe silent", "tty silent", "socket silent")
def fionread(t):
    silent = t.words[1:] == ["silent"]
    run = t.run("fionread", stdin=t.stdin(data=b"" if silent else b"hello, world\n"))
    t.expect(run.line("fionread"), result=0, n=0 if silent else 13)
    line = t.expect(run.line("poll"), errno=0)
    counts = [event.nbytes for event in line.events if event.name == "r0"]
    t.check(counts == ([] if silent else [13]), f"nbytes {counts} in the event")
    run.finish()


@row(18, "^D on an empty line ends one read, not the terminal", "tty")
def tty_eof(t):
    stdin = t.stdin()
    run = t.run("tty_eof", stdin=stdin)
    stdin.write(b"one\n")
    t.events(run.line("poll0"), ("r0", READ, 0, None, 0))
    t.expect(run.line("read0"), errno=0, n=4, text="one_")
    stdin.write(b"\x04")
    t.events(run.line("poll1"), ("r0", READ, 0, None, 0))
    t.expect(run.line("read1"), errno=0, n=0)
    run.peek_lines(0.05)
    stdin.write(b"three\n")
    t.events(run.line("poll2"), ("r0", READ, 0, None, 0))
    t.expect(run.line("read2"), errno=0, n=6, text="three_")
    t.events(run.line("silent"), ("clock", CLOCK, 0))
    run.finish()


@row(19, "a terminal line without its end is not ready", "tty")
def tty_line(t):
    stdin = t.stdin(data=b"ab")
    run = t.run("poll_wait", "50", "read", stdin=stdin)
    t.events(run.line("poll"), ("clock", CLOCK, 0))
    stdin.write(b"\n")
    t.events(run.line("again"), ("r0", READ, 0, None, 0))
    t.expect(run.line("read"), errno=0, n=3, text="ab_")
    run.finish()


@row(20, "stdin or stdout closed at start: EBADF or empty, no crash", "stdin", "stdout")
def closed_stdio(t):
    number = 0 if t.kind == "stdin" else 1
    path = t.data_dir()
    run = t.run("closed_stdio", number, dirs=[path], closed=[number])
    run.line("stat")
    if number == 0:
        read = t.expect(run.line("read"), errno=(0, BADF), n=0)
    else:
        t.expect(run.line("write"), errno=(0, BADF))
    t.expect(run.line("prestat"), errno=0)
    opened = t.expect(run.line("open"), errno=0)
    if number == 0:
        t.check(opened.fd != 0 or read.errno == BADF, "the opened file became descriptor 0 although 0 was open")
        again = run.line("read_again")
        if opened.fd == 0:
            t.expect(again, errno=0, text="file_contents_")
        else:
            t.expect(again, errno=(0, BADF), n=0)
            t.expect(run.line("file"), errno=0, text="file_contents_")
    else:
        t.expect(run.line("file"), errno=0, text="file_contents_")
    run.finish()
    with open(os.path.join(path, "data")) as f:
        t.check(f.read() == "file contents\n", "the guest's stdout went into a file that it opened")


@row(21, "stdin is /dev/null, a file, a directory: no EPERM, no hang", "null", "file", "directory")
def odd_stdin(t):
    run = t.run("odd_stdin", stdin=t.stdin(data=b"hello"))
    line = run.line("poll")
    t.lasted(line, bound_ns=900 * MS)
    if t.kind == "directory":
        t.events(line, ("r0", READ, (BADF, ISDIR)))
        t.expect(run.line("read"), errno=(BADF, ISDIR))
    else:
        t.events(line, ("r0", READ, 0, 5 if t.kind == "file" else 0, 0))
        t.expect(run.line("read"), errno=0, n=5 if t.kind == "file" else 0)
    run.finish()


@row(22, "a big stdin is read about as fast as cat reads it", "pipe", "socket")
def throughput(t):
    size = 256 << 20

    def feed(end):
        t.process(["head", "-c", str(size), "/dev/zero"], stdout=end.peer)
        end.close_peer()

    stdin = t.stdin()
    feed(stdin)
    start = time.monotonic()
    subprocess.run(["cat"], stdin=stdin.fd, stdout=subprocess.DEVNULL, timeout=30, check=False)
    cat_seconds = time.monotonic() - start
    stdin = t.stdin()
    run = t.run("throughput", stdin=stdin)
    run.line("start")
    feed(stdin)
    line = t.expect(run.line("end", 30), bytes=size, sum=0)
    ratio = cat_seconds / (line.ns / 1e9)
    t.note(f"{size / 2 ** 20 / (line.ns / 1e9):.0f} MiB/s, {ratio:.2f} of cat")
    t.check(ratio > 0.05, f"{ratio:.3f} of cat's speed")
    run.finish()


@row(24, "a read of no bytes gives 0 at once", "pipe", "tty", "socket")
def zero_read(t):
    run = t.run("zero_read", stdin=t.stdin())
    for label in ("empty", "none"):
        t.lasted(t.expect(run.line(label), errno=0, n=0), bound_ns=500 * MS)
    run.finish()
