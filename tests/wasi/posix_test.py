#!/usr/bin/env python3
"""A program in plain POSIX C makes its standard input non-blocking, reads it and selects on it while it is silent: on a pipe and on a
terminal, built for WASI it prints what it prints when it is built for this system, and the host's own flags never change.

  posix_test.py --pollux COMMAND --guest FILE.wasm [--cc COMPILER]
"""
import argparse
import fcntl
import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import termios
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 30  # seconds until something is taken for a hang
SILENCE = 0.15  # seconds for which a program that must wait is watched

READ = b"at start: O_NONBLOCK is clear\nF_SETFL: 0\nthen: O_NONBLOCK is set\nread: -1, errno EAGAIN\n"
# A line ends each wait without a timeout; what follows is silent again.
SELECT = [
    (b"F_SETFL: 0\nblocking, NULL: select\n", b"go\n"),
    (b"blocking, NULL: 1, readable, errno 0\nread: 3, errno 0\n"
     b"blocking, {0, 0}: select\nblocking, {0, 0}: 0, not readable, errno 0\n"
     b"F_SETFL: 0\nnon-blocking, NULL: select\n", b"go\n"),
    (b"non-blocking, NULL: 1, readable, errno 0\nread: 3, errno 0\n"
     b"non-blocking, {0, 0}: select\nnon-blocking, {0, 0}: 0, not readable, errno 0\n", None),
]


def open_pipe():
    return os.pipe()


def open_terminal():
    master, slave = pty.openpty()
    mode = termios.tcgetattr(slave)
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    return slave, master


class Program:
    """A process with the given standard input; its standard output is read as it comes."""

    def __init__(self, command, stdin):
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def more(self, seconds):
        """What it prints next, within so many seconds; empty at its end, None if it stays silent."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        return os.read(self.process.stdout.fileno(), 65536)

    def read(self, size):
        """So many bytes; fewer at the end or when it hangs."""
        text, end = b"", time.monotonic() + PATIENCE
        while len(text) < size and (part := self.more(max(0.0, end - time.monotonic()))):
            text += part
        return text


class StandardInput(unittest.TestCase):
    pollux = []
    native = []

    def setUp(self):
        self.programs = {"pollux": self.pollux} | ({"native": self.native} if self.native else {})

    def each(self, check):
        """Every program on every kind of standard input; `check` gets its command, the end it is given, and ours."""
        for kind, opened in ("pipe", open_pipe), ("terminal", open_terminal):
            for name, command in self.programs.items():
                stdin, peer = opened()
                with self.subTest(stdin=kind, program=name):
                    flags = fcntl.fcntl(stdin, fcntl.F_GETFL)
                    check(command, stdin, peer)
                    # On this system itself, the flag belongs to the open file description, which is ours too.
                    if name == "pollux":
                        self.assertEqual(fcntl.fcntl(stdin, fcntl.F_GETFL), flags)
                os.close(stdin)
                os.close(peer)

    def test_read(self):
        def check(command, stdin, _):
            with Program(command + ["read"], stdin) as program:
                self.assertEqual(program.read(len(READ) + 1), READ)
                self.assertEqual(program.process.wait(PATIENCE), 0)

        self.each(check)

    def test_select(self):
        def check(command, stdin, peer):
            with Program(command + ["select"], stdin) as program:
                for text, line in SELECT:
                    self.assertEqual(program.read(len(text)), text)
                    if line is not None:
                        self.assertIsNone(program.more(SILENCE), "it should wait")
                        os.write(peer, line)
                self.assertEqual(program.more(PATIENCE), b"")
                self.assertEqual(program.process.wait(PATIENCE), 0)

        self.each(check)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", required=True, type=shlex.split)
    parser.add_argument("--guest", required=True)
    parser.add_argument("--cc", default="cc")
    options = parser.parse_args()
    StandardInput.pollux = options.pollux + ["run", options.guest]
    with tempfile.TemporaryDirectory(prefix="pollux-test-") as folder:
        native = os.path.join(folder, "stdin_modes")
        try:
            subprocess.run([options.cc, "-O1", "-o", native, os.path.join(HERE, "posix", "stdin_modes.c")], check=True)
            StandardInput.native = [native]
        except FileNotFoundError:
            print(f"note: there is no compiler {options.cc}; compared with the expected text only")
        unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
