#!/usr/bin/env python3
"""Runs real programs under Pollux and under Node's WASI and compares what they print.

  compare.py CASE --pollux COMMAND --node NODE --shared DIR --cache DIR

Cases: python, python-files, pandoc, polybench, coremark; and modules that use garbage-collected objects: objects runs a MoonBit program
(its output is that of Node 22), objects-compile compiles Dart's formatter and a Java decompiler, which need a JavaScript host to run.
Exit status: 0 the same, 1 different, 77 skipped (the output says why).
"""
import argparse
import glob
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import packages

SKIP = 77
HERE = os.path.dirname(os.path.abspath(__file__))


def run(command, stdin=b"", timeout=800):
    return subprocess.run(command, input=stdin, capture_output=True, timeout=timeout)


def describe_difference(name, ours, theirs):
    """Prints where two outputs part."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    print(f"{name}: differs at byte {at} (Pollux {len(ours)} bytes, Node {len(theirs)})")
    for who, text in ("Pollux", ours), ("Node", theirs):
        print(f"  {who}: ...{text[max(0, at - 60):at + 60]!r}")


class Comparison:
    """Runs the same program under both. Directories are {guest: function that fills a fresh host directory}."""

    def __init__(self, options):
        self.pollux = shlex.split(options.pollux)
        version = subprocess.run([options.node, "--version"], capture_output=True, text=True).stdout  # v20.20.2
        flags = ["--experimental-wasi-unstable-preview1"] if int(version[1:].split(".")[0]) < 20 else []
        self.node = [options.node, "--no-warnings", *flags, os.path.join(HERE, "node-wasi.mjs")]
        self.failures = 0
        self.compared = 0

    def compare(self, name, wasm, arguments, stdin=b"", directory=None, options=(), clean=lambda text: text):
        results = []
        for command in self.pollux + ["run"], self.node:
            with tempfile.TemporaryDirectory(prefix="pollux-test-") as host:
                granted = []
                if directory:
                    guest, prepare = directory
                    prepare(host)
                    granted = ["--dir", f"{host}::{guest}"]
                try:
                    words = command + granted + list(options) + [wasm] + arguments
                    result = run(words, stdin)
                    if command is self.node and result.returncode < 0:  # some versions crash now and then
                        result = run(words, stdin)
                    results.append(result)
                except subprocess.TimeoutExpired:
                    print(f"{name}: {command[0]} took too long")
                    self.failures += 1
                    return
        ours, theirs = results
        self.compared += 1
        failed = False
        if ours.returncode != theirs.returncode:
            print(f"{name}: exit status {ours.returncode}, with Node {theirs.returncode}")
            failed = True
        for stream in "stdout", "stderr":
            mine, reference = (clean(getattr(result, stream)) for result in (ours, theirs))
            if mine != reference:
                describe_difference(f"{name} {stream}", mine, reference)
                failed = True
        self.failures += failed
        print(f"{name}: {'different' if failed else 'same'} ({len(ours.stdout) + len(ours.stderr)} bytes)")


def python(comparison, options):
    wasm = packages.program("python", options.cache)
    comparison.compare("python -c", wasm, [
        "-c", 'import json,re,hashlib; print(sum(range(10**6)), hashlib.sha256(b"x").hexdigest())'])
    comparison.compare("python stdin", wasm, ["-"], stdin=b"import sys\nprint(sys.version)\nprint(input)\nsys.exit(7)\n")
    comparison.compare("python exception", wasm, ["-c", "def f(n): return 1 // n\nf(0)"])
    comparison.compare("python environment", wasm, ["-c", "import os; print(os.environ['A'])"], options=["--env", "A=one two"])


def python_files(comparison, options):
    wasm = packages.program("python", options.cache)

    def prepare(host):
        shutil.copy(os.path.join(HERE, "files_script.py"), host)

    comparison.compare("python files", wasm, ["/work/files_script.py", "one", "two"], directory=("/work", prepare),
                       options=["--env", "POLLUX_TEST=1"])


def pandoc(comparison, options):
    wasm = packages.program("pandoc", options.cache)
    document = b"# Hi *there*\n"
    result = run(comparison.pollux + ["run", "--dir=.::/", wasm, "-f", "markdown", "-t", "html"], document)
    expected = b'<h1 id="hi-there">Hi <em>there</em></h1>\n'
    if result.returncode != 0 or result.stdout != expected:
        print(f"pandoc: status {result.returncode}, {result.stdout!r}, {result.stderr[-2000:].decode('utf-8', 'replace')}")
        comparison.failures += 1
    comparison.compare("pandoc html", wasm, ["-f", "markdown", "-t", "html"], document, directory=("/", lambda host: None))
    table = b"| a | b |\n|---|---|\n| 1 | *2* |\n\nText[^1] with `code`.\n\n[^1]: A note.\n\n1. one\n2. two\n"
    for target in "latex", "json", "rst":
        comparison.compare(f"pandoc {target}", wasm, ["-f", "markdown", "-t", target], table, directory=("/", lambda host: None))


def polybench(comparison, options):
    """With more than 42 arguments and an empty argv[0], PolyBench programs print all their results."""
    for wasm in sorted(glob.glob(os.path.join(options.shared, "bench", "polybench", "*.wasm"))):
        comparison.compare(os.path.basename(wasm)[:-5], wasm, [str(n) for n in range(42)], options=["--argv0", ""])


def coremark(comparison, options):
    wasm = os.path.join(options.shared, "bench", "coremark", "coremark-5000.wasm")

    def only_checksums(text):
        return b"\n".join(line for line in text.split(b"\n") if re.match(rb"seedcrc|\[0\]crc|Iterations  |CoreMark Size", line))

    # Three seeds, iterations, which algorithms, and the data size. A short run says "Errors detected": it wants ten seconds.
    comparison.compare("coremark", wasm, ["0x0", "0x0", "0x66", "5000", "7", "1", "2000"], clean=only_checksums)


# (func (export "print_char") (param i32)): writes to standard output by lines, with fd_write.
PRINT_CHAR = bytes.fromhex("""
    0061736d0100000001100360047f7f7f7f017f60000060017f0002230116776173695f736e617073686f745f70726576696577310866645f7772697465000003
    0302010205030100010606017f0141000b071702066d656d6f727902000a7072696e745f6368617200020a480220004100418008360200410423003602004101
    41004101410810001a410024000b250041800823006a20003a0000230041016a24002000410a4623004180204672044010010b0b
