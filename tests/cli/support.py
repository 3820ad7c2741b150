"""What the command line's tests share: running the program under test, with the guests that CMake built.

The environment says what to test: POLLUX_COMMAND (words of a command line), POLLUX_GUESTS (folder of guest programs).
"""
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import unittest

SKIP = 77
COMMAND = shlex.split(os.environ["POLLUX_COMMAND"])
GUESTS = os.environ["POLLUX_GUESTS"]
EMULATED = len(COMMAND) > 1  # under qemu-user: slower, and its own signal handling
TIMEOUT = 120


def guest(name):
    return os.path.join(GUESTS, name + ".wasm")


def pollux(*arguments, stdin=b"", timeout=TIMEOUT, env=None, cwd=None):
    """Runs pollux to its end."""
    return subprocess.run(COMMAND + list(arguments), input=stdin, capture_output=True, timeout=timeout, env=env, cwd=cwd)


def start(*arguments, **options):
    """Starts pollux with pipes."""
    for stream in "stdin", "stdout", "stderr":
        options.setdefault(stream, subprocess.PIPE)
    return subprocess.Popen(COMMAND + list(arguments), **options)


def uleb(value):
    """A number as LEB128."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def module(*sections):
    """A module of (id, payload) pairs."""
    return b"\0asm\1\0\0\0" + b"".join(bytes([number]) + uleb(len(payload)) + payload for number, payload in sections)


class TestCase(unittest.TestCase):
    maxDiff = None

    def temporary_folder(self):
        folder = tempfile.TemporaryDirectory(prefix="pollux-test-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def write_file(self, content, name="module.wasm"):
        path = os.path.join(self.temporary_folder(), name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def check(self, result, status, stdout=None):
        """The status is as expected, and no sanitizer or crash handler has spoken."""
        text = result.stderr.decode("utf-8", "replace")
        for sign in "Sanitizer", "runtime error:", "terminate called", "Assertion", "uncaught target signal":
            self.assertNotIn(sign, text)
        self.assertEqual(result.returncode, status, text[-2000:])
        if stdout is not None:
            self.assertEqual(result.stdout, stdout)
        return text

    def check_trap(self, result, reason, *names):
        """A trap: status 134, the reason, a backtrace with these names in this order, and nothing of ours."""
        text = self.check(result, 134)
        self.assertIn(reason, text.splitlines()[0])
        frames = [line.strip() for line in text.splitlines()[1:]]
        for frame in frames:
            self.assertRegex(frame, r"^(at |\.\.\. )")
        at = 0
        for name in names:
            while at < len(frames) and f"at {name} (" not in frames[at]:
                at += 1
            self.assertLess(at, len(frames), f"{name} is not in its place in:\n{text}")
        return text


def main():
    if not os.path.exists(guest("exit")):
        print("skipped: the guest programs are not built (needs clang and wasi-libc)")
        sys.exit(SKIP)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell inherits it ignored
    unittest.main(verbosity=2)
