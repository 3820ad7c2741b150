// Runs a WASI command with Node's own WASI (uvwasi):
//   node node-wasi.mjs [--dir=HOST::GUEST]... [--env=KEY=VALUE]... FILE [ARGS...]
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const words = process.argv.slice(2);
const preopens = {};
const env = {};
while (words.length && words[0].startsWith('--')) {
  const word = words.shift();
  const [option, value] = [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)];
  if (option === '--dir') {
    const [host, guest] = value.split('::');
    preopens[guest ?? host] = host;
  } else if (option === '--env') {
    env[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1);
  } else {
    console.error(`unknown option ${word}`);
    process.exit(2);
  }
}
const wasi = new WASI({ version: 'preview1', args: words, env, preopens, returnOnExit: false });
const module = await WebAssembly.compile(await readFile(words[0]));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
