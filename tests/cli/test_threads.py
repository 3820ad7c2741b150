#!/usr/bin/env python3
"""Programs of several threads (wasi-threads): they share memory and descriptors, and end together, however one of them ends."""
import os
import resource
import unittest

from support import TIMEOUT, TestCase, guest, main, pollux, start

MODES = "eager", "lazy"


class Threads(TestCase):
    def run_open(self, what, **options):
        """The program with a standard input on which nothing comes."""
        process = start("run", guest("threads"), what, **options)
        try:
            status = process.wait(TIMEOUT)
            return status, process.stdout.read(), process.stderr.read().decode()
        finally:
            process.kill()
            for stream in process.stdin, process.stdout, process.stderr:
                stream.close()

    def test_mutual_exclusion_and_atomics(self):
        for mode in MODES:
            self.check(pollux("run", "-C", f"mode={mode}", guest("threads"), "count"), 0, b"160000 160000\n")

    def test_bounds_checks_in_code(self):
        self.check(pollux("run", "-O", "signals-based-traps=n", guest("threads"), "count"), 0, b"160000 160000\n")

    def test_all_end_when_the_first_does(self):
        for what, expected in ("return", 0), ("exit", 3):
            status, _, errors = self.run_open(what)
            self.assertEqual((status, errors), (expected, ""), what)

    def test_all_end_when_one_exits(self):
        status, _, errors = self.run_open("thread-exit")
        self.assertEqual((status, errors), (7, ""))

    def test_all_end_when_one_traps(self):
        for what in "thread-trap", "thread-trap-poll":
            status, _, errors = self.run_open(what)
            self.assertEqual(status, 134, errors)
            self.assertRegex(errors, r"^pollux: trap in thread 8: unreachable\n  at .*(?s:.*)  at wasi_thread_start ", what)
            self.assertEqual(errors.count("pollux:"), 1, errors)

    def test_the_limit_is_an_error_of_the_guest(self):
        def few_descriptors():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        status, output, errors = self.run_open("limit", preexec_fn=few_descriptors)
        self.assertEqual((status, output, errors), (0, b"some\n", ""))

    def test_they_can_be_switched_off(self):
        text = self.check(pollux("run", "-W", "threads=n", guest("threads"), "count"), 1)
        self.assertIn("-W threads=y", text)


if __name__ == "__main__":
    main()
