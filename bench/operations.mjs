// Calls an export of a module without imports: node operations.mjs FILE EXPORT TIMES
import { readFileSync } from "node:fs";
import { argv } from "node:process";

const [, , file, name, times] = argv;
const { instance } = await WebAssembly.instantiate(readFileSync(file));
instance.exports[name](Number(times));
