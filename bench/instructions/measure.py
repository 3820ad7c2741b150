#!/usr/bin/env python3
"""Instructions that PolyBench kernels execute on AArch64: compiled by Pollux, and by GCC from what wasm2c makes of the same modules.

  measure.py [--pollux build/arm64/tools/pollux] [--kernels DIR] [--only gemm,lu] [--table FILE]

Counted under qemu-aarch64 by count_instructions.c. Pollux runs modules that were compiled beforehand (pollux compile); the instructions of
an empty module, and of an empty C program, are subtracted. GCC's code relies on guard pages for bounds, as ours does. Needs qemu-user,
gcc-aarch64-linux-gnu and wabt (wasm2c).
"""
import argparse
import glob
import os
import re
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WASM2C = "/usr/share/wabt/wasm2c"
LIBRARIES = "/usr/aarch64-linux-gnu"


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options)


class Measurement:
    def __init__(self, pollux, folder):
        self.pollux = pollux
        self.folder = folder
        self.plugin = os.path.join(folder, "count_instructions.so")
        run("cc", "-O2", "-shared", "-fPIC", "-o", self.plugin, os.path.join(HERE, "count_instructions.c"))
        self.empty_module = self.count_pollux(self.precompile(os.path.join(ROOT, "..", "shared", "bench", "nop-wasi.wasm")))
        empty = os.path.join(folder, "empty")
        run("aarch64-linux-gnu-gcc", "-O2", "-x", "c", "-", "-o", empty, input=b"int main(void) { return 0; }")
        self.empty_program = self.count(empty)

    def count(self, *command):
        result = subprocess.run(["qemu-aarch64", "-L", LIBRARIES, "-plugin", self.plugin, "-d", "plugin", *command],
                                capture_output=True, check=True)
        return int(re.search(rb"instructions: (\d+)", result.stderr).group(1))

    def precompile(self, wasm):
        out = os.path.join(self.folder, os.path.basename(wasm) + ".pollux")
        run("qemu-aarch64", "-L", LIBRARIES, self.pollux, "compile", "-o", out, wasm)
        return out

    def count_pollux(self, precompiled):
        return self.count(self.pollux, "run", "--precompiled", precompiled)

    def native(self, wasm, level):
        """The kernel's instructions with GCC's optimisation level."""
        folder = tempfile.mkdtemp(dir=self.folder)
        run("wasm2c", "--module-name=kernel", wasm, "-o", os.path.join(folder, "kernel.c"))
        out = os.path.join(folder, "kernel")
        # WebAssembly rounds after each operation: no fused multiplication and addition.
        run("aarch64-linux-gnu-gcc", level, "-ffp-contract=off", "-w", "-I", folder, "-I", WASM2C, "-o", out, os.path.join(folder, "kernel.c"),
            os.path.join(HERE, "native_host.c"), os.path.join(WASM2C, "wasm-rt-impl.c"), "-lm")
        return self.count(out) - self.empty_program

    def kernel(self, wasm):
        name = os.path.splitext(os.path.basename(wasm))[0]
        ours = self.count_pollux(self.precompile(wasm)) - self.empty_module
        return name, ours, self.native(wasm, "-O2"), self.native(wasm, "-O0")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", default=os.path.join(ROOT, "build", "arm64", "tools", "pollux"))
    parser.add_argument("--kernels", default=os.path.join(ROOT, "..", "shared", "bench", "polybench"))
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--table", help="write the table there, too")
    options = parser.parse_args()
    files = sorted(glob.glob(os.path.join(options.kernels, "*.wasm")))
    if options.only:
        files = [file for file in files if os.path.splitext(os.path.basename(file))[0] in options.only.split(",")]
    with tempfile.TemporaryDirectory(prefix="pollux-instructions-") as folder:
        measurement = Measurement(options.pollux, folder)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = list(pool.map(measurement.kernel, files))
    lines = ["| kernel | Pollux, million | gcc -O2 | gcc -O0 | Pollux / -O2 | Pollux / -O0 |", "| --- | --: | --: | --: | --: | --: |"]
    for name, ours, fast, slow in sorted(rows, key=lambda row: row[1] / row[2]):
        lines.append(f"| {name} | {ours / 1e6:.1f} | {fast / 1e6:.1f} | {slow / 1e6:.1f} | {ours / fast:.2f} | {ours / slow:.2f} |")
    fast, slow = (statistics.geometric_mean(row[1] / row[at] for row in rows) for at in (2, 3))
    lines.append(f"| geometric mean | | | | {fast:.2f} | {slow:.2f} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
