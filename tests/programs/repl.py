#!/usr/bin/env python3
"""A Python REPL in a terminal: what the native interpreter shows is recorded once, and what the one that is compiled to WebAssembly
shows under Pollux must be the same, character by character: prompts, continuation lines, errors, editing of a line, input(), ^D, status.

  repl.py record COMMAND...                           types the session into `COMMAND -q`, prints the transcript
  repl.py check TRANSCRIPT --pollux COMMAND --cache DIR

A transcript is JSON: the command that made it, the interpreter's version, the exit status, and a list of [typed, shown] pairs. The
terminal echoes what is typed. Exit status: 0 the same, 1 different, 77 skipped (the output says why).
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys

import packages

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from terminal import Terminal  # noqa: E402

SKIP = 77
PATIENCE = 120  # seconds until something is taken for a hang; the interpreter may start under an emulator
PROMPT = re.compile(r"(^|\n)(>>> |\.\.\. |name\? )$")

# Each is typed when a prompt is there. \x7f erases a character, \x04 is ^D. (^U is left out: readline, which the native interpreter may
# have, erases a line on the screen in its own way.)
SESSION = [
    "1 + 1\n",
    "_ * 21\n",
    "'text', 0.1 + 0.2, 2 ** 100\n",
    "def fib(n):\n",
    "    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
    "\n",
    "[fib(n) for n in range(10)]\n",
    "for word in 'some', 'words':\n",
    "    print(word.upper())\n",
    "\n",
    "1 / 0\n",
    "undefined\n",
    "fib('a')\n",
    "1 +\n",
    "if True:\n",
    "print('not indented')\n",
    "(1 +\n",
    "2)\n",
    "'''two\n",
    "lines'''\n",
    "import sys, json\n",
    "json.dumps({'a': [1, None, True]})\n",
    "sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty()\n",
    "print('out'); print('err', file=sys.stderr)\n",
    "1 + 2\x7f3\n",
    "input('name? ')\n",
    "someone\n",
    "class A:\n",
    "    def __repr__(self): return '<an A>'\n",
    "\n",
    "A()\n",
    "\x04",
]


def record(command):
    version = subprocess.run(command + ["--version"], capture_output=True, text=True, check=True).stdout.strip()
    terminal = Terminal(command + ["-q"]).begin()
    steps = [["", terminal.read(PROMPT.search)]]
    for text in SESSION:
        terminal.type(text)
        steps.append([text, terminal.read(PROMPT.search) if text != "\x04" else terminal.read()])
    transcript = {"command": "repl.py record " + shlex.join(command), "version": version, "status": terminal.status(), "steps": steps}
    print(json.dumps(transcript, indent=1).replace('",\n   "', '", "').replace('[\n   "', '["').replace('"\n  ]', '"]'))
    return 0


def check(path, pollux, cache):
    with open(path) as file:
        transcript = json.load(file)
    try:
        wasm = packages.program("python", cache)
    except packages.Missing as missing:
        print(f"skipped: {missing}")
        return SKIP
    # The interrupt key ends the interpreter at a prompt, as it ends any program that does not catch the signal.
    interrupted = Terminal(["sh", "-c", 'trap : INT; "$@"; echo "status $?"', "sh"] + pollux + ["run", wasm, "-q"], patience=PATIENCE).begin()
    before = interrupted.mode
    terminal = Terminal(pollux + ["run", wasm, "-q"], patience=PATIENCE).begin()
    try:
        for typed, shown in transcript["steps"]:
            terminal.type(typed)
            got = terminal.read(lambda text, shown=shown: len(text) >= len(shown))
            if got != shown:
                print(f"after typing {typed!r}:\n  native shows {shown!r}\n  Pollux shows {got!r}")
                return 1
        rest = terminal.read()
        if rest or terminal.status() != transcript["status"]:
            print(f"at the end: shows {rest!r}, exit status {terminal.status()} instead of {transcript['status']}")
            return 1
        shown = interrupted.read(PROMPT.search)
        interrupted.type("\x03")
        shown += interrupted.read()
        if shown != ">>> ^Cstatus 130\r\n" or interrupted.mode != before:
            print(f"^C: shows {shown!r}")
            return 1
    finally:
        terminal.close()
        interrupted.close()
    print(f"{len(transcript['steps'])} steps as in the transcript of {transcript['version']}, exit status {transcript['status']}; ^C gives 130")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record")
    recording.add_argument("command", nargs="+")
    checking = actions.add_parser("check")
    checking.add_argument("transcript")
    checking.add_argument("--pollux", required=True, type=shlex.split)
    checking.add_argument("--cache", required=True)
    options = parser.parse_args()
    if options.action == "record":
        return record(options.command)
    return check(options.transcript, options.pollux, options.cache)


if __name__ == "__main__":
    sys.exit(main())
