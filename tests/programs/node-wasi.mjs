// Runs a WASI command under Node's WASI: the reference whose output other runtimes are compared with.
//
//   node --no-warnings node-wasi.mjs [--dir HOST::GUEST] [--env NAME=VALUE] [--argv0 NAME] FILE [ARGS...]
import fs from 'node:fs';
import { WASI } from 'node:wasi';

const words = process.argv.slice(2);
const options = { '--dir': [], '--env': [], '--argv0': [] };
while (words[0] in options) {
    const name = words.shift();
    options[name].push(words.shift());
}
const file = words.shift();
const split = (text, separator) => {
    const at = text.indexOf(separator);
    return [text.slice(0, at), text.slice(at + separator.length)];
};
const wasi = new WASI({
    version: 'preview1',
    args: [options['--argv0'][0] ?? file, ...words],
    env: Object.fromEntries(options['--env'].map((text) => split(text, '='))),
    preopens: Object.fromEntries(options['--dir'].map((text) => split(text, '::').reverse())),
});
const module = await WebAssembly.compile(fs.readFileSync(file));
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport });
process.exit(wasi.start(instance));
