"""Turns samples into Markdown tables and the panels of the chart."""
import math

from driver.chart import Bar, Panel
from driver.measure import SHORT, SHORT_RUNS, Results

REFERENCE = "liftoff"


def table(head, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def number(value, digits=3):
    """With `digits` significant digits, never in exponential form."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def duration(ns):
    """A time in the unit that fits it."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= factor:
            return f"{number(ns / factor)} {unit}"
    return f"{number(ns)} ns"


def with_spread(samples, factor=1.0):
    if not samples:
        return "–"
    return number(samples.median * factor) + (f" ±{100 * samples.spread:.0f} %" if samples.spread >= 0.005 else "")


def geomean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


class Report:
    """Everything that was measured, and what is written about it."""

    def __init__(self, engines, programs, clock):
        self.engines, self.programs, self.header = engines, programs, ""
        self.results = Results(clock)
        self.compile_rows = []  # CompileResult
        self.operations = []    # (benchmark, ns)
        self.ablation = []      # (work, variant, ns, ns of the default)

    def raw(self):
        """Everything that was measured, for JSON."""
        compiled = [{"module": row.module, "way": row.way, "ms": row.ms, "cold_ms": row.cold_ms, "wasm_bytes": row.wasm_bytes,
                     "out_per_in": row.code_ratio, "heap_kib": row.heap_kib, "failure": row.failure} for row in self.compile_rows]
        return {"header": self.header, "compile": compiled, "samples": self.results.samples, "failures": self.results.failures,
                "operations_ns": dict(self.operations), "ablation_ns": [row[:3] for row in self.ablation]}

    # --- numbers ---------------------------------------------------------------------------------------------------------

    def ratio(self, program, engine):
        """Time of an engine relative to Liftoff's, or None."""
        time, reference = self.results.main_seconds(program, engine), self.results.main_seconds(program, REFERENCE)
        return time / reference if time and reference else None

    def keys(self, group):
        return [program.key for program in self.programs if program.group == group]

    def polybench_geomean(self, engine):
        """(geomean of ratios to Liftoff, kernels that went into it)"""
        ratios = [ratio for kernel in self.keys("polybench") if (ratio := self.ratio(kernel, engine))]
        return geomean(ratios), len(ratios)

    # --- sections --------------------------------------------------------------------------------------------------------

    def compile_section(self):
        if not self.compile_rows:
            return ""
        rows, notes = [], []
        for row in self.compile_rows:
            if row.failure or not row.ms:
                notes.append(f"- {row.module}, {row.way}: {row.failure}")
                continue
            rate, ns = row.megabytes_per_second, row.ms.median * 1e6 / row.wasm_bytes
            rows.append([f"{row.module}: {row.way}", with_spread(row.ms), number(rate), number(ns), number(row.cold_ms.median),
                         number(row.code_ratio), number(row.heap_kib)])
        text = """## Compile speed

From bytes in memory (which Pollux takes over, and Node copies first) to executable code; rates are of the code section's bytes.
ms: median of the medians of 5 in one process (after one warm-up); cold: the first one of a process. out/in: bytes of machine code for each byte; Node's is what its executable memory grew by, jump
tables included. Heap: what the compiler of one thread and its output hold.

"""
        head = ["module and way", "ms", "MB/s", "ns/byte", "cold ms", "out/in", "heap KiB"]
        return text + table(head, rows) + self.speedups() + "\n".join(notes) + "\n"

    def speedups(self):
        """Ours over Liftoff's, for each module."""
        lines = []
        by_way = {(row.module, row.way): row for row in self.compile_rows if row.ms and not row.failure}
        for module in dict.fromkeys(row.module for row in self.compile_rows):
            ours, theirs = by_way.get((module, "Pollux, one thread")), by_way.get((module, "V8 Liftoff, one thread"))
            if ours and theirs:
                line = f"- {module}: {theirs.ms.median / ours.ms.median:.2f} times Liftoff's speed on one thread"
                many = [row for (of, way), row in by_way.items() if of == module and way.startswith("Pollux") and way.endswith(" threads")]
                lines.append(line + "".join(f"; all threads: {ours.ms.median / row.ms.median:.2f} times our one thread" for row in many))
        return "\n" + "\n".join(lines) + "\n" if lines else ""

    def code_section(self):
        kernels = self.keys("polybench")
        keys = [*kernels, "coremark"]
        shown = [engine for engine in self.engines if any(self.results.main_seconds(key, engine.key) is not None for key in keys)]
        if not shown:
            return ""
        summary = []
        for engine in shown:
            mean, count = self.polybench_geomean(engine.key)
            summary.append([engine.label, number(mean) + (f" ({count})" if mean and count < len(kernels) else ""),
                            number(self.ratio("coremark", engine.key)), number(self.results.main_seconds("coremark", engine.key))])
        text = """## Code speed

Time relative to V8 Liftoff's in the same run; lower is better. PolyBench: geometric mean over all kernels, or over as many as the number in
parentheses says, where some have no measurable time.

"""
        text += table(["engine", "PolyBench", "CoreMark", "CoreMark, s"], summary)
        if kernels:
            rows = [[kernel] + [self.kernel_cell(kernel, engine.key) for engine in shown] for kernel in kernels]
            text += "\nPolyBench, ms of each kernel (ratio to Liftoff):\n\n" + table(["kernel"] + [engine.label for engine in shown], rows)
            text += self.worst_kernels()
        return text

    def kernel_cell(self, kernel, engine):
        seconds, ratio = self.results.main_seconds(kernel, engine), self.ratio(kernel, engine)
        return number(seconds * 1e3 if seconds is not None else None) + (f" ({ratio:.2f})" if ratio and engine != REFERENCE else "")

    def worst_kernels(self):
        ratios = sorted(((ratio, kernel) for kernel in self.keys("polybench") if (ratio := self.ratio(kernel, "pollux"))), reverse=True)[:5]
        return "\nOur worst five: " + ", ".join(f"{kernel} {ratio:.2f}" for ratio, kernel in ratios) + ".\n" if ratios else ""

    def startup_section(self):
        rows = []
        for engine in self.engines:
            row = [engine.label]
            for program in ["hello", "python"]:
                samples = self.results.samples[program][engine.key]
                for quantity, factor in (("first_output", 1e3), ("wall", 1e3), ("memory", 1 / 1024)):
                    row.append(with_spread(samples[quantity], factor))
            row.append(with_spread(self.results.samples["nop"][engine.key]["wall"], 1e3))
            if any(cell != "–" for cell in row[1:]):
                rows.append(row)
        if not rows:
            return ""
        text = """## Start-up

From the start of the process to its first byte of output and to its end, and the most memory that was resident. nop: a program that exits
at once.

"""
        head = ["engine", "hello: first output, ms", "end, ms", "MiB", "python: first output, ms", "end, ms", "MiB", "nop: end, ms"]
        return text + table(head, rows)

    def micro_section(self):
        if not self.operations:
            return ""
        text = "## Single operations\n\nGoogle Benchmark programs of `bench/`; `/loop` is what the loop around the others takes.\n\n"
        return text + table(["benchmark", "time"], [[name, duration(ns)] for name, ns in self.operations])

    def ablation_section(self):
        if not self.ablation:
            return ""
        text = "## Ablation\n\nEach switch of `jit/base/tuning.h` at another value, the others as they are. Relative: to the default.\n"
        text += "A switch also moves code, which alone changes CoreMark's time by up to 6 %.\n\n"
        return text + table(["work", "switch", "time", "relative"],
                            [[work, f"`{variant}`", duration(ns), f"{ns / default:.2f}"] for work, variant, ns, default in self.ablation])

    def failures_section(self):
        labels = {engine.key: engine.label for engine in self.engines}
        lines = [f"- {labels[engine]}, {program}: {why}" for program, whys in self.results.failures.items() for engine, why in whys.items()]
        return "## Runs that failed\n\n" + "\n".join(lines) + "\n" if lines else ""

    def method_section(self):
        if not self.results.rounds:
            return ""
        if self.results.clock == "wall":
            times = f"""CoreMark's time is what it prints. PolyBench prints nothing: {self.timing_engines()}
measured the call of `_start` themselves. What an engine compiles before that call does not count, what it compiles within does: with Pollux
(here with `-C mode=lazy`; by itself it compiles modules so small before the call) and V8 that is each function at its first call. With any
other engine the time is the process's less that of `nop-wasi.wasm`: the engine's start does not count, all of its compilation does."""
        else:
            times = """The machine was busy: compilation, PolyBench and CoreMark are in CPU time of all threads, the latter two less that
of `nop-wasi.wasm` under the same engine: an engine's start does not count, but its compilation of the program does."""
        return f"""## How it is measured

`bench/compare.py` ran every program under every engine in turn, {self.results.rounds} rounds, beginning with another engine each time;
programs that an engine runs in less than {SHORT * 1e3:.0f} ms ran {SHORT_RUNS} times as often. Figures are medians, ± half the distance
between the quartiles. Processes are started and timed by `bench_launch`. {times}
"""

    def timing_engines(self):
        return ", ".join(engine.label for engine in self.engines if engine.timing) or "no engine of these"

    def markdown(self, chart):
        parts = [f"# Pollux and other engines\n\n{self.header}\n", f"![Chart]({chart})\n", self.compile_section(), self.code_section(),
                 self.startup_section(), self.micro_section(), self.ablation_section(), self.failures_section(), self.method_section()]
        return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)

    # --- the summary for the README --------------------------------------------------------------------------------------

    def summary(self, chart):
        """The main figures, ours beside Liftoff's."""
        rows = [*self.compile_summary(), *self.run_summary(), *self.startup_summary()]
        text = f"{self.header}\n\n" + table(["", "Pollux", "V8 Liftoff", "ratio"], rows) if rows else ""
        return text + f"\n![Compile speed, run time, start-up and memory of several engines]({chart})\n"

    def compile_summary(self):
        rates = {(row.module, row.way): row.megabytes_per_second for row in self.compile_rows if row.ms and not row.failure}
        for module in dict.fromkeys(row.module for row in self.compile_rows):
            ours, theirs = rates.get((module, "Pollux, one thread")), rates.get((module, "V8 Liftoff, one thread"))
            if ours and theirs:
                yield [f"compiling {module}.wasm, one thread, MB/s", number(ours), number(theirs), f"{ours / theirs:.2f}"]

    def run_summary(self):
        mean, count = self.polybench_geomean("pollux")
        if mean:
            yield [f"run time, geometric mean of {count} PolyBench kernels", number(mean), "1", number(mean)]
        if ratio := self.ratio("coremark", "pollux"):
            seconds = (self.results.main_seconds("coremark", key) for key in ("pollux", REFERENCE))
            yield ["run time, CoreMark, s", *map(number, seconds), number(ratio)]

    def startup_summary(self):
        ours, native = (self.results.samples["hello"][key]["first_output"] for key in ("pollux", "native"))
        if ours and native:
            yield [f"hello: to its first output, ms; beside it a native hello's: {number(native.median * 1e3)}", number(ours.median * 1e3),
                   "–", "–"]
        for program in ("hello", "python"):
            for quantity, name, factor in (("first_output", "to its first output, ms", 1e3), ("memory", "resident, MiB", 1 / 1024)):
                samples = [self.results.samples[program][key][quantity] for key in ("pollux", REFERENCE)]
                if all(samples):
                    ours, theirs = (sample.median * factor for sample in samples)
                    yield [f"{program}: {name}", number(ours), number(theirs), f"{ours / theirs:.2f}"]

    # --- the chart -------------------------------------------------------------------------------------------------------

    def panels(self):
        programs = ("hello", "python")
        return [*self.compile_panels(), self.ratio_panel("PolyBench", lambda key: self.polybench_geomean(key)[0]),
                self.ratio_panel("CoreMark", lambda key: self.ratio("coremark", key)),
                *(self.first_output_panel(program) for program in programs), *(self.memory_panel(program) for program in programs)]

    def compile_panels(self):
        panels = []
        for module in dict.fromkeys(row.module for row in self.compile_rows):
            bars = []
            for row in self.compile_rows:
                if row.module == module and row.ms and not row.failure and row.way.endswith(("thread", "threads")):
                    rate = row.megabytes_per_second
                    bars.append(Bar(row.way, rate, f"{rate:.0f} MB/s", row.way.startswith("Pollux"), rate * row.ms.spread))
            panels.append(Panel(f"Compile speed, {module}.wasm", "MB of code section a second; longer is better", bars))
        return panels

    def ratio_panel(self, name, ratio_of):
        bars = [Bar(engine.label, ratio, f"{ratio:.2f}", engine.ours) for engine in self.engines if (ratio := ratio_of(engine.key))]
        return Panel(f"Run time, {name}", "V8 Liftoff = 1; shorter is better", sorted(bars, key=lambda bar: bar.value), mark=1.0)

    def first_output_panel(self, program):
        bars = []
        for engine in self.engines:
            if samples := self.results.samples[program][engine.key]["first_output"]:
                ms = samples.median * 1e3
                bars.append(Bar(engine.label, ms, f"{number(ms)} ms", engine.ours, ms * samples.spread))
        return Panel(f"Start to first output, {program}", "ms; shorter is better", sorted(bars, key=lambda bar: bar.value))

    def memory_panel(self, program):
        bars = []
        for engine in self.engines:
            if samples := self.results.samples[program][engine.key]["memory"]:
                bars.append(Bar(engine.label, samples.median / 1024, f"{number(samples.median / 1024)} MiB", engine.ours))
        return Panel(f"Peak resident memory, {program}", "MiB; shorter is better", sorted(bars, key=lambda bar: bar.value))
