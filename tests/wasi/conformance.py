#!/usr/bin/env python3
"""Runs the I/O conformance suite: behaviours of WASI preview 1, each as a small guest over real pipes, terminals, sockets
and files, under any runtime that can be started from a command line. See README.md beside this file.

Exit status: 0 if every behaviour of the first runtime passed, was not applicable or is listed in --expected; 1 if one failed
that is not; 2 for a wrong command line.
"""

import argparse
import atexit
import concurrent.futures
import glob
import json
import multiprocessing
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import rows  # noqa: E402
from harness import ROWS, Case, Failure, NotApplicable, PROFILES, Runtime  # noqa: E402

PASS, FAIL, SKIP = "pass", "fail", "n/a"


def run_variant(task):
    """One variant of one row under one runtime, in a worker process. Never raises: what goes wrong is the verdict."""
    runtime, guests, number, variant, timeout, disable = task
    start = time.monotonic()
    case = Case(runtime, guests, variant, timeout, disable)
    verdict, message = PASS, ""
    try:
        ROWS[number].test(case)
    except NotApplicable as reason:
        verdict, message = SKIP, str(reason)
    except Failure as failure:
        verdict, message = FAIL, str(failure)
    except BaseException as error:  # a fault of the suite itself must not hide the other rows
        verdict = FAIL
        message = f"driver: {error!r} at {traceback.extract_tb(error.__traceback__)[-1].lineno}"
        if isinstance(error, (BrokenPipeError, ConnectionError, TimeoutError)):
            message = f"the guest's end went away: {error}"
    finally:
        case.close()
    return {"runtime": runtime.name, "row": number, "variant": variant, "verdict": verdict, "message": message,
            "notes": case.notes, "seconds": round(time.monotonic() - start, 4)}


def run_embedded(program, number, runtime):
    """A row that needs several guests in one process: the tests Behaviour<number>.* of the embedding test program."""
    start = time.monotonic()
    command = [*shlex.split(program), f"--gtest_filter=Behaviour{number}.*", "--gtest_brief=1"]
    verdict, message = PASS, ""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        text = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            failures = [line for line in text.splitlines() if "Failure" in line or "FAILED" in line]
            verdict, message = FAIL, failures[0] if failures else f"exit status {done.returncode}"
        elif " 0 tests" in text:
            verdict, message = SKIP, "no such test in the program"
        elif "SKIPPED" in text:
            verdict, message = SKIP, "skipped by the program"
    except (OSError, subprocess.TimeoutExpired) as error:
        verdict, message = FAIL, str(error)
    return {"runtime": runtime.name, "row": number, "variant": "embedded", "verdict": verdict, "message": message, "notes": [],
            "seconds": round(time.monotonic() - start, 4)}


def build_guests(into, native):
    """Compiles the guests with clang and wasi-libc (and, for the native column, with cc)."""
    here = os.path.dirname(os.path.abspath(__file__))
    clang = os.environ.get("WASI_CC", "clang --target=wasm32-wasi").split()
    os.makedirs(os.path.join(into, "native"), exist_ok=True)
    jobs = []
    for source in sorted(glob.glob(os.path.join(here, "guests", "*.c"))):
        name = os.path.basename(source)[:-2]
        jobs.append(clang + ["-O1", "-o", os.path.join(into, name + ".wasm"), source])
        if native and not name.startswith("link_"):
            jobs.append(["cc", "-std=gnu17", "-O1", "-o", os.path.join(into, "native", name), source,
                         os.path.join(here, "native", "posix_host.c")])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(lambda job: subprocess.run(job, capture_output=True, text=True, check=False), jobs):
            if done.returncode:
                sys.exit(f"conformance.py: cannot build a guest: {' '.join(done.args)}\n{done.stderr}")


def read_expected(path):
    """{(row, variant or None): reason} from lines "ROW[.VARIANT] reason"; in VARIANT a + stands for a space."""
    expected = {}
    with open(path) as f:
        for line in f:
            line = line.strip()
            if line and not line.startswith("#"):
                name, _, reason = line.partition(" ")
                number, _, variant = name.partition(".")
                if not reason.strip():
                    sys.exit(f"conformance.py: {path}: no reason given for {name}")
                expected[int(number), variant.replace("+", " ") or None] = reason.strip()
    return expected


def parse_only(text):
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def find_runtimes(options):
    runtimes = []
    for name in options.runtime or []:
        if name == "all":
            runtimes += [Runtime.named(p) for p in PROFILES if p != "native" and shutil.which(p)]
            continue
        try:
            runtimes.append(Runtime.named(name))
        except ValueError as error:
            sys.exit(f"conformance.py: {error}")
    for i, command in enumerate(options.cmd or []):
        name, colon, template = command.partition(": ")
        runtimes.append(Runtime(name, template) if colon else Runtime("runtime" + (str(i + 1) if i else ""), command))
    if not runtimes:
        sys.exit("conformance.py: no runtime: give --runtime NAME[=PROGRAM] or --cmd TEMPLATE")
    return runtimes


