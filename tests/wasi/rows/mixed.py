"""Behaviours 54 to 64: lists of subscriptions as programs, and attackers, really make them."""

import signal
import time

from harness import BADF, CLOCK, FAULT, INVAL, MS, OVERFLOW, READ, WRITE, Failure, row


@row(54, "a bad descriptor among others: one BADF event, at once", "silent", "ready")
def poll_bad_fd(t):
    ready = t.kind == "ready"
    run = t.run("poll_bad_fd", stdin=t.stdin("pipe", b"x" if ready else b""))
    also = (("r0", READ, 0),) if ready else ()
    for label in ("first", "last", "no_clock"):
        t.lasted(t.events(run.line(label), ("bad", READ, BADF), *also), bound_ns=900 * MS)
    t.lasted(t.events(run.line("no_fd"), ("bad", READ, BADF)), bound_ns=900 * MS)
    t.lasted(t.events(run.line("negative"), ("bad", WRITE, BADF), *also), bound_ns=900 * MS)
    t.events(run.line("with_write"), ("bad", READ, BADF), ("w1", WRITE, 0))
    lone = run.line("lone")
    if lone.errno != BADF:
        t.events(lone, ("bad", READ, BADF))
    run.finish()


@row(55, "silent stdin and stdout, no clock: stdout at once", "pipe", "tty", "socket")
def poll_any(t):
    run = t.run("poll_any", stdin=t.stdin())
    t.lasted(t.events(run.line("both"), ("w1", WRITE, 0)), bound_ns=500 * MS)
    t.lasted(t.events(run.line("swapped"), ("w1", WRITE, 0)), bound_ns=500 * MS)
    t.lasted(t.events(run.line("clock"), ("clock", CLOCK, 0)), 300 * MS)
    run.finish()


@row(56, "stdin ready before the clock: no clock event", "pipe", "tty", "socket", "file")
def no_false_clock(t):
    run = t.run("poll_any", stdin=t.stdin(data=b"hello\n"))
    t.events(run.line("both"), ("r0", READ, 0), ("w1", WRITE, 0))
    t.events(run.line("swapped"), ("r0", READ, 0), ("w1", WRITE, 0))
    t.lasted(t.events(run.line("clock"), ("r0", READ, 0)), bound_ns=290 * MS)
    run.finish()


@row(57, "one descriptor twice, and in both directions: an event each", "pipe", "tty", "socket")
def poll_same_fd(t):
    both = t.kind != "pipe"
    run = t.run("poll_same_fd", *(["both"] if both else []), stdin=t.stdin(data=b"hello\n"))
    t.events(run.line("twice"), ("one", READ, 0), ("two", READ, 0))
    if both:
        t.events(run.line("both"), ("read", READ, 0), ("write", WRITE, 0))
        t.expect(run.line("drain"), errno=0, n=6)
        t.events(run.line("silent"), ("write", WRITE, 0))
    run.finish()


@row(58, "every byte of an event is written; the count on success only")
def event_bytes(t):
    run = t.run("event_bytes", stdin=t.stdin("pipe", b"hello"))

    def event(name, kind, nbytes):
        return (name.ljust(8, b"\0") + bytes([0, 0, kind, 0, 0, 0, 0, 0]) + nbytes.to_bytes(8, "little") + bytes(8)).hex()

    t.expect(run.line("read"), errno=0, n=1, hex=event(b"r0", READ, 5))
    t.expect(run.line("beyond"), touched=0)
    t.expect(run.line("clock"), errno=0, n=1, hex=event(b"clock", CLOCK, 0))
    t.expect(run.line("empty"), errno=INVAL, n="5a5a5a5a")
    t.expect(run.line("bad_tag"), errno=INVAL, n="5a5a5a5a")
    run.finish()


@row(59, "overlapping, unaligned and out-of-bounds lists: an errno or a trap", "layout", "in", "in_top", "out", "count", "wrap",
     "huge", "read", "read_list", "read_many", "read_count", "write", "write_many")
