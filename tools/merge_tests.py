#!/usr/bin/env python3
"""Merges the tests of several build trees into one, so that a single ctest runs them all and sums up.

  merge_tests.py OUTPUT_FOLDER NAME=BUILD_FOLDER...

Of a tree whose name is arm64, the tests that tests/emulated_exclusions.txt names are left out, and counted.

Each test is called NAME/its-name there, and labelled NAME. (ctest's own subdirs() would do, but sets properties by name, so that
trees with tests of the same names would overwrite each other's.)
"""
import json
import os
import re
import subprocess
import sys

# Properties whose values are names of tests or fixtures, which are unique only within a tree.
NAMES = {"DEPENDS", "FIXTURES_SETUP", "FIXTURES_CLEANUP", "FIXTURES_REQUIRED", "RESOURCE_LOCK"}


def quote(text):
    """A CMake bracket argument."""
    level = "="
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[{text}]{level}]"


def emulated_exclusions():
    """The patterns of tests/emulated_exclusions.txt: first word of each line."""
    path = os.path.join(os.path.dirname(__file__), "..", "tests", "emulated_exclusions.txt")
    with open(path, encoding="utf-8") as lines:
        return [re.compile(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


def write_tests(out, name, folder):
    excluded = emulated_exclusions() if name == "arm64" else []
    left_out = 0
    listed = subprocess.run(["ctest", "--test-dir", folder, "--show-only=json-v1"], check=True, capture_output=True, text=True)
    for test in json.loads(listed.stdout)["tests"]:
        if any(pattern.fullmatch(test["name"]) for pattern in excluded):
            left_out += 1
            continue
        if "command" not in test:
            raise SystemExit(f"{folder}: the test {test['name']} is not built")
        out.write(f"add_test({quote(name + '/' + test['name'])} {' '.join(quote(word) for word in test['command'])})\n")
        out.write(f"set_tests_properties({quote(name + '/' + test['name'])} PROPERTIES LABELS {name}")
        for entry in test.get("properties", []):
            key, value = entry["name"], entry["value"]
            if key == "LABELS":
                continue
            if isinstance(value, bool):
                value = "1" if value else "0"
            elif isinstance(value, list):
                words = [pattern["regex"] if isinstance(pattern, dict) else str(pattern) for pattern in value]
                value = ";".join(f"{name}/{word}" if key in NAMES else word for word in words)
            out.write(f" {key} {quote(str(value))}")
        out.write(")\n")
    if left_out:
        print(f"{name}: {left_out} tests left out, with reasons in tests/emulated_exclusions.txt", file=sys.stderr)


def main():
    output, trees = sys.argv[1], sys.argv[2:]
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "CTestTestfile.cmake"), "w", encoding="utf-8") as out:
        for tree in trees:
            write_tests(out, *tree.split("=", 1))


if __name__ == "__main__":
    main()
