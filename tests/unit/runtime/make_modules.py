#!/usr/bin/env python3
"""Writes wasm_modules.h from modules/*.wat with wat2wasm of wabt, and gc*.wat with wasm-as of binaryen (from npm): run it after a
change of a .wat file."""
import pathlib
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).parent
out = [
    "// The modules of modules/*.wat as bytes. Made by make_modules.py; do not edit.",
    "#pragma once",
    "",
    "// clang-format off",
    "#include <cstdint>",
    "",
    "namespace pollux::test {",
]
for source in sorted((here / "modules").glob("*.wat")):
    with tempfile.NamedTemporaryFile(suffix=".wasm") as wasm:
        assembler = ["wat2wasm", "--enable-annotations", "--enable-code-metadata", "--enable-threads", "--enable-exceptions", "--debug-names"]
        if source.stem.startswith("gc"):
            features = ["gc", "reference-types", "exception-handling", "simd", "bulk-memory", "multivalue", "sign-ext", "mutable-globals"]
            assembler = ["npx", "--yes", "--package=binaryen", "wasm-as", "-g", *(f"--enable-{feature}" for feature in features)]
        if subprocess.run([*assembler, str(source), "-o", wasm.name]).returncode != 0:
            sys.exit(f"{source} does not compile")
        data = pathlib.Path(wasm.name).read_bytes()
    name = "".join(part.capitalize() for part in source.stem.split("_"))
    out += ["", f"inline constexpr std::uint8_t k{name}Module[] = {{"]
    out += ["    " + " ".join(f"0x{byte:02x}," for byte in data[i : i + 22]) for i in range(0, len(data), 22)]
    out += ["};"]
out += ["", "}  // namespace pollux::test", ""]
(here / "wasm_modules.h").write_text("\n".join(out))
