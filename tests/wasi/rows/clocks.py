"""Behaviours 32 to 40: clocks."""

import signal

from harness import CLOCK, INVAL, MS, NOTSUP, READ, row


@row(32, "a lone relative clock: one event, never early")
def sleep_relative(t):
    run = t.run("sleep_relative")
    timeouts = (0, 500, 50_000, 1 * MS, 20 * MS, 300 * MS)
    worst = 0
    for clock in (0, 1):
        for i, timeout in enumerate(timeouts if clock else timeouts[:5]):
            line = t.events(run.line(f"sleep{clock}_{i}"), ("clock", CLOCK, 0))
            t.lasted(line, timeout, timeout + 1000 * MS)
            worst = max(worst, line.ns - timeout)
    t.note(f"at most {worst / MS:.2f} ms late")
    run.finish()


def _absolute(t, clock):
    stdin = t.stdin("pipe")
    run = t.run("sleep_absolute", clock, stdin=stdin)
    # How long the wait took does not tell: some of the 20 ms may be over when it begins.
    t.lasted(t.events(run.line("ahead"), ("ahead", CLOCK, 0)))
    t.expect(run.line("late"), reached=1)
    for label in ("past", "zero"):
        t.lasted(t.events(run.line(label), (label, CLOCK, 0)), bound_ns=500 * MS)
    t.lasted(t.events(run.line("with_fd"), ("ahead", CLOCK, 0)))
    t.expect(run.line("later"), reached=1)
    run.finish()


@row(33, "an absolute time on the monotonic clock")
def absolute_monotonic(t):
    _absolute(t, 1)


@row(34, "an absolute time on the realtime clock, ahead and past")
def absolute_realtime(t):
    _absolute(t, 0)


@row(35, "two clocks: only the one that has expired")
def two_clocks(t):
    run = t.run("several_clocks", stdin=t.stdin("pipe"))
    for label in ("two", "mixed"):
        t.lasted(t.events(run.line(label), ("short", CLOCK, 0)), 1 * MS)
    run.finish(None)


@row(36, "two equal clocks: two events")
def equal_clocks(t):
    run = t.run("several_clocks", stdin=t.stdin("pipe"))
    t.lasted(t.events(run.line("same"), ("one", CLOCK, 0), ("two", CLOCK, 0)), 5 * MS)
    t.lasted(t.events(run.line("identical"), ("one", CLOCK, 0), ("one", CLOCK, 0)), 5 * MS)
    run.finish()


@row(37, "a huge timeout is far away: no overflow")
def huge_timeout(t):
    stdin = t.stdin("pipe")
    run = t.run("huge_timeout", stdin=stdin)
    for label in [f"relative{i}" for i in range(5)] + ["absolute0", "absolute1"]:
        t.lasted(t.events(run.line(label), ("near", CLOCK, 0)), 20 * MS)
    run.line("waiting")
    t.check(not any(line.label == "with_fd" for line in run.peek_lines(0.1)), "with_fd: returned without an event to report")
    stdin.write(b"x")
    t.events(run.line("with_fd"), ("r0", READ, 0, None, 0))
    run.finish()


@row(38, "an unknown or cpu-time clock is an error, not a sleep")
def bad_clock(t):
    run = t.run("bad_clock")
    for i in range(4):
        line = run.line(f"lone{i}")
        if line.errno == 0:
            t.events(line, ("bad", CLOCK, (INVAL, NOTSUP)))
        else:
            t.expect(line, errno=(INVAL, NOTSUP))
        t.lasted(line, bound_ns=900 * MS)
        line = t.events(run.line(f"mixed{i}"), ("bad", CLOCK, (INVAL, NOTSUP)))
        t.lasted(line, bound_ns=900 * MS)
    run.finish()


@row(39, "half-millisecond timeouts beside stdin: no busy loop", "pipe", "tty", "socket")
def short_timeouts(t):
    run = t.run("short_timeouts", stdin=t.stdin())
    line = t.expect(run.line("loop"), wrong=0, early=0)
    t.note(f"{line.ns / 200 / 1000:.0f} us each")
    t.lasted(line, 100 * MS, 5000 * MS)
    run.finish()


@row(40, "stopped, continued, resized during a sleep: nothing shows", "sleep", "poll")
def signals_in_sleep(t):
    run = t.run("signals_in_sleep", t.kind, stdin=t.stdin("pipe"))
    run.line("sleeping")
    run.peek_lines(0.1)
    run.signal(signal.SIGWINCH)
    run.peek_lines(0.2)
    run.signal(signal.SIGSTOP)
    run.peek_lines(0.4)
    run.signal(signal.SIGCONT)
    run.signal(signal.SIGWINCH)
    if t.kind == "sleep":
        line = t.expect(run.line("sleep"), result=0)
    else:
        line = t.events(run.line("poll"), ("clock", CLOCK, 0))
    t.note(f"{line.ns / MS:.1f} ms")
    t.lasted(line, 1000 * MS, 1390 * MS)
    run.finish()
