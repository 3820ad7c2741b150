"""Runs the Google Benchmark programs of a build tree and reads their medians."""
import os

from driver.compile_speed import run_json
from driver.measure import Failed

# Those whose figures are reported as they are.
PROGRAMS = ["calls", "host_calls", "fiber_switch", "poll", "traps", "instantiation", "startup"]
UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def medians(build, name, quick, clock, say, arguments=(), environment=None):
    """(benchmark, ns): of a round where a benchmark counts rounds, else of an iteration. Nothing if the program is not there or fails."""
    program = os.path.join(build, f"bench/bench_{name}")
    if not os.path.exists(program):
        return []
    command = [program, "--benchmark_format=json", f"--benchmark_min_time={0.05 if quick else 0.2}",
               f"--benchmark_repetitions={3 if quick else 5}", "--benchmark_report_aggregates_only=true", *arguments]
    try:
        report = run_json(command, environment)
    except Failed as failure:
        say(f"bench_{name}: {failure}")
        return []
    figures = []
    for run in report["benchmarks"]:
        if run.get("aggregate_name") == "median":
            rate = next((value for key, value in run.items() if key.startswith("s/")), None)
            time = run["real_time" if clock == "wall" or run["run_name"].endswith("/real_time") else "cpu_time"]
            ns = rate * 1e9 if rate is not None else time * UNITS[run["time_unit"]]
            figures.append((run["run_name"].removesuffix("/real_time"), ns))
    say(f"ran bench_{name}")
    return figures


def ablation(build, modules, quick, clock, say):
    """(work, variant, ns, ns of the default), on those of `modules` that are there."""
    environment = {"POLLUX_BENCH_MODULES": ":".join(filter(os.path.exists, modules))}
    figures = medians(build, "ablation", quick, clock, say, ["--benchmark_enable_random_interleaving=true"], environment)
    rows = [(*name.split("/", 1)[1].rsplit("/", 1), ns) for name, ns in figures]
    defaults = {work: ns for work, variant, ns in rows if variant == "default"}
    rows.sort(key=lambda row: (row[0], row[1] != "default"))
    return [(work, variant, ns, defaults[work]) for work, variant, ns in rows if work in defaults]
