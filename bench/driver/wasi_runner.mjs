// Runs a WASI command under Node or Bun: wasi_runner.mjs FILE [ARGS...]. What the host lacks of WASI answers ENOSYS.
import fs from 'node:fs';
import { WASI } from 'node:wasi';

const [file, ...args] = process.argv.slice(2);
const module = new WebAssembly.Module(fs.readFileSync(file));
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: {}, preopens: {} });
const imports = { ...wasi.wasiImport };
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from === 'wasi_snapshot_preview1' && kind === 'function') imports[name] ??= () => 52;
}
const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
process.exit(wasi.start(instance));