""")


def objects(comparison, options):
    compiler = packages.folder("moonbit", options.cache)
    with tempfile.TemporaryDirectory(prefix="pollux-test-") as folder:
        wasm, host = os.path.join(folder, "program.wasm"), os.path.join(folder, "host.wasm")
        here = os.path.join(HERE, "objects")
        subprocess.run([options.node, os.path.join(here, "compile.cjs"), compiler, os.path.join(here, "program.mbt"), wasm], check=True, timeout=300)
        with open(host, "wb") as out:
            out.write(PRINT_CHAR)
        for limits in [], ["-W", "max-gc-heap-size=8MiB"]:
            result = run(comparison.pollux + ["run", *limits, "--preload", f"spectest={host}", wasm])
            comparison.compared += 1
            lines = result.stdout.decode().splitlines()
            factorial = str(math.factorial(200))
            expected = ["tree sum: 906803677", "tree depth: 33", "queens: 92", factorial, "table: 167006", "closures: 367387"]
            if result.returncode != 0 or lines != expected:
                print(f"objects {limits}: status {result.returncode}, {lines}, not {expected}; {result.stderr[-2000:].decode()}")
                comparison.failures += 1


def objects_compile(comparison, options):
    for name in "dart_fmt", "vineflower":
        result = run(comparison.pollux + ["validate", packages.program(name, options.cache)])
        print(result.stdout.decode(), end="")
        comparison.compared += 1
        if result.returncode != 0 or result.stderr:  # a function that is not compiled would be named there
            print(f"{name}: status {result.returncode}, {result.stderr[-2000:].decode()}")
            comparison.failures += 1


CASES = {"objects": objects, "objects-compile": objects_compile, "python": python, "python-files": python_files, "pandoc": pandoc, "polybench": polybench, "coremark": coremark}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--pollux", required=True)
    parser.add_argument("--node", default="")
    parser.add_argument("--shared", default="")
    parser.add_argument("--cache", required=True)
    options = parser.parse_args()
    if not options.node:
        print(f"skipped: {options.case} needs node for comparison")
        return SKIP
    if options.case in ("polybench", "coremark") and not os.path.isdir(os.path.join(options.shared, "bench")):
        print(f"skipped: {options.case} needs the folder of benchmark modules (POLLUX_SHARED)")
        return SKIP
    comparison = Comparison(options)
    try:
        CASES[options.case](comparison, options)
    except packages.Missing as reason:
        print(f"skipped: {options.case}: {reason}")
        return SKIP
    print(f"{comparison.compared} compared, {comparison.failures} different")
    return comparison.failures != 0


if __name__ == "__main__":
    sys.exit(main())
