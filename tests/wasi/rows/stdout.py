"""Behaviours 25 to 31: stdout and stderr."""

import os
import select
import subprocess
import time

from harness import AGAIN, CLOCK, MS, PIPE, WRITE, row


@row(25, "non-blocking stdout: short write, EAGAIN, FD_WRITE after a drain", "pipe", "tty", "socket")
def full_stdout(t):
    stdout = t.stdout(t.kind)
    run = t.run("full_stdout", stdout=stdout)
    run.drains = False
    t.expect(run.line("set"), errno=0)
    full = t.expect(run.line("full"), errno=AGAIN)
    t.check(full.total > 0 and full.shorts == full.writes, f"{full.total} bytes in {full.writes} writes, {full.shorts} short")
    t.events(run.line("still_full"), ("clock", CLOCK, 0))
    run.line("waiting")
    t.check(not any(line.label == "poll" for line in run.peek_lines(0.1)), "FD_WRITE fired before anything was read")
    drained = time.monotonic()
    data = stdout.read_exactly(full.total, t.timeout)  # the guest's last byte may be among them already
    line = t.events(run.line("poll"), ("w1", WRITE, 0, None, 0))
    t.check(line.arrived >= drained, "FD_WRITE fired too early")
    t.expect(run.line("write"), errno=0, n=1)
    data += stdout.read_exactly(full.total + 1 - len(data), t.timeout)
    run.finish()
    t.note(f"{full.total} bytes")
    pattern = bytes(range(251)) * (len(data) // 251 + 1)
    t.check(len(data) == full.total + 1 and data == pattern[:len(data)], f"{len(data)} bytes arrived of {full.total + 1}, or other ones")


@row(27, "reader gone: EPIPE, and the host lives on", "pipe", "socket", "head")
def broken_pipe(t):
    stdout = t.stdout("pipe" if t.kind == "head" else t.kind)
    if t.kind == "head":
        head = t.process(["head", "-n", "1"], stdin=stdout.peer, stdout=subprocess.PIPE)
    stdout.close_peer()
    run = t.run("broken_pipe", stdout=stdout)
    t.expect(run.line("write"), errno=PIPE)
    if t.kind == "head":
        text = head.communicate(timeout=t.timeout)[0]
        t.check(text.endswith(b"\n") and text.count(b"\n") == 1, f"head printed {text!r}")
    run.finish(7)


@row(28, "FD_WRITE with the reader gone: plainly ready, also to select()", "pipe", "socket")
def poll_broken_pipe(t):
    stdout = t.stdout(t.kind)
    stdout.close_peer()
    run = t.run("poll_broken_pipe", stdout=stdout)
    t.events(run.line("poll"), ("w1", WRITE, 0, None, 0))
    t.expect(run.line("select"), n=1, set=1)
    t.expect(run.line("write"), errno=PIPE)
    run.finish()


def _polled_hello(t, stdout):
    run = t.run("hello_polled", stdout=stdout)
    for label in ("poll", "again"):
        t.lasted(t.events(run.line(label), ("w1", WRITE, 0, None, 0)), bound_ns=1000 * MS)
    t.expect(run.line("write"), errno=0, n=13)
    run.finish()
    return run


@row(29, "stdout to a file: polled, written, not stuck", "file", "append", "null")
def stdout_file(t):
    stdout = t.stdout(t.kind)
    _polled_hello(t, stdout)
    if t.kind != "null":
        with open(stdout.path, "rb") as f:
            text = f.read()
        wanted = (b"before\n" if t.kind == "append" else b"") + b"hello, world\n"
        t.check(text == wanted, f"the file holds {text!r}")


@row(30, "poll(-1) on a writable descriptor returns at once", "pipe", "tty", "socket")
def poll_writable(t):
    stdout = t.stdout(t.kind)
    run = _polled_hello(t, stdout)
    text = run.output + stdout.read_available(0.5 if not run.output else 0.0)
    t.check(text == b"hello, world\n", f"{text!r} arrived")


@row(31, "many buffers are one write; stdout and stderr keep their order", "packets", "order")
def gathered_write(t):
    if t.kind == "packets":
        stdout = t.stdout("packets")
        run = t.run("gathered_write", stdout=stdout)
        wanted = b"".join(b"part%02d" % i for i in range(64) if i != 10)
        t.expect(run.line("write"), errno=0, n=len(wanted))
        run.finish()
        first = os.read(stdout.peer, 1 << 16) if select.select([stdout.peer], [], [], 1.0)[0] else b""
        t.check(first == wanted, f"the first message has {len(first)} of {len(wanted)} bytes")
    else:
        stdout = t.stdout("pipe")
        run = t.run("gathered_write", "order", stdout=stdout, stderr_too=True)
        run.finish()
        wanted = b"".join(b"%d\n" % i for i in range(200))
        t.check(run.output == wanted, "the lines are not in the order of the calls")

