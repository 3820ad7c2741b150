"""The engines that bench/compare.py can run, and which of them are here."""
import os
import platform
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(HERE, "wasi_runner.mjs")
RUNNER_TIMING = ["--timing"]
LIFTOFF = ["--liftoff", "--liftoff-only"]
EAGER = "--no-wasm-lazy-compilation"


class Engine:
    """A way to run a WASI program: command(wasm, arguments) is what to execute, `environment` what to add to ours.

    `only_startup`: a mode that makes a difference to start-up alone. `timing`: options with which it says on the last line of standard
    error how long the call of `_start` took; ours compile each function at its first call, as V8 does, so that both times include that.
    """

    def __init__(self, key, label, command, version, environment=None, separator=(), ours=False, only_startup=False, timing=()):
        self.key, self.label, self.version, self.ours, self.only_startup = key, label, version, ours, only_startup
        self.prefix, self.separator, self.environment, self.timing = command, list(separator), environment or {}, list(timing)

    def command(self, wasm, arguments, timed=False):
        return self.prefix + (self.timing if timed else []) + [wasm] + self.separator + arguments


class NativeEngine(Engine):
    """Stands for one program that was compiled for this machine."""

    def __init__(self, label, program, version):
        super().__init__("native", label, [program], version)

    def command(self, wasm, arguments, timed=False):
        return self.prefix + arguments


def version_of(command):
    """The first line that `command` prints, or None if it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if done.returncode == 0 and text else None


def first_that_runs(candidates):
    for path in candidates:
        if path and (version := version_of([path, "--version"])):
            return path, version
    return None, None


def find_node(peers):
    cpu = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return first_that_runs([os.path.join(peers, f"node_modules/node-linux-{cpu}/bin/node"), shutil.which("node")])


def find_bun(peers):
    cpu = {"x86_64": "x64", "aarch64": "aarch64"}.get(platform.machine(), platform.machine())
    places = [f"@oven/bun-linux-{cpu}/bin/bun", f"@oven/bun-linux-{cpu}-baseline/bin/bun", "bun/bin/bun.exe"]
    return first_that_runs([*(os.path.join(peers, "node_modules", place) for place in places), shutil.which("bun")])


def node_engines(peers):
    path, version = find_node(peers)
    if not path:
        return []
    v8 = version_of([path, "-p", "process.versions.v8"]) or "?"
    label = f"Node {version.lstrip('v')}, V8 {v8.split('-')[0]}"
    node = [path, "--no-warnings"]
    return [
        Engine("liftoff", "V8 Liftoff (Node)", [*node, *LIFTOFF, RUNNER], label, timing=RUNNER_TIMING),
        Engine("liftoff-eager", "V8 Liftoff, eager (Node)", [*node, *LIFTOFF, EAGER, RUNNER], label, only_startup=True),
        Engine("node", "Node as it is (tiers up to TurboFan)", [*node, RUNNER], label, timing=RUNNER_TIMING),
    ]


def bun_engines(peers):
    path, version = find_bun(peers)
    if not path:
        return []
    baseline = {"BUN_JSC_useOMGJIT": "0", "BUN_JSC_useWasmIPInt": "0"}
    return [
        Engine("bbq", "JSC BBQ (Bun)", [path, RUNNER], f"Bun {version}", baseline, timing=RUNNER_TIMING),
        Engine("bun", "Bun as it is (tiers up to OMG)", [path, RUNNER], f"Bun {version}", timing=RUNNER_TIMING),
    ]


# key, label, program, arguments before the module, what stands between the module and its arguments
ON_PATH = [
    ("wasmtime", "wasmtime (Cranelift)", "wasmtime", ["run", "-C", "cache=n"], []),
    ("winch", "wasmtime (Winch)", "wasmtime", ["run", "-C", "cache=n", "-C", "compiler=winch"], []),
    ("wasmer-singlepass", "wasmer (Singlepass)", "wasmer", ["run", "--singlepass", "--disable-cache"], ["--"]),
    ("wasmer", "wasmer (Cranelift)", "wasmer", ["run", "--cranelift", "--disable-cache"], ["--"]),
    ("wazero", "wazero", "wazero", ["run"], []),
    ("wizard", "Wizard (single-pass)", "wizeng", ["--mode=jit"], []),
    ("wasm3", "wasm3", "wasm3", [], []),
    ("iwasm", "WAMR (iwasm)", "iwasm", [], []),
]


def path_engines():
    found = []
    for key, label, program, arguments, separator in ON_PATH:
        if path := shutil.which(program):
            version = version_of([path, "--version"]) or version_of([path, "version"]) or "unknown version"
            found.append(Engine(key, label, [path, *arguments], version, separator=separator))
    return found


def pollux_engines(pollux):
    version = version_of([pollux, "--version"]) or "unknown version"
    return [
        Engine("pollux", "Pollux", [pollux, "run"], version, ours=True, timing=["-D", "timings", "-C", "mode=lazy"]),
        Engine("pollux-lazy", "Pollux, lazy", [pollux, "run", "-C", "mode=lazy"], version, ours=True, only_startup=True),
        Engine("pollux-eager", "Pollux, eager", [pollux, "run", "-C", "mode=eager"], version, ours=True, only_startup=True),
    ]


def find(pollux, peers, only=None):
    """All engines that are here; `only`: keys to keep."""
    engines = (pollux_engines(pollux) if pollux else []) + node_engines(peers) + bun_engines(peers) + path_engines()
    return [engine for engine in engines if only is None or engine.key in only]
