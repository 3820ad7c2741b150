"""Runs engines on programs, interleaved, and keeps the samples."""
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict

SHORT = 5e-3  # seconds: what takes less is run SHORT_RUNS times as often
SHORT_RUNS = 3


class Failed(Exception):
    """A run did not do what it should; the text says what it did."""


class Samples(list):
    """Numbers of one quantity from several runs."""

    @property
    def median(self):
        return statistics.median(self)

    @property
    def spread(self):
        """Half of the distance between the quartiles, relative to the median."""
        if len(self) < 3 or self.median == 0:
            return 0.0
        quarters = statistics.quantiles(self, n=4, method="inclusive")
        return (quarters[2] - quarters[0]) / 2 / abs(self.median)


class Launcher:
    """Runs commands through bench_launch, which measures them."""

    def __init__(self, program):
        self.program = program
        descriptor, self.report = tempfile.mkstemp(prefix="pollux-bench-", suffix=".json")
        os.close(descriptor)

    def run(self, command, environment, timeout):
        """(what bench_launch reports, output, standard error). Raises Failed."""
        try:
            done = subprocess.run([self.program, self.report, *command], capture_output=True, timeout=timeout,
                                  env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise Failed(f"took more than {timeout} s")
        if done.returncode != 0:
            raise Failed(done.stderr.decode(errors="replace").strip()[-200:])
        with open(self.report) as file:
            report = json.load(file)
        if report["status"] != 0:
            message = done.stderr.decode(errors="replace").strip().splitlines()
            raise Failed(f"status {report['status']}" + (f": {message[-1][:160]}" if message else ""))
        return report, done.stdout, done.stderr

    def close(self):
        os.unlink(self.report)


class Results:
    """samples[program key][engine key][quantity]; quantities: wall, cpu, first_output, own (seconds), memory (KiB).
    failures[program key][engine key]: why there are no samples.

    `clock`: wall, or cpu for a machine that does other work meanwhile (then what background threads do counts as the engine's time).
    """

    def __init__(self, clock="wall"):
        self.clock = clock
        self.samples = defaultdict(lambda: defaultdict(lambda: defaultdict(Samples)))
        self.failures = defaultdict(dict)
        self.rounds = 0

    def median(self, program, engine, quantity):
        samples = self.samples[program][engine][quantity]
        return samples.median if samples else None

    def is_short(self, program):
        """Whether any engine has run it in less than SHORT seconds."""
        return any(seconds < SHORT for quantities in self.samples[program].values() for seconds in quantities["own"])

    def main_seconds(self, program, engine, nop="nop"):
        """What the program took without the engine's start: what it or the engine measured, else the process less one that exits at once."""
        own = self.median(program, engine, "own")
        if own is not None and self.clock == "wall":
            return own
        whole, empty = self.median(program, engine, self.clock), self.median(nop, engine, self.clock)
        if whole is None or empty is None:
            return None
        return max(whole - empty, 0.0)


def own_seconds(program, engine, output, errors):
    """What the program says that it took, or what the engine says last (Engine.timing): nothing of the guest can come after that."""
    if program.seconds:
        return program.seconds(output)
    if not (program.timed and engine.timing):
        return None
    found = re.search(rb"^.* execution ([0-9.]+) ms\n\Z", errors, re.MULTILINE)
    if not found:
        raise Failed("the engine did not say how long it ran")
    return float(found.group(1)) / 1e3


def sample(launcher, results, program, engine, timeout):
    """One run; its failure ends all further runs of this pair."""
    if engine.key in results.failures[program.key]:
        return
    try:
        command = engine.command(program.wasm, program.arguments, program.timed)
        report, output, errors = launcher.run(command, engine.environment, timeout)
        if wrong := program.check(output):
            raise Failed(wrong)
        own = own_seconds(program, engine, output, errors)
    except Failed as failure:
        results.failures[program.key][engine.key] = str(failure)
        return
    kept = results.samples[program.key][engine.key]
    kept["wall"].append(report["wall_ns"] / 1e9)
    kept["cpu"].append((report["user_us"] + report["system_us"]) / 1e6)
    kept["memory"].append(report["peak_kib"])
    if report["first_output_ns"] >= 0:
        kept["first_output"].append(report["first_output_ns"] / 1e9)
    if own is not None:
        kept["own"].append(own)


def run_all(launcher, pairs, rounds, budget, timeout, say, clock="wall"):
    """Runs every (program, engines, runs in each round), round after round; stops before a round that would go beyond `budget` seconds.

    Short programs run more often, from the second round on.
    """
    results = Results(clock)
    begin = time.monotonic()
    for number in range(rounds):
        started = time.monotonic()
        for program, engines, runs in pairs:
            for _ in range(runs * SHORT_RUNS if results.is_short(program.key) else runs):
                # Another engine begins each time, so that none always runs on a machine that the same other one has warmed.
                turn = number % len(engines)
                for engine in engines[turn:] + engines[:turn]:
                    sample(launcher, results, program, engine, timeout)
        results.rounds += 1
        now = time.monotonic()
        say(f"round {number + 1} of {rounds}: {now - started:.0f} s")
        if now - begin + (now - started) > budget and number + 1 < rounds:
            say(f"stopping after {number + 1} rounds: the time is used up")
            break
    return results
