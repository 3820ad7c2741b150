#!/usr/bin/env python3
"""Compares Pollux with every engine that is found: compile speed, code speed, start-up, memory. Writes Markdown and an SVG chart.

  bench/compare.py [--build build/release] [--quick]

Node and Bun are taken from --peers (bench/fetch_peers.sh fills it) or the PATH; wasmtime, wasmer, wazero, Wizard, wasm3 and
iwasm from the PATH. All timings of a report are from one run, interleaved. Nothing is asserted: a run that fails is listed with
its reason. On an idle machine the whole takes about 13 minutes, with --quick 3. --readme writes the main figures into README.md too,
between the comments `bench: begin` and `bench: end`; `tools/dev bench` gives it.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)

from driver import chart, compile_speed, engines, google_benchmark, measure, programs  # noqa: E402
from driver.report import Report  # noqa: E402

RUN_TIMEOUT = 60  # seconds, for one run of one program


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--build", default=os.path.join(ROOT, "build/release"), help="build tree with Pollux, examples and benchmark programs")
    add("--pollux", help="the program; default: tools/pollux of the build tree")
    add("--hello", help="hello.wasm; default: examples/hello.wasm of the build tree")
    add("--peers", default=os.path.join(ROOT, "build/peers"), help="folder in which npm installed Node and Bun")
    add("--cache", default=os.path.join(ROOT, "build/npm"), help="folder with python.wasm and pandoc.wasm")
    add("--shared", default=os.path.join(ROOT, "../shared"), help="folder with bench/ (PolyBench, CoreMark, nop-wasi.wasm)")
    add("--output", default=os.path.join(HERE, "results"), help="folder for compare.md, compare.svg and compare.json")
    add("--readme", action="store_true", help="write the main figures into README.md")
    add("--engines", help="only these, by key, separated by commas")
    add("--programs", help="only those whose key matches this regular expression")
    add("--parts", default="compile,run,micro,ablation", help="what to do, separated by commas; default: %(default)s")
    add("--rounds", type=int, help="of running all programs; default: 15, with --quick 3")
    add("--budget", type=float, help="seconds for these rounds; default: 420, with --quick 90")
    add("--clock", choices=["wall", "cpu"], default="wall",
        help="what compilation, PolyBench and CoreMark are timed by; cpu (of all threads) is for a machine that is busy otherwise")
    add("--quick", action="store_true", help="a few minutes")
    add("--list", action="store_true", help="show the engines and programs that are found, and end")
    return parser.parse_args()


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def native_engine(folder):
    """hello as a native program, made by the C compiler that is found."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    source = os.path.join(ROOT, "examples/hello.c")
    if not compiler or not os.path.exists(source):
        return None
    linked = os.path.join(folder, "hello.linked")
    subprocess.run([compiler, "-O2", source, "-o", linked], check=True)
    program = shutil.copy(linked, os.path.join(folder, "hello"))  # see main()
    return engines.NativeEngine(f"native ({os.path.basename(compiler)} -O2)", program, engines.version_of([compiler, "--version"]) or "")


def launcher_program(build, folder):
    built = os.path.join(build, "bench/driver/bench_launch")
    if os.path.exists(built):
        return built
    program = os.path.join(folder, "bench_launch")
    subprocess.run(["c++", "-std=c++20", "-O2", "-static", os.path.join(HERE, "driver/launch.cpp"), "-o", program], check=True)
    return program


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{len(os.sched_getaffinity(0))} CPUs ({model}), Linux {platform.release().split('-')[0]}"


def plan(found_engines, native, found_programs, quick):
    """(program, engines, runs in each round): short programs run more often; long ones only under one mode of each engine."""
    pairs = []
    for program in found_programs:
        if program.group in ("nop", "startup"):
            those = found_engines + ([native] if native and program.key == "hello" else [])
            pairs.append((program, those, 1 if quick or program.key == "python" else 2))
        else:
            pairs.append((program, [engine for engine in found_engines if not engine.only_startup], 1))
    return [pair for pair in pairs if pair[1]]


