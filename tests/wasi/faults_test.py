#!/usr/bin/env python3
"""With POLLUX_FAULTS, signals interrupt every system call and every transfer may be short, down to a single byte: data still arrives
whole and in order, through every kind of descriptor and every way of not blocking.

  faults_test.py --pollux COMMAND --guests DIR [--seeds N]
"""
import argparse
import os
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import tty
import unittest

PATIENCE = 120  # seconds until something is taken for a hang
FALLBACKS = "", "reopen", "reopen,preadv2,pwritev2", "openat2,epoll_pwait2"


# Each gives the program's end and ours.


def pipe(for_input):
    read, write = os.pipe()
    return (read, write) if for_input else (write, read)


def sockets(_):
    ours, theirs = socket.socketpair()
    return theirs.detach(), ours.detach()


def terminal(_):
    master, slave = os.openpty()
    tty.setraw(slave)
    return slave, master


class Faults(unittest.TestCase):
    pollux = []
    guests = ""
    seeds = range(0)

    def environment(self, seed, disable=""):
        return {**os.environ, "POLLUX_FAULTS": str(seed), "POLLUX_DISABLE": disable}

    def command(self, guest, *arguments, options=()):
        return self.pollux + ["run", *options, os.path.join(self.guests, guest + ".wasm"), *arguments]

    def copy(self, open_input, open_output, environment, size):
        """What `cat` makes of random bytes, and whether it says that it read them all."""
        data = random.Random(size).randbytes(size)
        stdin, feed = open_input(True)
        stdout, result = open_output(False)
        process = subprocess.Popen(self.command("cat"), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment)
        os.close(stdin)
        os.close(stdout)

        def write():
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(feed, rest):]
            if open_input is not terminal:  # which would take what it has not delivered with it
                os.close(feed)

        received = bytearray()

        def read():
            try:
                while part := os.read(result, 65536):
                    received.extend(part)
                    if len(received) == size and open_input is terminal:
                        os.close(feed)
            except OSError:  # a terminal that nobody has open
                pass

        threads = [threading.Thread(target=target, daemon=True) for target in (write, read)]
        for thread in threads:
            thread.start()
        try:
            said = process.communicate(timeout=PATIENCE)[1].decode()
        finally:
            process.kill()
        for thread in threads:
            thread.join(PATIENCE)
        os.close(result)
        self.assertEqual(process.returncode, 0, said)
        self.assertEqual(said, f"{size} bytes\n")
        self.assertEqual(bytes(received), data)

    def test_streams(self):
        for seed in self.seeds:
            for number, (name, opened) in enumerate([("pipe", pipe), ("socket", sockets), ("terminal", terminal)]):
                output = [pipe, sockets, terminal][(number + seed) % 3]
                disable = FALLBACKS[(seed + number) % len(FALLBACKS)]
                with self.subTest(seed=seed, stdin=name, stdout=output.__name__, disable=disable):
                    self.copy(opened, output, self.environment(seed, disable), 100_000)

    def test_files(self):
        for seed in self.seeds:
            with self.subTest(seed=seed), tempfile.TemporaryDirectory(prefix="pollux-test-") as folder:
                data = random.Random(seed).randbytes(300_000)
                with open(os.path.join(folder, "in"), "wb") as file:
                    file.write(data)
                with open(os.path.join(folder, "in"), "rb") as stdin, open(os.path.join(folder, "out"), "wb") as stdout:
                    subprocess.run(self.command("cat"), stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, check=True,
                                   env=self.environment(seed), timeout=PATIENCE)
                with open(os.path.join(folder, "out"), "rb") as file:
                    self.assertEqual(file.read(), data)
                names = sorted(f"a file with a name of some length, {i}" for i in range(300))
                for name in names:
                    open(os.path.join(folder, name), "w").close()
                for disable in "", "openat2":
                    environment = self.environment(seed, disable)
                    grant = [f"--dir={folder}::/d"]
                    text = "some text, " * 1000
                    subprocess.run(self.command("files", "write", "/d/text", text, options=grant), check=True, env=environment,
                                   timeout=PATIENCE)
                    read = subprocess.run(self.command("files", "read", "/d/text", options=grant), check=True, env=environment,
                                          stdout=subprocess.PIPE, timeout=PATIENCE).stdout.decode()
                    self.assertEqual(read, text)
                    listed = subprocess.run(self.command("files", "list", "/d", options=grant), check=True, env=environment,
                                            stdout=subprocess.PIPE, timeout=PATIENCE).stdout.decode()
                    self.assertEqual(sorted(set(listed.splitlines()) & set(names)), names)

    def test_module_from_a_pipe(self):
        with open(os.path.join(self.guests, "exit.wasm"), "rb") as file:
            module = file.read()
        for seed in self.seeds:
            done = subprocess.run(self.pollux + ["run", "-", "3"], input=module, stdout=subprocess.PIPE, env=self.environment(seed),
                                  timeout=PATIENCE, check=False)
            self.assertEqual((done.returncode, done.stdout), (3, b"bye"))

    def test_trace_lines_are_whole(self):
        for seed in self.seeds:
            done = subprocess.run(self.command("exit", options=["--trace"]), stdin=subprocess.DEVNULL, capture_output=True,
                                  env=self.environment(seed), timeout=PATIENCE, check=True)
            self.assertEqual(done.stdout, b"bye")
            lines = done.stderr.decode().splitlines()
            self.assertGreater(len(lines), 2)
            for line in lines:
                self.assertRegex(line, r"^[a-z_]+\(.*$")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", required=True, type=shlex.split)
    parser.add_argument("--guests", required=True)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    Faults.pollux, Faults.guests, Faults.seeds = options.pollux, options.guests, range(1, options.seeds + 1)
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
