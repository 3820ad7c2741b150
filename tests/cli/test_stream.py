#!/usr/bin/env python3
"""A module that arrives on standard input, at any speed and in chunks of any size."""
import re
import time

from support import TestCase, guest, main, pollux, start


class Stream(TestCase):
    def feed(self, data, chunk, pause, *arguments):
        """The status, the output, and the seconds from the last byte to the end."""
        process = start(*arguments)
        for at in range(0, len(data), chunk):
            process.stdin.write(data[at:at + chunk])
            process.stdin.flush()
            time.sleep(pause)
        process.stdin.close()
        last = time.monotonic()
        out = process.stdout.read()
        error = process.stderr.read()
        status = process.wait(timeout=60)
        took = time.monotonic() - last
        process.stdout.close()
        process.stderr.close()
        return status, out, error, took

    def test_whole(self):
        with open(guest("show"), "rb") as file:
            data = file.read()
        self.check(pollux("run", "--argv0=a", "-", "x", stdin=data), 0, b"argv[0]=a\nargv[1]=x\n")
        self.check(pollux("--argv0=a", "-", "x", stdin=data), 0, b"argv[0]=a\nargv[1]=x\n")

    def test_chunks(self):
        with open(guest("show"), "rb") as file:
            data = file.read()
        for chunk in 7, 1000, 4096:
            status, out, error, _ = self.feed(data, chunk, 0, "run", "--argv0=a", "-")
            self.assertEqual((status, out), (0, b"argv[0]=a\n"), error)

    def test_slow(self):
        with open(guest("traps_cpp"), "rb") as file:
            data = file.read()
        status, _, error, _ = self.feed(data, len(data) // 20 + 1, 0.02, "run", "-", "divide")
        self.assertEqual(status, 134, error)

    def test_timings(self):
        with open(guest("traps_cpp"), "rb") as file:
            data = file.read()
        status, _, error, _ = self.feed(data, len(data) // 20 + 1, 0.02, "run", "-D", "timings", "-", "divide")
        self.assertEqual(status, 134, error)
        times = {name: float(ms) for name, ms in re.findall(r"(first byte|first function|last byte|last function|ready) ([0-9.]+) ms", error.decode())}
        self.assertEqual(len(times), 5)
        self.assertLess(times["first byte"], times["last byte"])
        self.assertLess(times["first byte"], times["first function"])
        self.assertLessEqual(times["last function"], times["ready"])

    def test_truncated(self):
        with open(guest("show"), "rb") as file:
            data = file.read()
        for size in 0, 1, 9, 100, len(data) // 2, len(data) - 1:
            status, _, error, _ = self.feed(data[:size], 1 << 20, 0, "run", "-")
            self.assertEqual(status, 1, error)
            self.assertTrue(error.startswith(b"pollux: "), error)

    def test_same_as_file(self):
        with open(guest("show"), "rb") as file:
            self.check(pollux("validate", "-", stdin=file.read()), 0)

    def test_program_has_no_input_left(self):
        # The module was the whole of standard input: the program reads the end of it.
        with open(guest("cat"), "rb") as file:
            self.assertEqual(self.check(pollux("run", "-", stdin=file.read()), 0, b""), "0 bytes\n")


if __name__ == "__main__":
    main()
