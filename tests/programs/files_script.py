# A script for the Python that is compiled to WebAssembly: reads and writes files in its preopened directory /work.
# All that it prints is deterministic, so that two runtimes' outputs can be compared byte by byte.
import collections
import csv
import hashlib
import io
import json
import os
import random
import re
import stat
import struct
import sys
import zlib

BASE = "/work"


def path(*parts):
    return os.path.join(BASE, *parts)


def section(title):
    print(f"--- {title}")


section("write and read text")
os.makedirs(path("a", "b", "c"), exist_ok=True)
words = ["alpha", "beta", "gamma", "delta", "ünï", "漢字"]
with open(path("a", "words.txt"), "w", encoding="utf-8") as f:
    for number, word in enumerate(words):
        print(number, word, file=f)
with open(path("a", "words.txt"), encoding="utf-8") as f:
    for line in f:
        print(repr(line))
print(os.stat(path("a", "words.txt")).st_size, stat.S_ISREG(os.stat(path("a", "words.txt")).st_mode))

section("binary, seek, truncate, append")
with open(path("a", "data.bin"), "wb+") as f:
    f.write(struct.pack("<1000I", *range(1000)))
    f.seek(400)
    print(struct.unpack("<4I", f.read(16)), f.tell())
    f.seek(-8, os.SEEK_END)
    print(struct.unpack("<2I", f.read()))
    f.truncate(1234)
with open(path("a", "data.bin"), "ab") as f:
    f.write(b"tail" * 1000)
    print(f.tell())
data = open(path("a", "data.bin"), "rb").read()
print(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))

section("directories")
for name in ["z", "y", "x"]:
    os.mkdir(path("a", "b", name))
    open(path("a", "b", name, "file"), "w").write(name * 3)
for root, folders, files in os.walk(BASE):
    folders.sort()
    print(root, folders, sorted(files))
os.rename(path("a", "b", "z"), path("a", "moved"))
print(sorted(os.listdir(path("a"))))
os.remove(path("a", "moved", "file"))
os.rmdir(path("a", "moved"))
print(os.path.exists(path("a", "moved")))

section("errors")
for action in [
    lambda: open(path("none")),
    lambda: os.rmdir(path("a")),
    lambda: os.mkdir(path("a")),
    lambda: open(path("a")),
    lambda: open("/etc/passwd"),
    lambda: open(path("..", "..", "etc", "passwd")),
]:
    try:
        action()
        print("no error")
    except OSError as error:
        print(type(error).__name__)

section("json, csv, re, random")
table = [{"id": i, "name": words[i % len(words)], "value": i * 1.5} for i in range(10)]
with open(path("table.json"), "w") as f:
    json.dump(table, f, ensure_ascii=False, indent=1)
print(json.load(open(path("table.json"))) == table)
with open(path("table.csv"), "w", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=["id", "name", "value"])
    writer.writeheader()
    writer.writerows(table)
print(collections.Counter(row["name"] for row in csv.DictReader(open(path("table.csv")))).most_common(3))
print(re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@home you@work"))
random.seed(42)
print([random.randint(0, 10**9) for _ in range(4)], random.random())
print(io.StringIO("x\ny\n").readlines(), sys.argv[1:], sorted(k for k in os.environ if k.startswith("POLLUX")))
print(sum(i * i for i in range(200000)), 2**200, 1e300 * 1e10, float("nan"))
