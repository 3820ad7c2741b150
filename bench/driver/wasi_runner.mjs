// Runs a WASI command under Node or Bun: wasi_runner.mjs [--timing] FILE [ARGS...]. What the host lacks of WASI answers ENOSYS.
//
// --timing: the last line on standard error says what the call of _start took, as `pollux run -D timings` does.
import fs from 'node:fs';
import { WASI } from 'node:wasi';

const words = process.argv.slice(2);
const timing = words[0] === '--timing';
const [file, ...args] = words.slice(timing ? 1 : 0);
const module = new WebAssembly.Module(fs.readFileSync(file));
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: {}, preopens: {} });
const imports = { ...wasi.wasiImport };
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from === 'wasi_snapshot_preview1' && kind === 'function') imports[name] ??= () => 52;
}
const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
let begin, end;
function timed() {
    begin = performance.now();
    try {
        exports._start();
    } finally {
        end = performance.now();
    }
}
// Bun's proc_exit ends the process from within the call.
if (timing) process.on('exit', () => fs.writeSync(2, `runner: execution ${((end ?? performance.now()) - begin).toFixed(3)} ms\n`));
process.exit(wasi.start({ exports: timing ? { memory: exports.memory, _start: timed } : exports }));
