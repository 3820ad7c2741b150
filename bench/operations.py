#!/usr/bin/env python3
"""What single operations cost under Pollux and Node: an uncontended atomic add, and an exception thrown over 0, 1, 10, 1000 frames.

  bench/operations.py [--build build/release] [--rounds 5]

Each is a loop in a module made here. The time of one is the difference of the CPU time of a long and a short loop, divided by the difference of
their counts, so that start-up and compilation do not count. Engines take turns; medians of the rounds are printed as a table.
"""
import argparse
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)

from driver import engines, measure  # noqa: E402

FRAMES = [0, 1, 10, 1000]
COUNTS = {"atomic_add": 20_000_000, "throw_0": 200_000, "throw_1": 200_000, "throw_10": 100_000, "throw_1000": 2_000}

I32, VOID = 0x7F, 0x40
BLOCK_TRY, CATCH, THROW, LOOP, IF, END, CALL, DROP, BR_IF = 0x06, 0x07, 0x08, 0x03, 0x04, 0x0B, 0x10, 0x1A, 0x0D
LOCAL_GET, LOCAL_TEE, I32_CONST, I32_ADD, I32_SUB = 0x20, 0x22, 0x41, 0x6A, 0x6B
ELSE = 0x05


def leb(value):
    """An unsigned or small positive signed number."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        more = value or byte & 0x40
        out.append(byte | (0x80 if more else 0))
        if not more:
            return bytes(out)


def section(number, items):
    payload = leb(len(items)) + b"".join(items)
    return bytes([number]) + leb(len(payload)) + payload


def body(*code):
    text = b"\0" + b"".join(part if isinstance(part, bytes) else bytes([part]) for part in code) + bytes([END])
    return leb(len(text)) + text


def repeated(*code):
    """A body that runs `code` as often as parameter 0 says."""
    return body(LOOP, VOID, *code, LOCAL_GET, 0, I32_CONST, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0, END)


def make_module():
    names = ["atomic_add", *(f"throw_{frames}" for frames in FRAMES)]
    # Function 0 throws at the end of as many calls as its parameter says.
    thrower = body(LOCAL_GET, 0, IF, I32, LOCAL_GET, 0, I32_CONST, 1, I32_SUB, CALL, 0, I32_CONST, 1, I32_ADD, ELSE, THROW, 0, END)
    bodies = [thrower, repeated(I32_CONST, 8, I32_CONST, 1, b"\xfe\x1e\x02\x00", DROP)]
    for frames in FRAMES:
        thrown = [I32_CONST, leb(frames - 1), CALL, 0, DROP] if frames else [THROW, 0]
        bodies.append(repeated(BLOCK_TRY, VOID, *thrown, CATCH, 0, END))
    exports = [leb(len(name)) + name.encode() + b"\0" + leb(1 + i) for i, name in enumerate(names)]
    types = [b"\x60\0\0", b"\x60\1\x7f\0", b"\x60\1\x7f\1\x7f"]
    return b"\0asm\1\0\0\0" + b"".join([
        section(1, types), section(3, [b"\2"] + [b"\1"] * len(names)), section(5, [b"\0\1"]), section(13, [b"\0\0"]), section(7, exports),
        section(10, bodies)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="build tree with Pollux and bench_launch")
    parser.add_argument("--peers", default=os.path.join(ROOT, "build/peers"), help="folder in which npm installed Node")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pollux = os.path.join(options.build, "tools/pollux")
    commands = {"Pollux": lambda file, name, times: [pollux, "run", f"--invoke={name}", file, str(times)]}
    node, version = engines.find_node(options.peers)
    if node:
        runner = os.path.join(HERE, "operations.mjs")
        commands[f"Node {version}"] = lambda file, name, times: [node, runner, file, name, str(times)]

    launcher = measure.Launcher(os.path.join(options.build, "bench/driver/bench_launch"))
    samples = {(name, engine): [] for name in COUNTS for engine in commands}
    with tempfile.NamedTemporaryFile(suffix=".wasm") as module:
        module.write(make_module())
        module.flush()

        def cpu_seconds(engine, name, times):
            report, _ = launcher.run(commands[engine](module.name, name, times), {}, 120)
            return (report["user_us"] + report["system_us"]) / 1e6

        for _ in range(options.rounds):
            for name, count in COUNTS.items():
                for engine in commands:
                    short = count // 10
                    took = cpu_seconds(engine, name, count) - cpu_seconds(engine, name, short)
                    samples[name, engine].append(took / (count - short) * 1e9)
    launcher.close()
    print("| ns each | " + " | ".join(commands) + " |\n|---|" + "---:|" * len(commands))
    for name in COUNTS:
        print(f"| {name} | " + " | ".join(f"{statistics.median(samples[name, engine]):.1f}" for engine in commands) + " |")


if __name__ == "__main__":
    main()
