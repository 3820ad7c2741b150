"""Behaviours 49 to 53: files."""

import os
import time

from harness import AGAIN, BADF, MS, NXIO, READ, WRITE, row


@row(49, "a regular file: ready both ways, nbytes right")
def poll_file(t):
    run = t.run("poll_file", dirs=[t.data_dir("x" * 26)])
    t.expect(run.line("open"), errno=0)
    t.events(run.line("start"), ("read", READ, 0, 26, 0), ("write", WRITE, 0, None, 0))
    t.events(run.line("middle"), ("read", READ, 0, 16, 0), ("write", WRITE, 0, None, 0))
    t.events(run.line("end"), ("read", READ, 0, 0, 0), ("write", WRITE, 0, None, 0))
    t.expect(run.line("eof"), errno=0, n=0)
    run.finish()


@row(50, "a FIFO by path, with and without NONBLOCK", "nonblock", "block")
def fifo(t):
    path = t.temp_dir()
    for name in ("fifo", "lonely"):
        os.mkfifo(os.path.join(path, name))
    run = t.run("fifo", t.kind, dirs=[path])
    if t.kind == "nonblock":
        t.expect(run.line("writer"), errno=NXIO)
    run.line("opening")
    if t.kind == "nonblock":
        t.expect(run.line("reader"), errno=0)
        t.lasted(run.line("opened"))
        t.expect(run.line("no_writer"), errno=0, n=0)
        run.line("waiting")
    else:
        t.check(not any(line.label == "reader" for line in run.peek_lines(0.1)), "open did not wait for a writer")
    writer = _Writer(t, os.path.join(path, "fifo"))
    if t.kind == "block":
        t.expect(run.line("reader"), errno=0)
        t.lasted(run.line("opened"), 50 * MS)
        run.line("waiting")
    run.peek_lines(0.05)
    os.write(writer.fd, b"data")
    t.events(run.line("poll"), ("read", READ, 0, None, 0))
    t.expect(run.line("read"), errno=0, n=4, text="data")
    if t.kind == "nonblock":
        t.expect(run.line("empty"), errno=AGAIN)
    run.finish()


class _Writer:
    """The other side of a FIFO; opening it never waits longer than the case's timeout for a reader."""

    def __init__(self, t, path):
        end = time.monotonic() + t.timeout
        while True:
            try:
                self.fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:
                t.check(time.monotonic() < end, "nobody reads the FIFO")
                time.sleep(0.005)
        t.keep(self)

    def close(self):
        os.close(self.fd)


@row(51, "a file renumbered onto descriptor 0 is polled and read there", "pipe", "tty", "file")
def renumber_stdin(t):
    run = t.run("renumber_stdin", stdin=t.stdin(data=b"of the host" if t.kind == "file" else b""), dirs=[t.data_dir("text")])
    t.expect(run.line("open"), errno=0)
    t.expect(run.line("renumber"), errno=0)
    t.expect(run.line("old"), errno=BADF)
    t.events(run.line("poll"), ("r0", READ, 0, None, 0))
    t.expect(run.line("read"), errno=0, n=4, text="text")
    t.expect(run.line("reused"), same=1)
    run.finish()


@row(52, "renumber onto itself; close while another fiber polls it", "same")
def renumber_same(t):
    run = t.run("renumber_same", stdin=t.stdin("pipe", b"x"), dirs=[t.data_dir("text")])
    t.expect(run.line("open"), errno=0)
    t.expect(run.line("same"), errno=0)
    t.expect(run.line("read"), errno=0, n=4, text="text")
    t.expect(run.line("stdin"), errno=0)
    t.events(run.line("poll"), ("r0", READ, 0, None, 0))
    t.expect(run.line("bad_same"), errno=BADF)
    t.expect(run.line("bad_from"), errno=BADF)
    run.finish()


@row(53, "a new descriptor takes the lowest free number")
def lowest_fd(t):
    run = t.run("lowest_fd", dirs=[t.data_dir()])
    t.expect(run.line("first"), a=4, b=5, c=6)
    t.expect(run.line("reused"), d=5, e=4, f=6, g=7)
    t.expect(run.line("stdin"), fd=0)
    run.finish()
