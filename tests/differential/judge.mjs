// The third opinion: runs the modules of a folder (N.wasm, N.calls) under this JavaScript engine and prints what `differential run` prints.
import { readFileSync } from "node:fs";

const [folder, seed, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

function hash(bytes) {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16).padStart(8, "0");
}

function argument(word) {
  const value = BigInt(word.slice(1));
  return word[0] === "I" ? BigInt.asIntN(64, value) : Number(BigInt.asIntN(32, value));
}

const lines = [];
for (let n = seed; n < seed + count; ++n) {
  const bytes = readFileSync(`${folder}/${n}.wasm`);
  const [functions, ...calls] = readFileSync(`${folder}/${n}.calls`, "utf8").trim().split("\n");
  lines.push(`module ${n} ${hash(bytes)} ${functions}`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  for (const call of calls) {
    const [name, ...words] = call.split(" ");
    try {
      const result = exports[name](...words.map(argument));
      lines.push(`${name} ${BigInt.asUintN(64, result).toString(16).padStart(16, "0")}`);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      lines.push(`${name} trap: ${error.message}`);
    }
  }
  const memory = new Uint8Array(exports.memory.buffer);
  lines.push(`memory ${hash(memory)} ${memory.length}`);
}
console.log(lines.join("\n"));