def measure_compilation(wanted):
    modules = [path for name in ("python", "pandoc") if os.path.exists(path := os.path.join(wanted.cache, f"{name}.wasm"))]
    ours = os.path.join(wanted.build, "bench/bench_compilation")
    ours = ours if os.path.exists(ours) else None
    rounds = 1 if wanted.quick else 3
    return compile_speed.measure(modules, ours, engines.find_node(wanted.peers)[0], len(os.sched_getaffinity(0)), rounds, wanted.clock, say)


def measure_programs(wanted, pairs, folder):
    launcher = measure.Launcher(launcher_program(wanted.build, folder))
    try:
        rounds, budget = wanted.rounds or (3 if wanted.quick else 15), wanted.budget or (90 if wanted.quick else 420)
        return measure.run_all(launcher, pairs, rounds, budget, RUN_TIMEOUT, say, wanted.clock)
    finally:
        launcher.close()


def write(report, folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "compare.svg"), "w") as file:
        file.write(chart.svg(report.panels(), "Pollux and other WebAssembly engines: compile speed, run time, start-up, memory"))
    with open(os.path.join(folder, "compare.md"), "w") as file:
        file.write(report.markdown("compare.svg"))
    with open(os.path.join(folder, "compare.json"), "w") as file:
        json.dump(report.raw(), file, indent=1)
    say(f"wrote {os.path.join(folder, 'compare.md')}, compare.svg and compare.json")


def write_readme(report, chart_path):
    """Replaces what stands between the two comments in README.md."""
    path = os.path.join(ROOT, "README.md")
    with open(path) as file:
        text = file.read()
    begin, end = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        say("README.md has no place for figures")
        return
    with open(path, "w") as file:
        file.write(before + begin + report.summary(os.path.relpath(chart_path, ROOT)) + end + after)
    say("wrote the main figures into README.md")


def main():
    wanted = options()
    parts = wanted.parts.split(",")
    pollux = wanted.pollux or os.path.join(wanted.build, "tools/pollux")
    if not os.path.exists(pollux):
        say(f"{pollux} is not there: comparing the others")
        pollux = None
    keys = wanted.engines.split(",") if wanted.engines else None
    scratch = tempfile.TemporaryDirectory(prefix="pollux-bench-")
    if pollux:  # as an installer would: a file that the linker has just written is cached in small pieces, 0.15 ms at each start
        pollux = shutil.copy(pollux, scratch.name)
    found_engines = engines.find(pollux, wanted.peers, keys)
    hello = wanted.hello or os.path.join(wanted.build, "examples/hello.wasm")
    found_programs, missing = programs.find(wanted.shared, wanted.cache, hello)
    if wanted.programs:
        found_programs = [program for program in found_programs if program.key == programs.NOP or re.search(wanted.programs, program.key)]
    for engine in found_engines:
        say(f"engine {engine.key}: {engine.label}, {engine.version}")
    say("programs: " + ", ".join(program.key for program in found_programs) + (f"; not found: {', '.join(missing)}" if missing else ""))
    if wanted.list:
        return 0
    if not found_engines:
        say("no engine is found")
        return 1

    load = os.getloadavg()[0]
    with scratch as folder:
        native = native_engine(folder) if keys is None or "native" in keys else None
        report = Report(found_engines + ([native] if native else []), found_programs, wanted.clock)
        if "compile" in parts:
            report.compile_rows = measure_compilation(wanted)
        if "run" in parts:
            report.results = measure_programs(wanted, plan(found_engines, native, found_programs, wanted.quick), folder)
        if "micro" in parts:
            for name in google_benchmark.PROGRAMS:
                report.operations += google_benchmark.medians(wanted.build, name, wanted.quick, wanted.clock, say)
        if "ablation" in parts:
            modules = [os.path.join(wanted.cache, "python.wasm"),
                       *(os.path.join(wanted.shared, "bench", path) for path in ("coremark/coremark-5000.wasm", "polybench/gemm.wasm"))]
            report.ablation = google_benchmark.ablation(wanted.build, modules, wanted.quick, wanted.clock, say)

    versions = "; ".join(dict.fromkeys(engine.version for engine in report.engines if engine.version))
    report.header = f"Measured {datetime.date.today()} on {machine()}, load {load:.1f} at the start. Versions: {versions}."
    write(report, wanted.output)
    if wanted.readme:
        write_readme(report, os.path.join(wanted.output, "compare.svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
