"""Compile speed of whole modules, ours and Node's: each figure from fresh processes that compile the module several times."""
import json
import os
import subprocess
from functools import partial

from driver.engines import EAGER, HERE, LIFTOFF
from driver.measure import Failed, Samples

RUNS = 5  # in one process, after the first and, for Node, one to warm up


class CompileResult:
    """One row: a module compiled in one way. Times in ms."""

    def __init__(self, module, way):
        self.module, self.way = module, way
        self.ms, self.cold_ms = Samples(), Samples()
        self.wasm_bytes = self.code_ratio = self.heap_kib = self.failure = None

    @property
    def megabytes_per_second(self):
        return self.wasm_bytes / self.ms.median / 1e3


def run_json(command, environment=None, timeout=300):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(environment or {})},
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {timeout} s")
    except OSError as error:
        raise Failed(str(error))
    if done.returncode != 0:
        raise Failed(f"status {done.returncode}: " + done.stderr.strip()[-200:])
    return json.loads(done.stdout)


def measure_ours(program, wasm, name, clock, result):
    """One process of bench_compilation that runs only this benchmark."""
    report = run_json([program, f"--benchmark_filter=^{name}/iter", "--benchmark_format=json"], {"POLLUX_BENCH_MODULES": wasm})
    found = [run for run in report["benchmarks"] if run.get("aggregate_name") == "median" or "error_message" in run]
    if not found:
        raise Failed(f"{os.path.basename(program)} has no {name}")
    median = found[0]
    if "error_message" in median:
        raise Failed(median["error_message"])
    result.ms.append(median["cpu_ms" if clock == "cpu" else "real_time"])
    result.cold_ms.append(median["cold_ms"])
    result.wasm_bytes = median["code_MB"] * 1e6
    result.code_ratio = median.get("out/in")
    result.heap_kib = median.get("heap_KiB")


def measure_node(node, flags, wasm, clock, result):
    report = run_json([node, "--no-warnings", "--expose-gc", *flags, os.path.join(HERE, "compile_time.mjs"), wasm, str(RUNS)])
    result.ms.append(Samples(report["cpu_ms" if clock == "cpu" else "ms"]).median)
    result.cold_ms.append(report["cold_ms"])
    result.wasm_bytes = report["wasm_bytes"]
    result.code_ratio = report["code_bytes"] / report["wasm_bytes"]


def measure(modules, program, node, threads, rounds, clock, say):
    """Rows for all modules. Ways are interleaved; the median of a row is that of its processes' medians."""
    eager = [*LIFTOFF, EAGER]
    rows = []
    for wasm in modules:
        module = os.path.basename(wasm)[:-5]
        ways = []
        if program:
            own = [("Pollux, validating only", f"validate/{module}"), ("Pollux, one thread", f"module/{module}/threads:1")]
            own += [(f"Pollux, {threads} threads", f"module/{module}/threads:{threads}")] if threads > 1 else []
            own += [(f"Pollux, functions alone, {isa}", f"functions/{isa}/{module}") for isa in ("x86_64", "aarch64")]
            ways += [(label, partial(measure_ours, program, wasm, name, clock)) for label, name in own]
        if node:
            ways.append(("V8 Liftoff, one thread", partial(measure_node, node, [*eager, "--single-threaded"], wasm, clock)))
            if threads > 1:
                ways.append(("V8 Liftoff, all threads", partial(measure_node, node, eager, wasm, clock)))
        results = [(CompileResult(module, label), run) for label, run in ways]
        for _ in range(rounds):
            for result, run in results:
                if result.failure is None:
                    try:
                        run(result)
                    except Failed as failure:
                        result.failure = str(failure)
        say(f"compiled {module}")
        rows += [result for result, _ in results]
    return rows
