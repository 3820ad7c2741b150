#!/usr/bin/env python3
"""The modules of the WebAssembly suite on two processors: what each action gave, each trap, and what is left in memories and globals.

  suites.py --first COMMAND --second COMMAND SUITE [OPTIONS OF spec_runner...]

Each COMMAND is the program spec_runner, perhaps with an emulator before it, or the FILE.log that it has written already. NaN bits that a
script leaves open are not compared. Exit status: 0 all agree, 1 not, 77 skipped.
"""
import os
import shlex
import subprocess
import sys
import tempfile

SKIP = 77


def log_of(command, suite, options):
    if command.endswith(".log"):
        path = command
    else:
        path = os.path.join(tempfile.mkdtemp(prefix="pollux-suites-"), "spec.log")
        subprocess.run(shlex.split(command) + ["--log", path, *options, suite], stdout=subprocess.DEVNULL, timeout=1500)
    with open(path, encoding="utf-8") as lines:
        return sorted(line.rstrip("\n") for line in lines)  # scripts end in any order


def main():
    _, _, first, _, second, suite, *options = sys.argv
    for command in first, second:
        for word in shlex.split(command):
            if "/" in word and not os.path.exists(word):
                print(f"skipped: {word} is not there")
                return SKIP
    if not os.path.isdir(suite):
        print(f"skipped: the test suite is not here: {suite}")
        return SKIP
    mine, theirs = log_of(first, suite, options), log_of(second, suite, options)
    only_mine, only_theirs = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
    for who, lines in ("first", only_mine), ("second", only_theirs):
        for line in lines[:20]:
            print(f"only the {who}: {line}")
    modules = sum(line.endswith(" module") for line in mine)
    disagreements = max(len(only_mine), len(only_theirs), abs(len(mine) - len(theirs)))
    print(f"{modules} modules, {len(mine) - modules} results, traps, memories and globals: {disagreements} disagreements")
    return 1 if disagreements or not modules else 0


if __name__ == "__main__":
    sys.exit(main())
