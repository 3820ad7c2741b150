#!/usr/bin/env python3
"""Runs real programs under Pollux and under Node's WASI and compares what they print.

  compare.py CASE --pollux COMMAND --node NODE --shared DIR --cache DIR

Cases: python, python-files, pandoc, polybench, coremark; modules that use garbage-collected objects: objects runs a MoonBit program
(its output is that of Node 22), objects-compile compiles Dart's formatter and a Java decompiler, which need a JavaScript host to run;
with exceptions, yosys, and with legacy ones, exceptions; with threads and a host that is WebAssembly too (napi/), tailwind and oxc_parser.
Node 20 does not have the exceptions of WebAssembly 3.0: what Node 26 prints is compared if it is there (--newer-node), and is otherwise
known by its digest.
Exit status: 0 the same, 1 different, 77 skipped (the output says why).
"""
import argparse
import glob
import hashlib
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
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
        script = os.path.join(HERE, "node-wasi.mjs")
        self.node = [options.node, "--no-warnings", *flags, script]
        self.newer_node = [options.newer_node, "--no-warnings", script] if os.path.exists(options.newer_node) else None
        self.failures = 0
        self.compared = 0

    def compare(self, name, wasm, arguments, stdin=b"", directory=None, options=(), clean=lambda text: text, newer_digest=None):
        """With `newer_digest`, the reference is the newer Node; where that is not there, the digest of what it printed."""
        reference = self.node if newer_digest is None else self.newer_node
        results = []
        for command in filter(None, (self.pollux + ["run"], reference)):
            with tempfile.TemporaryDirectory(prefix="pollux-test-") as host:
                granted = []
                if directory:
                    guest, prepare = directory
                    prepare(host)
                    granted = ["--dir", f"{host}::{guest}"]
                try:
                    words = command + granted + list(options) + [wasm] + arguments
                    result = run(words, stdin)
                    if command is reference and result.returncode < 0:  # some versions crash now and then
                        result = run(words, stdin)
                    results.append(result)
                except subprocess.TimeoutExpired:
                    print(f"{name}: {command[0]} took too long")
                    self.failures += 1
                    return
        ours, theirs = results[0], results[-1]
        if newer_digest is not None:
            text = repr((ours.returncode, clean(ours.stdout), clean(ours.stderr)))
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            if digest != newer_digest:
                print(f"{name}: digest {digest}, not {newer_digest}: {text[:1000]} ... {text[-1000:]}")
                self.failures += 1
        self.check(name, ours, theirs, clean)

    def check(self, name, ours, theirs, clean=lambda text: text):
        """Compares what two runs printed, and their exit statuses."""
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


VERILOG = b"""
module counter(input clk, input reset, input load, input [7:0] start, output reg [7:0] value, output wrapped);
  assign wrapped = value == 8'hff;
  always @(posedge clk)
    if (reset) value <= 0;
    else if (load) value <= start;
    else value <= value + 1;
endmodule

module top(input clk, input reset, input load, input [7:0] start, output reg [6:0] segments, output [15:0] squared);
  wire [7:0] value;
  wire wrapped;
  counter counter(clk, reset, load, start, value, wrapped);
  assign squared = value * value;
  always @*
    case (value[3:0])
      0: segments = 7'b0111111; 1: segments = 7'b0000110; 2: segments = 7'b1011011; 3: segments = 7'b1001111;
      4: segments = 7'b1100110; 5: segments = 7'b1101101; 6: segments = 7'b1111101; 7: segments = 7'b0000111;
      8: segments = 7'b1111111; 9: segments = 7'b1101111; default: segments = wrapped ? 7'b1000000 : 7'b0;
    endcase
endmodule
"""

# The first two commands and the last are errors, which Yosys throws and catches: it goes on with the next command.
YOSYS_SCRIPT = b"""read_verilog /work/missing.v
no_such_command
read_verilog /work/top.v
synth -top top -noabc
write_json /work/top.json
design -reset
read_json /work/top.json
stat
write_verilog -noattr
setattr -set nonsense what
"""


def yosys(comparison, options):
    """Yosys synthesises a circuit. C++ whose exceptions are those of WebAssembly 3.0 (exnref)."""
    folder = packages.folder("yosys", options.cache)

    def prepare(host):
        os.mkdir(os.path.join(host, "work"))
        with open(os.path.join(host, "work", "top.v"), "wb") as out:
            out.write(VERILOG)
        with tarfile.open(os.path.join(folder, "yosys-resources.tar")) as tar:
            tar.extractall(os.path.join(host, "share"))

    def without_times(text):
        return re.sub(rb"(?m)^(End of script\. Logfile hash: \w+), time.*$|^Time spent: .*$", rb"\1", text)

    comparison.compare("yosys", os.path.join(folder, "yosys.wasm"), [], stdin=YOSYS_SCRIPT, directory=("/", prepare), clean=without_times,
                       newer_digest="08a20d59ef285cdc")


