// The third opinion: runs the modules of a folder (N.wasm, N.calls) under this JavaScript engine and prints what `differential run` prints.
// Of a module with a feature that the engine has not, it prints "module … without FEATURES" alone.
import { readFileSync } from "node:fs";

const [folder, seed, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

// By family, a module that needs it: sections behind the header. Type 0 of those with a function is [] -> [].
const TYPE = [1, 4, 1, 0x60, 0, 0], FUNCTION = [3, 2, 1, 0];
const body = (...code) => [...TYPE, ...FUNCTION, 10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b];
const PROBES = {
  none: [],
  "tail-call": body(0x12, 0),
  exceptions: body(0x1f, 0x40, 0, 0x0b),
  "legacy-exceptions": body(0x06, 0x40, 0x19, 0x0b),
  gc: [1, 3, 1, 0x5f, 0],
  "function-references": [...TYPE, 6, 7, 1, 0x63, 0, 0, 0xd0, 0, 0x0b],
  "multi-memory": [5, 5, 2, 0, 1, 0, 1],
  memory64: [4, 4, 1, 0x70, 4, 1, 5, 3, 1, 4, 1],
  threads: [5, 4, 1, 3, 1, 1],
  "extended-const": [6, 9, 1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b],
  "relaxed-simd": body(...[0, 0].flatMap((zero) => [0x41, zero, 0xfd, 0x0f]), 0xfd, 0x80, 2, 0x1a),
  "wide-arithmetic": body(0x42, 0, 0x42, 0, 0xfc, 0x15, 0x1a, 0x1a),
};
const unknown = Object.keys(PROBES).filter(
  (family) => !WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...PROBES[family]])));

function hash(bytes) {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}

function argument(word) {
  const value = BigInt(word.slice(1));
  return word[0] === "I" ? BigInt.asIntN(64, value) : Number(BigInt.asIntN(32, value));
}

function outcome(called) {
  try {
    return BigInt.asUintN(64, called()).toString(16).padStart(16, "0");
  } catch (error) {
    if (error instanceof WebAssembly.Exception) return "exception";
    if (error instanceof WebAssembly.RuntimeError) return `trap: ${error.message}`;
    throw error;
  }
}

const lines = [];
for (let n = seed; n < seed + count; ++n) {
  const bytes = readFileSync(`${folder}/${n}.wasm`);
  const [about, ...calls] = readFileSync(`${folder}/${n}.calls`, "utf8").trim().split("\n");
  const lacking = about.split(" ")[1].split(",").filter((family) => unknown.includes(family));
  lines.push(`module ${n} ${hash(bytes)} ${about}` + (lacking.length ? ` without ${lacking.join(",")}` : ""));
  if (lacking.length) continue;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  for (const call of calls) {
    const [name, ...words] = call.split(" ");
    lines.push(`${name} ${outcome(() => exports[name](...words.map(argument)))}`);
  }
  for (let i = 0; exports[`memory${i}`]; ++i) {
    const memory = new Uint8Array(exports[`memory${i}`].buffer);
    lines.push(`memory ${hash(memory)} ${memory.length}`);
  }
}
console.log(lines.join("\n"));
