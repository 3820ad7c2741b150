#!/usr/bin/env python3
"""Compares Pollux with every engine that is found: compile speed, code speed, start-up, memory. Writes Markdown and an SVG chart.

  bench/compare.py [--build build/release] [--quick]

Node and Bun are taken from --peers (bench/fetch_peers.sh fills it) or the PATH; wasmtime, wasmer, wazero, Wizard, wasm3 and iwasm from the PATH.
All timings of a report are from one run, interleaved. Nothing is asserted: a run that fails is listed with its reason.
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

from driver import chart, compile_speed, engines, measure, programs  # noqa: E402
from driver.report import Report  # noqa: E402

# Google Benchmark programs whose figures go into the report.
MICRO = ["calls", "host_calls", "fiber_switch", "poll", "traps", "instantiation", "startup"]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="build tree with Pollux, the examples and the benchmark programs")
    parser.add_argument("--pollux", help="the program; default: tools/pollux of the build tree, if it is there")
    parser.add_argument("--hello", help="hello.wasm; default: examples/hello.wasm of the build tree")
    parser.add_argument("--peers", default=os.path.join(ROOT, "build/peers"), help="folder in which npm installed Node and Bun")
    parser.add_argument("--cache", default=os.path.join(ROOT, "build/npm"), help="folder with python.wasm and pandoc.wasm")
    parser.add_argument("--shared", default=os.path.join(ROOT, "../shared"), help="folder with bench/ (PolyBench, CoreMark, nop-wasi.wasm)")
    parser.add_argument("--output", default=os.path.join(HERE, "results"), help="folder for compare.md, compare.svg and compare.json")
    parser.add_argument("--engines", help="only these, by key, separated by commas")
    parser.add_argument("--programs", help="only those whose key matches this regular expression")
    parser.add_argument("--parts", default="compile,run,micro,ablation", help="what to do, of these, separated by commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="default: 15, with --quick 3")
    parser.add_argument("--budget", type=float, help="seconds for running programs; default: 420, with --quick 90")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="what compilation, PolyBench and CoreMark are timed by; cpu: of all threads, for a machine that is busy otherwise")
    parser.add_argument("--quick", action="store_true", help="a few minutes")
    parser.add_argument("--list", action="store_true", help="show the engines and programs that are found, and end")
    return parser.parse_args()


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def native_engine(folder):
    """hello as a native program, made by the C compiler that is found."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    source = os.path.join(ROOT, "examples/hello.c")
    if not compiler or not os.path.exists(source):
        return None
    program = os.path.join(folder, "hello")
    subprocess.run([compiler, "-O2", source, "-o", program], check=True)
    engine = engines.Engine("native", f"native ({os.path.basename(compiler)} -O2)", [program], engines.version_of([compiler, "--version"]) or "")
    engine.command = lambda wasm, arguments: [program, *arguments]
    return engine


def launcher_program(build, folder):
    built = os.path.join(build, "bench/bench_launch")
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
    """(program, engines, runs in each round): short programs run more often."""
    wasm_only = [engine for engine in found_engines if engine.key not in ("liftoff-eager", "pollux-lazy", "pollux-eager")]
    pairs = []
    for program in found_programs:
        if program.group in ("nop", "startup"):
            those = found_engines + ([native] if native and program.key == "hello" else [])
            pairs.append((program, those, 1 if quick or program.key == "python" else 2))
        else:
            pairs.append((program, wasm_only, 1))
    return pairs


def medians(build, name, quick, clock, arguments=(), environment=None):
    """(benchmark, ns) of a Google Benchmark program: its medians of a round where it counts rounds, else of an iteration; nothing if it is not there."""
    program = os.path.join(build, f"bench/bench_{name}")
    if not os.path.exists(program):
        return []
    try:
        report = compile_speed.run_json([program, "--benchmark_format=json", f"--benchmark_min_time={0.05 if quick else 0.2}",
                                         f"--benchmark_repetitions={3 if quick else 5}", "--benchmark_report_aggregates_only=true", *arguments], environment)
    except measure.Failed as failure:
        say(f"bench_{name}: {failure}")
        return []
    units = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    figures = []
    for run in report["benchmarks"]:
        if run.get("aggregate_name") == "median":
            rate = next((value for key, value in run.items() if key.startswith("s/")), None)
            time = run["real_time" if clock == "wall" or run["run_name"].endswith("/real_time") else "cpu_time"]
            figures.append((run["run_name"].removesuffix("/real_time"), rate * 1e9 if rate is not None else time * units[run["time_unit"]]))
    return figures