def hostile_pointers(t):
    run = t.run("hostile_pointers", t.kind, stdin=t.stdin("pipe", b"hello"))
    if t.kind == "layout":
        t.events(run.line("overlap"), ("r0", READ, 0))
        t.events(run.line("shifted"), ("one", READ, 0), ("two", READ, 0))
        run.finish(None)
        for line in run.lines:
            if line.label == "unaligned" and line.errno not in (FAULT, INVAL, OVERFLOW):
                t.events(line, ("r0", READ, 0))
        return
    if t.runtime.is_native:
        return
    run.finish(None)
    done = [line for line in run.lines if line.label == "done"]
    if done:
        t.expect(done[0], errno=(FAULT, INVAL, OVERFLOW))
    else:
        t.check(run.status != 0, "neither a result nor a trap")
        t.note(f"trap, {run.how_it_ended()}")


@row(60, "65 536 subscriptions: bounded memory and right")
def big_poll(t):
    run = t.run("big_poll", stdin=t.stdin("pipe"))
    one = t.expect(run.line("one"), errno=0, n=1, errors=0, sum=40000)
    t.lasted(one, 10 * MS, 3000 * MS)
    count = 65536
    everything = t.expect(run.line("all"), errno=0, n=count, errors=count // 2, sum=count * (count - 1) // 2)
    run.finish()
    t.note(f"{everything.ns / MS:.1f} ms, peak {run.rusage.ru_maxrss // 1024} MiB")
    t.check(run.rusage.ru_maxrss < 1 << 20, f"{run.rusage.ru_maxrss // 1024} MiB of memory")


@row(62, "a time limit or a signal ends a waiting guest", "limit poll", "limit read", "limit clock", "limit write", "limit spin",
     "term poll", "int read")
def interrupted(t):
    how, what = t.words
    options = {"timeout": "200ms"} if how == "limit" else {}
    stdout = t.stdout("pipe")
    run = t.run("wait_forever", what, stdin=t.stdin("pipe"), stdout=stdout, **options)
    run.drains = False
    run.line("waiting")
    start = time.monotonic()
    if how == "limit":
        if not run.reap(t.timeout):
            raise Failure("the time limit did not end it")
        t.check(run.status != 0 if not t.runtime.is_pollux else run.status == 124, f"{run.how_it_ended()}, expected 124")
    else:
        run.peek_lines(0.05)
        number = signal.SIGTERM if how == "term" else signal.SIGINT
        run.signal(number)
        if not run.reap(t.timeout):
            raise Failure("the signal did not end it")
        t.check(run.status == -number, f"{run.how_it_ended()}, expected {number.name}")
    t.note(f"after {(time.monotonic() - start) * 1000:.0f} ms")


@row(63, "select() with a timeout and read(), in a loop", "pipe", "tty", "socket", "file")
def select_loop(t):
    stdin = t.stdin(data=b"x" * 250 if t.kind == "file" else b"")
    run = t.run("select_loop", stdin=stdin)
    run.line("ready")
    if t.kind == "file":
        t.expect(run.line("end"), n=0, bytes=250, wakes=3)
        run.finish()
        return
    for text in (b"a\n", b"longer text\n", b"end\n"):
        run.peek_lines(0.07)
        stdin.write(text)
        t.expect(run.line("got"), n=len(text))
    if t.kind == "tty":
        stdin.write(b"\x04")
    else:
        stdin.close_peer()
    t.expect(run.line("end"), n=0, bytes=18, wakes=3, idle=range(1, 100))
    run.finish()


@row(64, "what the published poll_oneoff tests ask", "pipe", "tty", "socket")
def poll_suites(t):
    run = t.run("poll_suites", stdin=t.stdin(), dirs=[t.data_dir("text")])
    t.lasted(t.events(run.line("stdin"), ("clock", CLOCK, 0)), 50 * MS)
    t.events(run.line("outputs"), ("w1", WRITE, 0), ("w2", WRITE, 0))
    t.expect(run.line("empty"), errno=INVAL)
    t.lasted(t.events(run.line("timeout"), ("clock", CLOCK, 0)), 5 * MS)
    t.expect(run.line("open"), errno=0)
    t.events(run.line("file"), ("read", READ, 0, 4), ("write", WRITE, 0))
    t.expect(run.line("closed"), errno=BADF)
    run.finish()
