"""The programs that engines are compared on, and what is read from a run of each."""
import glob
import os
import re


class Program:
    """A WASI program. `seconds(output)` reads the time that it measured itself. `timed`: the engine is to say what `_start` took."""

    def __init__(self, key, group, wasm, arguments=(), seconds=None, expected=None, timed=False):
        self.key, self.group, self.wasm, self.arguments = key, group, wasm, list(arguments)
        self.seconds, self.expected, self.timed = seconds, expected, timed

    def check(self, output):
        """Why the output is wrong, or None."""
        if self.expected and not re.search(self.expected, output):
            return f"its output has no {self.expected!r}"
        return None


def coremark_seconds(output):
    return float(re.search(rb"Total time \(secs\): ([0-9.]+)", output).group(1))


NOP = "nop"
# CoreMark's own arguments: the three seeds of a performance run, iterations, all three algorithms, one context, 2000 bytes.
COREMARK_ARGUMENTS = ["0x0", "0x0", "0x66", "5000", "7", "1", "2000"]


def find(shared, cache, hello):
    """Those whose files are here, and the names of the others."""
    bench = os.path.join(shared, "bench") if shared else ""
    programs = [
        Program(NOP, "nop", os.path.join(bench, "nop-wasi.wasm")),
        Program("hello", "startup", hello, ["reader"], expected=rb"Hello from WebAssembly, reader!"),
        Program("python", "startup", os.path.join(cache, "python.wasm"), ["-c", "print(1)"], expected=rb"^1\n$"),
        Program("coremark", "coremark", os.path.join(bench, "coremark/coremark-5000.wasm"), COREMARK_ARGUMENTS, coremark_seconds,
                rb"crcfinal\s*: 0xbd59"),
    ]
    kernels = sorted(glob.glob(os.path.join(bench, "polybench/*.wasm")))
    programs += [Program(os.path.basename(path)[:-5], "polybench", path, timed=True) for path in kernels]
    missing = [program.key for program in programs if not os.path.exists(program.wasm)] + ([] if kernels else ["polybench"])
    return [program for program in programs if os.path.exists(program.wasm)], missing
