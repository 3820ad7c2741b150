#!/usr/bin/env python3
"""Random modules on several engines: results, traps, memories and globals must agree.

  differential.py --first COMMAND [--second COMMAND] [--node NODE] [--seed S] [--count N] [--log FILE]

COMMAND is the program `differential`, perhaps with an emulator before it. Each of the two runs every module, the second one in another
mode (eager or lazy, guard pages or explicit checks) than the first. Exit status: 0 all agree, 1 not, 77 skipped.

The long form, on both processors:
  differential.py --first build/release/tests/differential/differential --second "qemu-aarch64-static -L /usr/aarch64-linux-gnu
    build/arm64/tests/differential/differential" --node node --count 20000
"""
import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 250

# What V8 says, in the words of the reference interpreter. It has one message for a null callee and for one of the wrong type, and our
# two for a conversion out of range are one to it.
SAME_TRAPS = {
    "memory access out of bounds": "out of bounds memory access",
    "table index is out of bounds": "out of bounds table access",
    "table access out of bounds": "out of bounds table access",
    "undefined element": "out of bounds table access",
    "null function or function signature mismatch": "call",
    "indirect call type mismatch": "call",
    "uninitialized element": "call",
    "divide by zero": "integer divide by zero",
    "remainder by zero": "integer divide by zero",
    "divide result unrepresentable": "overflow",
    "float unrepresentable in integer range": "overflow",
    "integer overflow": "overflow",
    "invalid conversion to integer": "overflow",
}


def lines_of(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    if result.returncode:
        print(f"{' '.join(command)}: status {result.returncode}\n{result.stderr[-2000:]}\n{result.stdout[-500:]}")
        sys.exit(1)
    return result.stdout.splitlines()


def coarse(line):
    name, _, trap = line.partition(" trap: ")
    return f"{name} trap: {SAME_TRAPS.get(trap, trap)}" if trap else line


class Run:
    def __init__(self):
        self.modules = self.functions = self.calls = self.traps = self.disagreements = 0

    def count(self, lines):
        for line in lines:
            words = line.split()
            if words[0] == "module":
                self.modules += 1
                self.functions += int(words[3])
            elif words[0] != "memory":
                self.calls += 1
                self.traps += " trap: " in line

    def compare(self, lines, others, who):
        module = ""
        for mine, theirs in zip(lines, others):
            if mine.startswith("module"):
                module = mine
            if mine != theirs:
                self.disagreements += 1
                if self.disagreements <= 20:
                    print(f"{module}: {mine}, but {who}: {theirs}")
        if len(lines) != len(others):
            print(f"{who} has {len(others)} lines, not {len(lines)}")
            self.disagreements += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", required=True)
    parser.add_argument("--second")
    parser.add_argument("--node")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--log", help="the first program's lines go there, too")
    options = parser.parse_args()
    first = shlex.split(options.first)
    second = shlex.split(options.second or options.first)
    for command in first, second:
        if not shutil.which(command[-1]):
            print(f"skipped: {command[-1]} is not built")
            return SKIP

    run = Run()
    log = open(options.log, "w", encoding="utf-8") if options.log else None
    for seed in range(options.seed, options.seed + options.count, BATCH):
        what = ["--seed", str(seed), "--count", str(min(BATCH, options.seed + options.count - seed))]
        lines = lines_of(first + ["run", *what])
        run.count(lines)
        if log:
            log.writelines(line + "\n" for line in lines)
        run.compare(lines, lines_of(second + ["run", *what, "--shift", "1"]), "the second")
        if options.node:
            with tempfile.TemporaryDirectory(prefix="pollux-differential-") as folder:
                lines_of(first + ["write", *what, folder])
                node = lines_of([options.node, "--experimental-wasm-return-call", os.path.join(HERE, "judge.mjs"), folder, what[1], what[3]])
            run.compare([coarse(line) for line in lines], [coarse(line) for line in node], "Node")
    print(f"{run.modules} modules, {run.functions} functions, {run.calls} calls, of which {run.traps} trapped: "
          f"{run.disagreements} disagreements")
    return 1 if run.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