class Report:
    """Collects the variants' results and prints a row as soon as all of its variants, and all rows before it, are there."""

    def __init__(self, runtimes, numbers, counts, expected, verbose):
        self.runtimes, self.numbers, self.counts, self.expected, self.verbose = runtimes, numbers, counts, expected, verbose
        self.results = {(r.name, n): [] for r in runtimes for n in numbers}
        self.pending = [(r.name, n) for r in runtimes for n in numbers]
        self.unexpected = []

    def add(self, result):
        self.results[result["runtime"], result["row"]].append(result)
        while self.pending and len(self.results[self.pending[0]]) == self.counts[self.pending[0]]:
            self._print(*self.pending.pop(0))

    def verdict(self, name, number):
        verdicts = [r["verdict"] for r in self.results[name, number]]
        return FAIL if FAIL in verdicts else PASS if PASS in verdicts else SKIP

    def _print(self, name, number):
        if number == self.numbers[0] and len(self.runtimes) > 1:
            print(f"-- {name}")
        results = self._sorted(name, number)
        verdict = self.verdict(name, number)
        failed = [r for r in results if r["verdict"] == FAIL]
        is_expected = name == self.runtimes[0].name and failed and all(self._reason(number, r["variant"]) for r in failed)
        passed = sum(r["verdict"] == PASS for r in results)
        applicable = sum(r["verdict"] != SKIP for r in results)
        parts = f"{passed}/{applicable}" if len(results) > 1 else ""
        noted = next((r for r in results if r["notes"]), None)
        notes = "; ".join(noted["notes"]) + (f", {noted['variant']}" if len(results) > 1 else "") if noted else ""
        seconds = sum(r["seconds"] for r in results)
        title = row_name(number)
        mark = verdict + ("*" if is_expected else "")
        print(f"{number:2} {mark:5} {parts:5} {seconds:6.2f} s  {title}" + (f" ({notes})" if notes else ""))
        for r in results:
            label = r["variant"] or "-"
            if r["verdict"] == FAIL or (r["verdict"] == SKIP and (self.verbose or len(results) == 1)) or \
                    (self.verbose and len(results) > 1):
                detail = r["message"] or "; ".join(r["notes"])
                print(f"       {r['verdict']:4} {label:14} {r['seconds']:6.2f} s  {detail}")
                if r["verdict"] == FAIL and is_expected:
                    print(f"            expected: {self._reason(number, r['variant'])}")
        if name == self.runtimes[0].name and failed and not is_expected:
            self.unexpected.append(number)
        sys.stdout.flush()

    def _sorted(self, name, number):
        variants = ROWS[number].variants if number in ROWS else ()
        return sorted(self.results[name, number],
                      key=lambda r: variants.index(r["variant"]) if r["variant"] in variants else len(variants))

    def _reason(self, number, variant):
        return self.expected.get((number, variant)) or self.expected.get((number, None))

    def summary(self):
        for runtime in self.runtimes:
            verdicts = [self.verdict(runtime.name, n) for n in self.numbers]
            print(f"{runtime.name}: {verdicts.count(PASS)} of {len(verdicts)} behaviours pass, {verdicts.count(FAIL)} fail, "
                  f"{verdicts.count(SKIP)} not applicable")
        for (number, variant), reason in self.expected.items():
            results = self.results.get((self.runtimes[0].name, number), [])
            hits = [r for r in results if variant in (None, r["variant"])]
            if hits and all(r["verdict"] == PASS for r in hits):
                print(f"note: {number}{'.' + variant if variant else ''} passes although a failure is expected: {reason}")

    def table(self):
        lines = ["| # | behaviour | " + " | ".join(r.name for r in self.runtimes) + " |",
                 "|--:|---|" + "---|" * len(self.runtimes)]
        for number in self.numbers:
            cells = []
            for runtime in self.runtimes:
                results = [r for r in self._sorted(runtime.name, number) if r["verdict"] != SKIP]
                failed = [r for r in results if r["verdict"] == FAIL]
                cell = {PASS: "yes", FAIL: "no", SKIP: "–"}[self.verdict(runtime.name, number)]
                if failed:
                    message = failed[0]["message"].split("; it said")[0].split(" within ")[0]
                    message = (message[:97] + "..." if len(message) > 100 else message).replace("|", "\\|")
                    where = f"{failed[0]['variant']}: " if failed[0]["variant"] else ""
                    cell = f"no ({where}{message})" if len(failed) == len(results) else \
                        f"{len(results) - len(failed)} of {len(results)} ({where}{message})"
                cells.append(cell)
            lines.append(f"| {number} | {row_name(number)} | " + " | ".join(cells) + " |")
        totals = [f"{sum(self.verdict(r.name, n) == PASS for n in self.numbers)} of {len(self.numbers)}" for r in self.runtimes]
        lines.append("| | **behaviours right** | " + " | ".join(totals) + " |")
        return "\n".join(lines) + "\n"


