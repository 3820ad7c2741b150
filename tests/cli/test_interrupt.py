#!/usr/bin/env python3
"""Programs that do not end by themselves: signals, the time limit, the fuel limit."""
import os
import signal
import time

from support import EMULATED, TestCase, guest, main, pollux, start

WAYS = ["spin", "call", "fill", "read", "sleep"]
PROMPT = 10 if EMULATED else 3  # seconds; far above what is needed, below what a hang takes


class Signals(TestCase):
    def test_signals(self):
        for how in WAYS:
            for number in signal.SIGINT, signal.SIGTERM:
                with self.subTest(how=how, signal=number):
                    process = start("run", guest("busy"), how)
                    self.assertEqual(process.stdout.readline(), b"ready\n")
                    time.sleep(0.1)
                    process.send_signal(number)
                    begun = time.monotonic()
                    status = process.wait(timeout=60)
                    self.assertLess(time.monotonic() - begun, PROMPT)
                    self.assertEqual(status, -number)
                    for stream in process.stdin, process.stdout, process.stderr:
                        stream.close()

    def test_terminal_is_restored(self):
        import pty
        import termios

        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            master, slave = pty.openpty()
            before = termios.tcgetattr(slave)
            process = start("run", "--tty=raw", guest("busy"), "spin", stdin=slave)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            self.assertNotEqual(termios.tcgetattr(slave), before)
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=60), -number)
            self.assertEqual(termios.tcgetattr(slave), before)
            os.close(master)
            os.close(slave)
            process.stdout.close()
            process.stderr.close()

    def test_terminal_is_restored_at_exit(self):
        import pty
        import termios

        for arguments in [guest("exit"), "3"], [guest("traps"), "unreachable"]:
            master, slave = pty.openpty()
            before = termios.tcgetattr(slave)
            process = start("run", "--tty=raw", *arguments, stdin=slave)
            process.communicate(timeout=60)
            self.assertEqual(termios.tcgetattr(slave), before)
            os.close(master)
            os.close(slave)


class TimeLimit(TestCase):
    def test_ways(self):
        for how in WAYS:
            for option in ["--timeout=200ms"], ["-W", "timeout=0.2s"]:
                with self.subTest(how=how, option=option):
                    begun = time.monotonic()
                    process = start("run", *option, guest("busy"), how)
                    status = process.wait(timeout=60)
                    took = time.monotonic() - begun
                    text = process.stderr.read().decode()
                    for stream in process.stdin, process.stdout, process.stderr:
                        stream.close()
                    self.assertEqual(status, 124, text)
                    self.assertGreater(took, 0.19)
                    self.assertLess(took, PROMPT + 0.2)
                    self.assertIn("time limit", text.splitlines()[0])
                    self.assertIn("at _start", text)

    def test_names(self):
        for how, name in ("spin", "spin"), ("call", "call_often"), ("fill", "fill"), ("read", "wait_for_input"):
            process = start("run", "--timeout=300ms", guest("busy"), how)
            process.wait(timeout=60)
            text = process.stderr.read().decode()
            for stream in process.stdin, process.stdout, process.stderr:
                stream.close()
            self.assertIn(f"at {name} (", text)

    def test_not_reached(self):
        self.check(pollux("run", "--timeout=1h", guest("exit"), "3"), 3, b"bye")

    def test_covers_invoke(self):
        self.check(pollux("run", "--timeout=30s", "--invoke=add", guest("reactor"), "1", "2"), 0, b"3\n")


class Fuel(TestCase):
    def test_exhausted(self):
        for option in ["--fuel=100000"], ["-W", "fuel=100000"]:
            result = pollux("run", *option, guest("busy"), "call")
            text = self.check(result, 124)
            self.assertIn("fuel", text.splitlines()[0])
            self.assertIn("at call_often (", text)

    def test_enough(self):
        self.check(pollux("run", "--fuel=100000000", guest("exit"), "3"), 3, b"bye")


if __name__ == "__main__":
    main()
