#!/usr/bin/env python3
"""Runs a WASI suite of the shared folder and holds its failures against a file of expected ones.

Each line of the file: the test's path, then the reason; lines of other suites do not matter. Exit status: 0 as expected, 1 not, 77 skipped (the output says why).
"""
import argparse
import glob
import os
import subprocess
import sys

SKIP = 77


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="wasi-p1 or wasi-threads")
    parser.add_argument("--pollux", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--expectations", required=True)
    options = parser.parse_args()
    suites = os.path.join(options.shared, "suites")
    runner = os.path.join(suites, "run_wasi.py")
    modules = glob.glob(os.path.join(suites, options.suite, "**/*.wasm"), recursive=True)
    if not options.shared or not os.path.exists(runner) or not modules:
        print(f"skipped: the suite {options.suite} is not here (POLLUX_SHARED)")
        return SKIP
    with open(options.expectations, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    expected = dict(line.split(maxsplit=1) for line in lines if line.startswith(options.suite + "/"))

    command = f"{options.pollux} run --env={{k}}={{v}} --dir={{host}}::{{guest}} {{wasm}} {{args}}"
    result = subprocess.run([sys.executable, runner, "--jobs", "2", "--timeout", "60", "--cmd", command, os.path.join(suites, options.suite)],
                            capture_output=True, text=True, errors="replace")
    print(result.stdout, result.stderr, sep="")
    if "passed" not in result.stdout:
        print("the suite's runner itself failed")
        return 1
    failed = {line.split()[1] for line in result.stdout.splitlines() if line.startswith("  fail ")}
    status = 0
    for name in sorted(failed):
        if name in expected:
            print(f"expected failure: {name}: {expected[name]}")
        else:
            print(f"NOT EXPECTED TO FAIL: {name}")
            status = 1
    for name in sorted(set(expected) - failed):
        print(f"EXPECTED TO FAIL, BUT PASSED: {name}; take it from {os.path.basename(options.expectations)}")
        status = 1
    print(f"{len(failed & set(expected))} failures, all expected" if status == 0 else "not as expected")
    return status


if __name__ == "__main__":
    sys.exit(main())