def ablation(build, cache, quick, clock):
    """(work, variant, ns, ns of the default)."""
    python = os.path.join(cache, "python.wasm")
    figures = medians(build, "ablation", quick, clock, ["--benchmark_enable_random_interleaving=true"],
                      {"POLLUX_BENCH_MODULES": python} if os.path.exists(python) else None)
    rows = [(*name.split("/", 1)[1].rsplit("/", 1), ns) for name, ns in figures]
    defaults = {work: ns for work, variant, ns in rows if variant == "default"}
    return [(work, variant, ns, defaults[work]) for work, variant, ns in sorted(rows, key=lambda row: (row[0], row[1] != "default")) if work in defaults]


def main():
    wanted = options()
    parts = wanted.parts.split(",")
    pollux = wanted.pollux or os.path.join(wanted.build, "tools/pollux")
    pollux = pollux if os.path.exists(pollux) else None
    keys = wanted.engines.split(",") if wanted.engines else None
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
    if not pollux:
        say(f"there is no Pollux in {wanted.build}: comparing the others")

    with tempfile.TemporaryDirectory(prefix="pollux-bench-") as folder:
        rows, figures, ablated, results = [], [], [], measure.Results(wanted.clock)
        native = native_engine(folder) if keys is None or "native" in keys else None
        load = os.getloadavg()[0]
        if "compile" in parts:
            modules = [path for name in ("python", "pandoc") if os.path.exists(path := os.path.join(wanted.cache, f"{name}.wasm"))]
            program = os.path.join(wanted.build, "bench/bench_compilation")
            node = engines.find_node(wanted.peers)[0] if keys is None or "liftoff" in keys else None
            rows = compile_speed.measure(modules, program if os.path.exists(program) else None, node, len(os.sched_getaffinity(0)),
                                         1 if wanted.quick else 3, wanted.clock, say)
        if "run" in parts:
            launcher = measure.Launcher(launcher_program(wanted.build, folder))
            results = measure.run_all(launcher, plan(found_engines, native, found_programs, wanted.quick), wanted.rounds or (3 if wanted.quick else 15),
                                      wanted.budget or (90 if wanted.quick else 420), 60, say, wanted.clock)
            launcher.close()
        if "micro" in parts:
            for name in MICRO:
                figures += medians(wanted.build, name, wanted.quick, wanted.clock)
                say(f"ran bench_{name}")
        if "ablation" in parts:
            ablated = ablation(wanted.build, wanted.cache, wanted.quick, wanted.clock)

    shown = found_engines + ([native] if native else [])
    versions = "; ".join(dict.fromkeys(engine.version for engine in shown if engine.version))
    header = f"Measured {datetime.date.today()} on {machine()}, load {load:.1f} at the start. Versions: {versions}."
    report = Report(shown, found_programs, results, rows, figures, ablated, header)
    write(report, wanted.output)
    return 0


def write(report, folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "compare.svg"), "w") as file:
        file.write(chart.svg(report.panels(), "Pollux and other WebAssembly engines: compile speed, run time, start-up, memory"))
    with open(os.path.join(folder, "compare.md"), "w") as file:
        file.write(report.markdown("compare.svg"))
    with open(os.path.join(folder, "compare.json"), "w") as file:
        json.dump({"header": report.header, "samples": report.results.samples, "failures": report.results.failures, "operations_ns": dict(report.micro),
                   "ablation_ns": [row[:3] for row in report.ablation],
                   "compile": [{"module": row.module, "way": row.way, "ms": row.ms, "cold_ms": row.cold_ms, "wasm_bytes": row.wasm_bytes,
                                "out_per_in": row.code_ratio, "heap_kib": row.heap_kib, "failure": row.failure} for row in report.compile_rows]}, file, indent=1)
    say(f"wrote {os.path.join(folder, 'compare.md')}, compare.svg and compare.json")


if __name__ == "__main__":
    sys.exit(main())