def exceptions(comparison, options):
    """A program compiled by Porffor, whose exceptions are the legacy instructions; it prints what it prints as JavaScript."""
    host = guest("exceptions_host", options)
    packages.folder("acorn", options.cache)
    compiler = os.path.join(packages.folder("porffor", options.cache), "porffor", "runtime", "index.js")
    program = os.path.join(HERE, "exceptions", "program.js")
    with tempfile.TemporaryDirectory(prefix="pollux-test-") as folder:
        wasm = os.path.join(folder, "program.wasm")
        subprocess.run([options.node, compiler, "wasm", program, wasm], check=True, timeout=300, stdout=subprocess.DEVNULL)
        ours = run(comparison.pollux + ["run", "--preload", f"={host}", "--invoke", "m", wasm])
        # What `m` returns is printed, too: undefined, as a number and its type.
        ours.stdout = ours.stdout.removesuffix(b"0\n0\n")
        comparison.check("exceptions", ours, run([options.node, program]))


def guest(name, options):
    """The path of one of our own programs."""
    path = os.path.join(options.guests, name + ".wasm")
    if not os.path.exists(path):
        raise packages.Missing(f"{name}.wasm is not built; that needs clang")
    return path


def call_binding(comparison, options, package, wasm, calls, node_calls, prepare=lambda work: None, stdin=b""):
    """Makes the same calls of a package's Node-API binding under Pollux and under Node (napi/call.h says how). "/work" is a folder that
    `prepare` fills."""
    program, host = guest(package, options), guest("napi_host", options)
    binding = os.path.join(os.path.abspath(packages.folder(package, options.cache)), package)
    # All bindings need what Tailwind's brings along.
    modules = os.path.join(os.path.abspath(packages.folder("tailwind", options.cache)), "tailwind", "node_modules")
    with tempfile.TemporaryDirectory(prefix="pollux-test-") as work:
        prepare(work)
        ours = run(comparison.pollux + ["run", "--env", "RAYON_NUM_THREADS=4", "--dir", f"{work}::/work", "--preload", f"env={host}",
                                        "--preload", f"env={os.path.join(binding, wasm)}", program, *calls], stdin)
        # Not with as many threads: Node 20 hangs now and then.
        theirs = run(["env", f"NODE_PATH={modules}", options.node, "--no-warnings", os.path.join(HERE, "napi", "call.cjs"), binding,
                      *(word.replace("/work", work) for word in node_calls)], stdin)
    comparison.check(" ".join([package, *calls[:2]]), ours, theirs)


def emnapi_sources(options):
    """JavaScript of some size: name, content."""
    modules = os.path.join(packages.folder("tailwind", options.cache), "tailwind", "node_modules", "@emnapi")
    for path in sorted(glob.glob(os.path.join(modules, "*", "dist", "*.cjs.js"))):
        with open(path, "rb") as file:
            yield os.path.basename(path), file.read()


def tailwind(comparison, options):
    """The scanner of Tailwind CSS: threads of wasi-threads read files and look for names of classes."""
    def prepare(work):
        page = b'<a class="text-2xl hover:underline md:w-[calc(100%-4rem)] bg-red-500/50">\n'
        for name, content in ("page.html", page), *emnapi_sources(options):
            with open(os.path.join(work, name), "wb") as file:
                file.write(content)

    scan = ["new", "Scanner", '{"sources":[{"base":"/work","pattern":"**/*","negated":false}]}', ",", "scan"]
    call_binding(comparison, options, "tailwind", "tailwindcss-oxide.wasm32-wasi.wasm", scan, scan, prepare)


def oxc_parser(comparison, options):
    """The parser of the JavaScript compiler Oxc: `parse` does it on a thread. With Node that needs an older host than Tailwind's."""
    for name, source in emnapi_sources(options):
        for function in "parseSync", "parse":
            calls = [f'"{name}"', "-", ",", "get", "program"]
            call_binding(comparison, options, "oxc_parser", "parser.wasm32-wasi.wasm", [function, *calls], ["parseSync", *calls], stdin=source)
    wrong = ['"a.ts"', '"let a: = 1"', ",", "get", "errors"]
    call_binding(comparison, options, "oxc_parser", "parser.wasm32-wasi.wasm", ["parse", *wrong], ["parseSync", *wrong])


CASES = {"objects": objects, "objects-compile": objects_compile, "yosys": yosys, "exceptions": exceptions, "tailwind": tailwind,
         "oxc_parser": oxc_parser, "python": python, "python-files": python_files, "pandoc": pandoc, "polybench": polybench, "coremark": coremark}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--pollux", required=True)
    parser.add_argument("--node", default="")
    parser.add_argument("--newer-node", default="", help="one that has WebAssembly 3.0")
    parser.add_argument("--guests", default="", help="folder of our own programs for wasm32")
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
