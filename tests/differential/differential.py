#!/usr/bin/env python3
"""Random modules on several engines: results, traps, exceptions, memories and globals must agree.

  differential.py --first COMMAND [--second COMMAND] [--node NODE]... [--seed S] [--count N] [--log FILE]

COMMAND is the program `differential`, perhaps with an emulator before it. Each of the two runs every module, the second one in another
mode (eager or lazy, guard pages or explicit checks, with a collection of garbage before each allocation or without) than the first. The
first NODE that there is runs them, too, but for those with features that it does not know: how many these are is printed. Exit status: 0 all
agree, 1 not, 77 skipped.

The long form, on both processors:
  differential.py --first build/release/tests/differential/differential --second "qemu-aarch64-static -L /usr/aarch64-linux-gnu
    build/arm64/tests/differential/differential" --node build/peers/node_modules/.bin/node --count 20000
"""
import argparse
import collections
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 250
NODE_FLAGS = ["--experimental-wasm-return-call", "--experimental-wasm-extended-const", "--experimental-wasm-relaxed-simd"]  # where they exist

# What V8 says, in the words of the reference interpreter. It has one message for a null callee and for one of the wrong type, and our
# two for a conversion out of range are one to it.
SAME_TRAPS = {
    "memory access out of bounds": "out of bounds memory access",
    "table index is out of bounds": "out of bounds table access",
    "table access out of bounds": "out of bounds table access",
    "undefined element": "out of bounds table access",
    "null function or function signature mismatch": "call",
    "function signature mismatch": "call",
    "indirect call type mismatch": "call",
    "uninitialized element": "call",
    "divide by zero": "integer divide by zero",
    "remainder by zero": "integer divide by zero",
    "divide result unrepresentable": "overflow",
    "float unrepresentable in integer range": "overflow",
    "integer overflow": "overflow",
    "invalid conversion to integer": "overflow",
    "dereferencing a null pointer": "null reference",
    "rethrowing null value": "null reference",
    "illegal cast": "cast failure",
    "array element access out of bounds": "out of bounds array access",
    "data segment out of bounds": "out of bounds memory access",
    "operation does not support unaligned accesses": "unaligned atomic",
}


def lines_of(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    if result.returncode:
        print(f"{' '.join(command)}: status {result.returncode}\n{result.stderr[-2000:]}\n{result.stdout[-500:]}")
        sys.exit(1)
    return result.stdout.splitlines()


def modules_of(lines):
    """Each module's lines, that of the module itself first."""
    modules = []
    for line in lines:
        if line.startswith("module "):
            modules.append([])
        modules[-1].append(line)
    return modules


def coarse(line):
    name, _, trap = line.partition(" trap: ")
    return f"{name} trap: {SAME_TRAPS.get(trap, trap)}" if trap else line


class Run:
    def __init__(self):
        self.modules = self.functions = self.disagreements = 0
        self.judged = 0  # modules, by Node
        self.left_out = collections.Counter()  # by the features that Node lacks
        self.calls = collections.Counter()
        self.of_family = collections.defaultdict(collections.Counter)

    def count(self, modules):
        for module, *lines in modules:
            _, _, _, functions, families = module.split()
            self.modules += 1
            self.functions += int(functions)
            outcomes = collections.Counter(modules=1)
            for line in lines:
                words = line.split()
                if words[0] != "memory":
                    outcomes["calls"] += 1
                    outcomes[{"trap:": "traps", "exception": "exceptions"}.get(words[1], "returns")] += 1
            self.calls += outcomes
            for family in families.split(","):
                self.of_family[family] += outcomes

    def differ(self, what):
        self.disagreements += 1
        if self.disagreements <= 20:
            print(what)

    def compare(self, modules, others, who):
        if len(modules) != len(others):
            self.differ(f"{who} ran {len(others)} modules, not {len(modules)}")
        for mine, theirs in zip(modules, others):
            if len(mine) != len(theirs):
                self.differ(f"{mine[0]}: {who} has {len(theirs)} lines, not {len(mine)}")
            for line, other in zip(mine, theirs):
                if line != other:
                    self.differ(f"{mine[0]}: {line}, but {who}: {other}")

    def judge(self, modules, others):
        known = []
        for mine, theirs in zip(modules, others, strict=True):
            _, lacking, features = theirs[0].partition(" without ")
            if lacking:
                self.left_out.update(features.split(","))
            else:
                known.append(([coarse(line) for line in mine], [coarse(line) for line in theirs]))
        self.judged += len(known)
        self.compare([mine for mine, _ in known], [theirs for _, theirs in known], "Node")

    def report(self, with_node):
        for family, outcomes in sorted(self.of_family.items()):
            print(f"  {family:20}" + "".join(f" {outcomes[what]:7} {what}" for what in ("modules", "calls", "returns", "traps", "exceptions")))
        if with_node:
            why = ", ".join(f"{count} with {family}" for family, count in self.left_out.most_common())
            print(f"Node judged {self.judged} of {self.modules} modules" + (f"; it does not know {why}" if why else ""))
        calls = self.calls
        print(f"{self.modules} modules, {self.functions} functions, {calls['calls']} calls, of which {calls['traps']} trapped and "
              f"{calls['exceptions']} threw: {self.disagreements} disagreements")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", required=True)
    parser.add_argument("--second")
    parser.add_argument("--node", action="append", default=[])
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
    node = next(filter(shutil.which, options.node), None)
    if node:
        known = " ".join(lines_of([node, "--v8-options"]))
        judge = [node, *(flag for flag in NODE_FLAGS if f" {flag} " in known), os.path.join(HERE, "judge.mjs")]

    run = Run()
    log = open(options.log, "w", encoding="utf-8") if options.log else None
    for seed in range(options.seed, options.seed + options.count, BATCH):
        what = ["--seed", str(seed), "--count", str(min(BATCH, options.seed + options.count - seed))]
        lines = lines_of(first + ["run", *what])
        modules = modules_of(lines)
        run.count(modules)
        if log:
            log.writelines(line + "\n" for line in lines)
        run.compare(modules, modules_of(lines_of(second + ["run", *what, "--shift", "1"])), "the second")
        if node:
            with tempfile.TemporaryDirectory(prefix="pollux-differential-") as folder:
                lines_of(first + ["write", *what, folder])
                run.judge(modules, modules_of(lines_of([*judge, folder, what[1], what[3]])))
    run.report(bool(node))
    return 1 if run.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
