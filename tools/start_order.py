#!/usr/bin/env python3
"""Writes tools/start_order.ld: the functions that `pollux run hello.wasm` calls, for the linker to put side by side.

usage: tools/start_order.py [BUILD]     BUILD: a tree with pollux and examples/hello.wasm; default: build/release

Needs valgrind. Run it when much of the compiler has been renamed: a name that is gone is skipped by the linker, and a function that is
not named is merely somewhere else.
"""
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

HEAD = """/* Made by tools/start_order.py: what the start of a program calls, side by side, so that it lies in few pages. */
SECTIONS
{
  .text.start :
  {
"""
TAIL = """  }
}
INSERT BEFORE .text;
"""


def called_functions(pollux, module):
    """Mangled names; of one with aliases (constructors), any."""
    with tempfile.NamedTemporaryFile() as profile:
        callgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={profile.name}"]
        subprocess.run([*callgrind, pollux, "run", module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return {name.split("'")[0] for name in re.findall(r"^c?fn=\(\d+\) (\S+)", profile.read().decode(), re.MULTILINE)}


def aliases(pollux):
    """Of each function's name, all names of the function."""
    names_at = defaultdict(list)
    for line in subprocess.run(["nm", pollux], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in "tTwWu":
            names_at[words[0]].append(words[2])
    return {name: names for names in names_at.values() for name in names}


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release")
    pollux = os.path.join(build, "tools/pollux")
    names_of = aliases(pollux)
    called = called_functions(pollux, os.path.join(build, "examples/hello.wasm"))
    # Only C++ functions have sections of their own.
    names = sorted({name for function in called for name in names_of.get(function, []) if name.startswith("_Z")})
    with open(os.path.join(ROOT, "tools/start_order.ld"), "w") as file:
        file.write(HEAD + "".join(f"    *(.text.{name})\n" for name in names) + TAIL)


if __name__ == "__main__":
    main()
