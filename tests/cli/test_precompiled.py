#!/usr/bin/env python3
"""`pollux compile` and `pollux run --precompiled`; from either host for either processor, where there are two builds.

POLLUX_OTHER_COMMAND is the program for the other processor, if this machine can run both.
"""
import os
import shlex
import shutil
import subprocess
import unittest

from support import COMMAND, TIMEOUT, TestCase, guest, main, pollux

OTHER = shlex.split(os.environ.get("POLLUX_OTHER_COMMAND", ""))
HAS_OTHER = bool(OTHER) and shutil.which(OTHER[-1]) is not None


# Code for x86-64 uses what the processor that it is compiled on has; without, it is the same everywhere.
NO_FEATURES = {**os.environ, "POLLUX_DISABLE": "avx,avx2,fma,bmi1,bmi2,lzcnt,lse"}


def run(command, *arguments, env=None):
    return subprocess.run(command + list(arguments), stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, env=env)


class Precompiled(TestCase):
    def compile(self, name, *options, command=None, env=None):
        out = os.path.join(self.temporary_folder(), name + ".pollux")
        result = run(command or COMMAND, "compile", *options, "-o", out, guest(name), env=env)
        self.check(result, 0, b"")
        return out

    def refused(self, file, reason, *options, command=None):
        result = run(command or COMMAND, "run", *options, file)
        text = self.check(result, 1, b"")
        self.assertIn(reason, text)
        self.assertEqual(len(text.splitlines()), 1, text)

    def test_program(self):
        file = self.compile("show")
        self.check(pollux("run", "--precompiled", "--argv0=a", file, "x"), 0, b"argv[0]=a\nargv[1]=x\n")
        result = pollux("run", "--precompiled", "--invoke", "sum", self.compile("tiny"), "0", "0")
        plain = pollux("run", "--invoke", "sum", guest("tiny"), "0", "0")
        self.assertEqual((result.returncode, result.stdout), (plain.returncode, plain.stdout))

    def test_name_of_the_output(self):
        folder = self.temporary_folder()
        shutil.copy(guest("exit"), folder)
        self.check(pollux("compile", os.path.join(folder, "exit.wasm")), 0, b"")
        self.assertEqual(sorted(os.listdir(folder)), ["exit.pollux", "exit.wasm"])
        self.assertEqual(os.stat(os.path.join(folder, "exit.pollux")).st_mode & 0o022, 0)

    def test_trap(self):
        result = pollux("run", "--precompiled", self.compile("traps"), "callback")
        self.check_trap(result, "unreachable", "stop", "compare_and_trap", "qsort", "trap_in_callback", "run", "_start")
        result = pollux("run", "--precompiled", self.compile("traps", "-O", "signals-based-traps=n"), "read")
        self.check_trap(result, "out of bounds memory access", "read_far", "run", "_start")

    def test_fuel(self):
        file = self.compile("busy", "--fuel")
        result = pollux("run", "--precompiled", "--fuel=10000", file)
        self.assertIn("fuel limit reached", self.check(result, 124))
        self.refused(file, "fuel", "--precompiled")

    def test_never_taken_for_one_by_itself(self):
        file = self.compile("show")
        self.assertEqual(pollux("run", file).returncode, 1)
        self.assertEqual(pollux(file).returncode, 1)
        self.refused(guest("show"), "not a precompiled module", "--precompiled")

    def test_access_of_others(self):
        file = self.compile("show")
        os.chmod(file, 0o664)
        self.refused(file, "others may write it", "--precompiled")

    def test_damaged(self):
        file = self.compile("show")
        with open(file, "r+b") as stream:
            stream.seek(1000)
            byte = stream.read(1)
            stream.seek(1000)
            stream.write(bytes([byte[0] ^ 1]))
        self.refused(file, "damaged", "--precompiled")

    def test_cpu_features(self):
        file = self.compile("show")
        with open(file, "rb") as stream:
            has_avx = b"avx" in stream.read(200)
        if not has_avx:
            self.skipTest("code for this processor uses no optional feature")
        result = subprocess.run(COMMAND + ["run", "--precompiled", file], capture_output=True, env={**os.environ, "POLLUX_DISABLE": "avx"})
        self.assertIn("CPU feature avx", self.check(result, 1))

    def test_wrong_command_lines(self):
        for words in (["compile"], ["compile", "--target=z80", guest("show")], ["compile", "-o"], ["compile", "-"],
                      ["compile", guest("show"), guest("exit")], ["compile", "--what", guest("show")]):
            self.check(pollux(*words), 2, b"")
        self.check(pollux("compile", "/nowhere/to/be/found.wasm"), 1, b"")
        self.check(pollux("compile", "-o", "/nowhere/to/be/found", guest("show")), 1, b"")

    @unittest.skipUnless(HAS_OTHER, "there is no build for the other processor")
    def test_both_processors(self):
        for here, there in (COMMAND, OTHER), (OTHER, COMMAND):
            for name in "show", "traps", "traps_cpp":
                files = {}
                for target in "x86_64", "aarch64":
                    files[target] = self.compile(name, f"--target={target}", command=here, env=NO_FEATURES)
                    with open(files[target], "rb") as mine, \
                            open(self.compile(name, f"--target={target}", command=there, env=NO_FEATURES), "rb") as theirs:
                        self.assertTrue(mine.read() == theirs.read(), f"{name} for {target}")
                runs = {target: run(there, "run", "--precompiled", "--argv0=a", file, "divide") for target, file in files.items()}
                plain = run(there, "run", "--argv0=a", guest(name), "divide")
                ours = [r for r in runs.values() if (r.returncode, r.stdout) == (plain.returncode, plain.stdout)]
                self.assertEqual(len(ours), 1, runs)
                other = [r for r in runs.values() if r is not ours[0]]
                self.assertIn(b"it holds code for", other[0].stderr)


if __name__ == "__main__":
    main()
