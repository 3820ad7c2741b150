#!/usr/bin/env python3
"""`pollux objdump` and `pollux validate`."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import COMMAND, EMULATED, TestCase, guest, main, module, pollux


def has_disassembler(target):
    """Each is a shared library that is opened when it is needed; a cross build has those of its sysroot only."""
    return b"cannot be opened" not in (text := pollux("objdump", "--target", target, guest("tiny")).stderr) and b"needs LLVM" not in text


class Objdump(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.targets = [target for target in ("x86_64", "aarch64") if not EMULATED or has_disassembler(target)]
        if not cls.targets:
            raise unittest.SkipTest("no disassembler is installed")

    def dump(self, *arguments):
        result = pollux("objdump", *arguments)
        self.check(result, 0)
        return result.stdout.decode()

    def test_program_of_its_own_that_is_missing(self):
        folder, name = os.path.split(COMMAND[-1])
        if not os.path.exists(os.path.join(folder, "pollux-objdump")):
            self.skipTest("objdump is part of this program")
        with tempfile.TemporaryDirectory() as alone:
            shutil.copy(COMMAND[-1], alone)
            result = subprocess.run([os.path.join(alone, name), "objdump", guest("tiny")], capture_output=True, timeout=60)
            self.assertIn(os.path.join(alone, "pollux-objdump"), self.check(result, 1))
            shutil.copy(os.path.join(folder, "pollux-objdump"), alone)
            result = subprocess.run([os.path.join(alone, name), "objdump", guest("tiny")], capture_output=True, timeout=60)
            self.check(result, 0)

    def test_function_by_name_and_number(self):
        target = ("--target", self.targets[0])
        by_name = self.dump(*target, "--function=deep", guest("tiny"))
        number = re.match(r"function (\d+) <deep>", by_name).group(1)
        self.assertEqual(self.dump(*target, "--function", number, guest("tiny")), by_name)
        self.assertEqual(len(re.findall(r"^function ", by_name, re.M)), 1)

    def test_both_sides(self):
        for target in self.targets:
            text = self.dump("--target", target, "--function=sum", guest("tiny"))
            self.assertIn("local.get", text)
            self.assertIn("i64.load32_s", text)
            self.assertIn("loop", text)
            self.assertRegex(text, r"(?m)^ +[0-9a-f]+  (j|b|cb|tb)\S* .*\bL\d")
            self.assertRegex(text, r"(?m)^ +L\d+:")

    def test_names(self):
        for target in self.targets:
            text = self.dump("--target", target, "--function=deep", guest("tiny"))
            self.assertRegex(text, r"(call|bl) .*function \d+.* <deep>")
            self.assertIn("stack limit", text)
            self.assertIn("trap: ", self.dump("--target", target, "--function=sum", guest("tiny")))

    def test_all_functions(self):
        for target in self.targets:
            text = self.dump("--target", target, guest("tiny"))
            for name in "apply", "choose", "sum", "mean", "lanes", "clear", "grow", "deep":
                self.assertRegex(text, rf"(?m)^function \d+ <{name}>")

    def test_wrong(self):
        self.assertIn("no_such", self.check(pollux("objdump", "--function=no_such", guest("tiny")), 2))
        self.assertIn("9999", self.check(pollux("objdump", "--function=9999", guest("tiny")), 2))
        self.assertIn("vax", self.check(pollux("objdump", "--target=vax", guest("tiny")), 2))


class Validate(TestCase):
    def test_valid(self):
        result = pollux("validate", guest("tiny"), guest("traps_cpp"))
        self.check(result, 0)
        self.assertEqual(result.stdout.count(b": valid"), 2)
        self.check(pollux("validate", "--quiet", guest("tiny")), 0, b"")

    def test_invalid(self):
        # i32.add on an empty stack
        bad = self.write_file(module((1, b"\1\x60\0\0"), (3, b"\1\0"), (10, b"\1\4\0\x6a\x1a\x0b")))
        result = pollux("validate", bad, guest("tiny"))
        text = self.check(result, 1)
        self.assertIn(bad, text)
        self.assertIn("function 0", text)
        self.assertIn(b"tiny.wasm: valid", result.stdout)


if __name__ == "__main__":
    main()
