// How long Node takes to compile a module, and how much code that makes: compile_time.mjs FILE RUNS. Prints JSON.
//
// One first compilation (cold), one to warm up, then RUNS. V8 would hand out the module that it has already when the bytes are the
// same, so a custom section at the end differs each time. The code's size is what executable anonymous memory grew by at the first one.
import fs from 'node:fs';

const [file, runs] = process.argv.slice(2);
const original = fs.readFileSync(file);

function bytesOf(round) {
    const section = Buffer.from([0, 6, 1, 0x78, round & 0xff, (round >> 8) & 0xff, 0, 0]);
    return Buffer.concat([original, section]);
}

function executableBytes() {
    let executable = false, total = 0;
    for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
        const mapping = /^[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \d+\s*(.*)$/.exec(line);
        if (mapping) executable = mapping[1].includes('x') && (mapping[2] === '' || mapping[2].startsWith('[anon'));
        else if (executable && line.startsWith('Rss:')) total += Number(/\d+/.exec(line)[0]) * 1024;
    }
    return total;
}

function codeSectionBytes() {
    const number = (at) => {
        let value = 0, shift = 0, byte;
        do {
            byte = original[at++];
            value += (byte & 0x7f) * 2 ** shift;
            shift += 7;
        } while (byte & 0x80);
        return [value, at];
    };
    for (let at = 8; at < original.length;) {
        const id = original[at];
        const [size, start] = number(at + 1);
        if (id === 10) return size;
        at = start + size;
    }
    return 0;
}

const times = [], cpu = [];
const before = executableBytes();
let code = 0;
for (let round = 0; round < 2 + Number(runs); ++round) {
    const bytes = bytesOf(round);
    globalThis.gc?.();
    const cpuStart = process.cpuUsage(), start = process.hrtime.bigint();
    const module = new WebAssembly.Module(bytes);
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
    const used = process.cpuUsage(cpuStart);
    cpu.push((used.user + used.system) / 1e3);
    if (round === 0) code = executableBytes() - before;
    WebAssembly.Module.exports(module);
}
const result = { cold_ms: times[0], ms: times.slice(2), cpu_ms: cpu.slice(2), wasm_bytes: codeSectionBytes(), code_bytes: code };
console.log(JSON.stringify(result));
