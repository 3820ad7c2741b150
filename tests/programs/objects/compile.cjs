// Compiles a MoonBit program to WebAssembly with garbage-collected objects, with the compiler of the npm package @moonbit/moonpad-monaco.
//
//   node compile.cjs FOLDER PROGRAM.mbt OUT.wasm       FOLDER has the package's moonpad-monaco.js and moonc-worker.js
//
// The package is made for browsers: the compiler is a worker, and the core library is data within the editor's script. That library was
// compiled for JavaScript, so a program may use only what is the same for all targets.
const fs = require('fs');
const vm = require('vm');
const zlib = require('zlib');

const [folder, program, out] = process.argv.slice(2);

// name = d("base64")   and   i["/lib/core/…"] = name
const editor = fs.readFileSync(`${folder}/moonpad-monaco.js`, 'utf8');
const data = new Map();
for (const [, name, base64] of editor.matchAll(/(?<![\w$])([\w$]+) = d\("([A-Za-z0-9+/=]*)"\)/g)) data.set(name, base64);
const files = new Map();
for (const [, path, name] of editor.matchAll(/\bi\["(\/lib\/core\/[^"]+)"\] = ([\w$]+);/g)) {
    files.set(path, new Uint8Array(Buffer.from(data.get(name) ?? '', 'base64')));
}
const bundle = '/lib/core/_build/js/release/bundle/';
const interfaces = [...files].flatMap(([path, bytes]) => {
    const found = path.startsWith(bundle) && path.slice(bundle.length).match(/^(.*)\/[^/]+\.mi$/);
    return found ? [[`/lib/core/${found[1]}:${found[1]}`, bytes]] : [];
});

// The worker ends by handing its functions to whoever talks to it; here that is us.
const worker = fs.readFileSync(`${folder}/moonc-worker.js`, 'utf8').replace(/;[\w$]+\(([\w$]+)\);\s*\/\*\*\s*\* @license[^]*$/, ';globalThis.compiler = $1;');
Object.assign(globalThis, { self: globalThis, require, addEventListener() {} });
vm.runInThisContext(`(function () {${worker}})()`);

const target = 'wasm-gc';
const { core, diagnostics } = compiler.buildPackage({
    mbtFiles: [['program.mbt', fs.readFileSync(program, 'utf8')]], miFiles: [], indirectImportMiFiles: [], stdMiFiles: interfaces, target,
    pkg: 'program/main', pkgSources: ['program/main:program:/'], errorFormat: 'human', isMain: true, enableValueTracing: false, noOpt: false,
});
if (!core) throw new Error(diagnostics.join('\n'));
const { result } = compiler.linkCore({
    coreFiles: [new Uint8Array(zlib.gunzipSync(files.get(`${bundle}core.core.gz`))), core], main: 'program/main', exportedFunctions: [],
    pkgSources: ['moonbitlang/core:moonbit-core:/lib/core', 'program/main:program:/'], sources: {}, target, outputFormat: 'wasm',
    testMode: false, sourceMap: false, sourceMapUrl: '', debug: false, noOpt: false, stopOnMain: false,
});
fs.writeFileSync(out, result);