def row_name(number):
    return ROWS[number].name if number in ROWS else rows.EMBEDDED[number]


def main():
    parser = argparse.ArgumentParser(description="Runs the I/O conformance suite on one or more WASI runtimes.",
                                     epilog="Exit status: 1 if a behaviour of the first runtime fails and is not in --expected.")
    parser.add_argument("--runtime", action="append", metavar="NAME[=PROGRAM]",
                        help=f"a known runtime ({', '.join(PROFILES)}), or `all` that are on the PATH; repeatable; "
                             "PROFILE:NAME=PROGRAM gives it another name")
    parser.add_argument("--cmd", action="append", metavar="[NAME: ]TEMPLATE",
                        help="any runtime, e.g. 'rt --dir={host}::{guest} --env={env} {wasm} {args}'")
    parser.add_argument("--guests", metavar="DIR", help="built guests (default: build them with clang into a temporary directory)")
    parser.add_argument("--embedded", metavar="COMMAND", help="the test program for the rows with several guests in one process")
    parser.add_argument("--only", type=parse_only, metavar="N[,N-M]", help="just these behaviours")
    parser.add_argument("--kinds", metavar="WORD[,WORD]", help="just the variants with one of these words (pipe, tty, socket, file...)")
    parser.add_argument("--disable", metavar="NAMES", help="value of POLLUX_DISABLE for the runtime: system calls not to use")
    parser.add_argument("--expected", metavar="FILE", help="failures of the first runtime that are known, each with its reason")
    parser.add_argument("--json", metavar="FILE", help="write every result there")
    parser.add_argument("--table", metavar="FILE", help="write a Markdown table there: behaviour by runtime")
    parser.add_argument("--timeout", type=float, default=4.0, metavar="SECONDS", help="for each step of a test (default 4)")
    parser.add_argument("-j", "--jobs", type=int, default=2, metavar="N", help="variants at once (default 2)")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every variant")
    options = parser.parse_args()

    runtimes = find_runtimes(options)
    expected = read_expected(options.expected) if options.expected else {}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    for fd in range(3):  # so that nothing of ours becomes stdio
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_RDWR)

    own_guests = None
    if not options.guests:
        own_guests = tempfile.mkdtemp(prefix="wasi-guests-")
        atexit.register(shutil.rmtree, own_guests, ignore_errors=True)
        build_guests(own_guests, any(r.is_native for r in runtimes))
    guests = os.path.abspath(options.guests or own_guests)
    sources = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "guests", "*.c"))
    missing = [name for name in (os.path.basename(source)[:-2] + ".wasm" for source in sources)
               if not os.path.exists(os.path.join(guests, name))]
    if missing:
        sys.exit(f"conformance.py: {guests} lacks {len(missing)} of {len(sources)} guests, {missing[0]} for one")
    kinds = set(options.kinds.split(",")) if options.kinds else None

    numbers = sorted(n for n in set(ROWS) | set(rows.EMBEDDED) if not options.only or n in options.only)
    tasks, embedded, counts = [], [], {}
    for runtime in runtimes:
        for number in numbers:
            variants = [v for v in (ROWS[number].variants if number in ROWS else ()) if not kinds or not v or kinds & set(v.split())]
            tasks += [(runtime, guests, number, v, options.timeout, options.disable) for v in variants]
            counts[runtime.name, number] = len(variants)
            if number in rows.EMBEDDED:
                embedded.append((number, runtime))
                counts[runtime.name, number] += 1
    report = Report(runtimes, numbers, counts, expected, options.verbose)
    for number, runtime in embedded:
        if options.embedded and runtime is runtimes[0]:
            report.add(run_embedded(options.embedded, number, runtime))
        else:
            report.add({"runtime": runtime.name, "row": number, "variant": "embedded", "verdict": SKIP, "notes": [], "seconds": 0.0,
                        "message": "several guests in one process: needs --embedded"})
    with multiprocessing.get_context("fork").Pool(options.jobs, initializer=harness.die_with_parent) as pool:
        for result in pool.imap_unordered(run_variant, tasks):
            report.add(result)
    report.summary()
    if options.json:
        with open(options.json, "w") as f:
            json.dump([r for results in report.results.values() for r in results], f, indent=1)
    if options.table:
        with open(options.table, "w") as f:
            f.write(report.table())
    if report.unexpected:
        print("unexpected failures: " + ", ".join(map(str, report.unexpected)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
