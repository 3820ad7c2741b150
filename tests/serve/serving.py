"""What the tests of `pollux serve` share: a server process, and its messages.

The environment says what to test: POLLUX_COMMAND (words of a command line), POLLUX_GUESTS (folders of guest programs,
with colons between). Without it, that is build/release.
"""
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

SKIP = 77
BUILD = os.path.join(os.path.dirname(__file__), "../../build/release")
COMMAND = shlex.split(os.environ.get("POLLUX_COMMAND", f"{BUILD}/tools/pollux"))
GUESTS = os.environ.get("POLLUX_GUESTS", f"{BUILD}/tests/guests:{BUILD}/tests/serve").split(":")
EMULATED = len(COMMAND) > 1
# Under qemu-user, guard pages for a guest's memory take 48 MiB.
EMULATION_OPTIONS = ["-O", "memory-reservation=64M"] if EMULATED else []
PATIENCE = 30  # seconds; far above what is needed, below what a hang takes


def guest(name):
    """The file of a guest program."""
    files = [os.path.join(folder, name + ".wasm") for folder in GUESTS]
    return next(filter(os.path.exists, files), files[0])


def skip(reason):
    print("skipped: " + reason)
    sys.exit(SKIP)


def need_guests():
    if not os.path.exists(guest("cat")):
        skip("the guest programs are not built (needs clang and wasi-libc)")


class Server:
    """A running `pollux serve`. Its messages are collected meanwhile, so that it never waits for a reader."""

    def __init__(self, *words, address="127.0.0.1:0"):
        self.process = subprocess.Popen(COMMAND + ["serve", "--listen", address, *EMULATION_OPTIONS, *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.address = self.wait_for(r"listening on (.*)").group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def text(self):
        with self.changed:
            return "\n".join(line for line in self.lines if line is not None)

    def wait_for(self, pattern, patience=PATIENCE):
        """The first message that matches."""
        end = time.monotonic() + patience
        with self.changed:
            while True:
                for line in self.lines:
                    if line is not None and (found := re.search(pattern, line)):
                        return found
                if None in self.lines or not self.changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no message {pattern!r} in:\n" + "\n".join(filter(None, self.lines)))

    def connect(self):
        if self.address.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            connection.connect(self.address[5:])
            return connection
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)

    def stop(self, number=signal.SIGTERM):
        """Sends the signal. The exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.reader.join()
        return status

    def cpu_seconds(self):
        return time.clock_gettime((~self.process.pid << 3) | 2)  # what clock_getcpuclockid(3) returns

    def memory_kib(self):
        """Resident memory, page tables."""
        with open(f"/proc/{self.process.pid}/status") as file:
            values = dict(line.split(":", 1) for line in file)
        return int(values["VmRSS"].split()[0]), int(values["VmPTE"].split()[0])

    def mappings(self):
        with open(f"/proc/{self.process.pid}/maps") as file:
            return sum(1 for _ in file)


def receive_all(connection):
    """Everything until the end."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def receive(connection, count):
    """So many bytes; fewer at the end."""
    data = b""
    while len(data) < count and (part := connection.recv(count - len(data))):
        data += part
    return data


def main():
    need_guests()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell inherits it ignored
    unittest.main(verbosity=2)
