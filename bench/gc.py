#!/usr/bin/env python3
"""Objects under Pollux and Node: nanoseconds per operation, programs that allocate, 10 GB under a limit of 64 MiB.

Usage: bench/gc.py --pollux build/release/tools/pollux [--node "npx --yes --package=node@22 node"] [--rounds 7] [--gigabytes 10]

The module bench/gc.wat is assembled by binaryen, which npx fetches. Node must have WebAssembly's final garbage collection (22 and later).
Engines take turns, one process for each measurement. An operation's time is the difference between a long and a short run of its loop, by
the difference in iterations, less that of the empty loop; medians. Answers are compared.
"""
import argparse
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
OPERATIONS = [("allocate", 40_000_000), ("array", 10_000_000), ("cast", 200_000_000), ("test", 200_000_000)]
NODE_PROGRAM = """
const [file, name, n] = process.argv.slice(-3);
const module = new WebAssembly.Module(require('fs').readFileSync(file));
console.log(new WebAssembly.Instance(module).exports[name](Number(n)));
"""


class Engine:
    def __init__(self, name, command):
        self.name, self.command = name, command

    def run(self, module, function, n):
        """Seconds, and what the function gave."""
        start = time.perf_counter()
        done = subprocess.run(self.command(module, function, n), capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{self.name} fails at {function}({n}): {done.stderr.strip()}")
        return seconds, done.stdout.strip(), done.stderr


def in_turns(engines, rounds, module, function, n):
    """Median seconds by engine; all must give the same."""
    times = {engine.name: [] for engine in engines}
    answers = set()
    for _ in range(rounds):
        for engine in engines:
            seconds, answer, _ = engine.run(module, function, n)
            times[engine.name].append(seconds)
            answers.add(int(answer) & 0xFFFFFFFF)
    if len(answers) != 1:
        sys.exit(f"{function}({n}): the engines disagree: {answers}")
    return {name: statistics.median(all_times) for name, all_times in times.items()}


def row(label, values, engines):
    cells = "".join(f"{values[engine.name]:>14.2f}" for engine in engines)
    print(f"{label:34}{cells}{values[engines[0].name] / values[engines[-1].name]:>9.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pollux", default="build/release/tools/pollux")
    parser.add_argument("--node", default="npx --yes --package=node@22 node")
    parser.add_argument("--assembler", default="npx --yes --package=binaryen wasm-as")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gigabytes", type=float, default=10)
    arguments = parser.parse_args()
    node = shlex.split(arguments.node)
    engines = [
        Engine("pollux", lambda module, function, n: [arguments.pollux, "run", "--invoke", function, module, str(n)]),
        Engine("node --liftoff-only", lambda module, function, n: [*node, "--liftoff-only", "-e", NODE_PROGRAM, module, function, str(n)]),
        Engine("node", lambda module, function, n: [*node, "-e", NODE_PROGRAM, module, function, str(n)]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        module = f"{folder}/gc.wasm"
        subprocess.run([*shlex.split(arguments.assembler), "-all", str(HERE / "gc.wat"), "-o", module], check=True)
        names = "".join(f"{engine.name[-13:]:>14}" for engine in engines)
        print(f"{'':34}{names}{'ratio':>9}")

        def per_operation(function, iterations):
            short = in_turns(engines, arguments.rounds, module, function, iterations // 10)
            long = in_turns(engines, arguments.rounds, module, function, iterations)
            return {name: (long[name] - short[name]) * 1e9 / (iterations - iterations // 10) for name in long}

        empty = per_operation("nothing", 400_000_000)
        row("the loop alone, ns", empty, engines)
        for function, iterations in OPERATIONS:
            times = per_operation(function, iterations)
            row(f"{function}, ns", {name: max(times[name] - empty[name], 0.01) for name in times}, engines)
        row("300 trees of 32767 nodes, s", in_turns(engines, arguments.rounds, module, "trees", 300), engines)

        mebibytes = int(arguments.gigabytes * 1e9 / 2**20)
        print(f"\n{mebibytes} MiB of small structs, 32768 alive; Pollux under 64 MiB, Node as it is:")
        command = [arguments.pollux, "run", "-D", "timings=y", "-W", "max-gc-heap-size=64MiB", "--invoke", "flood", module, str(mebibytes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print("pollux:", done.stdout.strip(), re.search(r"garbage collections.*", done.stderr).group())
        seconds = in_turns(engines, 1, module, "flood", mebibytes)
        row("seconds", seconds, engines)
        traced = subprocess.run([*node, "--trace-gc", "-e", NODE_PROGRAM, module, "flood", str(mebibytes)], capture_output=True, text=True, check=True)
        pauses = [float(found) for found in re.findall(r"MB, ([\d.]+) / ", traced.stdout)]
        print(f"node: {len(pauses)} collections, longest {max(pauses):.3f} ms, all {sum(pauses):.3f} ms")


if __name__ == "__main__":
    main()
